"""A model whose ref variables became resource variables does what it did, to the bit."""

import sys

import pytest
from patch_runs import Values
from resource_runs import CASES, check_same, run_cases

Runs = dict[str, list[Values]]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Return what each case made in this TensorFlow."""
    return run_cases(sys.executable, CASES, tmp_path_factory.mktemp("runs"))


@pytest.mark.parametrize("name", CASES)
def test_same_bits(name: str, runs: Runs) -> None:
    check_same(CASES[name], *runs[name])
