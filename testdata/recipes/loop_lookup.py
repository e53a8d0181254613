"""A recurrent classifier by hand: lookups, a product and a cond inside a v1 while loop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf
from common import draw_integers, new_session, write_feeds, write_model

WORDS, TAGS, WIDTH, LENGTH, CLASSES, BATCH = 60, 40, 8, 5, 3, 4


def make(folder: Path) -> None:
    """Build the forward graph, initialize it, and save."""
    ids = tf.placeholder(tf.int32, [LENGTH, None], name="ids")
    tag_ids = tf.placeholder(tf.int32, [LENGTH, None], name="tag_ids")
    title_ids = tf.placeholder(tf.int32, [None], name="title_ids")
    has_title = tf.placeholder(tf.bool, [], name="has_title")
    labels = tf.placeholder(tf.int32, [None], name="labels")

    uniform = tf.random_uniform_initializer(-1.0, 1.0)
    table = tf.get_variable("table", [WORDS, WIDTH], initializer=uniform)
    resource_table = tf.get_variable(
        "resource_table", [TAGS, WIDTH], initializer=uniform, use_resource=True
    )
    first = tf.nn.embedding_lookup(table, ids[0], name="first")
    state = add_loop(table, resource_table, ids, tag_ids, first)
    title = tf.cond(
        has_title,
        lambda: tf.nn.embedding_lookup(table, title_ids),
        lambda: tf.nn.embedding_lookup(resource_table, tag_ids[0]),
        name="title",
    )
    logits = tf.layers.dense(tf.concat([state, title], axis=1), CLASSES, name="output")
    predictions = tf.nn.softmax(logits, name="predictions")
    loss = tf.losses.sparse_softmax_cross_entropy(labels, logits)

    with new_session() as session:
        session.run(tf.global_variables_initializer())
        write_model(folder, session)
    feeds = {
        ids: draw_integers(1, WORDS, [LENGTH, BATCH]),
        tag_ids: draw_integers(2, TAGS, [LENGTH, BATCH]),
        title_ids: draw_integers(3, WORDS, [BATCH]),
        has_title: np.array(True),
        labels: draw_integers(4, CLASSES, [BATCH]),
    }
    write_feeds(folder, loss, feeds, [predictions])


def add_loop(
    table: tf.Variable,
    resource_table: tf.Variable,
    ids: tf.Tensor,
    tag_ids: tf.Tensor,
    state: tf.Tensor,
) -> tf.Tensor:
    """Add one step for each row of ids, and return the last state."""
    kernel = tf.get_variable("kernel", [3 * WIDTH, WIDTH])
    ids_array = tf.TensorArray(tf.int32, LENGTH, name="ids_array").unstack(ids)

    def step(time: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Mix the state with a word and a tag; each other step the next word comes on top."""
        word = tf.nn.embedding_lookup(table, ids_array.read(time))
        tag = tf.nn.embedding_lookup(resource_table, tf.gather(tag_ids, time))
        state = tf.tanh(tf.matmul(tf.concat([word, tag, state], axis=1), kernel))
        state = tf.cond(
            tf.equal(time % 2, 0),
            lambda: state + tf.nn.embedding_lookup(table, tf.gather(ids, LENGTH - 1 - time)),
            lambda: 0.5 * state,
        )
        return time + 1, state

    _, state = tf.while_loop(lambda time, _: time < LENGTH, step, [tf.constant(0), state])
    return state
