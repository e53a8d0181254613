"""A model whose ref variables became resource variables does what it did, to the bit."""

import sys

import pytest
from patch_runs import Values
from resource_runs import CASES, check_odd_graphs, check_same, run_models, run_odd_graphs

Runs = dict[str, list[Values]]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Return what each model made in this TensorFlow."""
    return run_models(sys.executable, tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def odd_graphs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Return what each odd graph made, which this TensorFlow wrote."""
    return run_odd_graphs(sys.executable, tmp_path_factory.mktemp("odd"))


@pytest.mark.parametrize("name", CASES)
def test_models(name: str, models: Runs) -> None:
    assert check_same(*models[name]) == CASES[name].moves


def test_odd_graphs(odd_graphs: Runs) -> None:
    check_odd_graphs(odd_graphs)
