"""Batch norms as people wrote them, dropouts, and moving averages of variables in UPDATE_OPS."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf
from common import draw_floats, draw_integers, new_session, write_feeds, write_model

SIDE, COLOURS, WIDTH, CLASSES, BATCH = 4, 2, 6, 3, 5


def make(folder: Path) -> None:
    """Build the forward graph, run it and its updates a few times, and save."""
    images = tf.placeholder(tf.float32, [None, SIDE, SIDE, COLOURS], name="images")
    labels = tf.placeholder(tf.int32, [None], name="labels")
    is_training = tf.placeholder(tf.bool, [], name="is_training")
    keep_prob = tf.placeholder(tf.float32, [], name="keep_prob")

    maps = add_maps(images, is_training)
    features = add_features(tf.reduce_mean(maps, axis=[1, 2]), is_training, keep_prob)
    logits = tf.layers.dense(features, CLASSES, name="logits")
    predictions = tf.nn.softmax(logits, name="predictions")
    loss = tf.losses.sparse_softmax_cross_entropy(labels, logits)
    average = tf.train.ExponentialMovingAverage(0.9)
    names = ("fused/conv/kernel", "contrib/dense/kernel", "logits/kernel")
    followed = [v for v in tf.trainable_variables() if v.op.name in names]
    tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, average.apply(followed))
    tf.train.get_or_create_global_step()

    feeds = {
        images: draw_floats(1, [BATCH, SIDE, SIDE, COLOURS]),
        labels: draw_integers(2, CLASSES, [BATCH]),
        is_training: np.array(True),
        keep_prob: np.array(1.0, np.float32),
    }
    with new_session() as session:
        session.run(tf.global_variables_initializer())
        for _ in range(3):
            session.run([loss, *tf.get_collection(tf.GraphKeys.UPDATE_OPS)], feeds)
        write_model(folder, session)
    write_feeds(folder, loss, feeds, [predictions])


def add_maps(images: tf.Tensor, is_training: tf.Tensor) -> tf.Tensor:
    """Add ``fused``, in training mode for good, and ``fused_cond``, which a placeholder decides."""
    with tf.variable_scope("fused"):
        maps = tf.layers.conv2d(images, WIDTH, 3, padding="same", name="conv")
        maps = tf.nn.relu(tf.layers.batch_normalization(maps, training=True, name="bn"))
        maps = tf.layers.dropout(maps, 0.25, training=True)
    with tf.variable_scope("fused_cond", use_resource=True):
        maps = tf.layers.conv2d(maps, WIDTH, 3, padding="same", name="conv")
        maps = tf.nn.relu(tf.layers.batch_normalization(maps, training=is_training, name="bn"))
        return tf.layers.dropout(maps, 0.25, training=is_training)


def add_features(features: tf.Tensor, is_training: tf.Tensor, keep_prob: tf.Tensor) -> tf.Tensor:
    """Add ``plain_cond``, of vectors, and ``contrib``, whose result waits for its updates."""
    with tf.variable_scope("plain_cond"):
        features = tf.layers.dense(features, WIDTH, name="dense")
        features = tf.tanh(tf.layers.batch_normalization(features, training=is_training, name="bn"))
        features = tf.nn.dropout(features, rate=0.5, noise_shape=[1, WIDTH])
    with tf.variable_scope("contrib"):
        features = tf.layers.dense(features, WIDTH, name="dense")
        features = tf.contrib.layers.batch_norm(
            features,
            fused=False,
            updates_collections=None,
            zero_debias_moving_mean=True,
            scope="bn",
        )
        return tf.nn.dropout(tf.tanh(features), keep_prob=keep_prob)
