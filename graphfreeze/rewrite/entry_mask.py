"""Nodes that hold which entries of a variable learn, as a mask over all of it.

A set of rows or columns is kept as ``row_nodes`` keeps it; a mask of single elements is a constant
up to 1 MiB, and beyond that a variable of its own that lies in the checkpoint.
"""

import numpy as np

from graphfreeze.model.names import TensorRef
from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.builder import Builder, node_name
from graphfreeze.rewrite.row_nodes import is_among_rows, row_range
from graphfreeze.schema import types_pb2
from graphfreeze.selection.entries import Entries

INT32, INT64, BOOL = types_pb2.DT_INT32, types_pb2.DT_INT64, types_pb2.DT_BOOL
MOST_INLINE = 1 << 20  # bytes of a mask or of factors that a constant holds


def held_name(variable: Variable) -> str:
    """Return the name of the variable that holds which elements learn, where a constant cannot."""
    return node_name(variable.name, "trainable_elements")


def is_held(entries: Entries) -> bool:
    """Tell whether a mask is too large for a constant."""
    return entries.elements is not None and entries.elements.nbytes > MOST_INLINE


def trainable_mask(build: Builder, entries: Entries, variable: Variable) -> TensorRef:
    """Return a bool that broadcasts to the variable, true for the entries that learn."""
    masks = [_along(build, entries, axis) for axis in sorted(entries.along)]
    if entries.elements is not None:
        masks.append(element_mask(build, entries, variable))
    return all_of(build, masks)


def mask_of_ids(
    build: Builder, entries: Entries, variable: Variable, ids: TensorRef, ids_type: int
) -> TensorRef:
    """Return a bool that broadcasts to the rows ``ids``, true for the entries that learn."""
    masks = []
    if 0 in entries.along:
        inner, rows = build.within("rows"), entries.along[0].complement()
        test = is_among_rows(inner, rows, ids, ids_type)
        masks.append(expanded(inner, test, BOOL, len(entries.shape) - 1))
    others = {axis: places for axis, places in entries.along.items() if axis}
    if others:
        columns = Entries(entries.shape, others)
        masks.append(trainable_mask(build.within("columns"), columns, variable))
    if entries.elements is not None:
        elements = element_mask(build, entries, variable)
        types = {"Tparams": BOOL, "Tindices": ids_type}
        masks.append(build.add("elements", "Gather", (elements, ids), types))
    return all_of(build, masks)


def all_of(build: Builder, masks: list[TensorRef]) -> TensorRef:
    """Return where all masks are true; there is at least one."""
    whole, *others = masks
    for number, mask in enumerate(others, 1):
        whole = build.add(f"is_trainable_in_all_{number}", "LogicalAnd", (whole, mask), {})
    return whole


def element_mask(build: Builder, entries: Entries, variable: Variable) -> TensorRef:
    """Return the mask of single elements that learn, of the variable's rank."""
    assert entries.elements is not None
    if is_held(entries):
        return build.bring_in(TensorRef(f"{held_name(variable)}/read"), BOOL)
    return build.const("trainable_elements", np.logical_not(entries.elements), BOOL)


def expanded(build: Builder, test: TensorRef, dtype: int, count: int) -> TensorRef:
    """Return a tensor with ``count`` axes of size 1 more at its end."""
    for axis in range(1, count + 1):
        last = build.const(f"axis_{axis}", -1, INT32)
        types = {"T": dtype, "Tdim": INT32}
        test = build.add(f"is_trainable_{axis}", "ExpandDims", (test, last), types)
    return test


def _along(build: Builder, entries: Entries, axis: int) -> TensorRef:
    """Return the mask of one axis, its other axes behind of size 1."""
    size = entries.shape[axis]
    inner = build if axis == 0 else build.within(f"axis_{axis}")
    ids = row_range(inner, 0, size)
    test = is_among_rows(inner, entries.along[axis].complement(), ids, INT64)
    return expanded(inner, test, BOOL, len(entries.shape) - 1 - axis)
