"""A classifier of sparse ids: a table in four parts, resource variables, looked up by ``div``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf
from common import draw_integers, new_session, write_feeds, write_model, write_vocabulary

WORDS, WIDTH, PARTS, CLASSES, BATCH = 101, 8, 4, 3, 8
# How many ids each row of the batch has: the safe lookup alone may meet a row without any.
WORD_COUNTS, TAG_COUNTS = [6, 5, 4, 6, 1, 3, 2, 5], [2, 0, 3, 1, 0, 2, 1, 3]


def make(folder: Path) -> None:
    """Build the forward graph, initialize it, and save."""
    words, tags = add_sparse_placeholder("words"), add_sparse_placeholder("tags")
    labels = tf.placeholder(tf.int32, [None], name="labels")

    # The dense layer takes this from its scope.
    tf.get_variable_scope().set_use_resource(True)
    table = tf.get_variable(
        "table",
        [WORDS, WIDTH],
        initializer=tf.random_uniform_initializer(-1.0, 1.0),
        partitioner=tf.fixed_size_partitioner(PARTS),
        use_resource=True,
    )
    text = tf.nn.embedding_lookup_sparse(
        table, words, None, partition_strategy="div", combiner="mean", name="text"
    )
    topic = tf.nn.safe_embedding_lookup_sparse(
        table, tags, None, partition_strategy="div", combiner="mean", name="topic"
    )
    logits = tf.layers.dense(tf.concat([text, topic], axis=1), CLASSES, name="output")
    predictions = tf.nn.softmax(logits, name="predictions")
    loss = tf.losses.sparse_softmax_cross_entropy(labels, logits)

    with new_session() as session:
        session.run(tf.global_variables_initializer())
        write_model(folder, session)
    tag_ids = draw_integers(2, WORDS, [sum(TAG_COUNTS)])
    tag_ids[3] = -1  # the safe lookup drops it
    feeds = {
        **draw_rows(words, WORD_COUNTS, draw_integers(1, WORDS, [sum(WORD_COUNTS)])),
        **draw_rows(tags, TAG_COUNTS, tag_ids),
        labels: draw_integers(3, CLASSES, [BATCH]),
    }
    write_feeds(folder, loss, feeds, [predictions])
    write_vocabulary(folder, WORDS)


def add_sparse_placeholder(name: str) -> tf.SparseTensor:
    """Add three placeholders that know the rank; those of ``tf.sparse.placeholder`` do not."""
    return tf.SparseTensor(
        indices=tf.placeholder(tf.int64, [None, 2], name=f"{name}/indices"),
        values=tf.placeholder(tf.int64, [None], name=f"{name}/values"),
        dense_shape=tf.placeholder(tf.int64, [2], name=f"{name}/shape"),
    )


def draw_rows(
    sparse: tf.SparseTensor, counts: list[int], ids: np.ndarray
) -> dict[tf.Tensor, np.ndarray]:
    """Lay ``ids`` out in rows of the given lengths."""
    cells = [(row, column) for row, count in enumerate(counts) for column in range(count)]
    return {
        sparse.indices: np.array(cells, np.int64),
        sparse.values: ids.astype(np.int64),
        sparse.dense_shape: np.array([len(counts), max(counts)], np.int64),
    }
