"""Loops in loops and branches, frozen in part: their gradients and training in TensorFlow 2."""

import sys
from pathlib import Path

from loop_runs import JOBS, check, run_all


def test_gradients_and_training(tmp_path: Path) -> None:
    found = run_all(sys.executable, tmp_path)
    for name, job in JOBS.items():
        check(job, found[""], found[name])
