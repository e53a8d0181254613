"""A classifier of images whose variables freeze_graph made constants; once more with folds."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf
from common import draw_floats, new_session, write_feeds, write_message
from tensorflow.python.framework import dtypes
from tensorflow.python.tools import freeze_graph, optimize_for_inference_lib

SIDE, COLOURS, CLASSES, BATCH = 10, 3, 4, 4
MEAN, DEVIATION = [0.25, 0.5, 0.125], [0.5, 0.25, 0.5]
WITHIN = tf.random_uniform_initializer(0.25, 1.0)


def make(folder: Path) -> None:
    """Write ``graph.pb`` as freeze_graph does, ``folded.pb`` as optimize_for_inference makes it."""
    images = tf.placeholder(tf.float32, [None, SIDE, SIDE, COLOURS], name="images")
    keep_prob = tf.placeholder_with_default(1.0, [], name="keep_prob")
    maps = (images - MEAN) / DEVIATION
    maps = tf.layers.conv2d(maps, 8, 3, use_bias=False, name="conv1")
    maps = tf.nn.relu(normalize(maps, "bn1", fused=True))
    maps = tf.layers.conv2d(maps, 8, 3, strides=2, name="conv2")
    maps = leak(normalize(maps, "bn2", fused=False))
    maps = tf.layers.conv2d(maps, 8, 1, name="conv3")
    means = tf.reduce_mean(maps, axis=[1, 2])
    hidden = tf.layers.dense(means, 16, activation=tf.nn.relu, name="hidden")
    hidden = tf.nn.dropout(hidden, keep_prob=keep_prob)
    logits = tf.layers.dense(hidden, CLASSES, name="logits", bias_initializer=WITHIN)
    predictions = tf.nn.softmax(logits, name="predictions")

    write_frozen(folder / "graph.pb", predictions)
    frozen = tf.GraphDef.FromString((folder / "graph.pb").read_bytes())
    given, type_of = [images.op.name, keep_prob.op.name], dtypes.float32.as_datatype_enum
    folded = optimize_for_inference_lib.optimize_for_inference(
        frozen, given, [predictions.op.name], type_of
    )
    write_message(folder / "folded.pb", folded)
    feeds = {
        images: draw_floats(1, [BATCH, SIDE, SIDE, COLOURS]),
        keep_prob: np.ones([], np.float32),
    }
    write_feeds(folder, logits, feeds, [predictions])


def normalize(maps: tf.Tensor, name: str, *, fused: bool) -> tf.Tensor:
    """Normalize by moving averages that differ from what they begin with.

    In ops of before June 2019: the tool that folds does not know FusedBatchNormV3."""
    with tf.compat.forward_compatibility_horizon(2019, 6, 1):
        return tf.layers.batch_normalization(
            maps,
            fused=fused,
            name=name,
            beta_initializer=WITHIN,
            gamma_initializer=WITHIN,
            moving_mean_initializer=WITHIN,
            moving_variance_initializer=WITHIN,
        )


def leak(maps: tf.Tensor) -> tf.Tensor:
    """Apply a PReLU with an alpha for each channel."""
    alpha = tf.get_variable("prelu/alpha", [8], initializer=WITHIN)
    return tf.nn.relu(maps) + alpha * (maps - tf.abs(maps)) * 0.5


def write_frozen(path: Path, output: tf.Tensor) -> None:
    """Write the default graph with its initial values as constants, by TensorFlow's own tool."""
    with tempfile.TemporaryDirectory() as scratch, new_session() as session:
        session.run(tf.global_variables_initializer())
        prefix = str(Path(scratch, "model"))
        tf.train.Saver().save(session, prefix)
        freeze_graph.freeze_graph(
            input_graph="",
            input_saver="",
            input_binary=True,
            input_checkpoint=prefix,
            output_node_names=output.op.name,
            restore_op_name="",
            filename_tensor_name="",
            output_graph=str(path),
            clear_devices=True,
            initializer_nodes="",
            input_meta_graph=f"{prefix}.meta",
        )
    write_message(path, tf.GraphDef.FromString(path.read_bytes()))
