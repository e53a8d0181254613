"""The slots of the train_op that a former freeze made, where that one froze other entries."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import numpy.typing as npt

from graphfreeze.model.tables import Table
from graphfreeze.model.variables import Variable
from graphfreeze.read.former import Former
from graphfreeze.read.number_types import Array
from graphfreeze.read.pieces import is_tiled
from graphfreeze.rewrite.edits import FromCheckpoint, Reset, SetValue, WithRows
from graphfreeze.selection.entries import Entries, Mask
from graphfreeze.selection.resolve import Selection
from graphfreeze.selection.rows import RowSet


@dataclass(frozen=True)
class Held:
    """Rows of a slot that lie by themselves, of the whole as it is saved; ``read`` has places
    among them."""

    rows: RowSet
    read: Callable[[npt.NDArray[np.int64]], Array]
    is_overlay: bool


@dataclass(frozen=True)
class FormerSlots:
    """What became of slots under a former selection; ``frozen`` are its entries by variable.

    =====================  ====================  ==========================================
    rows of a table were   and are now           a new slot takes of the former one
    =====================  ====================  ==========================================
    in an overlay          in the same overlay   all
    in an overlay          in another            the rows that are in both
    in an overlay          in the table          its rows
    in a part, while       anywhere              the rows that are there now
    others learned not
    in the table           anywhere              as of any old training
    =====================  ====================  ==========================================
    """

    former: Former
    selection: Selection
    frozen: Mapping[str, Entries] = field(default_factory=dict)

    def owner(self, table: str) -> str:
        """Return the variable that learned for a table or part."""
        name, _ = self.former.overlays.get(table, (table, None))
        return name

    def find_held(self, table: str, old: str) -> Held | None:
        """Return the rows that a slot has under its key, None if those are all of the whole."""
        values = self.former.values
        whole, offset = self._place(table)
        height = (whole.shape or (0,))[0] or 0
        found = self.former.overlays.get(table)
        if values is None or (found is None and is_tiled(values.stored[old])):
            return None
        if found is not None:
            rows = _shifted(found[1].mask(), offset, height)
            return Held(rows, partial(values.read_rows, old), is_overlay=True)
        piece = next(p for p in values.stored[old].pieces if p.start[0] == offset)
        rows = _shifted(np.ones(piece.shape[0], np.bool_), offset, height)
        return Held(rows, lambda at: piece.read(0, piece.shape[0])[at], is_overlay=False)

    def take(self, key: str, old: str, held: Held, wanted: RowSet | None) -> Iterator[SetValue]:
        """Yield what a slot gets of what was held; ``wanted`` are its own rows, None for all.

        Those that were not held begin anew. Raises LoadError."""
        if held.is_overlay and wanted == held.rows:
            yield SetValue(key, FromCheckpoint(old))
            return
        had = held.rows.mask()
        mask = np.ones_like(had) if wanted is None else wanted.mask()
        both = had & mask
        if both.any():
            values = held.read(np.flatnonzero(both[had]))
            yield SetValue(key, WithRows(RowSet.from_mask(both[mask]), values))

    def thaw(
        self, key: str, slot: Variable, table: str, wanted: RowSet | None, first: float
    ) -> Iterator[SetValue]:
        """Let entries begin anew that were frozen: an optimizer may have moved their slots."""
        frozen, shape = self.frozen.get(table), slot.shape or ()
        if frozen is None or table in self.former.overlays:
            return
        mask = frozen.mask()
        if wanted is not None:
            _, offset = self._place(table)
            mask = mask[wanted.mask()[offset : offset + len(mask)]]
        sizes = tuple(size or 0 for size in shape)
        if mask.shape[1:] != sizes[1:]:
            return
        full = np.zeros(sizes, np.bool_)
        full[: len(mask)] = mask
        if full.any():
            yield SetValue(key, Reset(slot.name, Entries.of_mask(full, sizes), first))

    def _place(self, name: str) -> tuple[Table, int]:
        """Return the whole that a variable is part of, and its first row there."""
        for table in self.selection.tables:
            for part in table.parts:
                if part.variable.name == name:
                    return table, part.offset[0] if part.offset else 0
        raise KeyError(name)


def _shifted(mask: Mask, offset: int, height: int) -> RowSet:
    """Return rows of a part as those of the whole."""
    rows = np.zeros(height, np.bool_)
    rows[offset : offset + len(mask)] = mask
    return RowSet.from_mask(rows)
