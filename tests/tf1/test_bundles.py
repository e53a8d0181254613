"""The bundles that TensorFlow 2 wrote, trained by the real TensorFlow 1.15.5.

The tests fail, and do not skip, where its interpreter is missing: scripts/install_tf1 makes it.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = Path(os.environ.get("GRAPHFREEZE_TF1_PYTHON", ROOT / ".venv-tf1" / "bin" / "python"))
NAMES = ["text_classifier", "bert_tiny", "resource_mlp", "conv_bn", "bare_graph"]
TABLE_NAMES = [
    "tied_softmax",
    "nce",
    "partitioned_mod",
    "partitioned_div",
    "loop_lookup",
    "old_format",
]
NORM_NAMES = ["batch_norms", "batch_norms, kept", "branch_batch_norm"]
TRAINED_NAMES = ["adam_clipped", "bert_adamw", "momentum_ema", "wide_deep", "gan", "partitioned_ps"]
EXPORT_NAMES = ["saved_model", "hub_module"]
CORPUS_NAMES = ["cifar", "cifar, rows", "regression"]
ALL_NAMES = [*NAMES, *TABLE_NAMES, *NORM_NAMES, *TRAINED_NAMES, *EXPORT_NAMES, *CORPUS_NAMES]


@pytest.fixture(scope="session")
def python() -> Path:
    """Return an interpreter with TensorFlow 1.15."""
    if not PYTHON.is_file():
        pytest.fail(f"{PYTHON} is missing: run scripts/install_tf1, or set GRAPHFREEZE_TF1_PYTHON")
    script = "import tensorflow; print(tensorflow.__version__)"
    command = [str(PYTHON), "-W", "ignore", "-c", script]
    version = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode().strip()
    assert version.startswith("1.15."), f"{PYTHON} has TensorFlow {version}"
    return PYTHON


@pytest.mark.parametrize("name", ALL_NAMES)
def test_five_steps(name, python, make_bundle, train_bundle, check_trained, tmp_path) -> None:
    made = make_bundle(name)
    values = train_bundle(python, made.folder, made.feeds, tmp_path / "values.npz")
    check_trained(made.folder, values)
    assert values["loss_after"] < values["loss_before"]


@pytest.mark.parametrize("name", ["adam_clipped", "wide_deep"])
def test_saved_model(name, python, make_bundle, train_bundle, check_trained, tmp_path) -> None:
    made = make_bundle(name)
    values = train_bundle(python, made.folder / "savedmodel", made.feeds, tmp_path / "values.npz")
    check_trained(made.folder, values)
    assert values["loss_after"] < values["loss_before"]
