"""Nodes that hold a set of rows: a test of ids against it, and the ids of its rows.

A set is kept as interval bounds where that is smaller, else as one byte a row:

=====================  ==================================================  ============
rows                   is an id among them?                                bytes
=====================  ==================================================  ============
``:b`` or ``a:``       ``id < b`` or ``id >= a``                           4 or 8
k intervals            an odd number of bounds lies at or below the id     16 k
any                    Gather of a bool vector                             height
=====================  ==================================================  ============
"""

import numpy as np

from graphfreeze.model.names import TensorRef
from graphfreeze.rewrite.builder import Builder
from graphfreeze.schema import types_pb2
from graphfreeze.selection.rows import RowSet

INT32, INT64, BOOL = types_pb2.DT_INT32, types_pb2.DT_INT64, types_pb2.DT_BOOL
_ID_BYTES = 8


def is_among_rows(build: Builder, rows: RowSet, ids: TensorRef, dtype: int) -> TensorRef:
    """Return bool, shaped as ``ids`` (int32 or int64): whether each is one of ``rows``."""
    intervals = rows.intervals
    if len(intervals) == 1 and intervals[0, 0] == 0:
        bound = build.const("stop_row", intervals[0, 1], dtype)
        return build.add("is_trainable", "Less", (ids, bound), {"T": dtype})
    if len(intervals) == 1 and intervals[0, 1] == rows.height:
        bound = build.const("start_row", intervals[0, 0], dtype)
        return build.add("is_trainable", "GreaterEqual", (ids, bound), {"T": dtype})
    if intervals.nbytes < rows.height:
        return _test_bounds(build, rows, ids, dtype)
    mask = build.const("trainable_rows", rows.mask(), BOOL)
    attrs = {"Tparams": BOOL, "Tindices": dtype}
    return build.add("is_trainable", "Gather", (mask, ids), attrs)


def _test_bounds(build: Builder, rows: RowSet, ids: TensorRef, dtype: int) -> TensorRef:
    bounds = build.const("bounds", rows.intervals.reshape(1, -1), dtype)
    flat_shape = build.const("flat_shape", [1, -1], INT32)
    shape = build.add("ids_shape", "Shape", (ids,), {"T": dtype, "out_type": INT32})
    flat = build.add("flat_ids", "Reshape", (ids, flat_shape), {"T": dtype, "Tshape": INT32})
    types = {"T": dtype, "out_type": INT32}
    passed = build.add("bounds_passed", "UpperBound", (bounds, flat), types)
    two, one = build.const("two", 2, INT32), build.const("one", 1, INT32)
    odd = build.add("odd", "FloorMod", (passed, two), {"T": INT32})
    inside = build.add("is_inside", "Equal", (odd, one), {"T": INT32})
    return build.add("is_trainable", "Reshape", (inside, shape), {"T": BOOL, "Tshape": INT32})


def row_ids(build: Builder, rows: RowSet) -> TensorRef:
    """Return int64 [n]: the ids of ``rows``, rising, a constant where that is small."""
    if len(rows.intervals) == 1:
        return row_range(build, int(rows.intervals[0, 0]), int(rows.intervals[0, 1]))
    if rows.count * _ID_BYTES < rows.height:
        return build.const("rows", np.flatnonzero(rows.mask()), INT64)
    mask = build.const("trainable_rows", rows.mask(), BOOL)
    places = build.add("places", "Where", (mask,), {"T": BOOL})
    flat = build.const("flat", [-1], INT32)
    return build.add("rows", "Reshape", (places, flat), {"T": INT64, "Tshape": INT32})


def row_range(build: Builder, start: int, stop: int, step: int = 1) -> TensorRef:
    """Return int64 [n]: the ids of an interval, or of every ``step``-th place."""
    bounds = (("start", start), ("limit", stop), ("delta", step))
    ends = [build.const(f"rows/{role}", np.int64(value), INT64) for role, value in bounds]
    return build.add("rows", "Range", ends, {"Tidx": INT64})
