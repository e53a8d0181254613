"""The op definitions of TensorFlow 1.15 and 2, read from the file shipped with the package.

``scripts/extract_op_registry`` writes that file and says what is in it.
"""

import lzma
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from graphfreeze.schema import NodeDef, OpDef, SavedModel

_FILE = Path(__file__).with_suffix(".bin")
# 1.15 takes any attribute that begins with an underscore; these two mean something to 2 only.
_LEFT_TO_TF2 = frozenset({"_has_manual_control_dependencies", "_output_shapes"})
_FIELDS_LEFT_TO_TF2 = frozenset({"experimental_debug_info", "experimental_type"})


@dataclass(frozen=True, slots=True)
class Release:
    """The ops of one TensorFlow release, by name and without their texts."""

    version: str
    ops: Mapping[str, OpDef]


@dataclass(frozen=True, slots=True)
class Shipped:
    """All ops of ``tf1``; those that ``tf2`` added, or gave other arguments or attributes.

    ``since_1_4`` are the ops of ``tf1`` that TensorFlow 1.4 lacks."""

    tf1: Release
    tf2: Release
    since_1_4: frozenset[str]


@cache
def load_shipped() -> Shipped:
    """Return the shipped registry, read on first use (about 10 ms)."""
    saved = SavedModel.FromString(lzma.decompress(_FILE.read_bytes()))
    *infos, oldest = [graph.meta_info_def for graph in saved.meta_graphs]
    tf1, tf2 = (
        Release(info.tensorflow_version, {op.name: op for op in info.stripped_op_list.op})
        for info in infos
    )
    return Shipped(tf1, tf2, frozenset(map(str, oldest.tags)))


def known_to_tf1(op: str) -> bool:
    """Tell whether TensorFlow 1.15 has an op, if need be after ``import tensorflow.contrib``."""
    return op in load_shipped().tf1.ops


def known_to_any(op: str) -> bool:
    """Tell whether TensorFlow 1.15 or 2 has an op."""
    return known_to_tf1(op) or op in load_shipped().tf2.ops


def contrib_module(op: str) -> str:
    """Return the module of tf.contrib that brings an op (``tf.contrib.image``), '' if none does."""
    definition = load_shipped().tf1.ops.get(op)
    return "" if definition is None else str(definition.summary)


@cache
def attributes_known_to_tf1(op: str) -> frozenset[str]:
    """Return the attribute names of TensorFlow 1.15's definition of an op; none if it lacks it."""
    definition = load_shipped().tf1.ops.get(op)
    return frozenset() if definition is None else frozenset(attr.name for attr in definition.attr)


def strip_for_tf1(node: NodeDef) -> NodeDef:
    """Return a node without what 1.15 refuses.   MatMul(a, b) {T, grad_a} => MatMul(a, b) {T}

    It is a copy, or the node itself if nothing has to go. An op that 1.15 lacks (a custom op, a
    function call) keeps its attributes. Values are not looked at: ask ``OpRegistry.is_default``
    whether what goes had a meaning."""
    names = [name for name in node.attr if not _is_for_tf1(node.op, name)]
    # Which fields there are depends on the installed TensorFlow.
    fields = [field.name for field, _ in node.ListFields() if field.name in _FIELDS_LEFT_TO_TF2]
    if not names and not fields:
        return node
    stripped = NodeDef()
    stripped.CopyFrom(node)
    for name in names:
        del stripped.attr[name]
    for name in fields:
        stripped.ClearField(name)
    return stripped


def _is_for_tf1(op: str, attr: str) -> bool:
    if attr.startswith("_"):
        return attr not in _LEFT_TO_TF2
    return not known_to_tf1(op) or attr in attributes_known_to_tf1(op)
