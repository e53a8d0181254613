"""A classifier amid its training by a MonitoredTrainingSession: Adam behind a clip, a schedule."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf
from common import add_side, draw_integers, draw_side, new_session, write_feeds, write_model

WORDS, WIDTH, LENGTH, HIDDEN, DEEP, CLASSES, BATCH, STEPS = 300, 8, 6, 12, 8, 3, 8, 4
CLIP_NORM = 0.02  # the norms of these steps are 0.5 to 0.8


def make(folder: Path) -> None:
    """Build the graph with all that a Scaffold adds, train a few steps, and save."""
    ids = tf.placeholder(tf.int32, [None, LENGTH], name="ids")
    labels = tf.placeholder(tf.int32, [None], name="labels")

    table = tf.get_variable(
        "table", [WORDS, WIDTH], initializer=tf.random_uniform_initializer(-1.0, 1.0)
    )
    text = tf.reduce_mean(tf.nn.embedding_lookup(table, ids), axis=1, name="text")
    hidden = tf.layers.dense(text, HIDDEN, activation=tf.tanh, name="hidden")
    deep = tf.layers.dense(hidden, DEEP, activation=tf.tanh, name="deep")
    logits = tf.layers.dense(deep, CLASSES, name="output")
    predictions = tf.nn.softmax(logits, name="predictions")
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    tf.losses.add_loss(tf.reduce_mean(losses, name="loss"))
    side_inputs, side_loss = add_side()
    tf.losses.add_loss(side_loss)
    total = tf.losses.get_total_loss(name="total_loss")
    _, count_loss = tf.metrics.mean(losses, name="mean_loss")
    train_op = add_training(total)

    saver = tf.train.Saver(sharded=True, allow_empty=True, save_relative_paths=True)
    tf.add_to_collection(tf.GraphKeys.SAVERS, saver)  # where the Scaffold looks for one
    scaffold = tf.train.Scaffold().finalize()

    def draw_batch(seed: int) -> dict[tf.Tensor, np.ndarray]:
        """Draw ids, labels and the input of ``side``."""
        return {
            ids: draw_integers(seed, WORDS, [BATCH, LENGTH]),
            labels: draw_integers(seed + 100, CLASSES, [BATCH]),
            side_inputs: draw_side(seed, BATCH),
        }

    with new_session() as session:
        session.run(scaffold.init_op)
        session.run(scaffold.local_init_op)
        for step in range(STEPS):
            session.run([train_op, count_loss, scaffold.summary_op], draw_batch(step))
        write_model(folder, session, scaffold.saver)
    write_feeds(folder, total, draw_batch(STEPS), [predictions])


def add_training(loss: tf.Tensor) -> tf.Operation:
    """Add a schedule, gradients, a clip of all but those of ``side``, Adam and summaries."""
    global_step = tf.train.get_or_create_global_step()
    learning_rate = tf.train.polynomial_decay(0.02, global_step, 100, end_learning_rate=0.001)
    optimizer = tf.train.AdamOptimizer(learning_rate)
    gradients, variables = zip(*optimizer.compute_gradients(loss))
    asides = [variable.op.name.startswith("side/") for variable in variables]
    clipped, _ = tf.clip_by_global_norm(
        [gradient for gradient, aside in zip(gradients, asides) if not aside], CLIP_NORM
    )
    rest = iter(clipped)
    applied = [
        (gradient if aside else next(rest), variable)
        for gradient, variable, aside in zip(gradients, variables, asides)
    ]

    tf.summary.scalar("loss", loss)
    tf.summary.scalar("learning_rate", learning_rate)
    by_name = {variable.op.name: gradient for gradient, variable in applied}
    tf.summary.histogram("hidden/kernel/gradient", by_name["hidden/kernel"])
    # apply_gradients() itself adds the op to the collection train_op.
    return optimizer.apply_gradients(applied, global_step, name="train_op")
