"""A batch norm behind a cond, as is done by hand: each branch reads its weights for itself."""

from __future__ import annotations

from pathlib import Path

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

WORDS, WIDTH, LENGTH, CLASSES, BATCH, UPDATES = 30, 6, 3, 3, 4, 2


def make(folder: Path) -> None:
    """Build the forward graph, move the averages by some batches, and save."""
    ids = tf.placeholder(tf.int32, [None, LENGTH], name="ids")
    numbers = tf.placeholder(tf.float32, [None, WIDTH], name="numbers")
    labels = tf.placeholder(tf.int32, [None], name="labels")
    is_training = tf.placeholder(tf.bool, [], name="is_training")

    uniform = tf.random_uniform_initializer(-1.0, 1.0)
    table = tf.get_variable("table", [WORDS, WIDTH], initializer=uniform)
    words = tf.reduce_mean(tf.nn.embedding_lookup(table, ids), axis=1)
    hidden = tf.layers.dense(words + numbers, WIDTH, use_bias=False, name="hidden")
    normed = tf.cond(
        is_training,
        lambda: normalize(hidden, is_training=True),
        lambda: normalize(hidden, is_training=False),
        name="norm_cond",
    )
    logits = tf.layers.dense(tf.nn.relu(normed), CLASSES, name="output")
    predictions = tf.nn.softmax(logits, name="predictions")
    loss = tf.losses.sparse_softmax_cross_entropy(labels, logits)

    feeds = {
        ids: draw_integers(1, WORDS, [BATCH, LENGTH]),
        numbers: draw_floats(2, [BATCH, WIDTH]),
        labels: draw_integers(3, CLASSES, [BATCH]),
        is_training: np.array(True),
    }
    with new_session() as session:
        session.run(tf.global_variables_initializer())
        for _ in range(UPDATES):
            session.run(loss, feeds)
        write_model(folder, session)
    write_bare_graph(folder, [loss, predictions])
    write_feeds(folder, loss, feeds, [predictions])


def normalize(inputs: tf.Tensor, *, is_training: bool) -> tf.Tensor:
    """Add one of the two branches; in training its result waits for the averages to move."""
    return tf.contrib.layers.batch_norm(
        inputs,
        decay=0.9,
        scale=True,
        updates_collections=None,
        is_training=is_training,
        fused=False,
        reuse=tf.AUTO_REUSE,
        scope="norm",
    )
