"""A patched graph trains on in the real TensorFlow 1.15.5, and keeps what is frozen."""

import os
from pathlib import Path

import pytest
from patch_runs import CASES, TESTS, Case, check_case, check_other_step

PYTHON = os.environ.get("GRAPHFREEZE_TF1_PYTHON", TESTS.parent / ".venv-tf1" / "bin" / "python")


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_twenty_steps(case: Case, tmp_path: Path) -> None:
    check_case(PYTHON, case, tmp_path)


def test_a_train_op_that_was_not_named(tmp_path: Path) -> None:
    check_other_step(PYTHON, tmp_path)
