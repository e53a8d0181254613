"""What the ops that cut a tensor, or give it another shape, do about the height of a table."""

from collections.abc import Iterator, Sequence
from math import prod

from graphfreeze.errors import GrowError
from graphfreeze.growth.heights import Effect, Rule, Site, Stretches
from graphfreeze.model.graph import Edge
from graphfreeze.model.names import TensorRef
from graphfreeze.model.shape_vectors import Size, find_sizes
from graphfreeze.model.static_shapes import find_shape


def reshapes(site: Site) -> Iterator[Effect]:
    """Find the axis again by its size and what lies within it.   x, shape -> y

    A constant that has the height there grows."""
    if site.slot:
        raise site.refusal()
    shape = find_shape(site.graph, site.inputs[0])
    sizes = find_sizes(site.graph, Edge(site.edge.consumer, 1))
    if sizes is None:
        raise site.unclear()
    told = find_shape(site.graph, TensorRef(site.edge.consumer))
    inside = [1] if site.tall.axis == -1 else list((shape or (None,))[site.tall.axis + 1 :])
    place = _find_place(site, sizes, inside, told)
    if place is None:
        raise site.refusal() if None not in (told or (None,)) else site.unclear()
    size = sizes[place]
    if size.is_fixed:
        raise site.refusal()
    if size.value is not None and size.value != -1:
        yield Stretches(size.path, size.index, site.tall)
    yield site.moved(place, len(sizes))


def _find_place(
    site: Site,
    sizes: Sequence[Size],
    inside: Sequence[int | None],
    told: Sequence[int | None] | None,
) -> int | None:
    """Return the axis whose size is the height, and within which lies as much as before."""
    values = [size.value for size in sizes]
    pairs = zip(values, values if told is None else told, strict=True)
    hints = [hint if value in (None, -1) else value for value, hint in pairs]
    for place, each in enumerate(sizes):
        is_same = each.of == site.inputs[0] and each.axis == site.place[0]
        if is_same and site.tall.axis == -1 and place == len(sizes) - 1:
            return place
    for place, size in enumerate(hints):
        is_first = place == 0 and site.place[0] == 0
        fits = _product(inside) is not None and _product(hints[place + 1 :]) == _product(inside)
        if size == site.tall.size and (fits or is_first):
            return place
        if values[place] == -1 and is_first and fits:
            return place
    return None


def _product(sizes: Sequence[int | None]) -> int | None:
    known = [size for size in sizes if size is not None and size >= 0]
    return prod(known) if len(known) == len(sizes) else None


def slices(site: Site) -> Iterator[Effect]:
    """Pass an open end on, end at a row before the last.   x, begin, size -> y"""
    if site.slot:
        raise site.refusal()
    place, rank = site.place
    begin, size = site.integers(1), site.integers(2)
    if begin is None or size is None:
        raise site.refusal()
    stop = None if size[place] == -1 else begin[place] + size[place]
    yield from _cut(site, begin[place], stop, site.tall.axis, rank)


def strides(site: Site) -> Iterator[Effect]:
    """Do as for a slice; a single row ends it.   x, begin, end, strides -> y"""
    if site.slot:
        raise site.refusal()
    attr = site.node.attr
    if attr["ellipsis_mask"].i or attr["new_axis_mask"].i:
        raise site.unclear()
    place, rank = site.place
    begin, end, step = (site.integers(slot) for slot in (1, 2, 3))
    if begin is None or end is None or step is None:
        raise site.refusal()
    gone = [axis for axis in range(len(begin)) if attr["shrink_axis_mask"].i >> axis & 1]
    axis, left = site.tall.axis + sum(g > place for g in gone), rank - len(gone)
    if place >= len(begin):
        yield site.out(site.tall.at(axis, left))
    elif place in gone and begin[place] >= 0:
        return
    elif place in gone or step[place] != 1:
        raise _of_end(site)
    else:
        first = 0 if attr["begin_mask"].i >> place & 1 else begin[place]
        last = None if attr["end_mask"].i >> place & 1 else end[place]
        yield from _cut(site, first, last, axis, left)


def _cut(site: Site, first: int, stop: int | None, axis: int, rank: int) -> Iterator[Effect]:
    if first < 0 or (stop is not None and not 0 <= stop < site.tall.size):
        raise _of_end(site)
    if stop is None:
        yield site.resized(site.tall.size - first, axis, rank)


def _of_end(site: Site) -> GrowError:
    return GrowError.fixed_slice(site.tall.table, site.edge.consumer, op=str(site.node.op))


CUTTING: dict[str, Rule] = {
    "Reshape": reshapes,
    "Slice": slices,
    "StridedSlice": strides,
    "ResourceStridedSlice": strides,
}
