"""Loops in loops and branches, frozen in part: their gradients and training in TensorFlow 1."""

import os
from pathlib import Path

from loop_runs import JOBS, check, run_all

ROOT = Path(__file__).parents[2]
PYTHON = os.environ.get("GRAPHFREEZE_TF1_PYTHON", ROOT / ".venv-tf1" / "bin" / "python")


def test_gradients_and_training(tmp_path: Path) -> None:
    found = run_all(PYTHON, tmp_path)
    for name, job in JOBS.items():
        check(job, found[""], found[name])
