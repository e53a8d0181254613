"""Functions that a model calls: tf.function with captured variables, with loops, Defuns."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import tensorflow as tf
from common import (
    draw_floats,
    draw_integers,
    new_session,
    write_feeds,
    write_gradients,
    write_model,
)
from tensorflow.python.framework import function

WORDS, WIDTH, BATCH, STEPS = 20, 4, 6, 3


class Weights(NamedTuple):
    """What bodies read and look up: resource variables."""

    words: tf.Variable
    mix: tf.Variable
    turn: tf.Variable
    shift: tf.Variable
    gate: tf.Variable


def make(folder: Path) -> None:
    """Build the forward graph, save it, and then let 1.15 tell its gradients."""
    ids = tf.placeholder(tf.int32, [BATCH], name="ids")
    inputs = tf.placeholder(tf.float32, [BATCH, WIDTH], name="inputs")
    weights = get_weights()
    state = add_layers(weights, ids, inputs)
    state = add_loop(weights, ids, state)
    state = add_defuns(weights, state)
    outputs = tf.identity(state, name="outputs")
    loss = tf.reduce_mean(tf.square(outputs), name="loss")
    tf.add_to_collection("losses", loss)
    guided = tf.reduce_sum(add_guided(weights, inputs), name="guided_loss")

    with new_session() as session:
        session.run(tf.global_variables_initializer())
        write_model(folder, session)
    feeds = {ids: draw_integers(1, WORDS, [BATCH]), inputs: draw_floats(2, [BATCH, WIDTH])}
    write_feeds(folder, loss, feeds, [outputs])
    write_gradients(folder, [loss, guided], list(weights), feeds)


def make_training(folder: Path) -> None:
    """Build the layers and the loop, train two steps, and save all of it."""
    ids = tf.placeholder(tf.int32, [BATCH], name="ids")
    inputs = tf.placeholder(tf.float32, [BATCH, WIDTH], name="inputs")
    weights = get_weights()
    state = add_loop(weights, ids, add_layers(weights, ids, inputs))
    outputs = tf.identity(state, name="outputs")
    loss = tf.reduce_mean(tf.square(outputs), name="loss")
    tf.add_to_collection("losses", loss)
    train_op = tf.train.MomentumOptimizer(0.01, 0.9).minimize(loss)
    tf.add_to_collection("train_op", train_op)

    feeds = {ids: draw_integers(1, WORDS, [BATCH]), inputs: draw_floats(2, [BATCH, WIDTH])}
    with new_session() as session:
        session.run(tf.global_variables_initializer())
        for _ in range(2):
            session.run(train_op, feeds)
        write_model(folder, session)
    write_feeds(folder, loss, feeds, [outputs])
    write_gradients(folder, [loss], list(weights), feeds)


def get_weights() -> Weights:
    """Make the variables."""
    uniform = tf.random_uniform_initializer(-1.0, 1.0)
    with tf.variable_scope("", use_resource=True):
        return Weights(
            tf.get_variable("words", [WORDS, WIDTH], initializer=uniform),
            tf.get_variable("mix", [WIDTH, WIDTH], initializer=uniform),
            tf.get_variable("turn", [WIDTH, WIDTH], initializer=uniform),
            tf.get_variable("shift", [WIDTH], initializer=uniform),
            tf.get_variable("gate", [WIDTH], initializer=uniform),
        )


def add_layers(weights: Weights, ids: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
    """Call a function that looks up, and that calls another one; once more, and with a variable."""

    @tf.function
    def mixed(state: tf.Tensor) -> tf.Tensor:
        return tf.tanh(tf.matmul(state, weights.mix))

    @tf.function
    def layer(state: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
        return mixed(state + tf.nn.embedding_lookup(weights.words, ids)) + weights.shift

    @tf.function
    def turned(state: tf.Tensor, kernel: tf.Variable) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.matmul(state, kernel), tf.reduce_sum(kernel)

    state, size = turned(layer(state, ids), weights.turn)
    again, _ = turned(layer(state, ids), weights.mix)
    return again * tf.sigmoid(size)


def add_loop(weights: Weights, ids: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
    """Call a function with a loop, and in its body a branch that one step in two takes."""

    @tf.function
    def looped(state: tf.Tensor) -> tf.Tensor:
        for step in tf.range(STEPS):
            state = tf.tanh(state) + tf.nn.embedding_lookup(weights.words, (ids + step) % WORDS)
            if tf.equal(step % 2, 0):
                state = tf.matmul(state, weights.turn)
            else:
                state = state * weights.gate
        return state

    return looped(state)


def add_defuns(weights: Weights, state: tf.Tensor) -> tf.Tensor:
    """Call functions that are ops: inlined, kept, with a gradient of its own, within another."""

    @function.Defun(tf.float32, tf.float32, func_name="squashed")
    def squashed(state: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        return tf.tanh(tf.matmul(state, kernel))

    @function.Defun(tf.float32, tf.float32, func_name="kept", noinline=True)
    def kept(state: tf.Tensor, shift: tf.Tensor) -> tf.Tensor:
        return tf.sigmoid(state) + shift

    @function.Defun(tf.float32, tf.float32, tf.float32, func_name="doubled_gradient")
    def doubled_gradient(
        state: tf.Tensor, gate: tf.Tensor, gradient: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        return 2.0 * gradient * gate, 3.0 * tf.reduce_sum(gradient * state, axis=0)

    @function.Defun(tf.float32, tf.float32, func_name="doubled", grad_func=doubled_gradient)
    def doubled(state: tf.Tensor, gate: tf.Tensor) -> tf.Tensor:
        return state * gate

    @function.Defun(tf.float32, tf.float32, tf.float32, func_name="outside")
    def outside(state: tf.Tensor, kernel: tf.Tensor, gate: tf.Tensor) -> tf.Tensor:
        return squashed(doubled(state, gate), kernel)

    state = kept(squashed(state, weights.mix), weights.shift)
    return outside(doubled(state, weights.gate), weights.turn, weights.gate)


def add_guided(weights: Weights, state: tf.Tensor) -> tf.Tensor:
    """Call a function with a gradient that is a Python function."""

    @tf.custom_gradient
    def guided(x: tf.Tensor) -> tf.Tensor:
        return tf.nn.relu(x), lambda gradient: 2.0 * gradient

    @tf.function
    def guiding(state: tf.Tensor) -> tf.Tensor:
        return guided(tf.matmul(state, weights.mix))

    return guiding(state)
