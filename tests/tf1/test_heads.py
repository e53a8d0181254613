"""Heads in the real TensorFlow 1.15.5, beside tf.layers.dense and tf.losses."""

import os
from pathlib import Path

from head_runs import CASES, check, make, run
from patch_runs import TESTS

PYTHON = os.environ.get("GRAPHFREEZE_TF1_PYTHON", TESTS.parent / ".venv-tf1" / "bin" / "python")


def test_heads(tmp_path: Path) -> None:
    bundles = [make(name, tmp_path) for name in CASES]
    values = run(PYTHON, bundles, tmp_path / "values.npz")
    for bundle in bundles:
        check(bundle, values)
