"""Control flow v2: While, If, Case and functions, with lookups and reads in their bodies."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from common import (
    draw_floats,
    draw_integers,
    new_session,
    write_bare_graph,
    write_feeds,
    write_gradients,
    write_model,
)
from tensorflow.python.framework import function
from tensorflow.python.ops import gen_resource_variable_ops

WORDS, TAGS, WIDTH, LENGTH, DEPTH, BATCH = 30, 20, 5, 3, 2, 4


class Weights(NamedTuple):
    """What bodies read and look up: resource variables."""

    words: tf.Variable
    tags: tf.Variable
    outer: tf.Variable
    inner: tf.Variable
    gate: tf.Variable
    shift: tf.Variable


def make(folder: Path) -> None:
    """Build the forward graph, save it, and then let 1.15 tell its gradients."""
    tf.enable_control_flow_v2()
    ids = tf.placeholder(tf.int32, [LENGTH, BATCH], name="ids")
    is_deep = tf.placeholder(tf.bool, [], name="is_deep")
    branch = tf.placeholder(tf.int32, [], name="branch")
    targets = tf.placeholder(tf.float32, [BATCH, WIDTH], name="targets")

    weights = get_weights()
    state = look_up_twice(weights, ids[0])
    state = loop_outside(weights, ids, state)
    state = add_branches(weights, is_deep, branch, ids[0], state)
    state = add_functions(weights, state)
    outputs = tf.identity(state, name="outputs")
    loss = tf.reduce_mean(tf.squared_difference(outputs, targets), name="loss")

    with new_session() as session:
        session.run(tf.global_variables_initializer())
        write_model(folder, session)
    write_bare_graph(folder, [loss, outputs])
    feeds = {
        ids: draw_integers(1, TAGS, [LENGTH, BATCH]),
        is_deep: np.array(True),
        branch: np.array(1, np.int32),
        targets: draw_floats(2, [BATCH, WIDTH]),
    }
    write_feeds(folder, loss, feeds, [outputs])
    write_gradients(folder, [loss], list(weights), feeds)


def get_weights() -> Weights:
    """Make the variables."""
    uniform = tf.random_uniform_initializer(-1.0, 1.0)
    with tf.variable_scope("", use_resource=True):
        return Weights(
            tf.get_variable("words", [WORDS, WIDTH], initializer=uniform),
            tf.get_variable("tags", [TAGS, WIDTH], initializer=uniform),
            tf.get_variable("outer", [WIDTH, WIDTH]),
            tf.get_variable("inner", [WIDTH, WIDTH]),
            tf.get_variable("gate", [WIDTH], initializer=uniform),
            tf.get_variable("shift", [WIDTH], initializer=uniform),
        )


def look_up_twice(weights: Weights, ids: tf.Tensor) -> tf.Tensor:
    """Call one function with two tables."""

    @tf.function(input_signature=[tf.TensorSpec([], tf.resource), tf.TensorSpec([BATCH], tf.int32)])
    def look_up(table: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
        return gen_resource_variable_ops.resource_gather(table, ids, tf.float32)

    return look_up(weights.words.handle, ids) + look_up(weights.tags.handle, ids)


def loop_outside(weights: Weights, ids: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
    """Mix in one word a step; in its body a loop, and in that one's body a cond."""

    def step(time: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        word = tf.nn.embedding_lookup(weights.words, tf.gather(ids, time))
        state = tf.tanh(tf.matmul(state, weights.outer) + word)
        return time + 1, loop_inside(weights, tf.gather(ids, LENGTH - 1 - time), state)

    _, state = tf.while_loop(lambda time, _: time < LENGTH, step, [0, state], name="outside")
    return state


def loop_inside(weights: Weights, ids: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
    """Mix in a tag or a gate a step: only one of the branches uses the table."""

    def step(time: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        state = tf.tanh(tf.matmul(state, weights.inner))
        state = tf.cond(
            tf.equal(time % 2, 0),
            lambda: state + tf.nn.embedding_lookup(weights.tags, ids),
            lambda: state * weights.gate,
        )
        return time + 1, state

    _, state = tf.while_loop(lambda time, _: time < DEPTH, step, [0, state], name="inside")
    return state


def add_branches(
    weights: Weights, is_deep: tf.Tensor, branch: tf.Tensor, ids: tf.Tensor, state: tf.Tensor
) -> tf.Tensor:
    """Add a cond, a choice of three, and a cond and a loop that know no variable."""
    state = tf.cond(
        is_deep,
        lambda: tf.matmul(state, weights.inner) + tf.nn.embedding_lookup(weights.words, ids),
        lambda: state * weights.gate,
        name="deep",
    )
    state = tf.switch_case(
        branch,
        [
            lambda: state + weights.shift,
            lambda: tf.tanh(state) * weights.gate,
            lambda: state - tf.nn.embedding_lookup(weights.tags, ids),
        ],
        name="choice",
    )
    with tf.compat.forward_compatibility_horizon(2019, 9, 1):  # else 1.15 writes While and If
        state = tf.cond(is_deep, lambda: tf.sin(state), lambda: 0.5 * state, name="sine")
        _, state = tf.while_loop(
            lambda time, _: time < DEPTH,
            lambda time, state: (time + 1, 1.5 * tf.sin(state)),
            [0, state],
            name="sines",
        )
    return state


def add_functions(weights: Weights, state: tf.Tensor) -> tf.Tensor:
    """Add a function that captures variables and calls another, and one with a gradient."""

    @tf.function
    def scale(x: tf.Tensor) -> tf.Tensor:
        return tf.tanh(x) * 2.0

    @tf.function
    def mix(x: tf.Tensor) -> tf.Tensor:
        return scale(tf.matmul(x, weights.outer)) + weights.shift

    @function.Defun(tf.float32, tf.float32, func_name="halve_gradient")
    def halve_gradient(x: tf.Tensor, dy: tf.Tensor) -> tf.Tensor:
        return 0.5 * dy * tf.cos(x)

    @function.Defun(tf.float32, func_name="half_sine", grad_func=halve_gradient)
    def half_sine(x: tf.Tensor) -> tf.Tensor:
        return tf.sin(x)

    state = half_sine(mix(state))
    state.set_shape([BATCH, WIDTH])
    return state
