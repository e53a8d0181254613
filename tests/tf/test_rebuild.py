"""A rebuilt training goes on as the old one did, in TensorFlow 2."""

import sys
from pathlib import Path

import pytest
from rebuild_runs import CASES, Rebuilt, check_case


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_twenty_steps(case: Rebuilt, tmp_path: Path) -> None:
    check_case(sys.executable, case, tmp_path)
