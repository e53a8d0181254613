"""Loops and conds in one another, amid their training: v1 loops of gradients stand beside them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from common import draw_integers, new_session, write_bare_graph, write_feeds, write_model

WORDS, TAGS, WIDTH, LENGTH, DEPTH, BATCH, STEPS = 30, 20, 5, 3, 2, 4, 2


class Weights(NamedTuple):
    """What the loops read and look up: ref variables, but for ``tags`` and ``inner``."""

    words: tf.Variable
    tags: tf.Variable
    outer: tf.Variable
    inner: tf.Variable
    gate: tf.Variable


def make(folder: Path) -> None:
    """Build the graph, train it for some steps, and save."""
    word_ids = tf.placeholder(tf.int32, [LENGTH, None], name="word_ids")
    tag_ids = tf.placeholder(tf.int32, [DEPTH, None], name="tag_ids")
    is_deep = tf.placeholder(tf.bool, [], name="is_deep")
    targets = tf.placeholder(tf.float32, [None, WIDTH], name="targets")

    weights = get_weights()
    state = tf.nn.embedding_lookup(weights.words, word_ids[0], name="first")
    state = loop_outside(weights, word_ids, tag_ids, state)
    state = tf.cond(
        is_deep,
        lambda: loop_inside(weights, tag_ids, state),
        lambda: tf.matmul(state, weights.outer),
        name="deep",
    )
    scale = tf.cond(is_deep, lambda: weights.gate + 1.0, lambda: tf.ones([WIDTH]), name="scale")
    outputs = tf.multiply(state, scale, name="outputs")
    loss = tf.reduce_mean(tf.squared_difference(outputs, targets), name="loss")
    train_op = tf.train.MomentumOptimizer(0.1, 0.9).minimize(loss, name="train_op")
    tf.add_to_collection("train_op", train_op)

    feeds = {
        word_ids: draw_integers(1, WORDS, [LENGTH, BATCH]),
        tag_ids: draw_integers(2, TAGS, [DEPTH, BATCH]),
        is_deep: np.array(True),
        targets: (draw_integers(3, 64, [BATCH, WIDTH]) / 64).astype(np.float32),
    }
    with new_session() as session:
        session.run(tf.global_variables_initializer())
        for _ in range(STEPS):
            session.run(train_op, feeds)
        write_model(folder, session)
    write_bare_graph(folder, [loss, outputs])
    write_feeds(folder, loss, feeds, [outputs])


def get_weights() -> Weights:
    """Make the variables."""
    uniform = tf.random_uniform_initializer(-1.0, 1.0)
    return Weights(
        tf.get_variable("words", [WORDS, WIDTH], initializer=uniform),
        tf.get_variable("tags", [TAGS, WIDTH], initializer=uniform, use_resource=True),
        tf.get_variable("outer", [WIDTH, WIDTH]),
        tf.get_variable("inner", [WIDTH, WIDTH], use_resource=True),
        tf.get_variable("gate", [WIDTH], initializer=uniform),
    )


def loop_outside(
    weights: Weights, word_ids: tf.Tensor, tag_ids: tf.Tensor, state: tf.Tensor
) -> tf.Tensor:
    """Mix in one word a step, and go through the loop inside each time."""

    def step(time: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        word = tf.nn.embedding_lookup(weights.words, tf.gather(word_ids, time))
        state = tf.tanh(tf.matmul(state, weights.outer) + word)
        return time + 1, loop_inside(weights, tag_ids, state)

    _, state = tf.while_loop(
        lambda time, _: time < LENGTH, step, [0, state], parallel_iterations=4, name="outside"
    )
    return state


def loop_inside(weights: Weights, tag_ids: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
    """Mix in one tag a step; two conds ask whether a step is even.

    They know ref variables alone: 1.15 has no gradient of a handle in a cond in a loop."""

    def step(time: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        ids = tf.gather(tag_ids, time)
        tag = tf.nn.embedding_lookup(weights.tags, ids)
        state = tf.tanh(tf.matmul(state, weights.inner) + tag)
        is_even = tf.equal(time % 2, 0)
        state = tf.cond(is_even, lambda: state * weights.gate, lambda: state + weights.gate)
        word = tf.cond(
            is_even,
            lambda: tf.nn.embedding_lookup(weights.words, ids),
            lambda: tf.nn.embedding_lookup(weights.words, ids // 2),
        )
        return time + 1, state + 0.5 * word

    _, state = tf.while_loop(lambda time, _: time < DEPTH, step, [0, state], name="inside")
    return state
