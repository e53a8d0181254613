"""The real TensorFlow 1.15.5 runs resource variables as it ran the ref variables they were."""

import os

import pytest
from patch_runs import Values
from resource_runs import CASES, TESTS, check_same, run_cases

PYTHON = os.environ.get("GRAPHFREEZE_TF1_PYTHON", TESTS.parent / ".venv-tf1" / "bin" / "python")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Values]]:
    """Return what each case made in that TensorFlow."""
    return run_cases(PYTHON, CASES, tmp_path_factory.mktemp("runs"))


@pytest.mark.parametrize("name", CASES)
def test_same_bits(name: str, runs: dict[str, list[Values]]) -> None:
    check_same(CASES[name], *runs[name])
