"""A classifier as TensorFlow 0.x kept one: the old ``Variable`` op, a checkpoint of format V1."""

from pathlib import Path
from unittest import mock

import tensorflow as tf
from common import draw_integers, new_session, write_feeds, write_model
from tensorflow.python.ops import gen_state_ops, state_ops

WORDS, WIDTH, LENGTH, CLASSES, BATCH = 60, 6, 5, 3, 8


def make(folder: Path) -> None:
    """Build the forward graph with old ops, initialize it, and save to shards of format V1."""
    with mock.patch.object(state_ops, "variable_op_v2", gen_state_ops.variable):
        build(folder)


def build(folder: Path) -> None:
    """Build the graph; a table in two parts, two layers, a counter."""
    ids = tf.placeholder(tf.int32, [None, LENGTH], name="ids")
    labels = tf.placeholder(tf.int32, [None], name="labels")

    table = tf.get_variable(
        "table",
        [WORDS, WIDTH],
        initializer=tf.random_uniform_initializer(-1.0, 1.0),
        partitioner=tf.fixed_size_partitioner(2),
    )
    text = tf.reduce_mean(tf.nn.embedding_lookup(table, ids, name="words"), axis=1, name="text")
    text = tf.layers.dense(text, 8, activation=tf.nn.relu, name="hidden")
    logits = tf.layers.dense(text, CLASSES, name="output")
    predictions = tf.nn.softmax(logits, name="predictions")
    loss = tf.losses.sparse_softmax_cross_entropy(labels, logits)
    tf.train.get_or_create_global_step()

    saver = tf.train.Saver(
        write_version=tf.train.SaverDef.V1, sharded=True, save_relative_paths=True
    )
    with new_session() as session:
        session.run(tf.global_variables_initializer())
        write_model(folder, session, saver)
    feeds = {
        ids: draw_integers(1, WORDS, [BATCH, LENGTH]),
        labels: draw_integers(2, CLASSES, [BATCH]),
    }
    write_feeds(folder, loss, feeds, [predictions])
