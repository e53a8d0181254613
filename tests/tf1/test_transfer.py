"""Frozen classifiers learn something new in the real TensorFlow 1.15.5."""

import os
from pathlib import Path

import pytest
from patch_runs import TESTS, Values
from transfer_runs import CASES, check, train_all

PYTHON = os.environ.get("GRAPHFREEZE_TF1_PYTHON", TESTS.parent / ".venv-tf1" / "bin" / "python")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("transfer")


@pytest.fixture(scope="module")
def values(folder: Path) -> Values:
    return train_all(PYTHON, folder)


@pytest.mark.parametrize("name", CASES)
def test_twenty_steps(name: str, values: Values, folder: Path) -> None:
    check(name, values, folder)
