"""Choose how masks are applied, by what a checkpoint holds."""

from collections.abc import Mapping, Sequence

from graphfreeze.errors import LoadError
from graphfreeze.read.checkpoint_values import CheckpointValues, find_values
from graphfreeze.read.unusual_values import find_unusual, find_unusual_in
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.mask_kernels import MULTIPLY, SELECT, Kernel
from graphfreeze.selection.resolve import Selection
from graphfreeze.selection.row_values import RowValues


def choose_kernels(
    draft: Draft, selection: Selection, given: Sequence[RowValues] = ()
) -> Mapping[str, Kernel]:
    """Return the kernel for each variable whose reads are masked, by name.

    Unless one is asked for, that is multiply; select where the checkpoint holds values which
    multiplication does not leave alone, or cannot be looked at, or where ``given`` values of rows
    are such. Reads those variables whole.
    """
    masked = dict.fromkeys([*selection.partly, *selection.scaled])
    if selection.mask_kernel != "auto" or not masked:
        return {variable.name: Kernel(selection.mask_kernel) for variable in masked}
    try:
        values = find_values(draft.base.source)
    except LoadError:
        return {v.name: Kernel(SELECT, "its values cannot be read") for v in masked}
    keys = draft.saved_keys()
    chosen = {v: _choose(values, keys.get(v.name, v.partition_of or v.name)) for v in masked}
    for each in given:
        if (found := find_unusual_in(each.values)) is not None:
            kernel = Kernel(SELECT, f"its given values are partly {found}")
            chosen |= {part.variable: kernel for part in each.table.parts}
    return {variable.name: kernel for variable, kernel in chosen.items() if variable in masked}


def _choose(values: CheckpointValues | None, key: str) -> Kernel:
    if values is None or key not in values.shapes:
        return Kernel(MULTIPLY)
    try:
        found = find_unusual(values, key)
    except LoadError:
        return Kernel(SELECT, "its values cannot be read")
    return Kernel(MULTIPLY) if found is None else Kernel(SELECT, f"it holds {found} values")
