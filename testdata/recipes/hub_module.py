"""A module as the TF-Hub library 0.7 exports one, written without it.

Two graphs, of no tags and of the tag ``train``; neither has a saver. Resource variables, attributes
without their defaults, and assets that only a collection names."""

from __future__ import annotations

import shutil
from pathlib import Path

import tensorflow as tf
from common import new_session, write_named_feeds
from exports import (
    VOCABULARY,
    asset_feeds,
    draw_words,
    look_up,
    sort_saved_model,
    with_vocabulary,
)
from google.protobuf.any_pb2 import Any
from tensorflow.core.protobuf.meta_graph_pb2 import AssetFileDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

WORDS, UNKNOWN, WIDTH, LENGTH, OUTPUTS, BATCH = 100, 4, 8, 5, 6, 8
FORMAT_V3 = b"\x08\x03"  # all that a ModuleDef says
ASSET = b"SAVEDMODEL-ASSET"  # what the library leaves of a path


def make(folder: Path) -> None:
    """Write ``module`` with its two files, its variables and its vocabulary."""
    module = folder / "module"
    (module / "assets").mkdir(parents=True)
    (module / "tfhub_module.pb").write_bytes(FORMAT_V3)
    saved = SavedModel()
    with with_vocabulary(folder, WORDS):
        shutil.copyfile(VOCABULARY, str(module / "assets" / VOCABULARY))
        with tf.Graph().as_default():
            build(is_training=False)
            saved.meta_graphs.add().CopyFrom(export([]))
        words = build(is_training=True)
        saved.meta_graphs.add().CopyFrom(export(["train"]))
        write_variables(module / "variables")
    (module / "saved_model.pb").write_bytes(saved.SerializeToString())
    sort_saved_model(module / "saved_model.pb")
    (loss,) = tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)
    batch = {words.name: draw_words(1, WORDS, (BATCH, LENGTH))}
    write_named_feeds(folder, loss.name, batch, [], asset_feeds())


def build(is_training: bool) -> tf.Tensor:
    """Build the graph of the module's function, and return its input."""
    tf.get_variable_scope().set_use_resource(True)
    words = tf.placeholder(tf.string, [None, LENGTH], name="words")
    table = tf.get_variable(
        "embedding", [WORDS + UNKNOWN, WIDTH], initializer=tf.random_uniform_initializer(-1.0, 1.0)
    )
    text = tf.reduce_mean(tf.nn.embedding_lookup(table, look_up(words, UNKNOWN)), axis=1)
    text = tf.layers.batch_normalization(text, momentum=0.9, training=is_training, name="bn")
    outputs = tf.layers.dense(
        text, OUTPUTS, activity_regularizer=decay if is_training else None, name="output"
    )
    signature = tf.saved_model.build_signature_def(
        {"default": tf.saved_model.build_tensor_info(words)},
        {"default": tf.saved_model.build_tensor_info(outputs)},
    )
    tf.add_to_collection("signature", signature)
    return words


def decay(outputs: tf.Tensor) -> tf.Tensor:
    """Return a loss that keeps outputs small, which a module may bring along."""
    return tf.reduce_sum(tf.square(outputs))


def export(tags: list[str]) -> tf.MetaGraphDef:
    """Return the graph as the library has it in a SavedModel."""
    (signature,) = tf.get_collection_ref("signature")
    tf.get_collection_ref("signature").clear()
    meta_graph = tf.train.export_meta_graph(strip_default_attrs=True)
    meta_graph.ClearField("saver_def")
    meta_graph.meta_info_def.tags.extend(tags)
    meta_graph.signature_def["default"].CopyFrom(signature)
    (path,) = tf.get_collection(tf.GraphKeys.ASSET_FILEPATHS)
    for node in meta_graph.graph_def.node:
        if node.name == path.op.name:
            node.attr["value"].tensor.string_val[:] = [ASSET]
    packed = Any()
    packed.Pack(AssetFileDef(filename=VOCABULARY, tensor_info={"name": path.name}))
    meta_graph.collection_def["saved_model_assets"].any_list.value.append(packed)
    return meta_graph


def write_variables(folder: Path) -> None:
    """Initialize the variables and save them, and nothing else."""
    folder.mkdir()
    with new_session() as session:
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(
            session, str(folder / "variables"), write_meta_graph=False, write_state=False
        )
