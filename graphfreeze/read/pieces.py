"""A variable as a checkpoint stores it: whole, or in pieces that lie beside each other."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import numpy as np

from graphfreeze.read.number_types import Array
from graphfreeze.read.slices import Shape


@dataclass(frozen=True)
class Piece:
    """A box of a variable from ``start`` on; ``read(first, stop)`` returns some of its rows.

    Rows are those along axis 0; a scalar is a vector of one row."""

    start: Shape
    shape: Shape
    read: Callable[[int, int], Array]


@dataclass(frozen=True)
class Stored:
    """A variable of a checkpoint: its whole shape, its DataType, its pieces if it has numbers."""

    shape: Shape
    dtype: int
    pieces: tuple[Piece, ...]


def as_rows(shape: Shape) -> Shape:
    """Return a shape with rows: that of a scalar is a vector's."""
    return shape or (1,)


def as_start(start: Shape) -> Shape:
    """Return where a piece with rows begins: that of a scalar at its row."""
    return start or (0,)


def is_tiled(stored: Stored) -> bool:
    """Tell whether the pieces cover a variable, each element once."""
    filled = [piece for piece in stored.pieces if prod(piece.shape)]
    if sum(prod(piece.shape) for piece in filled) != prod(as_rows(stored.shape)):
        return False
    if len(filled) < 2:
        return True
    starts = np.array([piece.start for piece in filled])
    stops = starts + np.array([piece.shape for piece in filled])
    # Boxes that together are as large as the whole and do not overlap leave no gap.
    return not any(
        ((starts[i + 1 :] < stops[i]) & (starts[i] < stops[i + 1 :])).all(axis=1).any()
        for i in range(len(filled))
    )


def read_piecewise(stored: Stored, start: int, stop: int, dtype: np.dtype[np.generic]) -> Array:
    """Return rows [start, stop) of the whole variable, put together from its pieces."""
    shape = as_rows(stored.shape)
    if len(stored.pieces) == 1:
        return stored.pieces[0].read(start, stop)
    out: Array = np.empty((stop - start, *shape[1:]), dtype)
    for piece in stored.pieces:
        top = piece.start[0]
        first, last = max(start, top), min(stop, top + piece.shape[0])
        if first < last:
            others = zip(piece.start[1:], piece.shape[1:], strict=True)
            box = (slice(first - start, last - start), *(slice(a, a + n) for a, n in others))
            out[box] = piece.read(first - top, last - top)
    return out
