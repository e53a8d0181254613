"""A pair of texts: bidirectional_dynamic_rnn over one of them, one embedding for both."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf
from common import draw_integers, new_session, write_bare_graph, write_feeds, write_model

WORDS, WIDTH, UNITS, LENGTH, CLASSES, BATCH = 40, 6, 5, 4, 3, 4


def make(folder: Path) -> None:
    """Build the forward graph, initialize it, and save."""
    premise = tf.placeholder(tf.int32, [None, LENGTH], name="premise")
    lengths = tf.placeholder(tf.int32, [None], name="lengths")
    hypothesis = tf.placeholder(tf.int32, [None, LENGTH], name="hypothesis")
    labels = tf.placeholder(tf.int32, [None], name="labels")

    uniform = tf.random_uniform_initializer(-1.0, 1.0)
    embedding = tf.get_variable("embedding", [WORDS, WIDTH], initializer=uniform)
    outputs, states = tf.nn.bidirectional_dynamic_rnn(
        tf.nn.rnn_cell.GRUCell(UNITS),
        tf.nn.rnn_cell.LSTMCell(UNITS),
        tf.nn.embedding_lookup(embedding, premise),
        lengths,
        dtype=tf.float32,
        scope="premise_rnn",
    )
    words = tf.reduce_mean(tf.nn.embedding_lookup(embedding, hypothesis), axis=1)
    middle = tf.reduce_max(tf.concat(outputs, axis=2), axis=1)
    features = tf.concat([middle, states[0], states[1].h, words], axis=1)
    logits = tf.layers.dense(features, CLASSES, name="output")
    predictions = tf.nn.softmax(logits, name="predictions")
    loss = tf.losses.sparse_softmax_cross_entropy(labels, logits)

    with new_session() as session:
        session.run(tf.global_variables_initializer())
        write_model(folder, session)
    write_bare_graph(folder, [loss, predictions])
    feeds = {
        premise: draw_integers(1, WORDS, [BATCH, LENGTH]),
        lengths: np.array([4, 2, 3, 1], np.int32),
        hypothesis: draw_integers(2, WORDS, [BATCH, LENGTH]),
        labels: draw_integers(3, CLASSES, [BATCH]),
    }
    write_feeds(folder, loss, feeds, [predictions])
