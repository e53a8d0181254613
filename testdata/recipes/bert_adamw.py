"""A small encoder amid its training by an optimizer written by hand, as BERT's own is."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import tensorflow as tf
from adam_weight_decay import add_training
from common import add_side, draw_integers, draw_side, new_session, write_feeds, write_model

WORDS, LENGTH, LAYERS, WIDTH, CLASSES, BATCH, STEPS = 100, 6, 2, 8, 3, 4, 4


def make(folder: Path) -> None:
    """Build the graph, train a few steps of the warm-up and past it, and save."""
    input_ids = tf.placeholder(tf.int32, [None, LENGTH], "input_ids")
    label_ids = tf.placeholder(tf.int32, [None], name="label_ids")
    keep_prob = tf.placeholder_with_default(0.9, [], name="keep_prob")

    # Tables and kernels below take this from their scope.
    tf.get_variable_scope().set_initializer(tf.truncated_normal_initializer(stddev=0.2))
    with tf.variable_scope("bert"):
        with tf.variable_scope("embeddings"):
            table = tf.get_variable("word_embeddings", [WORDS, WIDTH])
            x = tf.reshape(tf.gather(table, input_ids), [-1, WIDTH])
        with tf.variable_scope("encoder"):
            for layer in range(LAYERS):
                with tf.variable_scope(f"layer_{layer}"):
                    x = add_layer(x)
    first = tf.nn.dropout(tf.reshape(x, [-1, LENGTH, WIDTH])[:, 0], keep_prob, seed=7)
    logits = tf.layers.dense(first, CLASSES, name="output")
    predictions = tf.nn.softmax(logits, name="predictions")
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=label_ids, logits=logits)
    tf.losses.add_loss(tf.reduce_mean(losses, name="loss"))
    side_inputs, side_loss = add_side()
    tf.losses.add_loss(side_loss)
    total = tf.losses.get_total_loss(name="total_loss")
    train_op = add_training(total, learning_rate=0.01, steps=100, warmup_steps=2)

    def draw_batch(seed: int) -> dict[tf.Tensor, np.ndarray]:
        """Draw ids, labels and the input of ``side``; drop nothing out."""
        return {
            input_ids: draw_integers(seed, WORDS, [BATCH, LENGTH]),
            label_ids: draw_integers(seed + 100, CLASSES, [BATCH]),
            side_inputs: draw_side(seed, BATCH),
            keep_prob: np.float32(1.0),
        }

    with new_session() as session:
        session.run(tf.global_variables_initializer())
        for step in range(STEPS):
            session.run(train_op, draw_batch(step))
        write_model(folder, session)
    write_feeds(folder, total, draw_batch(STEPS), [predictions])


def add_layer(x: tf.Tensor) -> tf.Tensor:
    """Add one encoder layer, attention of one head alone, in the current scope."""
    with tf.variable_scope("attention"):
        with tf.variable_scope("self"):
            query, key, value = (
                tf.reshape(
                    tf.layers.dense(x, WIDTH, use_bias=False, name=name), [-1, LENGTH, WIDTH]
                )
                for name in ("query", "key", "value")
            )
            scores = tf.matmul(query, key, transpose_b=True) / math.sqrt(WIDTH)
            context = tf.reshape(tf.matmul(tf.nn.softmax(scores), value), [-1, WIDTH])
        with tf.variable_scope("output"):
            return layer_norm(tf.layers.dense(context, WIDTH, name="dense") + x)


def layer_norm(x: tf.Tensor) -> tf.Tensor:
    """Normalize each vector: ``LayerNorm/beta``, ``LayerNorm/gamma``."""
    with tf.variable_scope("LayerNorm"):
        beta = tf.get_variable("beta", [WIDTH], initializer=tf.zeros_initializer())
        gamma = tf.get_variable("gamma", [WIDTH], initializer=tf.ones_initializer())
        mean, variance = tf.nn.moments(x, axes=[-1], keep_dims=True)
        return tf.nn.batch_normalization(x, mean, variance, beta, gamma, 1e-12)
