"""Which part of a whole array an entry of a saver holds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphfreeze.selection.entries import Entries
from graphfreeze.selection.rows import RowSet

Array = npt.NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class Box:
    """A part of an array of ``shape``: where it begins and how long it is, by dimension."""

    shape: tuple[int, ...]
    offset: tuple[int, ...]
    length: tuple[int, ...]

    @property
    def index(self) -> tuple[slice, ...]:
        """Return what picks the part out of the whole."""
        return tuple(slice(at, at + n) for at, n in zip(self.offset, self.length, strict=True))

    def picked(self, rows: RowSet) -> tuple[npt.NDArray[np.intp], tuple[slice, ...]]:
        """Return which rows of the part are in a set, and their place in an array of the set."""
        mask, (own, *rest) = rows.mask(), self.index
        inside = np.flatnonzero(mask[own])
        before = int(np.count_nonzero(mask[: own.start]))
        return inside, (slice(before, before + len(inside)), *rest)


def whole(shape: Sequence[int]) -> Box:
    """Return the part that is everything."""
    return Box(tuple(shape), (0,) * len(shape), tuple(shape))


def parse_box(text: str) -> Box:
    """Return the part that a saver means by ``11 4 4,4:-``.

    It is the shape of the whole, then offset and length in each dimension, ``-`` for all of it
    (``tensorflow/core/framework/tensor_slice.cc``)."""
    *sizes, spans = text.split(" ")
    shape = tuple(map(int, sizes))
    pairs = [
        (0, size) if span == "-" else tuple(map(int, span.split(",")))
        for size, span in zip(shape, spans.split(":"), strict=True)
    ]
    return Box(shape, tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs))


def with_rows(value: Array, box: Box, rows: RowSet, values: Array) -> None:
    """Write rows of the whole, [count, ...] in rising order, over those that a part of it has."""
    inside, place = box.picked(rows)
    value[inside] = values[place]


def places_of(entries: Entries) -> Array:
    """Return what picks entries out of an array of their shape: a mask, of rows where it can."""
    return entries.mask() if entries.rows is None else entries.rows.mask()
