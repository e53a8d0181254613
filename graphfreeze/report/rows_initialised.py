"""Which rows of tables begin with given values, and which are new."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from graphfreeze.frozen import FrozenModel
from graphfreeze.model.records import RowsInitialised
from graphfreeze.model.tables import Table
from graphfreeze.selection.resolve import FROZEN, Selection


def rows_initialised(frozen: FrozenModel) -> Iterator[RowsInitialised]:
    """Yield the tables with rows that have given values, or that are new."""
    given = {each.table.name: each for each in frozen.values}
    tables = {table.name: table for table in frozen.selection.tables}
    for name in dict.fromkeys([*given, *frozen.grown.rows]):
        added, values = frozen.grown.rows.get(name, 0), given.get(name)
        height = (tables[name].shape or (0,))[0] or 0
        if frozen.former is not None and name in frozen.former.heights:
            added = height - frozen.former.heights[name]  # the others have been trained
        first = height - added
        without = _frozen_rows(frozen.selection, tables[name])
        if values is not None:
            without &= ~values.rows.mask()
        yield RowsInitialised(
            name,
            given=values.rows.count if values is not None else 0,
            added=added,
            unknown=values.unknown if values is not None else 0,
            first_added=first if added else None,
            kept=int(without[:first].sum()) if values is not None else 0,
            drawn=int(without[first:].sum()),
        )


def _frozen_rows(selection: Selection, table: Table) -> npt.NDArray[np.bool_]:
    """Return which rows of a table are frozen, bool [height]."""
    choices = {choice.variable: choice for choice in selection.choices}
    frozen = np.zeros((table.shape or (0,))[0] or 0, np.bool_)
    for part in table.parts:
        choice, rows = choices[part.variable], frozen[part.offset[0] if part.offset else 0 :]
        height = (part.variable.shape or (0,))[0] or 0
        if choice.state == FROZEN:
            rows[:height] = True
        elif choice.entries is not None and choice.entries.rows is not None:
            rows[:height] |= choice.entries.rows.mask()
    return frozen
