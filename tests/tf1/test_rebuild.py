"""A rebuilt training goes on as the old one did, in the real TensorFlow 1.15.5."""

import os
from pathlib import Path

import pytest
from patch_runs import TESTS
from rebuild_runs import CASES, Rebuilt, check_case

PYTHON = os.environ.get("GRAPHFREEZE_TF1_PYTHON", TESTS.parent / ".venv-tf1" / "bin" / "python")


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_twenty_steps(case: Rebuilt, tmp_path: Path) -> None:
    check_case(PYTHON, case, tmp_path)
