"""Recovered contexts let TensorFlow 1.15 build the gradients of the model."""

import os
from pathlib import Path

import pytest
from context_runs import CASES, Values, check_gradients, run_gradients, with_loops

TESTS = Path(__file__).parents[1]
PYTHON = os.environ.get("GRAPHFREEZE_TF1_PYTHON", TESTS.parent / ".venv-tf1" / "bin" / "python")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Values]]:
    return run_gradients(PYTHON, tmp_path_factory.mktemp("contexts"))


@pytest.mark.parametrize("case", [*with_loops(), *CASES])
def test_gradients(case: str, runs: dict[str, list[Values]]) -> None:
    check_gradients(*runs[case])
