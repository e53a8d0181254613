"""A small image classifier with L2 losses on its kernels and moving averages in UPDATE_OPS."""

from pathlib import Path

import tensorflow as tf
from common import draw_floats, draw_integers, new_session, write_feeds, write_model

SIDE, COLOURS, CLASSES, BATCH = 8, 3, 5, 4


def add_block(images: tf.Tensor, channels: int, number: int) -> tf.Tensor:
    """Add ``conv<number>`` with an L2 loss and ``bn<number>`` in training mode."""
    regularizer = tf.contrib.layers.l2_regularizer(0.001)
    images = tf.layers.conv2d(
        images, channels, 3, padding="same", kernel_regularizer=regularizer, name=f"conv{number}"
    )
    return tf.nn.relu(tf.layers.batch_normalization(images, training=True, name=f"bn{number}"))


def make(folder: Path) -> None:
    """Build the forward graph, initialize it, and save."""
    images = tf.placeholder(tf.float32, [None, SIDE, SIDE, COLOURS], name="images")
    labels = tf.placeholder(tf.int32, [None], name="labels")

    maps = add_block(images, 8, number=1)
    maps = tf.layers.max_pooling2d(maps, 2, 2, name="pool")
    maps = add_block(maps, 16, number=2)
    logits = tf.layers.dense(tf.reduce_mean(maps, axis=[1, 2]), CLASSES, name="logits")
    predictions = tf.nn.softmax(logits, name="predictions")
    tf.losses.sparse_softmax_cross_entropy(labels, logits)
    loss = tf.losses.get_total_loss(name="total_loss")
    tf.train.get_or_create_global_step()

    with new_session() as session:
        session.run(tf.global_variables_initializer())
        write_model(folder, session)
    feeds = {
        images: draw_floats(1, [BATCH, SIDE, SIDE, COLOURS]),
        labels: draw_integers(2, CLASSES, [BATCH]),
    }
    write_feeds(folder, loss, feeds, [predictions])
