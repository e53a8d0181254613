"""The records of single variables."""

from collections.abc import Collection, Mapping

import numpy as np

from graphfreeze.model.frozen_mask import encode_mask
from graphfreeze.model.records import ScaleRecord, VariableRecord
from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.mask_kernels import Kernel
from graphfreeze.rewrite.overlay import rows_name
from graphfreeze.selection.entries import Entries
from graphfreeze.selection.entry_arrays import Scale
from graphfreeze.selection.resolve import Choice, Selection

NOT_REACHED = "not reached"
MASK, OVERLAY = "mask", "overlay"
_Fields = dict[str, object]


def variable_record(
    variable: Variable, state: str, rule: str = "", more: Mapping[str, object] | None = None
) -> VariableRecord:
    """Return a variable with its state; ``more`` are further fields."""
    told: _Fields = {
        "name": variable.name,
        "kind": variable.kind,
        "dtype": variable.type_name,
        "shape": None if variable.shape is None else list(variable.shape),
        "parameters": variable.parameters,
        "state": state,
        "rule": rule,
        **(more or {}),
    }
    return VariableRecord(**told)  # type: ignore[arg-type]


def choice_records(
    selection: Selection, kernels: Mapping[str, Kernel], unreached: Collection[str]
) -> list[VariableRecord]:
    """Return what became of every variable; ``unreached`` are those without a gradient."""
    parts = _parts(selection)
    return [_chosen(choice, kernels, unreached, parts) for choice in selection.choices]


def _chosen(
    choice: Choice,
    kernels: Mapping[str, Kernel],
    unreached: Collection[str],
    parts: Mapping[str, _Fields],
) -> VariableRecord:
    variable = choice.variable
    learning = rows_name(variable) if choice.overlay else variable.name
    state = NOT_REACHED if learning in unreached else choice.state
    more = dict(parts.get(variable.name, {}))
    if choice.entries is not None:
        more |= _entries(choice.entries)
    if choice.scale is not None:
        more["row_scale"] = _scale(choice.scale, choice.entries)
    if choice.overlay:
        more |= {"strategy": OVERLAY, "overlay_rows": rows_name(variable)}
    elif choice.entries is not None or choice.scale is not None:
        more["strategy"] = MASK
        if (kernel := kernels.get(variable.name)) is not None:
            more |= {"kernel": kernel.name, "kernel_reason": kernel.reason}
    return variable_record(variable, state, choice.rule, more)


def _parts(selection: Selection) -> dict[str, _Fields]:
    """Return where each part of a partitioned variable lies."""
    return {
        part.variable.name: {"partition_of": table.name, "part_offset": list(part.offset)}
        for table in selection.tables
        if table.is_partitioned
        for part in table.parts
    }


def _entries(entries: Entries) -> _Fields:
    told: _Fields = {"frozen_elements": entries.count}
    along = {axis: rows.intervals.tolist() for axis, rows in sorted(entries.along.items())}
    if 0 in along:
        rows = entries.along[0]
        told |= {"rows": rows.height, "frozen_rows": rows.count, "frozen_ranges": along.pop(0)}
    if along:
        told["frozen_along"] = along
    if entries.elements is not None:
        told["element_mask"] = encode_mask(entries.mask())
    return told


def _scale(scale: Scale, entries: Entries | None) -> ScaleRecord | None:
    """Return what the factors of the rows that learn come to."""
    weights = scale.weights
    frozen = entries.along.get(0) if entries is not None else None
    if frozen is not None:
        weights = weights[~frozen.mask()]
    factors = weights[(weights > 0) & (weights < 1)]
    if not factors.size:
        return None
    return ScaleRecord(factors.size, float(np.min(factors)), float(np.max(factors)))
