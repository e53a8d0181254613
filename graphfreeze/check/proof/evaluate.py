"""Compute small parts of a graph in numpy: sets of rows, masks of entries, tests of ids.

A tensor is an array, or ``PerId``: what an op that looks at one id at a time makes of ids that
nobody knows yet. Such a value is computed for all ids that there can be, and holds for any ids in
any order; ops that mix ids leave nothing that is known.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from graphfreeze.check.proof.numpy_ops import NUMPY_OPS, gathered
from graphfreeze.check.proof.per_id import PerId, Value, elementwise, expand, reshape, shape_of
from graphfreeze.model.attrs import Shape, count_elements, find_attr, parse_shape, read_numbers
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.variables import REF_OPS, RESOURCE_OPS
from graphfreeze.read.number_types import Array
from graphfreeze.schema import NodeDef, TensorProto, types_pb2

_MOST_DEEP = 60
_PASSED = frozenset({"Identity", "Enter", "Switch", "StopGradient", "ReadVariableOp"})
_READABLE = frozenset(
    {
        *(types_pb2.DT_BOOL, types_pb2.DT_INT32, types_pb2.DT_INT64),
        *(types_pb2.DT_FLOAT, types_pb2.DT_DOUBLE),
    }
)
_ELEMENTWISE: dict[str, Callable[..., Array]] = {
    "Less": np.less,
    "LessEqual": np.less_equal,
    "Greater": np.greater,
    "GreaterEqual": np.greater_equal,
    "Equal": np.equal,
    "NotEqual": np.not_equal,
    "LogicalAnd": np.logical_and,
    "LogicalOr": np.logical_or,
    "LogicalNot": np.logical_not,
    "Add": np.add,
    "AddV2": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "FloorMod": np.mod,
}
_CASTS = {
    types_pb2.DT_BOOL: np.bool_,
    types_pb2.DT_INT32: np.int32,
    types_pb2.DT_INT64: np.int64,
    types_pb2.DT_HALF: np.float16,
    types_pb2.DT_BFLOAT16: np.float32,  # numpy has no other
    types_pb2.DT_FLOAT: np.float32,
    types_pb2.DT_DOUBLE: np.float64,
}
_GATHERS = frozenset({"Gather", "GatherV2", "ResourceGather"})


def nothing_held(_: str) -> Array | None:
    """Tell the value of no variable."""
    return None


@dataclass
class Evaluator:
    """Computes tensors of a graph; ``held`` tells the value of a variable that no step writes.

    ``given`` has tensors whose values are taken as known."""

    graph: Graph
    held: Callable[[str], Array | None] = nothing_held
    given: Mapping[TensorRef, Value] = field(default_factory=dict)
    done: dict[TensorRef, Value | None] = field(default_factory=dict)

    def with_given(self, given: Mapping[TensorRef, Value]) -> "Evaluator":
        """Return an evaluator that takes some tensors as known."""
        return Evaluator(self.graph, self.held, given)

    def find(self, ref: TensorRef, *, depth: int = _MOST_DEEP) -> Value | None:
        """Return what a tensor holds, None where that cannot be told."""
        if ref in self.given:
            return self.given[ref]
        if ref not in self.done:
            is_whole = not ref.port or self.graph.op(ref.node) == "Switch"
            self.done[ref] = self._compute(ref, depth) if depth and is_whole else None
        return self.done[ref]

    def _compute(self, ref: TensorRef, depth: int) -> Value | None:
        node = self.graph.nodes.get(ref.node)
        op = "" if node is None else str(node.op)
        if node is None or op == "Const":
            return None if node is None else constant(find_attr(node, "value").tensor)
        if op in REF_OPS | RESOURCE_OPS:
            return self.held(ref.node)
        if op not in _KNOWN:
            return None
        values, inputs = [], self.graph.data_inputs(ref.node)
        for each in inputs[:1] if op in _PASSED else inputs:
            value = self.find(each, depth=depth - 1)
            if value is None:
                return None
            values.append(value)
        try:
            with np.errstate(all="ignore"):
                return _apply(node, values)
        except (ValueError, IndexError, TypeError, ArithmeticError, MemoryError):
            return None


def constant(proto: TensorProto) -> Array | None:
    """Return a constant of bools or numbers; the last value stands for those left out."""
    shape: Shape | None = parse_shape(proto.tensor_shape)
    count = count_elements(shape)
    if proto.dtype not in _READABLE or shape is None or count is None:
        return None
    values = read_numbers(proto)[:count]
    missing = np.repeat(values[-1:], count - values.size)
    return np.concatenate([values, missing]).reshape([size or 0 for size in shape])


def _apply(node: NodeDef, values: list[Value]) -> Value | None:
    """Do what an op does; raises ValueError, IndexError and the like where it cannot be done."""
    op = str(node.op)
    if op in _PASSED:
        return values[0]
    if op in _ELEMENTWISE:
        return elementwise(_ELEMENTWISE[op], values)
    if op == "Cast":
        kind = _CASTS.get(find_attr(node, "DstT").type)
        return None if kind is None else elementwise(lambda x: x.astype(kind), values)
    if op in _GATHERS:
        return _gather(node, values)
    if op in _OF_IDS:
        return _OF_IDS[op](*values)
    arrays = [value for value in values if isinstance(value, np.ndarray)]
    return NUMPY_OPS[op](node, arrays) if len(arrays) == len(values) else None


def _gather(node: NodeDef, values: list[Value]) -> Value | None:
    table, ids, *rest = values
    if not isinstance(table, np.ndarray):
        return None
    batch = int(find_attr(node, "batch_dims").i)
    axis = int(np.asarray(rest[0]).item()) if rest else batch
    if isinstance(ids, np.ndarray):
        return gathered(table, ids, axis=axis, batch=batch)
    if not isinstance(ids, PerId) or ids.tail or axis:
        return None
    return PerId(gathered(table, ids.values, axis=0, batch=0), ids.form)


def _upper_bound(bounds: Value, values: Value) -> Value | None:
    """Count the bounds, one sorted row, that lie at or below each value of a row."""
    if not isinstance(bounds, np.ndarray) or len(bounds) != 1 or (np.diff(bounds[0]) < 0).any():
        return None
    if isinstance(values, PerId):
        counts = np.searchsorted(bounds[0], values.values, side="right").astype(np.int32)
        return PerId(counts, values.form) if values.is_row and not values.tail else None
    if isinstance(values, np.ndarray) and len(values) == 1:
        counts = np.searchsorted(bounds[0], values[0], side="right")
        return np.asarray(counts, np.int32)[None]
    return None


_OF_IDS: dict[str, Callable[..., Value | None]] = {
    "Shape": shape_of,
    "Reshape": reshape,
    "ExpandDims": expand,
    "UpperBound": _upper_bound,
}
_KNOWN = _PASSED | _ELEMENTWISE.keys() | _GATHERS | _OF_IDS.keys() | NUMPY_OPS.keys() | {"Cast"}
