"""What became of the variables of a session since a checkpoint was restored there."""

from collections.abc import Iterator, Sequence

from graphfreeze.check.bit_counts import count_changes
from graphfreeze.check.running.opened import Opened
from graphfreeze.emit.boxes import parse_box
from graphfreeze.model.records import VariableRecord
from graphfreeze.model.saver import saved_entries
from graphfreeze.model.verify_records import ChangeRecord
from graphfreeze.read.checkpoint_values import CheckpointValues, find_values
from graphfreeze.read.number_types import Array, find_number_type
from graphfreeze.selection.resolve import FROZEN


class RestoredValues:
    """The values of variables at this moment.

    The checkpoint holds them already, and is read a few rows at a time; only what it does not
    hold as numbers is kept in memory."""

    def __init__(self, opened: Opened, told: Sequence[VariableRecord]) -> None:
        """Look at the variables; raises CheckError, LoadError."""
        self.opened, self.told = opened, told
        self._stored = find_values(opened.model.source)
        self._saved = saved_entries(opened.model.graph, opened.model.saver_ops)
        names = [v.name for v in told if self._find_stored(v) is None]
        self._kept = dict(zip(names, opened.values(names), strict=True))

    def changes(self) -> Iterator[tuple[VariableRecord, ChangeRecord]]:
        """Yield what moved since: the frozen entries of a variable apart from those that learn."""
        values = self.opened.values([variable.name for variable in self.told])
        for variable, after in zip(self.told, values, strict=True):
            for change in self._changes(variable, after):
                yield variable, change

    def _changes(self, variable: VariableRecord, after: Array) -> Iterator[ChangeRecord]:
        # A table under an overlay is only read.
        is_frozen = variable.state == FROZEN or variable.overlay_rows is not None
        is_half = variable.dtype == "bfloat16"
        pieces = (
            (start, old, after[start : start + len(old)] if after.ndim else after)
            for start, old in self._chunks(variable, after.shape)
        )
        return count_changes(
            variable, after.shape, pieces, is_frozen=is_frozen, is_bfloat16=is_half
        )

    def _chunks(
        self, variable: VariableRecord, shape: Sequence[int]
    ) -> Iterator[tuple[int, Array]]:
        """Yield the values at first, some rows at a time, and the first row's number."""
        values = self._find_stored(variable)
        if values is None:
            yield 0, self._kept[variable.name]
            return
        entry = self._saved[variable.name]
        part = parse_box(entry.slice) if entry.slice else None
        first, rest = (part.offset[0], part.index[1:]) if part is not None else (0, ())
        start, stop = 0, first + shape[0] if shape else None
        for chunk in values.read_chunks(entry.key, start=first, stop=stop):
            yield start, chunk[(slice(None), *rest)] if rest else chunk
            start += len(chunk) if shape else 1

    def _find_stored(self, variable: VariableRecord) -> CheckpointValues | None:
        """Return the checkpoint if it holds a variable, as numbers and in its own shape."""
        values, entry = self._stored, self._saved.get(variable.name)
        if values is None or entry is None or entry.key not in values.shapes:
            return None
        length = parse_box(entry.slice).length if entry.slice else values.shapes[entry.key]
        is_number = find_number_type(values.dtypes[entry.key]) is not None
        is_own = variable.shape is None or list(length) == variable.shape
        return values if is_number and is_own else None
