"""Frozen classifiers learn something new: thawed, given a head, trained twenty steps."""

import sys
from pathlib import Path

import pytest
from transfer_runs import CASES, Values, check, train_all


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("transfer")


@pytest.fixture(scope="module")
def values(folder: Path) -> Values:
    return train_all(sys.executable, folder)


@pytest.mark.parametrize("name", CASES)
def test_twenty_steps(name: str, values: Values, folder: Path) -> None:
    check(name, values, folder)
