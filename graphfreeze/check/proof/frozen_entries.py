"""Whether a mask, or a set of ids, spares the frozen entries of a variable."""

from collections.abc import Iterator
from math import prod

import numpy as np
import numpy.typing as npt

from graphfreeze.check.proof.evaluate import Evaluator
from graphfreeze.check.proof.per_id import FLAT, OWN, PerId
from graphfreeze.model.names import TensorRef
from graphfreeze.read.number_types import Array
from graphfreeze.selection.entries import Entries, Mask

_MOST = 1 << 22  # entries of a mask that are looked at together
Rows = npt.NDArray[np.int64]


def rows_with_frozen(entries: Entries) -> Rows:
    """Return the rows in which some entry is frozen, rising."""
    if entries.along.keys() - {0}:
        return np.arange(entries.shape[0])
    touched = np.zeros(entries.shape[0], np.bool_)
    if 0 in entries.along:
        touched |= entries.along[0].mask()
    if entries.elements is not None:
        touched |= entries.elements.reshape(entries.shape[0], -1).any(axis=1)
    return np.flatnonzero(touched)


def frozen_in(entries: Entries, rows: Rows) -> Mask:
    """Return which entries of some rows are frozen, bool [n, ...]."""
    found = np.zeros((len(rows), *entries.shape[1:]), np.bool_)
    for mask in entries.masks():
        found |= mask[rows] if len(mask) > 1 else mask
    return found


def find_leak_of_mask(mask: Array, entries: Entries) -> str | None:
    """Return what a mask over all of a variable lets through, None if no frozen entry."""
    if mask.ndim > len(entries.shape):
        return "its mask is of another shape"
    mask = mask.reshape((1,) * (len(entries.shape) - mask.ndim) + mask.shape)
    for rows in row_chunks(rows_with_frozen(entries), entries):
        piece = mask[rows] if len(mask) > 1 else mask
        leak = find_leak(piece, frozen_in(entries, rows), rows)
        if leak is not None:
            return leak
    return None


def find_leak_by_ids(
    evaluator: Evaluator, mask: TensorRef, ids: TensorRef, entries: Entries
) -> str | None:
    """Return what a mask over rows, taken by ids, lets through, None if no frozen entry."""
    rank = len(entries.shape) - 1
    for rows in row_chunks(rows_with_frozen(entries), entries):
        value = evaluator.with_given({ids: PerId(rows, OWN)}).find(mask)
        if isinstance(value, PerId) and value.form == OWN and len(value.tail) == rank:
            piece = value.values
        elif isinstance(value, np.ndarray) and value.ndim <= rank:
            piece = value[None]
        else:
            return "its mask cannot be shown to spare them"
        leak = find_leak(piece, frozen_in(entries, rows), rows)
        if leak is not None:
            return leak
    return None


def find_leak_of_test(
    evaluator: Evaluator, test: TensorRef, ids: TensorRef, entries: Entries
) -> str | None:
    """Return which frozen rows a test of flat ids lets through, None if it is none."""
    for rows in row_chunks(rows_with_frozen(entries), entries):
        value = evaluator.with_given({ids: PerId(rows, FLAT)}).find(test)
        if not isinstance(value, PerId) or value.form != FLAT or value.tail:
            return "its ids may hold frozen rows"
        passed = rows[value.values.astype(np.bool_)]
        if passed.size:
            return f"its filter lets the frozen row {passed[0]} pass"
    return None


def find_leak(mask: Array, frozen: Mask, rows: Rows | None = None) -> str | None:
    """Return what a mask that broadcasts to ``frozen`` lets through, None if nothing frozen.

    ``rows`` are the ids of the rows that both are about."""
    try:
        passed = np.logical_and(mask, frozen)
    except ValueError:
        return "its mask is of another shape"
    if passed.shape != frozen.shape:
        return "its mask is of another shape"
    if not passed.any():
        return None
    first = [int(places[0]) for places in np.nonzero(passed)]
    if rows is not None:
        first[0] = int(rows[first[0]])
    return f"its mask lets frozen entries pass, the first at {first}"


def row_chunks(rows: Rows, entries: Entries) -> Iterator[Rows]:
    """Yield rows a few at a time, so that what is told of their entries stays small."""
    step = max(1, _MOST // max(1, prod(entries.shape[1:])))
    yield from (rows[at : at + step] for at in range(0, len(rows), step))
