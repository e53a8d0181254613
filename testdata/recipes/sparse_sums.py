"""A classifier some of whose gradients need newer ops than 1.15 has: sums of rows, diagonals."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf
from common import draw_integers, new_session, write_feeds, write_model
from partitioned_div import add_sparse_placeholder, draw_rows

WORDS, WIDTH, PARTS, CLASSES, BATCH = 60, 4, 2, 3, 6
# How many ids each row of the batch has; the safe lookups may meet a row without any.
WORD_COUNTS, TAG_COUNTS = [5, 4, 6, 1, 3, 5], [2, 0, 3, 1, 0, 4]


def make(folder: Path) -> None:
    """Build the forward graph, initialize it, and save."""
    words, tags = add_sparse_placeholder("words"), add_sparse_placeholder("tags")
    labels = tf.placeholder(tf.int32, [None], name="labels")
    wide = add_table("wide", CLASSES, is_resource=False)
    deep = add_table("deep", WIDTH, is_resource=True)

    logits = look_up(wide, words, "sum", "wide_words") + look_up(wide, tags, "sqrtn", "wide_tags")
    features = [
        look_up(deep, words, "sqrtn", "deep_words"),
        look_up(deep, tags, "sum", "deep_tags"),
    ]
    scale = tf.get_variable("scale", [2 * WIDTH], initializer=tf.ones_initializer())
    scaled = tf.matmul(tf.concat(features, axis=1), tf.matrix_diag(scale), name="scaled")
    logits += tf.layers.dense(scaled, CLASSES, name="output")
    predictions = tf.nn.softmax(logits, name="predictions")
    loss = tf.losses.sparse_softmax_cross_entropy(labels, logits)
    loss = tf.add(loss, 0.01 * add_spread(), name="total_loss")

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


def add_table(name: str, width: int, is_resource: bool) -> tf.Variable:
    """Add a table in parts."""
    return tf.get_variable(
        name,
        [WORDS, width],
        initializer=tf.random_uniform_initializer(-1.0, 1.0),
        partitioner=tf.fixed_size_partitioner(PARTS),
        use_resource=is_resource,
    )


def look_up(table: tf.Variable, ids: tf.SparseTensor, combiner: str, name: str) -> tf.Tensor:
    """Combine the rows of each example's ids, as a column of features does."""
    return tf.nn.safe_embedding_lookup_sparse(
        table, ids, None, partition_strategy="div", combiner=combiner, name=name
    )


def add_spread() -> tf.Tensor:
    """Return the log determinant of a covariance that is learnt by its root."""
    root = tf.get_variable("root", [3, 3], initializer=tf.random_uniform_initializer(-1.0, 1.0))
    covariance = tf.matmul(root, root, transpose_b=True) + tf.eye(3)
    diagonal = tf.matrix_diag_part(tf.cholesky(covariance))
    return tf.reduce_sum(tf.log(diagonal), name="spread")
