"""A patched graph trains on in TensorFlow 2, and keeps what is frozen."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from patch_runs import CASES, MODELS, Case, check_case, check_other_step

import graphfreeze
from graphfreeze.model.frozen_mask import frozen_mask
from graphfreeze.model.norms import find_norms


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_twenty_steps(case: Case, tmp_path: Path) -> None:
    check_case(sys.executable, case, tmp_path)


def test_a_train_op_that_was_not_named(tmp_path: Path) -> None:
    check_other_step(sys.executable, tmp_path)


LEARNING = [
    "table",
    *(f"{w}/{p}" for w in ("hidden", "deep", "output") for p in ("kernel", "bias")),
]


def test_a_norm_counts_what_learns(tmp_path: Path) -> None:
    """Compute by hand what the norm of a clip is to be, from the gradients as they were."""
    folder = MODELS / "adam_clipped"
    model, feeds = graphfreeze.load(folder), feeds_of(folder)
    plan = graphfreeze.FreezePlan(
        freeze=("deep", "output/bias"),
        freeze_rows={"table": "::2"},
        freeze_columns={"hidden/kernel": "0,-3:"},
    )
    patched = graphfreeze.patch(model, plan)
    graphfreeze.save(patched, tmp_path / "patched.meta")
    (norm,) = find_norms(model.graph)
    names = [term.gradient.tensor_name for term in norm.terms]
    *gradients, before = fetched(model.source.path, [*names, f"{norm.node}:0"], feeds)
    told = {v.name: v for v in graphfreeze.report(patched).variables}
    total = 0.0
    for name, gradient in zip(LEARNING, gradients, strict=True):
        mask = frozen_mask(told[name])
        mask = mask[feeds["ids:0"].ravel()] if name == "table" else mask
        total += float(np.square(gradient[~mask].astype(np.float64)).sum())
    (after,) = fetched(tmp_path / "patched.meta", [f"{norm.node}:0"], feeds)
    assert after < before
    np.testing.assert_allclose(after, np.sqrt(total), rtol=1e-6)


def feeds_of(folder: Path) -> dict[str, np.ndarray]:
    told = json.loads((folder / "feeds.json").read_text())["feeds"]
    return {n: np.array(f["values"], f["dtype"]).reshape(f["shape"]) for n, f in told.items()}


def fetched(meta: Path, names: list[str], feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    with tf.Graph().as_default(), tf.Session() as session:
        saver = tf.train.import_meta_graph(str(meta), clear_devices=True)
        saver.restore(session, str(MODELS / "adam_clipped" / "model.ckpt"))
        return session.run(names, feeds)
