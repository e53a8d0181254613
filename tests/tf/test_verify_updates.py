"""Bundles of models whose losses or updates write what is partly frozen pass a check."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import graphfreeze

ROWS = graphfreeze.FreezePlan(freeze_rows={"table": "0:5"})
COLUMN = graphfreeze.FreezePlan(freeze_columns={"table": "0"})


def clipped(table: tf.Variable, _: tf.Tensor) -> None:
    """Keep rows short, by an update that no loss waits for."""
    tf.add_to_collection("update_ops", table.assign(tf.clip_by_norm(table, 0.5, axes=[1])))


def averaged(table: tf.Variable, _: tf.Tensor) -> None:
    average = tf.get_variable("average", (10, 4), trainable=False)
    tf.add_to_collection("update_ops", average.assign_sub((average - table) * 0.1))
    tf.add_to_collection("losses", 0.1 * tf.nn.l2_loss(table - average))


def named_as_a_slot(_: tf.Variable, ids: tf.Tensor) -> None:
    other = tf.get_variable("table/graphfreeze_rows", (10, 4))
    tf.add_to_collection("losses", tf.nn.l2_loss(tf.gather(other, ids)))


def waited_for(table: tf.Variable, ids: tf.Tensor) -> None:
    """Let a loss take what it wrote before."""
    with tf.control_dependencies([table.assign_add(tf.fill([10, 4], 0.125))]):
        now = tf.convert_to_tensor(table.read_value())
    tf.add_to_collection("losses", tf.nn.l2_loss(tf.gather(now, ids)))


# what a model does besides, what is frozen of its table, and options of the training
MODELS: dict[str, tuple[Callable[..., None], graphfreeze.FreezePlan, dict[str, Any]]] = {
    "an update of rows": (clipped, ROWS, {}),
    "an update of a column": (clipped, COLUMN, {"optimizer": "adagrad", "learning_rate": 0.1}),
    "an update that waits for gradients": (clipped, ROWS, {"skip_nonfinite": True}),
    "an average that a loss takes": (averaged, COLUMN, {"skip_nonfinite": True}),
    "a variable named as a slot": (named_as_a_slot, ROWS, {}),
    "a loss after an update": (waited_for, ROWS, {}),
}


def written(folder: Path, besides: Callable[..., None], *, is_resource: bool) -> Path:
    with tf.Graph().as_default(), tf.variable_scope("", use_resource=is_resource):
        tf.set_random_seed(0)
        ids = tf.placeholder(tf.int32, [None], name="ids")
        start = np.random.default_rng(0).standard_normal((10, 4)).astype(np.float32)
        table = tf.get_variable("table", initializer=start)
        tf.add_to_collection("losses", tf.nn.l2_loss(tf.nn.embedding_lookup(table, ids)))
        besides(table, ids)
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            return Path(tf.train.Saver().save(session, str(folder / "model")))


@pytest.mark.parametrize("is_resource", [False, True], ids=["ref", "resource"])
@pytest.mark.parametrize(("besides", "plan", "options"), MODELS.values(), ids=MODELS)
def test_they_pass(
    besides: Callable[..., None],
    plan: graphfreeze.FreezePlan,
    options: dict[str, Any],
    is_resource: bool,
    tmp_path: Path,
) -> None:
    original = graphfreeze.load(written(tmp_path, besides, is_resource=is_resource))
    frozen = graphfreeze.freeze(original, plan)
    graphfreeze.add_train_op(frozen, loss=["total"], **options)
    graphfreeze.save(frozen, tmp_path / "out")
    record = graphfreeze.verify(original, graphfreeze.load(tmp_path / "out"), steps=2)
    assert [each.failures for each in record.sections] == [[]] * 4
    moved = {each.state: each.moved for each in record.changes if each.name == "table"}
    assert moved["frozen"] == 0
    assert moved["trainable"] > 0
