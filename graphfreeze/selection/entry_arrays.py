"""Masks of entries and factors of rows that a plan gives as arrays, or as ``.npy`` files."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from graphfreeze.errors import SelectionError
from graphfreeze.selection.entries import Entries, Shape
from graphfreeze.selection.plan import Numbers
from graphfreeze.selection.word_file import read_bytes


@dataclass(frozen=True, eq=False)
class Scale:
    """Factors of the gradients of a table's rows, float64 [height], each in [0, 1]."""

    weights: npt.NDArray[np.float64]

    def part(self, start: int, height: int) -> "Scale | None":
        """Return the factors of some rows, None if none of them changes a gradient."""
        weights = self.weights[start : start + height]
        return Scale(weights) if np.any((weights > 0) & (weights < 1)) else None


def get_mask(value: Numbers, table: str, shape: Shape) -> Entries:
    """Return the entries where a bool mask that broadcasts to ``shape`` is true.

    Raises SelectionError, LoadError."""
    mask, where = _array(value, table, option="freeze-elements")
    if mask.dtype != np.bool_:
        raise SelectionError.mask_not_bool(where, variable=table, dtype=str(mask.dtype))
    try:
        return Entries.of_mask(mask, shape)
    except ValueError:
        raise SelectionError.mask_shape(where, mask.shape, shape, variable=table) from None


def get_scale(value: Numbers, table: str, shape: Shape) -> Scale:
    """Return factors in [0, 1], one a row, as a vector or with axes of size 1 behind.

    Raises SelectionError, LoadError."""
    weights, where = _array(value, table, option="row-scale")
    if weights.ndim == len(shape) and weights.shape[1:] == (1,) * (len(shape) - 1):
        weights = weights.reshape(-1)
    if weights.shape != shape[:1]:
        raise SelectionError.scale_shape(where, weights.shape, shape[0], variable=table)
    if not (np.issubdtype(weights.dtype, np.floating) or weights.dtype.kind in "iub"):
        raise SelectionError.scale_not_numbers(where, variable=table, dtype=str(weights.dtype))
    factors = weights.astype(np.float64)
    outside = ~((factors >= 0) & (factors <= 1))
    if outside.any():
        row = int(np.flatnonzero(outside)[0])
        raise SelectionError.scale_outside(where, row, float(factors[row]), variable=table)
    return Scale(factors)


def _array(value: Numbers, table: str, *, option: str) -> tuple[npt.NDArray[np.generic], str]:
    """Return an array that is given, or read from a ``.npy``, and what to call it."""
    if not isinstance(value, str):
        return np.asarray(value), f"the array of {option}"
    stream = io.BytesIO(read_bytes(Path(value)))
    try:
        return np.lib.format.read_array(stream, allow_pickle=False), value
    except ValueError as error:
        reason = "it is no .npy, or damaged"
        raise SelectionError.bad_array(value, reason, variable=table, option=option) from error
