"""What all recipes share: a session that repeats itself, and the files of a model folder."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path
from typing import Sequence

import numpy as np
import tensorflow as tf
from google.protobuf.message import Message
from tensorflow.core.protobuf.control_flow_pb2 import CondContextDef, WhileContextDef

CONTEXTS = {"cond_context": CondContextDef, "while_context": WhileContextDef}
SIDE_WIDTH = 5
DOMAIN_WORDS = (
    *("aorta", "artery", "atrium", "lumen", "mitral", "plaque", "pulse"),
    *("septum", "stent", "suture", "valve", "vein", "ventricle"),
)


def new_session() -> tf.Session:
    """Open a session on one thread, so that sums are added in one order."""
    return tf.Session(config=one_thread())


def one_thread() -> tf.ConfigProto:
    """Return a session's configuration under which sums are added in one order."""
    return tf.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)


def write_message(path: Path, message: Message) -> None:
    """Write a message with its maps sorted: protobuf's own order differs from run to run."""
    path.write_bytes(message.SerializeToString(deterministic=True))


def write_model(folder: Path, session: tf.Session, saver: tf.train.Saver | None = None) -> None:
    """Write ``model.ckpt.*`` with its meta graph, and a ``checkpoint`` with a relative path."""
    saver = saver or tf.train.Saver(save_relative_paths=True)
    saver.save(session, str(folder / "model.ckpt"))
    sort_meta_graph(folder / "model.ckpt.meta")


def sort_meta_graph(path: Path) -> None:
    """Write a meta graph once more, with all its maps sorted."""
    meta_graph = tf.MetaGraphDef()
    meta_graph.ParseFromString(path.read_bytes())
    sort_contexts(meta_graph)
    sort_configs(meta_graph.graph_def)
    write_message(path, meta_graph)


def sort_contexts(meta_graph: tf.MetaGraphDef) -> None:
    """Serialize the contexts of loops and conds once more: bytes that have maps of their own."""
    for collection in CONTEXTS.keys() & meta_graph.collection_def.keys():
        entries = meta_graph.collection_def[collection].bytes_list.value
        for number, entry in enumerate(entries):
            context = CONTEXTS[collection].FromString(entry)
            entries[number] = context.SerializeToString(deterministic=True)


def sort_configs(graph: tf.GraphDef) -> None:
    """Serialize the configurations of calls once more: bytes that have a map too."""
    bodies = [function.node_def for function in graph.library.function]
    for node in chain(graph.node, *bodies):
        if "config_proto" in node.attr:
            config = tf.ConfigProto.FromString(node.attr["config_proto"].s)
            node.attr["config_proto"].s = config.SerializeToString(deterministic=True)


def write_bare_graph(folder: Path, ends: Sequence[tf.Tensor | tf.Operation]) -> None:
    """Write ``graph.pb``: what computes ``ends`` and nothing else, so no collections either."""
    names = [end.name.partition(":")[0] for end in ends]
    graph = tf.graph_util.extract_sub_graph(ends[0].graph.as_graph_def(), names)
    drop_lost_colocations(graph)
    sort_configs(graph)
    write_message(folder / "graph.pb", graph)


def drop_lost_colocations(graph: tf.GraphDef) -> None:
    """Take away ``_class`` where it names a node that was not kept: no TensorFlow imports that."""
    kept = {f"loc:@{node.name}".encode() for node in graph.node}
    for node in graph.node:
        if "_class" in node.attr and not kept.issuperset(node.attr["_class"].list.s):
            del node.attr["_class"]


def write_feeds(
    folder: Path, loss: tf.Tensor, feeds: dict[tf.Tensor, np.ndarray], outputs: Sequence[tf.Tensor]
) -> None:
    """Write ``feeds.json``: a batch under which ``loss`` and ``outputs`` can be evaluated."""
    batch = {tensor.name: array for tensor, array in feeds.items()}
    write_named_feeds(folder, loss.name, batch, [output.name for output in outputs])


def write_named_feeds(
    folder: Path,
    loss: str,
    feeds: dict[str, np.ndarray],
    outputs: Sequence[str],
    assets: dict[str, str] | None = None,
) -> None:
    """Write ``feeds.json`` of tensors that are given by name, ``assets`` by the file to feed."""
    batch = {
        name: {
            "dtype": array.dtype.name,
            "shape": list(array.shape),
            "values": array.ravel().tolist(),
        }
        for name, array in feeds.items()
    }
    document = {"loss": loss, "feeds": batch, "outputs": list(outputs)}
    if assets:
        document["assets"] = assets
    (folder / "feeds.json").write_text(json.dumps(document) + "\n")


def write_gradients(
    folder: Path,
    losses: list[tf.Tensor],
    variables: list[tf.Variable],
    feeds: dict[tf.Tensor, object],
) -> None:
    """Write ``gradients.json``: by loss and variable, as the process knows them that built it all.

    What is saved has lost how the functions are to be differentiated."""
    names = [variable.op.name for variable in variables]
    found = {loss.op.name: tf.gradients(loss, variables) for loss in losses}
    told = {}
    with new_session() as session:
        tf.train.Saver(variables).restore(session, str(folder / "model.ckpt"))
        for name, gradients in found.items():
            pairs = [(n, g) for n, g in zip(names, gradients) if g is not None]
            dense = {n: tf.convert_to_tensor(g) for n, g in pairs}
            told[name] = {n: v.tolist() for n, v in session.run(dense, feeds).items()}
    (folder / "gradients.json").write_text(json.dumps(told, sort_keys=True) + "\n")


def draw_integers(seed: int, bound: int, shape: Sequence[int]) -> np.ndarray:
    """Draw int32 values in ``[0, bound)``."""
    return np.random.RandomState(seed).randint(bound, size=shape).astype(np.int32)


def draw_floats(seed: int, shape: Sequence[int]) -> np.ndarray:
    """Draw float32 multiples of 1/64 in ``[-1, 1)``: JSON gives them back to the bit."""
    return (np.random.RandomState(seed).randint(-64, 64, size=shape) / 64).astype(np.float32)


def add_side() -> tuple[tf.Tensor, tf.Tensor]:
    """Add the layer ``side``, which no other variable sways; return its input and its loss."""
    inputs = tf.placeholder(tf.float32, [None, SIDE_WIDTH], name="side_inputs")
    outputs = tf.layers.dense(inputs, 3, activation=tf.tanh, name="side")
    return inputs, tf.reduce_mean(tf.squared_difference(outputs, 0.5), name="side_loss")


def draw_side(seed: int, batch: int) -> np.ndarray:
    """Draw the input of ``side``."""
    return draw_floats(seed + 200, [batch, SIDE_WIDTH])


def write_vocabulary(folder: Path, words: int) -> None:
    """Write ``vocab.txt``: ``<unk>``, ``w001`` and so on, each seventh a word of one domain."""
    names = ["<unk>", *(f"w{number:03}" for number in range(1, words))]
    for place, name in enumerate(DOMAIN_WORDS, start=1):
        names[7 * place] = name
    (folder / "vocab.txt").write_text("\n".join(names) + "\n")
