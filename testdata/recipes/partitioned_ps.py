"""A table in parts on two parameter servers, saved amid its training by a sharded saver."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf
from common import (
    add_side,
    draw_integers,
    draw_side,
    new_session,
    sort_meta_graph,
    write_feeds,
    write_vocabulary,
)

WORDS, WIDTH, PARTS, LENGTH, HIDDEN, CLASSES, BATCH, STEPS = 101, 8, 3, 6, 8, 3, 8, 4


def make(folder: Path) -> None:
    """Build the placed graph, train a copy of it that names no devices, and save."""
    with tf.device(tf.train.replica_device_setter(ps_tasks=2)):
        ids = tf.placeholder(tf.int32, [None, LENGTH], name="ids")
        labels = tf.placeholder(tf.int32, [None], name="labels")
        table = tf.get_variable(
            "table",
            [WORDS, WIDTH],
            initializer=tf.random_uniform_initializer(-1.0, 1.0),
            partitioner=tf.fixed_size_partitioner(PARTS),
        )
        words = tf.nn.embedding_lookup(table, ids, partition_strategy="mod", name="words")
        text = tf.reduce_mean(words, axis=1, name="text")
        hidden = tf.layers.dense(text, HIDDEN, activation=tf.tanh, name="hidden")
        logits = tf.layers.dense(hidden, CLASSES, name="output")
        predictions = tf.nn.softmax(logits, name="predictions")
        tf.losses.sparse_softmax_cross_entropy(labels, logits)
        side_inputs, side_loss = add_side()
        tf.losses.add_loss(side_loss)
        total = tf.losses.get_total_loss(name="total_loss")
        global_step = tf.train.get_or_create_global_step()
        # minimize() itself adds the op to the collection train_op.
        tf.train.AdamOptimizer(0.01).minimize(total, global_step, name="train_op")
        tf.global_variables_initializer()
        saver = tf.train.Saver(sharded=True)

    def draw_batch(seed: int) -> dict[tf.Tensor, np.ndarray]:
        """Draw ids, labels and the input of ``side``."""
        return {
            ids: draw_integers(seed, WORDS, [BATCH, LENGTH]),
            labels: draw_integers(seed + 100, CLASSES, [BATCH]),
            side_inputs: draw_side(seed, BATCH),
        }

    batches = [
        {tensor.name: array for tensor, array in draw_batch(step).items()} for step in range(STEPS)
    ]
    write_trained(folder, saver, batches)
    write_feeds(folder, total, draw_batch(STEPS), [predictions])
    write_vocabulary(folder, WORDS)


def write_trained(
    folder: Path, saver: tf.train.Saver, batches: list[dict[str, np.ndarray]]
) -> None:
    """Write this graph as it is placed, and the checkpoint of a copy that one process can run."""
    meta_graph = saver.export_meta_graph(str(folder / "model.ckpt.meta"))
    sort_meta_graph(folder / "model.ckpt.meta")
    with tf.Graph().as_default(), new_session() as session:
        tf.train.import_meta_graph(meta_graph, clear_devices=True)
        copied = tf.train.Saver(saver_def=meta_graph.saver_def, save_relative_paths=True)
        session.run("init")
        for batch in batches:
            session.run("train_op", batch)
        copied.save(session, str(folder / "model.ckpt"), write_meta_graph=False)
