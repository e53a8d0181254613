"""A classifier of short texts, saved amid its training: old optimizer, slots, summary and all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf
from common import draw_integers, new_session, write_feeds, write_model

WORDS, WIDTH, LENGTH, HIDDEN, CLASSES, BATCH, STEPS = 1000, 16, 12, 16, 4, 8, 3


def make(folder: Path) -> None:
    """Build the graph with Adam, train three steps, and save."""
    ids = tf.placeholder(tf.int32, [None, LENGTH], name="ids")
    labels = tf.placeholder(tf.int32, [None], name="labels")

    embedding = tf.get_variable(
        "word_embedding", [WORDS, WIDTH], initializer=tf.random_uniform_initializer(-1.0, 1.0)
    )
    text = tf.reduce_mean(tf.nn.embedding_lookup(embedding, ids), axis=1, name="text")
    hidden = tf.layers.dense(text, HIDDEN, activation=tf.nn.relu, name="hidden")
    logits = tf.layers.dense(hidden, CLASSES, name="output")
    predictions = tf.nn.softmax(logits, name="predictions")

    loss = tf.losses.sparse_softmax_cross_entropy(labels, logits)
    tf.summary.scalar("loss", loss)
    global_step = tf.train.get_or_create_global_step()
    # minimize() itself adds the op to the collection train_op.
    train_op = tf.train.AdamOptimizer(0.01).minimize(loss, global_step=global_step, name="train_op")
    init = tf.global_variables_initializer()

    def draw_batch(seed: int) -> dict[tf.Tensor, np.ndarray]:
        """Draw ids and labels."""
        return {
            ids: draw_integers(seed, WORDS, [BATCH, LENGTH]),
            labels: draw_integers(seed + 100, CLASSES, [BATCH]),
        }

    with new_session() as session:
        session.run(init)
        for step in range(STEPS):
            session.run(train_op, draw_batch(step))
        write_model(folder, session)
    write_feeds(folder, loss, draw_batch(STEPS), [predictions])
