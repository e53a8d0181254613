"""Take of a mask what a lookup takes of its table."""

import numpy as np

from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.rewrite.builder import Builder
from graphfreeze.rewrite.lookups import GATHER, GATHER_ND, Lookup
from graphfreeze.schema import types_pb2

INT32, BOOL = types_pb2.DT_INT32, types_pb2.DT_BOOL
LAST = (("begin", [-1]), ("end", [0]), ("strides", [1]))  # of [-1:]


def look_up(
    build: Builder,
    graph: Graph,
    lookup: Lookup,
    mask: TensorRef,
    *,
    dtype: int = BOOL,
    along: int | None = None,
) -> TensorRef:
    """Return the entries of a mask, shaped as the table, at which a lookup reads the table.

    With ``along`` the mask has that axis alone, the others are of size 1; for points only."""
    if lookup.kind == GATHER:
        assert lookup.ids is not None
        axis = build.const("axis", lookup.axis, INT32)
        types = {"Tparams": dtype, "Tindices": graph.dtype(lookup.ids), "Taxis": INT32}
        numbers = {"batch_dims": lookup.batch_dims} if lookup.batch_dims else {}
        return build.add("looked_up", "GatherV2", (mask, lookup.ids, axis), types, numbers)
    if lookup.kind == GATHER_ND:
        assert lookup.ids is not None
        points, ids = lookup.ids, graph.dtype(lookup.ids)
        if along is not None:
            points = _only(build, points, ids, lookup.rank, along)
        types = {"Tparams": dtype, "Tindices": ids}
        return build.add("looked_up", "GatherNd", (mask, points), types)
    inputs = graph.data_inputs(lookup.node)[1:]
    node = graph.nodes[lookup.node]
    types = {"T": dtype, "Index": graph.dtype(inputs[0])}
    numbers = {key: int(value.i) for key, value in node.attr.items() if key.endswith("_mask")}
    return build.add("looked_up", str(node.op), (mask, *inputs), types, numbers)


def _only(build: Builder, points: TensorRef, dtype: int, rank: int, axis: int) -> TensorRef:
    """Return points whose coordinates are 0 but that of one axis."""
    chosen = build.const("chosen_axis", np.arange(rank) == axis, dtype)
    shape = build.add("points_shape", "Shape", (points,), {"T": dtype, "out_type": INT32})
    ends = [build.const(f"last/{role}", values, INT32) for role, values in LAST]
    types = {"T": INT32, "Index": INT32}
    count = build.add("coordinates", "StridedSlice", (shape, *ends), types, {"end_mask": 1})
    start = build.const("first_axis", [0], INT32)
    types = {"T": dtype, "Index": INT32}
    factors = build.add("factors", "Slice", (chosen, start, count), types)
    return build.add("points", "Mul", (points, factors), {"T": dtype})
