"""A classifier whose graph holds its input pipeline: functions that are not the model's."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf
from common import (
    draw_floats,
    draw_integers,
    new_session,
    write_bare_graph,
    write_feeds,
    write_model,
)

WORDS, WIDTH, LENGTH, CLASSES, ROWS, BATCH = 40, 6, 4, 3, 8, 6


def make(folder: Path) -> None:
    """Build the pipeline and the model, initialize it, and save; nothing is fed."""
    iterator = tf.data.make_initializable_iterator(get_rows())
    tf.add_to_collection(tf.GraphKeys.TABLE_INITIALIZERS, iterator.initializer)
    ids, numbers, labels = iterator.get_next()
    scale = tf.data.make_one_shot_iterator(get_scales()).get_next()

    uniform = tf.random_uniform_initializer(-1.0, 1.0)
    table = tf.get_variable("table", [WORDS, WIDTH], initializer=uniform)
    words = tf.reduce_mean(tf.nn.embedding_lookup(table, ids), axis=1)
    with tf.variable_scope("", use_resource=True):
        hidden = tf.layers.dense(words + numbers, WIDTH, activation=tf.tanh, name="hidden")
        logits = tf.layers.dense(hidden * scale, CLASSES, name="output")
    predictions = tf.nn.softmax(logits, name="predictions")
    loss = tf.losses.sparse_softmax_cross_entropy(labels, logits)

    with new_session() as session:
        session.run(tf.global_variables_initializer())
        write_model(folder, session)
    write_bare_graph(folder, [loss, predictions, iterator.initializer])
    write_feeds(folder, loss, {}, [predictions])


def get_rows() -> tf.data.Dataset:
    """Return a pipeline whose functions call others, branch, and drop rows: every batch is one."""
    ids = draw_integers(1, WORDS, [ROWS, LENGTH])
    numbers = draw_floats(2, [ROWS, WIDTH])
    rows = tf.data.Dataset.from_tensor_slices((ids, numbers, draw_integers(3, CLASSES, [ROWS])))
    rows = rows.map(lambda ids, numbers, label: (ids, clip(numbers), label), num_parallel_calls=2)
    rows = rows.filter(lambda ids, numbers, label: tf.reduce_sum(numbers) > -1.0)
    rows = rows.flat_map(lambda *row: tf.data.Dataset.from_tensors(row).map(swap))
    return rows.take(BATCH).batch(BATCH, drop_remainder=True).repeat()


def clip(numbers: tf.Tensor) -> tf.Tensor:
    """Halve what is long."""
    length = tf.norm(numbers)
    return tf.cond(length > 1.0, lambda: numbers / length, lambda: numbers)


def swap(ids: tf.Tensor, numbers: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Turn a row's words round."""
    return tf.reverse(ids, [0]), numbers, label


def get_scales() -> tf.data.Dataset:
    """Return what a one-shot iterator makes anew by a function of its own."""
    return tf.data.Dataset.range(1).map(lambda _: tf.constant(0.75)).repeat()
