"""What a lookup takes of a table: which op it is, and along which axes."""

from dataclasses import dataclass

import numpy as np

from graphfreeze.model.attrs import find_attr, read_numbers
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.variables import Variable

GATHER, GATHER_ND, SLICE = "gather", "gather_nd", "slice"
_GATHERS = frozenset({"Gather", "GatherV2", "ResourceGather"})
_SLICES = frozenset({"Slice", "StridedSlice"})
_UNFIT_MASKS = ("ellipsis_mask", "new_axis_mask")


@dataclass(frozen=True, slots=True)
class Lookup:
    """A node that takes some of a table's entries.

    ``kind`` is gather (by ids along ``axis``; the first ``batch_dims`` axes of table and ids go
    together), gather_nd (by points of the table) or slice (``spans``, one an axis; a number where
    the axis goes away). ``ids`` are the ids or points.
    """

    node: str
    kind: str
    rank: int
    ids: TensorRef | None = None
    axis: int = 0
    batch_dims: int = 0
    spans: tuple[range | int, ...] = ()

    @property
    def is_by_rows(self) -> bool:
        """Tell whether it takes whole rows by their ids."""
        return self.kind == GATHER and self.axis == 0


def find_lookup(graph: Graph, name: str, variable: Variable) -> Lookup | None:
    """Return what a node takes of a variable, None if it is no lookup or cannot be told."""
    op, shape = graph.op(name), variable.shape
    if shape is None or not shape:
        return None
    rank = len(shape)
    if op in ("GatherNd", "ResourceGatherNd"):
        batch = find_attr(graph.nodes[name], "batch_dims").i
        ids = graph.data_inputs(name)[1]
        return None if batch else Lookup(name, GATHER_ND, rank, ids)
    if op in _GATHERS:
        return _gather(graph, name, rank)
    if op in _SLICES and all(shape):
        spans = _spans(graph, name, [size or 0 for size in shape])
        return None if spans is None else Lookup(name, SLICE, rank, spans=spans)
    return None


def _gather(graph: Graph, name: str, rank: int) -> Lookup | None:
    batch_dims = int(find_attr(graph.nodes[name], "batch_dims").i)
    ids = graph.data_inputs(name)[1]
    axis: int | None = batch_dims if graph.op(name) == "ResourceGather" else 0
    if graph.op(name) == "GatherV2":
        given = _constant(graph, graph.data_inputs(name)[2])
        axis = None if given is None or len(given) != 1 else given[0] % rank
    if axis is None or not 0 <= batch_dims <= axis:
        return None
    return Lookup(name, GATHER, rank, ids, axis, batch_dims)


def _spans(graph: Graph, name: str, shape: list[int]) -> tuple[range | int, ...] | None:
    """Return the places that a slice takes of each axis, None where its bounds are not constant."""
    inputs, node = graph.data_inputs(name), graph.nodes[name]
    given = [_constant(graph, ref) for ref in inputs[1:]]
    bounds = [each for each in given if each is not None]
    if len(bounds) < len(given) or len({len(each) for each in bounds}) != 1:
        return None
    if node.op == "Slice":
        begins, sizes = bounds
        pairs = zip(begins, sizes, shape, strict=True)
        return tuple(range(b, full if n == -1 else b + n) for b, n, full in pairs)
    if any(find_attr(node, mask).i for mask in _UNFIT_MASKS) or len(bounds[0]) > len(shape):
        return None
    spans: list[range | int] = []
    for axis, (begin, end, stride) in enumerate(zip(*bounds, strict=True)):
        bit = 1 << axis
        if find_attr(node, "shrink_axis_mask").i & bit:
            spans.append(begin % shape[axis])
            continue
        first = None if find_attr(node, "begin_mask").i & bit else begin
        last = None if find_attr(node, "end_mask").i & bit else end
        spans.append(range(*slice(first, last, stride).indices(shape[axis])))
    return (*spans, *(range(size) for size in shape[len(spans) :]))


def _constant(graph: Graph, ref: TensorRef) -> list[int] | None:
    """Return the integers of a constant, None if a tensor is something else."""
    node = graph.nodes.get(ref.node)
    while node is not None and node.op in ("Identity", "Enter"):
        node = graph.nodes.get(graph.data_inputs(str(node.name))[0].node)
    if node is None or node.op != "Const":
        return None
    proto = node.attr["value"].tensor
    values = read_numbers(proto)
    count = int(np.prod([dim.size for dim in proto.tensor_shape.dim]))
    return [int(v) for v in np.resize(values, count)]
