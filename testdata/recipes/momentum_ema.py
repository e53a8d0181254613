"""Momentum with L2 losses, batch norm's updates before it, and averages of all variables after."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf
from common import add_side, draw_integers, draw_side, new_session, write_feeds, write_model

WORDS, WIDTH, LENGTH, HIDDEN, CLASSES, BATCH, STEPS = 120, 8, 5, 10, 3, 8, 4


def make(folder: Path) -> None:
    """Build the graph on resource variables, train a few steps, and save."""
    ids = tf.placeholder(tf.int32, [None, LENGTH], name="ids")
    labels = tf.placeholder(tf.int32, [None], name="labels")

    tf.get_variable_scope().set_use_resource(True)
    table = tf.get_variable(
        "table", [WORDS, WIDTH], initializer=tf.random_uniform_initializer(-1.0, 1.0)
    )
    text = tf.reduce_mean(tf.nn.embedding_lookup(table, ids), axis=1, name="text")
    logits = add_layers(text)
    predictions = tf.nn.softmax(logits, name="predictions")
    tf.losses.sparse_softmax_cross_entropy(labels, logits)
    side_inputs, side_loss = add_side()
    tf.losses.add_loss(side_loss)
    total = tf.losses.get_total_loss(name="total_loss")
    train_op = add_training(total)

    def draw_batch(seed: int) -> dict[tf.Tensor, np.ndarray]:
        """Draw ids, labels and the input of ``side``."""
        return {
            ids: draw_integers(seed, WORDS, [BATCH, LENGTH]),
            labels: draw_integers(seed + 100, CLASSES, [BATCH]),
            side_inputs: draw_side(seed, BATCH),
        }

    with new_session() as session:
        session.run(tf.global_variables_initializer())
        for step in range(STEPS):
            session.run(train_op, draw_batch(step))
        write_model(folder, session)
    write_feeds(folder, total, draw_batch(STEPS), [predictions])


def add_layers(text: tf.Tensor) -> tf.Tensor:
    """Add a layer with a batch norm in training mode, and one for the logits; both decay."""
    regularizer = tf.contrib.layers.l2_regularizer(0.01)
    hidden = tf.layers.dense(text, HIDDEN, kernel_regularizer=regularizer, name="hidden")
    hidden = tf.layers.batch_normalization(hidden, momentum=0.9, training=True, name="bn")
    return tf.layers.dense(
        tf.nn.relu(hidden), CLASSES, kernel_regularizer=regularizer, name="output"
    )


def add_training(loss: tf.Tensor) -> tf.Operation:
    """Add a train op in three steps: the moving averages, Momentum, the averages of variables."""
    global_step = tf.train.get_or_create_global_step()
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        applied = tf.train.MomentumOptimizer(0.05, 0.9).minimize(loss, global_step)
    average = tf.train.ExponentialMovingAverage(0.9)
    with tf.control_dependencies([applied]):
        train_op = tf.group(average.apply(tf.trainable_variables()), name="train_op")
    tf.add_to_collection(tf.GraphKeys.TRAIN_OP, train_op)  # beside minimize()'s own
    return train_op
