"""Gradients that pass functions, in the real TensorFlow 1.15.5, which told them once itself.

And functions whose variables became constants, there and in TensorFlow 2."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from function_runs import MODELS, NAMES, check_gradients, check_steps

from graphfreeze.api import export, load

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


# What 1.15 gives with variables.
LOSSES = {
    "function_calls": 0.23869699239730835,
    "control_flow_v2": 0.9197635650634766,
    "nested_loops": 0.3878994286060333,
}


def test_constants_in_functions_and_loops(tmp_path: Path) -> None:
    graphs: list[Path] = []
    for name in LOSSES:
        graphs += [tmp_path / f"{name}.pb", MODELS / name / "feeds.json"]
        export(load(MODELS / name), graphs[-2], format="frozen-pb", outputs=["loss:0"])
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    for python in (PYTHON, sys.executable):
        command = [python, "-W", "ignore", ROOT / "tests" / "tf1" / "run_frozen.py", *graphs]
        done = subprocess.run(command, env=quiet, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        found = [float(line) for line in done.stdout.split()]
        np.testing.assert_allclose(found, list(LOSSES.values()), rtol=1e-6)
