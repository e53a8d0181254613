"""What is known of the optimizers holds in the real TensorFlow 1.15 too."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from graphfreeze.train.optimizers import OPTIMIZERS

ROOT = Path(__file__).parents[2]
PYTHON = Path(os.environ.get("GRAPHFREEZE_TF1_PYTHON", ROOT / ".venv-tf1" / "bin" / "python"))
SCRIPT = Path(__file__).with_name("zero_gradients.py")


@pytest.fixture(scope="module")
def moved() -> dict[str, list[bool]]:
    """Return what moved in 1.15, by optimizer: those whose class it has."""
    known = {n: [k.cls, dict(k.fixed)] for n, k in OPTIMIZERS.items() if not k.decays}
    command = [str(PYTHON), "-W", "ignore", str(SCRIPT), json.dumps(known)]
    found = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    return json.loads(found)


def test_every_optimizer_of_it_is_known(moved) -> None:
    assert moved.keys() == OPTIMIZERS.keys() - {"adamw"}


@pytest.mark.parametrize("name", [n for n, known in OPTIMIZERS.items() if not known.decays])
def test_a_gradient_of_zero(name, moved) -> None:
    zero = OPTIMIZERS[name].zero
    assert moved[name] == [zero.dense, zero.dense_warm, zero.sparse, zero.sparse_warm]
