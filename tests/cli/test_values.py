"""Options that say which values variables begin with."""

import json
import re
from pathlib import Path

import pytest

FREEZE = ("freeze", "resource_mlp", "--freeze", "hidden", "--no-train-op")
REFUSED = {
    "no sign": (("out", "--rename", "old"), "'old' is not OLD=NEW"),
    "nothing like it": (("out", "--rename", "hiden=x"), "matches no key .*; did you mean hidden"),
    "two keys, one name": (
        ("out", "--rename", "hidden/bias=output/bias"),
        "'hidden/bias' and 'output/bias' of the checkpoint would both be 'output/bias'",
    ),
    "no such variable": (("out", "--checkpoint-exclude", "head"), "'head' matches no variable"),
    "a graph file": (("out.pb", "--compact"), "--compact needs a bundle"),
    "what is lacking": (
        ("out", "--rename", "hidden=x"),
        r"lacks 2 keys: 'hidden/bias' \(like x/bias\), 'hidden/kernel' \(like x/kernel\); "
        r"holds for no variable 2 keys: x/bias, x/kernel; give --rename x=hidden",
    ),
}


@pytest.mark.parametrize(("more", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(run, models: Path, more: tuple[str, ...], message: str) -> None:
    code, out, err = run(*FREEZE, *more)
    assert (code, out) == (2, "")
    assert re.search(message, " ".join(err.split())) is not None
    assert not Path("out").exists()


def test_what_begins_anew_is_told(run, models: Path) -> None:
    code, out, _ = run(*FREEZE, "--dry-run", "--checkpoint-exclude", "output")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert code == 0
    assert "excluded 2 initial values: output/bias, output/kernel" in lines
    assert "linked where the file system can 2 keys (204 bytes) in them are" in " ".join(lines)
    assert "checkpoint 0 keys added, 0 dropped, 2 changed" in lines


def test_json(run, models: Path) -> None:
    options = ("--dry-run", "--json", "--missing", "initialize", "--rename", "output=x")
    record = json.loads(run(*FREEZE, *options)[1])
    told = record["values"]
    assert (told["files"], told["initialized"]) == ("linked", ["output/bias", "output/kernel"])
    assert (told["keys_left"], told["excluded"], told["renamed"]) == (2, [], {})
    assert record["keys_added"] == ["output/bias", "output/kernel"]
