"""Hold the frozen entries of a variable as a value: rows, columns, single elements or all."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from graphfreeze.selection.rows import RowSet

Mask = npt.NDArray[np.bool_]
Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Entries:
    """The frozen entries of a variable of some ``shape``: whatever one of its sets holds.

    ``along`` has the frozen places of an axis, 0 for rows; ``elements`` is a mask of the whole
    shape, true where frozen. A set that holds nothing is left out."""

    shape: Shape
    along: Mapping[int, RowSet] = field(default_factory=dict)
    elements: Mask | None = None

    def __post_init__(self) -> None:
        along = {axis: places for axis, places in self.along.items() if not places.is_empty}
        object.__setattr__(self, "along", along)
        if self.elements is not None and not self.elements.any():
            object.__setattr__(self, "elements", None)

    @classmethod
    def of_rows(cls, rows: RowSet, shape: Shape) -> Entries:
        """Return whole rows."""
        return cls(shape, {0: rows})

    @classmethod
    def of_mask(cls, mask: npt.ArrayLike, shape: Shape) -> Entries:
        """Return the entries where a mask that broadcasts to ``shape`` is true.

        A mask that differs along one axis alone is a set of places there. Raises ValueError if it
        does not broadcast."""
        mask = np.asarray(mask, np.bool_)
        np.broadcast_to(mask, shape)
        mask = mask.reshape((1,) * (len(shape) - mask.ndim) + mask.shape)
        for axis in range(mask.ndim):
            mask = _narrowed(mask, axis)
        wide = [axis for axis, size in enumerate(mask.shape) if size > 1]
        if len(wide) > 1:
            return cls(shape, {}, np.ascontiguousarray(np.broadcast_to(mask, shape)))
        axis = wide[0] if wide else 0
        places = np.ascontiguousarray(np.broadcast_to(mask.reshape(-1), shape[axis : axis + 1]))
        return cls(shape, {axis: RowSet.from_mask(places)})

    @property
    def rows(self) -> RowSet | None:
        """Return the frozen rows, None if what is frozen is not made of whole rows."""
        if self.elements is not None or self.along.keys() - {0} or not self.shape:
            return None
        return self.along.get(0, RowSet.empty(self.shape[0]))

    @property
    def count(self) -> int:
        """Return the number of frozen entries."""
        free = [self.along[a].complement() if a in self.along else None for a in self._axes]
        sizes = [n if f is None else f.count for f, n in zip(free, self.shape, strict=True)]
        left = math.prod(sizes)
        if self.elements is not None and left:
            live = ~self.elements
            for axis, places in enumerate(free):
                live = live if places is None else live.compress(places.mask(), axis)
            left = int(np.count_nonzero(live))
        return math.prod(self.shape) - left

    @property
    def is_full(self) -> bool:
        """Return whether every entry is frozen."""
        return self.count == math.prod(self.shape)

    @property
    def is_empty(self) -> bool:
        """Return whether no entry is frozen."""
        return self.count == 0

    def masks(self) -> Iterator[Mask]:
        """Yield the sets as masks that broadcast to the shape, true where frozen."""
        for axis, places in sorted(self.along.items()):
            yield places.mask().reshape(self.aligned(axis))
        if self.elements is not None:
            yield self.elements

    def mask(self) -> Mask:
        """Return a new mask of the whole shape, true where frozen."""
        full = np.zeros(self.shape, np.bool_)
        for each in self.masks():
            full |= each
        return full

    def aligned(self, axis: int) -> Shape:
        """Return the shape, all sizes 1 but that of one axis."""
        return tuple(size if a == axis else 1 for a, size in enumerate(self.shape))

    def union(self, other: Entries) -> Entries:
        """Return the entries that are in one of the two; both have the same shape."""
        along = dict(self.along)
        for axis, places in other.along.items():
            along[axis] = along[axis].union(places) if axis in along else places
        both = [m for m in (self.elements, other.elements) if m is not None]
        elements = np.logical_or(*both) if len(both) > 1 else (both[0] if both else None)
        return replace(self, along=along, elements=elements)

    def part(self, offset: Sequence[int], shape: Shape) -> Entries:
        """Return what lies in a part of the variable that begins at ``offset``."""
        spans = [slice(o, o + n) for o, n in zip(offset, shape, strict=True)]
        along = {a: RowSet.from_mask(p.mask()[spans[a]]) for a, p in self.along.items()}
        elements = None if self.elements is None else self.elements[tuple(spans)]
        return Entries(shape, along, elements)

    @property
    def _axes(self) -> range:
        return range(len(self.shape))


def _narrowed(mask: Mask, axis: int) -> Mask:
    """Return a mask with one place of an axis if all places there are the same."""
    first = mask.take([0], axis) if mask.shape[axis] else mask
    return first if (mask == first).all() else mask
