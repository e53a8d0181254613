"""A Keras model in graph mode, amid its training: an embedding and an LSTM."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf
from common import (
    draw_integers,
    one_thread,
    write_bare_graph,
    write_feeds,
    write_model,
)

WORDS, WIDTH, UNITS, LENGTH, CLASSES, BATCH = 30, 5, 4, 4, 3, 4


def make(folder: Path) -> None:
    """Compile a model, train it for a step, and save what Keras's session holds."""
    session = tf.Session(config=one_thread())
    tf.keras.backend.set_session(session)
    model = tf.keras.Sequential(
        [
            tf.keras.layers.Embedding(WORDS, WIDTH, input_length=LENGTH, name="embedding"),
            tf.keras.layers.LSTM(UNITS, name="lstm"),
            tf.keras.layers.Dense(CLASSES, activation="softmax", name="output"),
        ]
    )
    model.compile(tf.keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    ids, labels = draw_integers(1, WORDS, [BATCH, LENGTH]), draw_integers(2, CLASSES, [BATCH, 1])
    model.train_on_batch(ids, labels)
    write_model(folder, session)
    write_bare_graph(folder, [model.total_loss, model.output])
    feeds = {model.input: ids.astype("float32"), model._targets[0]: labels.astype("float32")}
    write_feeds(folder, model.total_loss, feeds, [model.output])
