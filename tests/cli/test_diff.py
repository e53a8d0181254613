"""The command ``diff``: text, JSON, and input that is none."""

import json
from pathlib import Path

import pytest

MODELS = Path(__file__).parents[2] / "testdata" / "models"
SOURCE = MODELS / "resource_mlp"


@pytest.fixture
def frozen(run, tmp_path: Path) -> Path:
    out = tmp_path / "out.meta"
    assert run("freeze", SOURCE, out, "--freeze", "hidden")[0] == 0
    return out


def test_text(run, frozen: Path) -> None:
    code, out, err = run("diff", SOURCE, frozen)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("from")
    assert lines[1].split() == ["to", str(frozen)]
    assert "2 nodes added" in lines
    assert "2 variables with another state" in lines
    assert any(line.split() == ["hidden/kernel", "trainable", "->", "frozen", "--freeze", "hidden"]
               for line in lines)  # fmt: skip


def test_json(run, frozen: Path) -> None:
    code, out, _ = run("diff", SOURCE, frozen, "--json")
    told = json.loads(out)
    assert code == 0
    assert {each["op"] for each in told["added"]} == {"StopGradient"}
    assert told["operations"] == {"StopGradient": 2}


def test_nothing_differs(run, frozen: Path) -> None:
    code, out, _ = run("diff", frozen, frozen)
    assert (code, out.splitlines()[-1]) == (0, "no difference")


def test_what_is_not_there(run, frozen: Path) -> None:
    code, out, err = run("diff", frozen, frozen.with_name("absent.meta"))
    assert (code, out) == (2, "")
    assert "absent.meta: no such file or folder" in err
