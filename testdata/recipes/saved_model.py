"""A SavedModel with a graph to train and one to serve, which share variables and a vocabulary."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf
from common import draw_integers, new_session, write_named_feeds
from exports import asset_feeds, draw_words, look_up, sort_saved_model, with_vocabulary

WORDS, UNKNOWN, WIDTH, LENGTH, HIDDEN, CLASSES, BATCH, STEPS = 100, 4, 8, 5, 10, 3, 8, 3


def make(folder: Path) -> None:
    """Train a few steps, then export both graphs to ``1``, as TensorFlow Serving counts them."""
    export = folder / "1"
    with with_vocabulary(folder, WORDS):
        builder = tf.saved_model.Builder(str(export))
        add_training_graph(builder, folder)
        with tf.Graph().as_default():
            tf.set_random_seed(1)
            add_serving_graph(builder)
        builder.save()
    sort_saved_model(export / "saved_model.pb")


def build(words: tf.Tensor) -> tf.Tensor:
    """Build the layers that both graphs have, and return the logits."""
    ids = look_up(words, UNKNOWN)
    table = tf.get_variable(
        "embedding", [WORDS + UNKNOWN, WIDTH], initializer=tf.random_uniform_initializer(-1.0, 1.0)
    )
    text = tf.reduce_mean(tf.nn.embedding_lookup(table, ids), axis=1, name="text")
    hidden = tf.layers.dense(text, HIDDEN, activation=tf.nn.tanh, name="hidden")
    return tf.layers.dense(hidden, CLASSES, name="output")


def main_op() -> tf.Operation:
    """Return what a loader runs once the variables are restored."""
    return tf.group(tf.local_variables_initializer(), tf.tables_initializer(), name="main_op")


def add_training_graph(builder: tf.saved_model.Builder, folder: Path) -> None:
    """Build and train the graph of the tag ``train``, and add it with the variables."""
    words = tf.placeholder(tf.string, [None, LENGTH], name="words")
    labels = tf.placeholder(tf.int32, [None], name="labels")
    logits = build(words)
    predictions = tf.nn.softmax(logits, name="predictions")
    loss = tf.losses.sparse_softmax_cross_entropy(labels, logits)
    step = tf.train.get_or_create_global_step()
    train_op = tf.train.MomentumOptimizer(0.1, 0.9).minimize(loss, step, name="train_step")

    def draw_batch(seed: int) -> dict[tf.Tensor, np.ndarray]:
        """Draw words and labels."""
        return {
            words: draw_words(seed, WORDS, (BATCH, LENGTH)),
            labels: draw_integers(seed + 100, CLASSES, [BATCH]),
        }

    with new_session() as session:
        session.run([tf.global_variables_initializer(), tf.tables_initializer()])
        for number in range(STEPS):
            session.run(train_op, draw_batch(number))
        builder.add_meta_graph_and_variables(
            session,
            [tf.saved_model.tag_constants.TRAINING],
            assets_collection=tf.get_collection(tf.GraphKeys.ASSET_FILEPATHS),
            main_op=main_op(),
        )
    batch = {tensor.name: array for tensor, array in draw_batch(STEPS).items()}
    write_named_feeds(folder, loss.name, batch, [predictions.name], asset_feeds())


def add_serving_graph(builder: tf.saved_model.Builder) -> None:
    """Build the graph of the tag ``serve``, and add it with its signature."""
    words = tf.placeholder(tf.string, [None, LENGTH], name="words")
    predictions = tf.nn.softmax(build(words), name="predictions")
    signature = tf.saved_model.predict_signature_def({"words": words}, {"classes": predictions})
    builder.add_meta_graph(
        [tf.saved_model.tag_constants.SERVING],
        signature_def_map={"serving_default": signature},
        assets_collection=tf.get_collection(tf.GraphKeys.ASSET_FILEPATHS),
        main_op=main_op(),
        strip_default_attrs=True,
    )
