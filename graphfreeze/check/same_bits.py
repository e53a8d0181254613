"""Whether two arrays are the same to the bit, and if not, by how much they differ."""

import numpy as np

from graphfreeze.check.bit_counts import Counts, count_moved, differs
from graphfreeze.read.number_types import Array


def same_bits(first: Array, second: Array) -> bool:
    """Tell whether two arrays have the same type, shape and bits; text has the same letters."""
    if first.shape != second.shape or first.dtype != second.dtype:
        return False
    if first.dtype == object:
        return bool((first == second).all())
    return not differs(first, second).any()


def compare(first: Array, second: Array) -> tuple[int, float | None]:
    """Return how many elements differ in some bit, and the largest difference.

    All differ between arrays of different shapes, by no number."""
    if first.shape != second.shape or first.dtype != second.dtype:
        return max(first.size, second.size), None
    counts = Counts(first.shape)
    count_moved(counts, 0, (first, second), np.ones(first.shape, np.bool_))
    return counts.moved, counts.largest
