"""What a former freeze left in a checkpoint, for the original graph does not look for all of it."""

from collections.abc import Iterator, Mapping

import numpy as np

from graphfreeze.errors import UndoError
from graphfreeze.model.tables import Table
from graphfreeze.read.former import Former
from graphfreeze.rewrite.draft import Draft
from graphfreeze.selection.row_values import RowValues
from graphfreeze.selection.rows import RowSet


def trained_rows(former: Former, draft: Draft) -> tuple[RowValues, ...]:
    """Return the rows that learned in overlays, to be put into the tables under them.

    Nobody may have merged them there; if somebody did, they are the same. Raises UndoError for a
    checkpoint that lacks what the draft's own saver restores, LoadError."""
    _check(former, draft)
    return tuple(_trained(former, draft.tables()))


def held_rows(former: Former, grown: Mapping[str, int]) -> Mapping[str, RowSet]:
    """Return the rows that have values already, of each table that had been given more before.

    ``grown`` has the new heights. Raises UndoError for a table that is to have fewer rows."""
    short = [n for n, height in former.heights.items() if grown.get(n, 0) < height]
    if short:
        raise UndoError.rows_were_added(short, former.written.source.path)
    heights = former.heights.items()
    return {n: RowSet.from_mask(np.arange(grown[n]) < height) for n, height in heights}


def appended_rows(former: Former, draft: Draft) -> Mapping[str, int]:
    """Return how many rows tables were asked to get; what grew along with them is not told."""
    asked = {each.table for each in former.mark.rows_initialised} & former.heights.keys()
    heights = {table.name: (table.shape or (0,))[0] or 0 for table in draft.tables()}
    return {name: former.heights[name] - heights[name] for name in asked or former.heights}


def _trained(former: Former, tables: tuple[Table, ...]) -> Iterator[RowValues]:
    values = former.values
    for table in tables:
        found = [(part, former.overlays.get(part.variable.name)) for part in table.parts]
        held = [(p, *o) for p, o in found if o is not None and o[0] in former.keys]
        if values is None or not held or table.first.name not in former.keys:
            continue
        height = values.shapes[former.keys[table.first.name]][0]
        mask, parts = np.zeros(height, np.bool_), []
        for part, name, rows in held:
            mask[part.offset[0] : part.offset[0] + rows.height] = rows.mask()
            parts.append(values.read_rows(former.keys[name], np.arange(rows.count)))
        yield RowValues(table, RowSet.from_mask(mask), np.concatenate(parts))


def _check(former: Former, draft: Draft) -> None:
    prefix, saver = former.original.source.checkpoint, draft.saver_ops
    if former.values is None or prefix is None or saver is None:
        return
    keys = dict.fromkeys(entry.key for entry in saver.all_entries())
    known = former.values.shapes.keys() | former.original.source.names.excluded
    missing = [key for key in keys if key not in known]
    if missing and draft.value_plan.missing == "error":
        raise UndoError.keys_missing(prefix, missing)
