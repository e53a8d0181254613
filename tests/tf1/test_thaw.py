"""Thawed graphs in the real TensorFlow 1.15.5: it runs them, and freezes them again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from thaw_runs import MODELS, OWN, WORLD, check_same, make_trainable, run_all

ROOT = Path(__file__).parents[2]
PYTHON = Path(os.environ.get("GRAPHFREEZE_TF1_PYTHON", ROOT / ".venv-tf1" / "bin" / "python"))


@pytest.fixture(scope="module")
def values(tmp_path_factory):
    """Return what 1.15 computed with each graph."""
    assert PYTHON.is_file(), f"{PYTHON} is missing: run scripts/install_tf1"
    return run_all(PYTHON, tmp_path_factory.mktemp("thawed"))


@pytest.mark.parametrize("name", [*OWN, *WORLD])
def test_thawed_and_frozen_again(name, values) -> None:
    check_same(name, values)


@pytest.mark.parametrize("name", ["frozen_classifier", "frozen_recurrent"])
def test_thawed_and_trained(name, train_bundle, check_trained, tmp_path) -> None:
    bundle = make_trainable(tmp_path, name)
    feeds = MODELS / name / "feeds.json"
    check_trained(bundle, train_bundle(PYTHON, bundle, feeds, tmp_path / "values.npz"))
