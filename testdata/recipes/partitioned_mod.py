"""A classifier on a table in four parts, looked up by ``mod``, as TensorFlow does by default."""

from pathlib import Path

import tensorflow as tf
from common import draw_integers, new_session, write_feeds, write_model, write_vocabulary

WORDS, WIDTH, PARTS, LENGTH, CLASSES, BATCH = 101, 8, 4, 6, 3, 8


def make(folder: Path) -> None:
    """Build the forward graph, initialize it, and save."""
    ids = tf.placeholder(tf.int32, [None, LENGTH], name="ids")
    labels = tf.placeholder(tf.int32, [None], name="labels")

    table = tf.get_variable(
        "table",
        [WORDS, WIDTH],
        initializer=tf.random_uniform_initializer(-1.0, 1.0),
        partitioner=tf.fixed_size_partitioner(PARTS),
    )
    words = tf.nn.embedding_lookup(table, ids, partition_strategy="mod", name="words")
    text = tf.reduce_mean(words, axis=1, name="text")
    logits = tf.layers.dense(text, CLASSES, name="output")
    predictions = tf.nn.softmax(logits, name="predictions")
    loss = tf.losses.sparse_softmax_cross_entropy(labels, logits)

    with new_session() as session:
        session.run(tf.global_variables_initializer())
        write_model(folder, session)
    feeds = {
        ids: draw_integers(1, WORDS, [BATCH, LENGTH]),
        labels: draw_integers(2, CLASSES, [BATCH]),
    }
    write_feeds(folder, loss, feeds, [predictions])
    write_vocabulary(folder, WORDS)
