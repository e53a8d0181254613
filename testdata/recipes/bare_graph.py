"""A GraphDef with no collections and no saver, and a checkpoint whose names fit it."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf
from common import draw_integers, new_session, write_feeds, write_message

ITEMS, WIDTH, LENGTH, HIDDEN, CLASSES, BATCH = 50, 8, 4, 8, 3, 6


def make(folder: Path) -> None:
    """Write the graph as binary and as text, then its checkpoint out of a copy that has a saver."""
    ids = tf.placeholder(tf.int32, [None, LENGTH], name="ids")
    labels = tf.placeholder(tf.int32, [None], name="labels")

    table = tf.get_variable(
        "table", [ITEMS, WIDTH], initializer=tf.random_uniform_initializer(-1.0, 1.0)
    )
    items = tf.reduce_sum(tf.nn.embedding_lookup(table, ids), axis=1, name="items")
    hidden = tf.layers.dense(items, HIDDEN, activation=tf.nn.relu, name="hidden")
    logits = tf.layers.dense(hidden, CLASSES, name="output")
    predictions = tf.nn.softmax(logits, name="predictions")
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
        labels=labels, logits=logits, name="losses"
    )
    loss = tf.reduce_mean(losses, name="loss")

    graph = tf.get_default_graph()
    write_message(folder / "graph.pb", graph.as_graph_def())
    tf.train.write_graph(graph, str(folder), "graph.pbtxt", as_text=True)
    write_checkpoint(folder, tf.train.export_meta_graph())

    feeds = {
        ids: draw_integers(1, ITEMS, [BATCH, LENGTH]),
        labels: draw_integers(2, CLASSES, [BATCH]),
    }
    write_feeds(folder, loss, feeds, [predictions])


def write_checkpoint(folder: Path, meta_graph: tf.MetaGraphDef) -> None:
    """Initialize a copy of the graph and save its values, and nothing else."""
    with tf.Graph().as_default():
        tf.train.import_meta_graph(meta_graph)
        with new_session() as session:
            session.run(tf.global_variables_initializer())
            tf.train.Saver().save(
                session, str(folder / "model.ckpt"), write_meta_graph=False, write_state=False
            )
