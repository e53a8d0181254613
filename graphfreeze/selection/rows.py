"""Hold the row numbers of a table as a value: small for a few ranges, fast for scattered rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from graphfreeze.errors import SelectionError

Edges = npt.NDArray[np.int64]

_SHOWN = 8  # intervals in a repr
_ROW = r"\s*(-?[0-9]{1,18})\s*"
_BOUND = rf"(?:{_ROW}|\s*)"
_SINGLE = re.compile(_ROW)
_RANGE = re.compile(rf"{_BOUND}:{_BOUND}(?::{_BOUND})?")


@dataclass(frozen=True, slots=True)
class RowSet:
    """A set of rows of a table with ``height`` rows.

    ``edges`` holds int64 start, stop, start, stop, ... that strictly rise, so the half-open
    intervals are sorted, disjoint and merged. Bytes, not an array: equal sets compare equal."""

    height: int
    edges: bytes = field(repr=False)

    def __post_init__(self) -> None:
        edges = self._edges()
        is_inside = not edges.size or (edges[0] >= 0 and edges[-1] <= self.height)
        if self.height < 0 or edges.size % 2 or not is_inside or (np.diff(edges) <= 0).any():
            raise ValueError(f"edges must come in pairs and rise within 0..{self.height}")

    @classmethod
    def empty(cls, height: int) -> RowSet:
        """Return no row of ``height``."""
        return cls(height, b"")

    @classmethod
    def full(cls, height: int) -> RowSet:
        """Return every row of ``height``."""
        return cls.empty(height).complement()

    @classmethod
    def from_mask(cls, mask: npt.NDArray[np.bool_]) -> RowSet:
        """Return the rows where ``mask``, bool [height], is true."""
        if mask.ndim != 1 or mask.dtype != np.bool_:
            raise ValueError(f"a row mask is bool [height], not {mask.dtype} {list(mask.shape)}")
        edges = np.flatnonzero(np.diff(mask, prepend=False, append=False))
        return cls(mask.size, edges.astype(np.int64).tobytes())

    @property
    def intervals(self) -> Edges:
        """Return the half-open intervals as a read-only int64 [n, 2]."""
        return self._edges().reshape(-1, 2)

    @property
    def count(self) -> int:
        """Return the number of rows in the set."""
        return int((self.intervals[:, 1] - self.intervals[:, 0]).sum())

    @property
    def is_empty(self) -> bool:
        """Return whether no row is in the set."""
        return not self.edges

    @property
    def is_full(self) -> bool:
        """Return whether every row is in the set."""
        return self.count == self.height

    def __contains__(self, row: int) -> bool:
        return bool(np.searchsorted(self._edges(), row, side="right") % 2)

    def __repr__(self) -> str:
        shown = ", ".join(f"{start}:{stop}" for start, stop in self.intervals[:_SHOWN])
        more = ", ..." if len(self.intervals) > _SHOWN else ""
        return f"RowSet({shown}{more} of {self.height})"

    def mask(self) -> npt.NDArray[np.bool_]:
        """Return a new bool [height], true for the rows in the set."""
        lengths = np.diff(self._edges(), prepend=0, append=self.height)
        return np.repeat(np.arange(lengths.size) % 2 == 1, lengths)

    def complement(self) -> RowSet:
        """Return the rows of the table that are not in the set."""
        table = np.array([0, self.height], np.int64)
        # An edge moves from one set to the other unless it is the table's own.
        return RowSet(self.height, np.setxor1d(table, self._edges(), assume_unique=True).tobytes())

    def union(self, other: RowSet) -> RowSet:
        """Return the rows that are in one of the two sets; ValueError if the heights differ."""
        return self._overlap(other, depth=1)

    def intersection(self, other: RowSet) -> RowSet:
        """Return the rows that are in both sets; ValueError if the heights differ."""
        return self._overlap(other, depth=2)

    def _overlap(self, other: RowSet, *, depth: int) -> RowSet:
        if self.height != other.height:
            raise ValueError(f"row sets of {self.height} and {other.height} rows do not combine")
        return RowSet(self.height, _covered([self._edges(), other._edges()], depth).tobytes())

    def _edges(self) -> Edges:
        return np.frombuffer(self.edges, np.int64)


def parse_rows(text: str, height: int, *, variable: str, noun: str = "rows") -> RowSet:
    """Return the rows that ``text``, as in ``0:1000,1012,-5:``, picks from ``height`` rows.

    Each piece is a row or a Python slice, start:stop:step. Unlike a slice, a bound past either end
    of the table and a range without a row raise SelectionError, which names ``variable``
    and speaks of ``noun``."""
    pieces = [piece.strip() for piece in text.split(",")]
    if "" in pieces:
        reason = "a row or range is missing" if text.strip() else "it is empty"
        raise SelectionError.bad_rows(text, reason, variable=variable, noun=noun)
    ranges = [_parse_piece(piece, height, variable=variable, noun=noun) for piece in pieces]
    return RowSet(height, _covered([_edges_of(rows) for rows in ranges], depth=1).tobytes())


def _parse_piece(piece: str, height: int, *, variable: str, noun: str) -> range:
    """Return the rows of one piece: never an empty range, never a row outside the table."""
    if single := _SINGLE.fullmatch(piece):
        row = int(single[1])
        if not -height <= row < height:
            raise SelectionError.rows_out_of_range(piece, height, variable=variable, noun=noun)
        return range(row % height, row % height + 1)
    rows = range(*_parse_slice(piece, height, variable=variable, noun=noun).indices(height))
    if not rows:
        raise SelectionError.no_row_selected(piece, height, variable=variable, noun=noun)
    return rows


def _parse_slice(piece: str, height: int, *, variable: str, noun: str) -> slice:
    match = _RANGE.fullmatch(piece)
    if match is None:
        reason = "no row, start:stop or start:stop:step"
        raise SelectionError.bad_rows(piece, reason, variable=variable, noun=noun)
    start, stop, step = (None if bound is None else int(bound) for bound in match.groups())
    if step == 0:
        raise SelectionError.bad_rows(piece, "its step is 0", variable=variable, noun=noun)
    if any(bound is not None and abs(bound) > height for bound in (start, stop)):
        raise SelectionError.rows_out_of_range(piece, height, variable=variable, noun=noun)
    return slice(start, stop, step)


def _edges_of(rows: range) -> Edges:
    """Return the edges of a range, whichever way it runs."""
    first, last = sorted((rows[0], rows[-1]))
    if abs(rows.step) == 1:
        return np.array([first, last + 1], np.int64)
    starts = np.arange(first, last + 1, abs(rows.step), dtype=np.int64)
    return np.stack([starts, starts + 1], axis=1).ravel()


def _covered(sets: Sequence[Edges], depth: int) -> Edges:
    """Return the edges of what lies in ``depth`` or more of the intervals in ``sets``."""
    edges = np.concatenate(sets)
    order = np.argsort(edges, kind="stable")
    covers = np.cumsum(np.where(order % 2 == 0, 1, -1))  # starts have even places
    edges = edges[order]
    is_last = np.diff(edges, append=-1) != 0  # of the edges at one row: only there covers is true
    is_edge = np.diff(covers[is_last] >= depth, prepend=False)
    result: Edges = edges[is_last][is_edge]
    return result
