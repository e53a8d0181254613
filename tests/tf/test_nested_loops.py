"""Loops in loops and branches, frozen in part: their gradients and training in TensorFlow 2."""

import sys
from pathlib import Path

import numpy as np
import tensorflow.compat.v1 as tf
from loop_runs import JOBS, check, run_all

from graphfreeze.api import add_train_op, freeze, load, save
from graphfreeze.selection.plan import FreezePlan


def test_gradients_and_training(tmp_path: Path) -> None:
    found = run_all(sys.executable, tmp_path)
    for name, job in JOBS.items():
        check(job, found[""], found[name])


def test_no_step_waits_for_an_update_in_a_loop(tmp_path: Path) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        tf.disable_control_flow_v2()
        table = tf.get_variable("table", initializer=np.ones((6, 2), np.float32))
        tf.get_variable("frozen", initializer=1.0)
        moved = tf.get_variable("moved", initializer=0.0, trainable=False)

        def body(i: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            tf.add_to_collection("update_ops", tf.assign_add(moved, 1.0))
            return i + 1, x + tf.gather(table, i)

        _, x = tf.while_loop(lambda i, _: i < 3, body, (0, tf.zeros([2])))
        tf.enable_control_flow_v2()
        tf.losses.add_loss(tf.reduce_sum(tf.square(x)))
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, str(tmp_path / "in"))
    frozen = freeze(load(tmp_path / "in"), FreezePlan(freeze=("frozen",)))
    add_train_op(frozen, optimizer="sgd", learning_rate=0.1)
    save(frozen, tmp_path / "out")
    with tf.Graph().as_default(), tf.Session() as session:
        saver = tf.train.import_meta_graph(str(tmp_path / "out" / "model.meta"))
        saver.restore(session, str(tmp_path / "out" / "model"))
        session.run(tf.get_collection("train_op")[0])
        value = session.run({v.op.name: v for v in tf.global_variables()})["table"]
        assert tf.get_collection("update_ops")
    assert [(row != 1).any() for row in value] == [True] * 3 + [False] * 3
