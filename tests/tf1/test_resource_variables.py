"""The real TensorFlow 1.15.5 runs resource variables as it ran the ref variables they were."""

import os

import pytest
from patch_runs import Values
from resource_runs import CASES, TESTS, check_odd_graphs, check_same, run_models, run_odd_graphs

Runs = dict[str, list[Values]]
PYTHON = os.environ.get("GRAPHFREEZE_TF1_PYTHON", TESTS.parent / ".venv-tf1" / "bin" / "python")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Return what each model made in that TensorFlow."""
    return run_models(PYTHON, tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def odd_graphs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Return what each odd graph made, which that TensorFlow wrote."""
    return run_odd_graphs(PYTHON, tmp_path_factory.mktemp("odd"))


@pytest.mark.parametrize("name", CASES)
def test_models(name: str, models: Runs) -> None:
    assert check_same(*models[name]) == CASES[name].moves


def test_odd_graphs(odd_graphs: Runs) -> None:
    check_odd_graphs(odd_graphs)
