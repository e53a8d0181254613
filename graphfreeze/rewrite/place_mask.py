"""The mask of what a lookup took of a table: which of its entries learn.

Along each axis of the table that matters, the mask is a test of the ids that the lookup went by,
laid out so that it broadcasts to what it took. A mask of single elements goes through a lookup of
its own, by the same ids.
"""

from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.builder import Builder
from graphfreeze.rewrite.entry_mask import all_of, element_mask, expanded, trainable_mask
from graphfreeze.rewrite.lookups import GATHER, GATHER_ND, Lookup
from graphfreeze.rewrite.mask_lookup import LAST, look_up
from graphfreeze.rewrite.row_nodes import is_among_rows, row_range
from graphfreeze.rewrite.table_readers import Place
from graphfreeze.schema import types_pb2
from graphfreeze.selection.entries import Entries
from graphfreeze.selection.rows import RowSet

INT32, INT64, BOOL = types_pb2.DT_INT32, types_pb2.DT_INT64, types_pb2.DT_BOOL


def place_mask(
    build: Builder, graph: Graph, place: Place, entries: Entries, variable: Variable
) -> TensorRef:
    """Return a bool that broadcasts to a place's tensor, true for the entries that learn."""
    if place.lookup is None:
        return trainable_mask(build, entries, variable)
    masks = []
    for axis in sorted(entries.along):
        inner = build if axis == 0 else build.within(f"axis_{axis}")
        live = entries.along[axis].complement()
        masks.append(_along(inner, graph, place.lookup, entries, axis, live))
    if entries.elements is not None:
        inner = build.within("elements")
        masks.append(look_up(inner, graph, place.lookup, element_mask(inner, entries, variable)))
    return all_of(build, masks)


def _along(
    build: Builder, graph: Graph, lookup: Lookup, entries: Entries, axis: int, live: RowSet
) -> TensorRef:
    """Return which slices of a lookup learn, by their places along one axis of the table."""
    if lookup.kind == GATHER:
        return _gathered(build, graph, lookup, axis, live)
    if lookup.kind == GATHER_ND:
        if axis == 0:
            return _points(build, graph, lookup, live)
        mask = build.const("trainable_places", live.mask().reshape(entries.aligned(axis)), BOOL)
        return look_up(build, graph, lookup, mask, along=axis)
    span = lookup.spans[axis]
    behind = sum(isinstance(other, range) for other in lookup.spans[axis + 1 :])
    if isinstance(span, range):
        # Range refuses a start past the end; an empty slice may have one.
        ids = row_range(build, span.start, span.stop if span else span.start, span.step)
    else:
        ids = build.const("row", span, INT64)
    return expanded(build, is_among_rows(build, live, ids, INT64), BOOL, behind)


def _gathered(build: Builder, graph: Graph, lookup: Lookup, axis: int, live: RowSet) -> TensorRef:
    """Lay a test out behind a gather: ids stand where the gathered axis was."""
    ids, rank = lookup.ids, lookup.rank
    assert ids is not None
    if axis == lookup.axis:
        dtype = graph.dtype(ids)
        for number in range(lookup.axis - lookup.batch_dims if lookup.batch_dims else 0):
            # Between the axes that go together and the rest of the ids lie axes of the table.
            at = build.const(f"inner_axis_{number}", lookup.batch_dims, INT32)
            types = {"T": dtype, "Tdim": INT32}
            ids = build.add(f"inner_ids_{number}", "ExpandDims", (ids, at), types)
        return expanded(build, is_among_rows(build, live, ids, dtype), BOOL, rank - 1 - axis)
    test = is_among_rows(build, live, row_range(build, 0, live.height), INT64)
    if axis > lookup.axis:
        return expanded(build, test, BOOL, rank - 1 - axis)
    return _behind_ids(build, graph, test, ids, rank - 2 - axis - lookup.batch_dims)


def _behind_ids(
    build: Builder, graph: Graph, test: TensorRef, ids: TensorRef, more: int
) -> TensorRef:
    """Return a vector with as many axes of size 1 behind it as ids have, and ``more``."""
    count = build.add("ids_rank", "Rank", (ids,), {"T": graph.dtype(ids)})
    total = build.add("axes_behind", "Add", (count, build.const("more", more, INT32)), {"T": INT32})
    return _with_axes(build, test, total)


def _points(build: Builder, graph: Graph, lookup: Lookup, live: RowSet) -> TensorRef:
    """Test the rows of points: their first coordinates."""
    points = lookup.ids
    assert points is not None
    dtype = graph.dtype(points)
    bounds = [build.const(f"point/{role}", values, INT32) for role, values in _FIRST]
    attrs = {"T": dtype, "Index": INT32}
    masks = {"ellipsis_mask": 1, "shrink_axis_mask": 2}
    rows = build.add("rows_of_points", "StridedSlice", (points, *bounds), attrs, masks)
    test = is_among_rows(build, live, rows, dtype)
    # A point of k coordinates leaves the table's axes from k on behind it.
    shape = build.add("points_shape", "Shape", (points,), {"T": dtype, "out_type": INT32})
    last = [build.const(f"last/{role}", values, INT32) for role, values in LAST]
    types = {"T": INT32, "Index": INT32}
    count = build.add("coordinates", "StridedSlice", (shape, *last), types, {"shrink_axis_mask": 1})
    rank = build.const("rank", lookup.rank, INT32)
    return _with_axes(build, test, build.add("axes_behind", "Sub", (rank, count), {"T": INT32}))


_FIRST = (("begin", [0, 0]), ("end", [0, 1]), ("strides", [1, 1]))  # of [..., 0]


def _with_axes(build: Builder, test: TensorRef, count: TensorRef) -> TensorRef:
    """Return a test with ``count``, an int32, axes of size 1 more at its end."""
    types = {"T": INT32, "Tdim": INT32}
    zero, one = build.const("zero", 0, INT32), build.const("axis_size", 1, INT32)
    dims = build.add("count", "ExpandDims", (count, zero), types)
    ones = build.add("ones", "Fill", (dims, one), {"T": INT32, "index_type": INT32})
    shape = build.add("test_shape", "Shape", (test,), {"T": BOOL, "out_type": INT32})
    parts = (shape, ones, zero)
    whole = build.add("shape", "ConcatV2", parts, {"T": INT32, "Tidx": INT32}, {"N": 2})
    return build.add("laid_out", "Reshape", (test, whole), {"T": BOOL, "Tshape": INT32})
