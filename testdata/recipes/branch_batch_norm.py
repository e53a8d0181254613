"""A batch norm by hand in a branch of control flow v2: it moves its averages in there."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from common import (
    draw_floats,
    draw_integers,
    new_session,
    write_bare_graph,
    write_feeds,
    write_model,
)

WORDS, WIDTH, BATCH, MOMENTUM, EPSILON = 30, 5, 4, 0.9, 1e-3


class Norm(NamedTuple):
    """The variables of a batch norm."""

    gamma: tf.Variable
    beta: tf.Variable
    mean: tf.Variable
    variance: tf.Variable


def make(folder: Path) -> None:
    """Build the forward graph, let the averages move twice, and save."""
    tf.enable_control_flow_v2()
    ids = tf.placeholder(tf.int32, [BATCH], name="ids")
    is_training = tf.placeholder(tf.bool, [], name="is_training")
    targets = tf.placeholder(tf.float32, [BATCH, WIDTH], name="targets")

    with tf.variable_scope("", use_resource=True):
        uniform = tf.random_uniform_initializer(-1.0, 1.0)
        table = tf.get_variable("table", [WORDS, WIDTH], initializer=uniform)
        kernel = tf.get_variable("kernel", [WIDTH, WIDTH])
        seen = tf.get_variable("seen", [], tf.int64, tf.zeros_initializer(), trainable=False)
        norm = get_norm()
    hidden = tf.matmul(tf.nn.embedding_lookup(table, ids), kernel)
    hidden = tf.cond(
        is_training,
        lambda: normalize_by_batch(hidden, norm),
        lambda: scale(hidden, norm.mean.read_value(), norm.variance.read_value(), norm),
        name="normalized",
    )

    @tf.function
    def count(x: tf.Tensor) -> tf.Tensor:
        seen.assign_add(1)
        return tf.tanh(x)

    outputs = tf.identity(count(hidden), name="outputs")
    loss = tf.reduce_mean(tf.squared_difference(outputs, targets), name="loss")
    tf.add_to_collection(tf.GraphKeys.LOSSES, loss)

    feeds = {
        ids: draw_integers(1, WORDS, [BATCH]),
        is_training: np.array(True),
        targets: draw_floats(2, [BATCH, WIDTH]),
    }
    with new_session() as session:
        session.run(tf.global_variables_initializer())
        for _ in range(2):
            session.run(loss, feeds)
        write_model(folder, session)
    write_bare_graph(folder, [loss, outputs])
    write_feeds(folder, loss, feeds, [outputs])


def get_norm() -> Norm:
    """Make the variables of the batch norm."""
    with tf.variable_scope("norm"):
        ones, zeros = tf.ones_initializer(), tf.zeros_initializer()
        return Norm(
            tf.get_variable("gamma", [WIDTH], initializer=ones),
            tf.get_variable("beta", [WIDTH], initializer=zeros),
            tf.get_variable("moving_mean", [WIDTH], initializer=zeros, trainable=False),
            tf.get_variable("moving_variance", [WIDTH], initializer=ones, trainable=False),
        )


def normalize_by_batch(x: tf.Tensor, norm: Norm) -> tf.Tensor:
    """Scale by the batch's own mean and variance, and move the averages towards them."""
    mean, variance = tf.nn.moments(x, [0])
    pairs = ((norm.mean, mean), (norm.variance, variance))
    moves = [old.assign_sub((old - new) * (1.0 - MOMENTUM), read_value=False) for old, new in pairs]
    with tf.control_dependencies(moves):
        return scale(x, mean, variance, norm)


def scale(x: tf.Tensor, mean: tf.Tensor, variance: tf.Tensor, norm: Norm) -> tf.Tensor:
    """Apply the batch norm."""
    return tf.nn.batch_normalization(x, mean, variance, norm.beta, norm.gamma, EPSILON)
