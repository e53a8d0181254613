"""A decoder that looks tables up in its loop, beside loops that read the same variables."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import tensorflow as tf
from common import draw_integers, new_session, write_bare_graph, write_feeds, write_model

WORDS, TOPICS, WIDTH, LENGTH, BATCH = 30, 12, 5, 4, 3


class Weights(NamedTuple):
    """What the loops read and look up: ref variables, but for ``topics`` and ``mixture``."""

    words: tf.Variable
    topics: tf.Variable
    kernel: tf.Variable
    mixture: tf.Variable
    judge: tf.Variable


def make(folder: Path) -> None:
    """Build the forward graph, initialize it, and save."""
    target = tf.placeholder(tf.int32, [LENGTH, None], name="target")
    topic = tf.placeholder(tf.int32, [LENGTH, None], name="topic")
    weights = get_weights()
    start = tf.nn.embedding_lookup(weights.topics, topic[0], name="start")
    state, losses = add_decoder(weights, target, topic, start)
    reviewed = add_review(weights, target, state)
    guess = add_guess(weights, start)
    distance = tf.reduce_mean(tf.squared_difference(reviewed, guess))
    loss = tf.add(tf.reduce_mean(losses), 0.5 * distance, name="loss")
    outputs = tf.identity(reviewed, name="outputs")

    with new_session() as session:
        session.run(tf.global_variables_initializer())
        write_model(folder, session)
    write_bare_graph(folder, [loss, outputs])
    feeds = {
        target: draw_integers(1, WORDS, [LENGTH, BATCH]),
        topic: draw_integers(2, TOPICS, [LENGTH, BATCH]),
    }
    write_feeds(folder, loss, feeds, [outputs])


def get_weights() -> Weights:
    """Make the variables."""
    uniform = tf.random_uniform_initializer(-1.0, 1.0)
    return Weights(
        tf.get_variable("words", [WORDS, WIDTH], initializer=uniform),
        tf.get_variable("topics", [TOPICS, WIDTH], initializer=uniform, use_resource=True),
        tf.get_variable("kernel", [WIDTH, WIDTH]),
        tf.get_variable("mixture", [WIDTH, WIDTH], use_resource=True),
        tf.get_variable("judge", [WIDTH, WIDTH]),
    )


def add_decoder(
    weights: Weights, target: tf.Tensor, topic: tf.Tensor, state: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Look a word and a topic up each step, and predict the next word by the whole table."""
    words = tf.TensorArray(tf.int32, LENGTH, name="words_array").unstack(target)
    losses = tf.TensorArray(tf.float32, LENGTH - 1, name="losses_array")

    def step(
        time: tf.Tensor, state: tf.Tensor, losses: tf.TensorArray
    ) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray]:
        word = tf.nn.embedding_lookup(weights.words, words.read(time))
        subject = tf.nn.embedding_lookup(weights.topics, tf.gather(topic, time))
        state = tf.tanh(tf.matmul(state + word, weights.kernel))
        state += tf.matmul(subject, weights.mixture)
        logits = tf.matmul(state, weights.words, transpose_b=True)
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(
            labels=tf.gather(target, time + 1), logits=logits
        )
        return time + 1, state, losses.write(time, loss)

    _, state, losses = tf.while_loop(
        lambda time, *_: time < LENGTH - 1,
        step,
        [0, state, losses],
        parallel_iterations=2,
        swap_memory=True,
        name="decoder",
    )
    return state, losses.stack()


def add_review(weights: Weights, target: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
    """Go over the words backwards, with the variables that the decoder reads."""

    def step(time: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        word = tf.nn.embedding_lookup(weights.words, tf.gather(target, time))
        return time - 1, tf.tanh(tf.matmul(state, weights.kernel) + word)

    _, state = tf.while_loop(lambda time, _: time >= 0, step, [LENGTH - 1, state], name="review")
    return state


def add_guess(weights: Weights, state: tf.Tensor) -> tf.Tensor:
    """Decode greedily without a gradient: ``judge``, which nothing else reads, gets none."""

    def step(time: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        best = tf.argmax(tf.matmul(state, weights.words, transpose_b=True), axis=1)
        word = tf.nn.embedding_lookup(weights.words, best)
        return time + 1, tf.tanh(tf.matmul(state, weights.judge) + word)

    _, state = tf.while_loop(
        lambda time, _: time < LENGTH, step, [0, state], back_prop=False, name="guess"
    )
    return state
