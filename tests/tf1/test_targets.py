"""A bundle whose gradients TensorFlow 2 tells by ops that 1.15 lacks, trained by both."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
PYTHON = Path(os.environ.get("GRAPHFREEZE_TF1_PYTHON", ROOT / ".venv-tf1" / "bin" / "python"))
REWRITTEN = {
    "MatrixDiagPartV3": 2,
    "MatrixDiagV3": 2,
    "MatrixSetDiagV3": 1,
    "SparseSegmentSumGrad": 2,
}


def test_both_train_alike(make_bundle, train_bundle, check_trained, tmp_path) -> None:
    if not PYTHON.is_file():
        pytest.fail(f"{PYTHON} is missing: run scripts/install_tf1, or set GRAPHFREEZE_TF1_PYTHON")
    made = make_bundle("sparse_sums")
    record = json.loads((made.folder / "graphfreeze.json").read_text())
    assert (record["target"], record["newer_ops"]) == ("1.15", [])
    assert record["ops_rewritten"] == REWRITTEN
    old, new = (
        train_bundle(python, made.folder, made.feeds, tmp_path / f"{number}.npz")
        for number, python in enumerate((PYTHON, sys.executable))
    )
    check_trained(made.folder, old)
    check_trained(made.folder, new)
    assert old.keys() == new.keys()
    for name, value in old.items():
        np.testing.assert_allclose(new[name], value, rtol=1e-5, atol=1e-6, err_msg=name)
    assert old["loss_after"] < old["loss_before"]
