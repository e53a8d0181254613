"""Nodes that lay rows of one tensor over those of another.

DynamicStitch puts both together: where two pieces have a place in common the later one wins, and
its gradient takes from the result what each piece gave. So the rows that are laid over have the
gradient of just the entries that came from them, and bits are copied, never computed.

====================  =========================================================  ===============
trainable rows        the place of an id among them                              bytes
====================  =========================================================  ===============
one interval          ``id - start``                                             4 or 8
k intervals           ``id - shift`` of the interval that it lies in             8 k or 16 k
any                   Gather of a vector of places                               4 height
====================  =========================================================  ===============
"""

from collections.abc import Sequence

import numpy as np

from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.rewrite.builder import Builder
from graphfreeze.rewrite.lookups import Lookup
from graphfreeze.rewrite.row_nodes import is_among_rows
from graphfreeze.schema import types_pb2
from graphfreeze.selection.rows import RowSet

INT32, INT64, BOOL = types_pb2.DT_INT32, types_pb2.DT_INT64, types_pb2.DT_BOOL


def over_lookup(
    build: Builder,
    graph: Graph,
    lookup: Lookup,
    source: TensorRef,
    rows: RowSet,
    tail: Sequence[int],
) -> TensorRef:
    """Return what a lookup by rows took, with rows of ``source`` in place of the trainable ones.

    ``source`` holds those, [n, *tail]: a tensor, or the handle of a variable if the lookup is a
    ResourceGather."""
    assert lookup.ids is not None
    taken, dtype = TensorRef(lookup.node), graph.dtype(lookup.ids)
    flat = build.const("flat", [-1], INT32)
    types = {"T": dtype, "Tshape": INT32}
    ids = build.add("given_ids", "Reshape", (lookup.ids, flat), types)
    test = is_among_rows(build, rows, ids, dtype)
    found = build.add("places", "Where", (test,), {"T": BOOL})
    types = {"T": INT64, "Tshape": INT32}
    places = build.add("trainable_places", "Reshape", (found, flat), types)
    types = {"Tparams": dtype, "Tindices": INT64}
    kept = build.add("trainable_ids", "Gather", (ids, places), types)
    local = _local_rows(build, rows, kept, dtype)
    new = _taken(build, graph, lookup, source, local)
    kind = graph.dtype(taken)
    shape = build.const("rows_shape", [-1, *tail], INT32)
    below = build.add("given_rows", "Reshape", (taken, shape), {"T": kind, "Tshape": INT32})
    count = build.add("count", "Size", (ids,), {"T": dtype, "out_type": INT32})
    stitched = _stitched(build, count, places, below, new, kind)
    types = {"T": kind, "out_type": INT32}
    whole = build.add("shape", "Shape", (taken,), types)
    return build.add("overlaid", "Reshape", (stitched, whole), {"T": kind, "Tshape": INT32})


def over_whole(
    build: Builder,
    below: TensorRef,
    new: TensorRef,
    ids: TensorRef,
    dtype: int,
    shape: Sequence[int],
) -> TensorRef:
    """Return a tensor of ``shape`` with the rows of ``new`` in place of those at ``ids``, int64."""
    count = build.const("count", shape[0], INT32)
    stitched = _stitched(build, count, ids, below, new, dtype)
    whole = build.const("shape", shape, INT32)
    return build.add("overlaid", "Reshape", (stitched, whole), {"T": dtype, "Tshape": INT32})


def _stitched(
    build: Builder,
    count: TensorRef,
    places: TensorRef,
    below: TensorRef,
    new: TensorRef,
    dtype: int,
) -> TensorRef:
    """Return ``below``, of ``count`` rows, with ``new`` at int64 ``places``."""
    ends = (build.const("first", 0, INT32), count, build.const("step", 1, INT32))
    every = build.add("every_place", "Range", ends, {"Tidx": INT32})
    at = build.add("at", "Cast", (places,), {"SrcT": INT64, "DstT": INT32})
    pieces = (every, at, below, new)
    return build.add("stitched", "DynamicStitch", pieces, {"T": dtype}, {"N": 2})


def _taken(
    build: Builder, graph: Graph, lookup: Lookup, source: TensorRef, local: TensorRef
) -> TensorRef:
    """Look rows up in the way that the lookup itself does."""
    ids, kind = graph.dtype(lookup.ids or local), graph.dtype(TensorRef(lookup.node))
    if graph.op(lookup.node) == "ResourceGather":
        types = {"dtype": kind, "Tindices": ids}
        return build.add("trainable", "ResourceGather", (source, local), types)
    return build.add("trainable", "Gather", (source, local), {"Tparams": kind, "Tindices": ids})


def _local_rows(build: Builder, rows: RowSet, ids: TensorRef, dtype: int) -> TensorRef:
    """Return the places of ids, all of them trainable, among the trainable rows."""
    starts, stops = rows.intervals[:, 0], rows.intervals[:, 1]
    if len(starts) == 1:
        first = build.const("first_row", starts[0], dtype)
        return build.add("local_ids", "Sub", (ids, first), {"T": dtype})
    if 2 * len(starts) * (8 if dtype == INT64 else 4) >= 4 * rows.height:
        places = build.const("places_of_rows", np.cumsum(rows.mask()) - 1, INT32)
        types = {"Tparams": INT32, "Tindices": dtype}
        local = build.add("local_places", "Gather", (places, ids), types)
        return build.add("local_ids", "Cast", (local,), {"SrcT": INT32, "DstT": dtype})
    lengths = np.cumsum(stops - starts)
    # UpperBound gives 1 for an id in the first interval: the shift at 0 is never taken.
    shifts = build.const("shifts", [0, starts[0], *(starts[1:] - lengths[:-1])], dtype)
    shift = _shift_of(build, build.const("starts", [starts], dtype), shifts, ids, dtype)
    return build.add("local_ids", "Sub", (ids, shift), {"T": dtype})


def _shift_of(
    build: Builder, starts: TensorRef, shifts: TensorRef, ids: TensorRef, dtype: int
) -> TensorRef:
    """Return the shift of the interval that each id lies in."""
    row = build.const("as_row", [1, -1], INT32)
    wide = build.add("ids_as_row", "Reshape", (ids, row), {"T": dtype, "Tshape": INT32})
    types = {"T": dtype, "out_type": INT32}
    passed = build.add("starts_passed", "UpperBound", (starts, wide), types)
    flat = build.const("as_vector", [-1], INT32)
    interval = build.add("interval", "Reshape", (passed, flat), {"T": INT32, "Tshape": INT32})
    types = {"Tparams": dtype, "Tindices": INT32}
    return build.add("shift", "Gather", (shifts, interval), types)
