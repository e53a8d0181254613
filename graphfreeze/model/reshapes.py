"""The shape that a Reshape gives."""

import math
from collections.abc import Sequence
from functools import partial

from graphfreeze.model.attrs import Shape
from graphfreeze.model.graph import Edge
from graphfreeze.model.names import TensorRef
from graphfreeze.model.shape_sites import Site
from graphfreeze.model.shape_vectors import Size, find_sizes
from graphfreeze.model.static_shapes import find_rank

Named = int | tuple[TensorRef, int]
"""A number of a shape, or the axis of a tensor whose size it is."""


def reshaped(site: Site) -> Shape | None:
    """Return the numbers that a shape has; one that it leaves open is what the others leave."""
    shape = site.shape()
    sizes = find_sizes(site.graph, Edge(site.ref.node, 1), rank_of=partial(_rank, site))
    if sizes is None:
        return None
    wanted = [_size(site, size) for size in sizes]
    open_at = [i for i, size in enumerate(wanted) if size in (None, -1)]
    if shape is not None and len(open_at) == 1:
        wanted[open_at[0]] = _rest(list(_named(site.inputs[0], shape)), wanted, open_at[0])
    return tuple(size if isinstance(size, int) and size >= 0 else None for size in wanted)


def _rank(site: Site, ref: TensorRef) -> int | None:
    shape = site.known.get(ref)
    return find_rank(site.graph, ref) if shape is None else len(shape)


def _named(ref: TensorRef, shape: Shape) -> list[Named]:
    return [(ref, axis) if size is None else size for axis, size in enumerate(shape)]


def _size(site: Site, size: Size) -> Named | None:
    if size.value is not None or size.of is None:
        return size.value
    shape = site.known.get(size.of)
    return None if shape is None else _named(size.of, shape)[size.axis]


def _rest(whole: Sequence[Named], wanted: Sequence[Named | None], open_at: int) -> int | None:
    """Return how many numbers are left for one axis; axes of unknown size have to cancel out."""
    others = [size for i, size in enumerate(wanted) if i != open_at]
    left = list(whole)
    for size in others:
        if not isinstance(size, int):
            if size not in left:
                return None
            left.remove(size)
    if not all(isinstance(size, int) for size in left):
        return None
    numbers = [size for size in left if isinstance(size, int)]
    by = math.prod(size for size in others if isinstance(size, int))
    return math.prod(numbers) // by if by else None
