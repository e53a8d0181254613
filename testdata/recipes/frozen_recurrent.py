"""Resource variables frozen to constants: a table that is looked up, and a cell in a v1 loop."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf
from common import draw_integers, new_session, write_feeds, write_message

WORDS, WIDTH, LENGTH, UNITS, CLASSES, BATCH = 40, 6, 5, 8, 3, 4


def make(folder: Path) -> None:
    """Write ``graph.pb`` as convert_variables_to_constants makes it."""
    ids = tf.placeholder(tf.int32, [None, LENGTH], name="ids")
    with tf.variable_scope("", use_resource=True):
        table = tf.get_variable("table", [WORDS, WIDTH])
        words = tf.nn.embedding_lookup(table, ids)
        cell = tf.nn.rnn_cell.LSTMCell(UNITS, use_peepholes=True, name="cell")
        _, state = tf.nn.dynamic_rnn(cell, words, dtype=tf.float32)
        scores = tf.layers.dense(state.h, CLASSES, name="scores")
    predictions = tf.nn.softmax(scores, name="predictions")
    with new_session() as session:
        session.run(tf.global_variables_initializer())
        graph = tf.graph_util.convert_variables_to_constants(
            session, session.graph_def, [predictions.op.name]
        )
    write_message(folder / "graph.pb", graph)
    write_feeds(folder, scores, {ids: draw_integers(1, WORDS, [BATCH, LENGTH])}, [predictions])
