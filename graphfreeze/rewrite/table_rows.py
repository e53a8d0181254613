"""Rows of a table as the checkpoint has them."""

from collections.abc import Iterable

import numpy as np

from graphfreeze.model.tables import Table
from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import FromRows
from graphfreeze.rewrite.slices import new_entry
from graphfreeze.selection.rows import RowSet


def get_table(variable: Variable, tables: Iterable[Table]) -> Table:
    """Return the table that a variable is, or is a part of."""
    return next(t for t in tables if any(p.variable == variable for p in t.parts))


def find_table_rows(
    draft: Draft, variable: Variable, rows: RowSet, table: Table
) -> FromRows | None:
    """Return the value that rows of a variable have under the key of the whole it is a part of.

    There is none for a part that does not hold whole rows."""
    offset = next(part.offset for part in table.parts if part.variable == variable)
    whole = tuple(size or 0 for size in table.shape or ())
    if whole[1:] != tuple(size or 0 for size in variable.shape or ())[1:]:
        return None
    edges = (rows.intervals + offset[0]).astype(np.int64)
    key = draft.saved_keys().get(variable.name) or new_entry(variable).key
    return FromRows(key, RowSet(whole[0], edges.tobytes()))
