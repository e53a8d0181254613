"""Gradients that pass functions, in the real TensorFlow 1.15.5, which told them once itself."""

import os
from pathlib import Path

import pytest
from function_runs import NAMES, check_gradients, check_steps

ROOT = Path(__file__).parents[2]
PYTHON = os.environ.get("GRAPHFREEZE_TF1_PYTHON", ROOT / ".venv-tf1" / "bin" / "python")


RUNS = {"calls": (NAMES[0], 1), "calls, many": (NAMES[0], 20), "training": (NAMES[1], 1)}


@pytest.mark.parametrize(("name", "steps"), RUNS.values(), ids=RUNS)
def test_steps(name: str, steps: int, make_bundle, train_bundle, tmp_path: Path) -> None:
    made = make_bundle(name)
    values = train_bundle(PYTHON, made.folder, made.feeds, tmp_path / "values.npz", steps=steps)
    check_steps(values, steps)
    if steps == 1:
        check_gradients(values, name)
