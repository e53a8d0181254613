"""Give rows of tables values of their own."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphfreeze.model.model import Model
from graphfreeze.model.tables import find_tables
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import Edit, SetValue, WithRows
from graphfreeze.selection.rows import RowSet

Rows = tuple[RowSet, npt.NDArray[np.generic]]


@dataclass(frozen=True)
class SetRows:
    """Set rows in the checkpoint.   key: w   =>   key: w with other rows

    ``values`` has by the name of a table its rows, those of the whole if it is saved in parts, and
    their values in rising order."""

    values: Mapping[str, Rows]
    name: str = "set_rows"

    def plan(self, draft: Draft) -> Iterator[Edit]:
        """Yield the values."""
        keys = _keys(draft)
        for name, (rows, values) in self.values.items():
            if not rows.is_empty:
                yield SetValue(keys[name], WithRows(rows, values))

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Look for a table whose rows no edit sets."""
        set_keys = {
            edit.key
            for edit in draft.value_edits
            if isinstance(edit, SetValue) and isinstance(edit.source, WithRows)
        }
        keys = _keys(draft)
        wanted = {keys[n]: n for n, (rows, _) in self.values.items() if not rows.is_empty}
        left = [name for key, name in wanted.items() if key not in set_keys]
        return f"no row of {left[0]} was set" if left else None


def _keys(draft: Draft) -> dict[str, str]:
    """Return the key of each table: of parts, that under which they are saved as one."""
    saved = draft.saved_keys()
    tables = find_tables(draft.graph, draft.variables, draft.saver_ops)
    return {table.name: saved.get(table.first.name, table.name) for table in tables}
