"""Tell the parts of a partitioned variable as the one that they are."""

from collections.abc import Iterable, Sequence

import msgspec

from graphfreeze.model.records import ScaleRecord, VariableRecord
from graphfreeze.report.lines import FROZEN, PARTLY, TRAINABLE, frozen_count

_Along = dict[int, list[list[int]]]


def whole_variables(variables: Iterable[VariableRecord]) -> list[VariableRecord]:
    """Return the variables as they are saved, each at the place of its first part."""
    groups: dict[str, list[VariableRecord]] = {}
    for variable in variables:
        groups.setdefault(variable.partition_of or variable.name, []).append(variable)
    return [told for name, parts in groups.items() for told in _joined(name, parts)]


def _joined(name: str, parts: Sequence[VariableRecord]) -> Sequence[VariableRecord]:
    """Return one variable, or the parts where some differ in more than what is frozen."""
    states = {part.state for part in parts}
    is_known = all(part.shape is not None and part.part_offset is not None for part in parts)
    if not is_known or (len(states) > 1 and not states <= {FROZEN, PARTLY, TRAINABLE}):
        return parts
    state = states.pop() if len(states) == 1 else PARTLY
    whole = msgspec.structs.replace(
        parts[0],
        name=name,
        shape=_shape(parts),
        parameters=sum(part.parameters or 0 for part in parts),
        state=state,
        rule=" ".join(dict.fromkeys(part.rule for part in parts if part.rule)),
        row_scale=_scale(parts),
        strategy=next((p.strategy for p in parts if p.strategy), None),
        kernel=next((p.kernel for p in parts if p.kernel), None),
        kernel_reason=next((p.kernel_reason for p in parts if p.kernel_reason), ""),
        overlay_rows=None,
        element_mask=None,
        part_offset=None,
    )
    return [_with_entries(whole, parts)]


def _with_entries(whole: VariableRecord, parts: Sequence[VariableRecord]) -> VariableRecord:
    """Return the whole with what is frozen of it; places of its axes where they say it all."""
    along = (_along(parts) or {}) if whole.state == PARTLY else {}
    rows = along.pop(0, None)
    count = sum(map(frozen_count, parts))
    return msgspec.structs.replace(
        whole,
        rows=None if rows is None else (whole.shape or [0])[0],
        frozen_rows=None if rows is None else sum(stop - start for start, stop in rows),
        frozen_ranges=rows,
        frozen_along=along or None,
        frozen_elements=count if whole.state == PARTLY else None,
    )


def _along(parts: Sequence[VariableRecord]) -> _Along | None:
    """Return the frozen places of the whole by axis, None if only a mask can tell them."""
    offsets = [part.part_offset or [] for part in parts]
    axes = [axis for axis, starts in enumerate(zip(*offsets, strict=True)) if len(set(starts)) > 1]
    if len(axes) > 1 or any(part.element_mask is not None for part in parts):
        return None
    axis = axes[0] if axes else 0
    told = [_part_along(part, axis) for part in parts]
    cut = [
        [start + offset[axis], stop + offset[axis]]
        for each, offset in zip(told, offsets, strict=True)
        for start, stop in each.pop(axis, [])
    ]
    if any(each != told[0] for each in told):
        return None
    return {a: r for a, r in sorted({**told[0], axis: _merged(cut)}.items()) if r}


def _part_along(part: VariableRecord, axis: int) -> _Along:
    if part.state == FROZEN:
        return {axis: [[0, (part.shape or [])[axis] or 0]]}
    along = dict(part.frozen_along or {})
    return along if part.frozen_ranges is None else {0: part.frozen_ranges, **along}


def _merged(ranges: Iterable[list[int]]) -> list[list[int]]:
    """Join intervals that meet, as those of two parts may."""
    merged: list[list[int]] = []
    for start, stop in sorted(ranges):
        if merged and merged[-1][1] == start:
            merged[-1][1] = stop
        else:
            merged.append([start, stop])
    return merged


def _shape(parts: Sequence[VariableRecord]) -> list[int | None]:
    """Return how far the parts reach along each axis."""
    ends = [
        [
            start + (size or 0)
            for start, size in zip(p.part_offset or [], p.shape or [], strict=True)
        ]
        for p in parts
    ]
    return [max(column) for column in zip(*ends, strict=True)]


def _scale(parts: Sequence[VariableRecord]) -> ScaleRecord | None:
    # Parts that lie side by side have the same rows.
    at = {(p.part_offset or [0])[0]: p.row_scale for p in parts if p.row_scale is not None}
    scales = list(at.values())
    if not scales:
        return None
    rows = sum(scale.rows for scale in scales)
    return ScaleRecord(rows, min(s.min for s in scales), max(s.max for s in scales))
