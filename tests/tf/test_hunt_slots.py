"""Slots and averages of trainings that are not written as in the book."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from graphfreeze.api import add_train_op, freeze, load, report, save
from graphfreeze.errors import TrainError
from graphfreeze.model.records import FreezeRecord
from graphfreeze.selection.plan import FreezePlan

RATE = 0.1
Step = Callable[[tf.Tensor, list[tf.Variable]], tf.Operation]


def adam() -> tf.train.Optimizer:
    return tf.train.AdamOptimizer(RATE)


def in_a_scope(loss: tf.Tensor, variables: list[tf.Variable]) -> tf.Operation:
    with tf.variable_scope("OptimizeLoss"):
        return adam().minimize(loss, var_list=variables)


def one_after_another(loss: tf.Tensor, variables: list[tf.Variable]) -> tf.Operation:
    table, matrix, _ = variables
    first = adam().minimize(loss, var_list=[table])
    with tf.control_dependencies([first]):
        return adam().minimize(loss, var_list=[matrix])


def with_averages(loss: tf.Tensor, variables: list[tf.Variable]) -> tf.Operation:
    with tf.control_dependencies([adam().minimize(loss)]):
        return tf.train.ExponentialMovingAverage(0.9).apply(variables)


def gone_on(
    folder: Path, step: Step, freeze_: str, *, unsaved: str = "never"
) -> tuple[FreezeRecord, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return the record, and the variables after one more step: as it was, and of the bundle."""
    with tf.Graph().as_default(), tf.Session() as session:
        table = tf.get_variable("table", initializer=np.ones((6, 3), np.float32))
        matrix = tf.get_variable("matrix", initializer=np.eye(3, dtype=np.float32))
        other = tf.get_variable("other", initializer=[1.0, 2.0])
        rows = tf.sin(tf.nn.embedding_lookup(table, [0, 1, 4]))
        parts = [rows, tf.square(matrix - 0.3), tf.square(other)]
        loss = tf.add_n([tf.reduce_sum(part) for part in parts])
        tf.losses.add_loss(loss)
        train_op = step(loss, [table, matrix, other])
        tf.add_to_collection("train_op", train_op)
        session.run(tf.global_variables_initializer())
        for _ in range(3):
            session.run(train_op)
        saver = tf.train.Saver([v for v in tf.global_variables() if unsaved not in v.op.name])
        saver.save(session, str(folder / "in" / "model"))
        session.run(train_op)
        later = session.run({v.op.name: v for v in tf.global_variables()})
    frozen = freeze(load(folder / "in" / "model"), FreezePlan(freeze=(freeze_,)))
    add_train_op(frozen, optimizer="adam", learning_rate=RATE, keep_slots=True)
    save(frozen, folder / "out")
    with tf.Graph().as_default(), tf.Session() as session:
        restored = tf.train.import_meta_graph(str(folder / "out" / "model.meta"))
        restored.restore(session, str(folder / "out" / "model"))
        session.run("graphfreeze/train_op")
        ours = session.run({v.op.name: v for v in tf.global_variables()})
    return report(frozen), later, ours


ROWS: dict[str, tuple[Step, str, str]] = {
    "in a scope": (in_a_scope, "other", "OptimizeLoss/beta1_power"),
    "one that another waits for": (one_after_another, "re:matrix|other", "beta1_power"),
    "one that waits": (one_after_another, "re:table|other", "beta1_power_1"),
    "both": (one_after_another, "other", "beta1_power"),
    "averages": (with_averages, "other", "beta1_power"),
}


@pytest.mark.parametrize("row", ROWS)
def test_it_goes_on(row: str, tmp_path: Path) -> None:
    step, freeze_, power = ROWS[row]
    record, later, ours = gone_on(tmp_path, step, freeze_)
    trained = {v.name for v in record.variables if v.state == "trainable"}
    assert trained
    assert all(ours[name].tobytes() == later[name].tobytes() for name in trained)
    assert record.slots_kept["graphfreeze/beta1_power"] == power
    assert record.slots_kept["graphfreeze/beta2_power"] == power.replace("beta1", "beta2")
    doubts = [note for note in record.notes if "the old training also had" in note]
    assert len(doubts) == (2 if row == "both" else 0)
    assert all("go on with beta" in note and "_power_1" in note for note in doubts)
    stopped = [note for note in record.notes if "moved by the old train_op" in note]
    assert len(stopped) == (row == "averages")
    assert all("table/ExponentialMovingAverage" in note for note in stopped)


def test_slots_that_were_not_saved_are_none(tmp_path: Path) -> None:
    with pytest.raises(TrainError, match="no slots of adam for what learns"):
        gone_on(tmp_path, lambda loss, _: adam().minimize(loss), "other", unsaved="Adam")
