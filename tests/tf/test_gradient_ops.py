"""The tables of ops against TensorFlow's own gradient registry, and against its gradients."""

from collections.abc import Iterable

import pytest
import tensorflow.compat.v1 as tf
from tensorflow.python.framework import op_def_registry, ops

from graphfreeze.check.explain.gradient_ops import (
    CALLS,
    DIFFERENTIABLE,
    FLAT,
    NO_GRADIENT_TO,
    NOT_DIFFERENTIABLE,
    RAISES,
    TRAINABLE_TYPES,
    ZERO_BUT_FIRST,
)
from graphfreeze.model.op_registry import load_shipped
from graphfreeze.schema import AttrValue, GraphDef, OpDef, types_pb2
from graphfreeze.train.older_ops import TOLD_BY_OLDER

NUMBERS = ("T", "dtype", "DstT", "SrcT")  # attributes that are no types of indices
FLOAT, INT32 = types_pb2.DT_FLOAT, types_pb2.DT_INT32


def could_pass(definition: OpDef) -> bool:
    """Tell whether an op takes and gives something that can have a gradient."""
    return any(_could(definition, a) for a in definition.input_arg) and any(
        _could(definition, a) for a in definition.output_arg
    )


def _could(definition: OpDef, arg: OpDef.ArgDef) -> bool:
    if arg.type:
        return arg.type % 100 in TRAINABLE_TYPES
    key = arg.type_attr or arg.type_list_attr
    allowed = next(a.allowed_values.list.type for a in definition.attr if a.name == key)
    return not allowed or bool(set(allowed) & TRAINABLE_TYPES)


def registered() -> dict[str, bool]:
    """Return every op of ours that could pass a gradient: True if a gradient is registered."""
    shipped = load_shipped()
    known = {**shipped.tf1.ops, **shipped.tf2.ops}
    entries = ops.gradient_registry._registry
    return {
        name: entries[name]["type"] is not None
        for name, definition in known.items()
        if name in entries and could_pass(definition)
    }


def test_tables_are_the_registry() -> None:
    found = registered()
    not_differentiable = {name for name, has in found.items() if not has}
    # An op of the eager mode, which asserts that nobody asks.
    differentiable = {name for name, has in found.items() if has} - {"_EagerConst"}
    assert not_differentiable == NOT_DIFFERENTIABLE
    assert differentiable == DIFFERENTIABLE | FLAT | RAISES.keys()
    assert not DIFFERENTIABLE & (FLAT | RAISES.keys() | CALLS)


def probe(name: str, made: dict[str, set[str]]) -> dict[str, bool] | None:
    """Return for each floating argument whether a gradient comes back; None if none can be made.

    ``made`` learns which ops the gradients are made of."""
    definition = op_def_registry.get(name)
    if definition is None or any(a.is_ref for a in definition.input_arg):
        return None
    graph_def, slots = _graph_of(definition)
    with tf.Graph().as_default() as graph:
        try:
            tf.import_graph_def(graph_def, name="")
            outputs = graph.get_operation_by_name("op").outputs
            ys = [y for y in outputs if y.dtype in (tf.float32, tf.resource)]
            floating = [(a, graph.get_tensor_by_name(x)) for a, x, dtype in slots if dtype == FLOAT]
            found = [tf.gradients(y, [x for _, x in floating]) for y in ys]
        except (ValueError, TypeError, LookupError, AssertionError, RuntimeError, AttributeError):
            return None
    if not found or not floating:
        return None
    made[name] = {op.type for op in graph.get_operations()} - {"Placeholder", name}
    has = [any(each) for each in zip(*([g is not None for g in gs] for gs in found), strict=True)]
    return {arg: has for (arg, _), has in zip(floating, has, strict=True)}


def _graph_of(definition: OpDef) -> tuple[GraphDef, list[tuple[str, str, int]]]:
    """Return a graph with the one op on placeholders, and for each of these argument and type."""
    graph_def = GraphDef()
    node = graph_def.node.add(name="op", op=definition.name)
    for attr in definition.attr:
        _set(node.attr[attr.name], attr, axes=5 if "3D" in definition.name else 4)
    slots = []
    for arg in definition.input_arg:
        for dtype in _types(node.attr, arg):
            slots.append((arg.name, f"p{len(slots)}:0", dtype))
            place = graph_def.node.add(name=f"p{len(slots) - 1}", op="Placeholder")
            place.attr["dtype"].type = dtype
            place.attr["shape"].shape.unknown_rank = True
            node.input.append(place.name)
    return graph_def, slots


def _set(value: AttrValue, attr: OpDef.AttrDef, *, axes: int) -> None:
    allowed = attr.allowed_values.list
    want = INT32 if attr.name not in NUMBERS and INT32 in allowed.type else FLOAT
    match attr.type:
        case "type":
            value.type = want if not allowed.type or want in allowed.type else allowed.type[0]
        case "list(type)":
            value.list.type.extend([FLOAT, FLOAT])
        case "int" if attr.name == "N":
            value.i = 2
        case _ if attr.HasField("default_value"):
            value.CopyFrom(attr.default_value)
        case "int":
            value.i = max(1, attr.minimum)
        case "list(int)":
            value.list.i.extend([1] * axes)
        case "string":
            value.s = allowed.s[0] if allowed.s else b"x"
        case "float":
            value.f = 0.5
        case "shape":
            value.shape.unknown_rank = True


def _types(attrs: object, arg: OpDef.ArgDef) -> Iterable[int]:
    if arg.type_list_attr:
        return list(attrs[arg.type_list_attr].list.type)  # type: ignore[index]
    count = attrs[arg.number_attr].i if arg.number_attr else 1  # type: ignore[index]
    return [arg.type or attrs[arg.type_attr].type] * count  # type: ignore[index]


MADE: dict[str, set[str]] = {}


@pytest.fixture(scope="module")
def probed() -> dict[str, dict[str, bool]]:
    names = sorted(DIFFERENTIABLE | FLAT)
    return {name: found for name in names if (found := probe(name, MADE)) is not None}


def test_most_ops_can_be_tried(probed: dict[str, dict[str, bool]]) -> None:
    assert len(probed) > 270
    assert probed.keys() >= FLAT | ZERO_BUT_FIRST | {"PadV2", "GatherV2", "SelectV2", "TopKV2"}


def test_arguments_without_a_gradient(probed: dict[str, dict[str, bool]]) -> None:
    found = {name: {a for a, has in args.items() if not has} for name, args in probed.items()}
    told = {name: set(args) if name in FLAT else set(NO_GRADIENT_TO.get(name, ()))
            for name, args in probed.items()}  # fmt: skip
    differing = {n: (found[n], told[n] & probed[n].keys()) for n in probed
                 if found[n] != told[n] & probed[n].keys()}  # fmt: skip
    assert not differing


def test_gradients_of_old_ops_are_old_or_can_be_told_by_older(
    probed: dict[str, dict[str, bool]],
) -> None:
    known = load_shipped().tf1.ops
    newer = {op for name in probed if name in known for op in MADE[name] if op not in known}
    # The derivative of a beta distribution, which no model of the corpus has.
    others = {"BatchMatMulV3", "DisableCopyOnRead", "StatelessCase"}
    assert newer - {"Xlog1py"} == TOLD_BY_OLDER - others
