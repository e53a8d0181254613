"""A generator and a discriminator, each with an Adam of its own; both move ``shared``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf
from common import add_side, draw_floats, draw_side, new_session, write_feeds, write_model

NOISE, WIDTH, HIDDEN, BATCH, STEPS = 4, 6, 8, 5, 3


def make(folder: Path) -> None:
    """Build the graph with its two train ops, run them in turn, and save."""
    noise = tf.placeholder(tf.float32, [None, NOISE], name="noise")
    real = tf.placeholder(tf.float32, [None, WIDTH], name="real")

    with tf.variable_scope("generator"):
        hidden = tf.layers.dense(noise, HIDDEN, activation=tf.tanh, name="hidden")
        samples = tf.layers.dense(hidden, WIDTH, activation=tf.tanh, name="output")
    samples = tf.identity(samples, name="samples")
    real_logits, fake_logits = discriminate(real), discriminate(samples)

    def cross_entropy(logits: tf.Tensor, label: float) -> tf.Tensor:
        """Average over a batch that is all real (1), or all made up (0)."""
        labels = tf.fill(tf.shape(logits), label)
        losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)
        return tf.reduce_mean(losses)

    side_inputs, side_loss = add_side()
    d_loss = tf.add_n(
        [cross_entropy(real_logits, 1.0), cross_entropy(fake_logits, 0.0), side_loss], name="d_loss"
    )
    g_loss = tf.identity(cross_entropy(fake_logits, 1.0), name="g_loss")

    global_step = tf.train.get_or_create_global_step()
    shared = tf.trainable_variables("shared")
    d_variables = [*tf.trainable_variables("discriminator"), *tf.trainable_variables("side")]
    g_variables = tf.trainable_variables("generator")
    # minimize() itself adds the op to the collection train_op.
    d_train = tf.train.AdamOptimizer(0.01, beta1=0.5).minimize(
        d_loss, global_step, var_list=[*d_variables, *shared], name="d_train"
    )
    g_train = tf.train.AdamOptimizer(0.005, beta1=0.5).minimize(
        g_loss, var_list=[*g_variables, *shared], name="g_train"
    )

    def draw_batch(seed: int) -> dict[tf.Tensor, np.ndarray]:
        """Draw noise, real vectors and the input of ``side``."""
        return {
            noise: draw_floats(seed, [BATCH, NOISE]),
            real: draw_floats(seed + 100, [BATCH, WIDTH]),
            side_inputs: draw_side(seed, BATCH),
        }

    with new_session() as session:
        session.run(tf.global_variables_initializer())
        for step in range(STEPS):
            session.run(d_train, draw_batch(step))
            session.run(g_train, draw_batch(step))
        write_model(folder, session)
    write_feeds(folder, d_loss, draw_batch(STEPS), [samples])


def discriminate(vectors: tf.Tensor) -> tf.Tensor:
    """Tell real vectors from made up ones: by ``shared/kernel``, then the discriminator's own."""
    with tf.variable_scope("shared", reuse=tf.AUTO_REUSE):
        kernel = tf.get_variable("kernel", [WIDTH, HIDDEN])
    features = tf.nn.relu(tf.matmul(vectors, kernel) + 0.25)
    with tf.variable_scope("discriminator", reuse=tf.AUTO_REUSE):
        hidden = tf.layers.dense(features, HIDDEN, activation=tf.tanh, name="hidden")
        return tf.layers.dense(hidden, 1, name="output")
