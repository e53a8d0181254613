"""Count which entries of a variable hold other bits than before, a few rows at a time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from graphfreeze.check.record import find_entries
from graphfreeze.model.records import VariableRecord
from graphfreeze.model.verify_records import ChangeRecord
from graphfreeze.read.number_types import Array
from graphfreeze.selection.entries import Mask, Shape
from graphfreeze.selection.resolve import FROZEN, TRAINABLE

Piece = tuple[int, Array, Array]
Numbers = npt.NDArray[np.complex128]
_LONGEST = 8  # bytes of an integer


@dataclass
class Counts:
    """What was found so far of a variable of some shape."""

    shape: Shape
    elements: int = 0
    moved: int = 0
    rows: int = 0
    first: list[int] | None = None
    largest: float | None = 0.0

    def record(self, name: str, state: str) -> ChangeRecord:
        """Return it as a record."""
        return ChangeRecord(
            name=name,
            state=state,
            elements=self.elements,
            moved=self.moved,
            rows=self.rows if self.shape else None,
            first=self.first,
            largest=self.largest,
        )


def count_changes(
    told: VariableRecord,
    shape: Shape,
    pieces: Iterable[Piece],
    *,
    is_frozen: bool,
    is_bfloat16: bool,
) -> Iterator[ChangeRecord]:
    """Yield what became of the frozen entries of a variable, then of the others.

    ``pieces`` are some rows at a time: the first one's place, before and after. ``is_frozen`` says
    that all entries are, not those alone that the record names."""
    entries, counts = find_entries(told), {s: Counts(shape) for s in (FROZEN, TRAINABLE)}
    masks = [] if entries is None else list(entries.masks())
    for start, old, new in pieces:
        frozen: Mask = np.full(old.shape, is_frozen)
        for mask in masks:
            frozen |= mask[start : start + len(old)] if len(mask) > 1 else mask
        for state, which in ((FROZEN, frozen), (TRAINABLE, ~frozen)):
            count_moved(counts[state], start, (old, new), which, is_bfloat16=is_bfloat16)
    for state, each in counts.items():
        is_empty_one = not prod(shape) and (state == FROZEN) == is_frozen
        if each.elements or is_empty_one:
            yield each.record(told.name, state)


def count_moved(
    counts: Counts, start: int, pair: tuple[Array, Array], which: Mask, *, is_bfloat16: bool = False
) -> None:
    """Add what differs between two pieces of a variable, where ``which`` is true.

    The pieces begin at row ``start``. The largest change becomes None where one is no finite
    number; ``is_bfloat16`` says that the pieces hold the bits of such numbers."""
    old, new = pair
    moved = differs(old, new) & which
    counts.elements += int(np.count_nonzero(which))
    count = int(np.count_nonzero(moved))
    if not count:
        return
    counts.moved += count
    if counts.shape:
        counts.rows += int(np.count_nonzero(moved.reshape(len(moved), -1).any(axis=1)))
    if counts.first is None:
        place = [int(places[0]) for places in np.nonzero(moved)] if counts.shape else []
        counts.first = [place[0] + start, *place[1:]] if place else []
    numbers = (_numbers(each[moved], is_bfloat16=is_bfloat16) for each in pair)
    largest = _largest(*numbers)
    known = counts.largest is not None and largest is not None
    counts.largest = max(counts.largest or 0.0, largest or 0.0) if known else None


def differs(old: Array, new: Array) -> Mask:
    """Return where two arrays of one shape and type hold other bits."""
    unequal: Mask = _words(old) != _words(new)
    return unequal[..., 0] if unequal.shape[-1] == 1 else np.asarray(unequal.any(axis=-1))


def _words(array: Array) -> Array:
    """Return the bits of each entry, as one number or two along a last axis."""
    size = array.dtype.itemsize
    word = min(size, _LONGEST)
    flat = np.ascontiguousarray(array).reshape(-1).view(f"u{word}")
    return flat.reshape(*array.shape, size // word)


def _numbers(values: Array, *, is_bfloat16: bool) -> Numbers:
    """Return values as numbers of double precision."""
    if is_bfloat16:
        bits = values.astype(np.uint32) << 16
        return bits.view(np.float32).astype(np.complex128)
    return values.astype(np.complex128)


def _largest(old: Numbers, new: Numbers) -> float | None:
    with np.errstate(all="ignore"):
        change = float(np.max(np.abs(new - old)))
    return change if np.isfinite(change) else None
