"""Functions that take masks as arguments, in the real TensorFlow 1.15.5."""

import os
from pathlib import Path

import numpy as np
import pytest

from graphfreeze.api import add_train_op, freeze, load, save
from graphfreeze.rewrite import entry_mask, row_factors
from graphfreeze.selection.plan import FreezePlan

ROOT = Path(__file__).parents[2]
PYTHON = os.environ.get("GRAPHFREEZE_TF1_PYTHON", ROOT / ".venv-tf1" / "bin" / "python")
FOLDER = ROOT / "testdata" / "models" / "control_flow_v2"
DRAWN = np.random.default_rng(7)
PLAN = FreezePlan(
    freeze=("gate",),
    freeze_elements={"tags": DRAWN.random((20, 5)) < 0.5, "outer": DRAWN.random((5, 5)) < 0.5},
    row_scale={"words": np.linspace(0.0, 1.0, 30)},
)


def test_masks_that_are_led_into_functions(
    train_bundle, check_trained, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for module in (entry_mask, row_factors):
        monkeypatch.setattr(module, "MOST_INLINE", 1)
    done = freeze(load(FOLDER), PLAN)
    assert {"tags/graphfreeze/trainable_elements", "words/graphfreeze/row_scale"} <= {
        edit.key for edit in done.draft.value_edits
    }
    add_train_op(done, loss=("loss:0",), optimizer="momentum", learning_rate=0.01)
    save(done, tmp_path / "bundle")
    out = tmp_path / "values.npz"
    values = train_bundle(PYTHON, tmp_path / "bundle", FOLDER / "feeds.json", out)
    check_trained(tmp_path / "bundle", values)
    assert values["loss_after"] < values["loss_before"]
