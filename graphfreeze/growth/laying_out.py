"""What the ops that lay a tensor out anew do about the height of a table."""

from collections.abc import Iterator

from graphfreeze.errors import GrowError
from graphfreeze.growth.heights import Effect, Rule, Site
from graphfreeze.model.attrs import find_attr
from graphfreeze.model.static_shapes import find_shape


def transposes(site: Site) -> Iterator[Effect]:
    """Follow perm; one that is computed turns all axes round.   x, perm -> y"""
    if site.slot:
        raise site.refusal()
    perm = site.integers(1)
    if perm is None:
        place, rank = site.place
        if site.graph.op(site.inputs[1].node) != "Sub":
            raise site.unclear()
        yield site.moved(rank - 1 - place, rank)
        return
    rank = len(perm)
    place = site.tall.axis + rank
    yield site.moved([axis % rank for axis in perm].index(place), rank)


def expands(site: Site) -> Iterator[Effect]:
    """Count one more axis.   x, axis -> y"""
    if site.slot:
        raise site.refusal()
    place, rank = site.place
    new = site.get_integers(1)[0] % (rank + 1)
    yield site.moved(place + (new <= place), rank + 1)


def squeezes(site: Site) -> Iterator[Effect]:
    """Count without the axes of size 1.   x -> y"""
    place, rank = site.place
    gone = {int(axis) % rank for axis in find_attr(site.node, "squeeze_dims").list.i}
    if not gone:
        shape = find_shape(site.graph, site.inputs[0])
        if shape is None or None in shape:
            raise site.unclear()
        gone = {axis for axis, size in enumerate(shape) if size == 1}
    if place in gone:
        raise site.refusal()
    yield site.moved(place - sum(axis < place for axis in gone), rank - len(gone))


def packs(site: Site) -> Iterator[Effect]:
    """Count one more axis, and ask all for the height.   x, x, ... -> y"""
    place, rank = site.place
    new = int(find_attr(site.node, "axis").i) % (rank + 1)
    yield site.moved(place + (new <= place), rank + 1)
    yield from (site.need(slot) for slot in range(len(site.inputs)) if slot != site.slot)


def unpacks(site: Site) -> Iterator[Effect]:
    """Count one axis less, unless it is the tall one.   x -> y, y, ..."""
    place, rank = site.place
    gone = int(find_attr(site.node, "axis").i) % rank
    if gone == place:
        raise site.refusal()
    for port in range(int(find_attr(site.node, "num").i)):
        yield site.moved(place - (gone < place), rank - 1, port)


def splits(site: Site) -> Iterator[Effect]:
    """Pass it on, unless the tall axis is split.   x -> y, y, ..."""
    data, axis = (1, 0) if site.node.op == "Split" else (0, 2)
    if site.slot != data:
        raise site.refusal()
    place, rank = site.place
    if site.get_integers(axis)[0] % rank == place:
        raise site.refusal()
    yield from (site.out(port=port) for port in range(int(find_attr(site.node, "num_split").i)))


def concatenates(site: Site) -> Iterator[Effect]:
    """Ask all for the height; along the tall axis it has to come last.   x, x, ..., axis -> y"""
    count = len(site.inputs) - 1
    values, axis = (range(count), count) if site.node.op == "ConcatV2" else (range(1, count + 1), 0)
    place, rank = site.place
    others = [slot for slot in values if slot != site.slot]
    if site.get_integers(axis)[0] % rank != place:
        yield site.out()
        yield from (site.need(slot) for slot in others)
        return
    shapes = [find_shape(site.graph, site.inputs[slot]) for slot in others]
    sizes = [None if shape is None else shape[place] for shape in shapes]
    if site.slot != values[-1]:
        raise GrowError.fixed_slice(site.tall.table, site.edge.consumer, op=str(site.node.op))
    if None in sizes:
        raise site.unclear()
    size = site.tall.size + sum(size for size in sizes if size is not None)
    yield site.resized(size)


def keeps_tall_axis(site: Site) -> Iterator[Effect]:
    """Pass it on if nothing happens along the tall axis.   x, counts -> y"""
    if site.slot:
        raise site.refusal()
    place, rank = site.place
    numbers = site.get_integers(1)
    each = len(numbers) // rank
    still = 1 if site.node.op == "Tile" else 0
    if any(number != still for number in numbers[place * each : (place + 1) * each]):
        raise site.refusal()
    yield site.out()


LAYING_OUT: dict[str, Rule] = {
    "Transpose": transposes,
    "ExpandDims": expands,
    "Squeeze": squeezes,
    "Pack": packs,
    "Unpack": unpacks,
    "Split": splits,
    "SplitV": splits,
    "ConcatV2": concatenates,
    "Concat": concatenates,
    "Tile": keeps_tall_axis,
    "Pad": keeps_tall_axis,
    "PadV2": keeps_tall_axis,
}
