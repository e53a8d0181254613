"""The benchmark of rows, on tables so small that its figures mean nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
HEIGHT, ROW_BYTES = 2_000, 64 * 4
HALF = {"all trainable", "usual recipe", "mask", "overlay"}
COMPARED = {
    ("every second row", "sgd"): HALF,
    ("every second row", "adagrad"): HALF,
    ("every second row", "adam"): HALF,
    ("all but 1 % of the rows", "adam"): {"all trainable", "overlay"},
}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("benchmark") / "new"
    command = [sys.executable, "-m", "benchmarks", "rows", "--quick", "--out", str(folder)]
    env = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "bytes of overlay" in done.stdout
    return folder


@pytest.fixture(scope="module")
def result(out: Path) -> dict[str, Any]:
    return json.loads((out / "rows.json").read_text())


def test_every_variant_is_timed(result: dict[str, Any]) -> None:
    assert all(0 < each["ms"] < 10_000 for each in result["times"])
    seen: dict[tuple[str, str, str], set[str]] = {}
    for each in result["times"]:
        key = (each["frozen"], each["optimizer"], each["kind"])
        seen.setdefault(key, set()).add(each["variant"])
    kinds = ("ref", "resource")
    assert seen == {(*key, kind): value for key, value in COMPARED.items() for kind in kinds}


def test_bytes_are_those_of_the_bundle(result: dict[str, Any]) -> None:
    rows = HEIGHT // 100 * ROW_BYTES
    for each in result["bytes"]:
        slots = [size for key, size in each.items() if "/graphfreeze_Adam" in key]
        assert (each["table"], each["table/graphfreeze/rows"]) == (HEIGHT * ROW_BYTES, rows)
        assert slots == [rows, rows]
        assert each["total"] == HEIGHT * ROW_BYTES + 3 * rows + each["constants"]
        # Bounds of 20 intervals at least, one byte for each row of the table at most.
        assert 20 * 16 <= each["constants"] < 2 * HEIGHT


def test_targets_are_judged(result: dict[str, Any]) -> None:
    for each in result["targets"]:
        figures = each["figures"].values()
        assert each["figure"] == max(figures)
        assert each["is_reached"] == (each["figure"] <= each["bound"])
    assert [each["bound"] for each in result["targets"]] == [1.1, 1.1, 0.1, 1.08]


def test_the_plot_is_drawn(out: Path) -> None:
    assert (out / "rows.png").read_bytes().startswith(b"\x89PNG")


def test_checkpoint(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "checkpoint", "--quick", "--out", str(tmp_path)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(SCRIPTS), *sys.path])}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    result = json.loads((tmp_path / "checkpoint.json").read_text())
    linked, rewritten = result["cases"]
    assert (linked["case"], rewritten["case"]) == ("linked", "rewritten")
    assert all(each["ratio"] > 0 for each in result["cases"])
    assert all(0 < each["write_ms"] < each["first_ms"] for each in result["cases"])
    assert result["frozen_bytes"] == 2 * 16 * 16 * 4


def test_patch(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "patch", "--quick", "--out", str(tmp_path)]
    env = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    (timed,) = json.loads((tmp_path / "patch.json").read_text())["times"]
    assert timed["ms"].keys() == {"as it was", "patched", "counting frozen", "rebuilt"}
    assert timed["ratios"]["as it was"] == 1
