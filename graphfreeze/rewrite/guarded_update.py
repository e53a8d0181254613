"""The update of some rows that takes the place of an update of all."""

from collections.abc import Iterator

from graphfreeze.model.names import TensorRef
from graphfreeze.model.static_shapes import find_shape
from graphfreeze.rewrite.edits import Edit
from graphfreeze.rewrite.row_adam import adam_of_rows
from graphfreeze.rewrite.row_nodes import is_among_rows, row_ids
from graphfreeze.rewrite.row_update import RowUpdate
from graphfreeze.schema import types_pb2

INT32, INT64, BOOL = types_pb2.DT_INT32, types_pb2.DT_INT64, types_pb2.DT_BOOL
_SCATTERS = {
    "Assign": "ScatterUpdate",
    "AssignAdd": "ScatterAdd",
    "AssignSub": "ScatterSub",
    "AssignVariableOp": "ResourceScatterUpdate",
    "AssignAddVariableOp": "ResourceScatterAdd",
    "AssignSubVariableOp": "ResourceScatterSub",
}
_DESCENTS = {
    "ApplyGradientDescent": "ScatterSub",
    "ResourceApplyGradientDescent": "ResourceScatterSub",
}
_ADAMS = frozenset({"ApplyAdam", "ResourceApplyAdam"})
_GRADIENTS = ("grad", "delta")  # ApplyProximalGradientDescent says delta, its sparse twin grad


def guarded_update(update: RowUpdate) -> Iterator[Edit] | None:
    """Return the edits that keep a writer to the trainable rows, None if there is no way."""
    op = str(update.node.op)
    if update.graph.ops.find(op) is None:
        return None
    if "indices" in update.arguments:
        has_updates = update.arguments.keys() & {"grad", "updates"}
        return _filtered(update) if has_updates and "ScatterNd" not in op else None
    if op in _SCATTERS:
        return _scattered(update, _SCATTERS[op])
    if op in _DESCENTS:
        return _descended(update, _DESCENTS[op])
    if op in _ADAMS:
        return adam_of_rows(update)
    twin = op.replace("Apply", "SparseApply")
    has_gradient = any(name in update.arguments for name in _GRADIENTS)
    known = update.graph.ops.find(twin) if "Apply" in op and has_gradient else None
    return None if known is None else _twinned(update, twin)


def _filtered(update: RowUpdate) -> Iterator[Edit]:
    """Keep only the ids of trainable rows, and their updates; one number is for all rows."""
    build, arguments = update.build, update.arguments
    key = "grad" if "grad" in arguments else "updates"
    dtype = update.graph.dtype(arguments["indices"])
    flat = build.const("flat", [-1], INT32)
    types = {"T": dtype, "Tshape": INT32}
    ids = build.add("given_ids", "Reshape", (arguments["indices"], flat), types)
    test = is_among_rows(build, update.rows, ids, dtype)
    places = build.add("places", "Where", (test,), {"T": BOOL})
    kept = build.add("kept", "Reshape", (places, flat), {"T": INT64, "Tshape": INT32})
    types = {"Tparams": dtype, "Tindices": INT64}
    arguments["indices"] = build.add("ids", "Gather", (ids, kept), types)
    if key == "grad" or find_shape(update.graph, arguments[key]) != ():
        shape = build.const("updates_shape", update.slice_shape, INT32)
        types = {"T": update.variable.dtype, "Tshape": INT32}
        flat_updates = build.add("flat_updates", "Reshape", (arguments[key], shape), types)
        arguments[key] = update.gather("updates", flat_updates, kept, update.variable.dtype)
    yield from build.edits
    yield update.replaced(str(update.node.op), arguments)


def _scattered(update: RowUpdate, op: str) -> Iterator[Edit]:
    """Write the trainable rows of what was to be written to all."""
    handle, value = update.graph.data_inputs(update.writer)[:2]
    yield from _scatter(update, op, handle, value)


def _descended(update: RowUpdate, op: str) -> Iterator[Edit]:
    """Subtract the step from the trainable rows."""
    arguments, dtype = update.arguments, update.variable.dtype
    factors = (arguments["alpha"], arguments["delta"])
    step = update.build.add("step", "Mul", factors, {"T": dtype})
    yield from _scatter(update, op, arguments["var"], step)


def _scatter(update: RowUpdate, op: str, handle: TensorRef, value: TensorRef) -> Iterator[Edit]:
    rows = row_ids(update.build, update.rows)
    updates = update.gather("updates", value, rows, update.variable.dtype)
    arguments = {"ref": handle, "resource": handle, "indices": rows, "updates": updates}
    yield from update.build.edits
    yield update.replaced(op, arguments)


def _twinned(update: RowUpdate, twin: str) -> Iterator[Edit]:
    """Apply the gradient's trainable rows by the op's sparse twin."""
    rows = row_ids(update.build, update.rows)
    arguments = {**update.arguments, "indices": rows}
    gradient = next(arguments[name] for name in _GRADIENTS if name in arguments)
    arguments["grad"] = update.gather("grad", gradient, rows, update.variable.dtype)
    yield from update.build.edits
    yield update.replaced(twin, arguments)
