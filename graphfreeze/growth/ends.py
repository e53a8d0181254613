"""Where the height of a table ends: lookups, reductions, savers, questions for a shape."""

from collections.abc import Iterator

from graphfreeze.errors import GrowError
from graphfreeze.growth.heights import Effect, LooksUp, Loosens, Rule, Site
from graphfreeze.model.attrs import find_attr
from graphfreeze.model.names import TensorRef
from graphfreeze.model.reads import SAVERS, STATUS
from graphfreeze.model.saver import slices_at
from graphfreeze.model.static_shapes import find_rank

_ROW_WRITERS = frozenset(
    f"{scatter}{kind}"
    for scatter in ("Scatter", "ResourceScatter")
    for kind in ("Update", "Add", "Sub", "Mul", "Div", "Min", "Max", "NdUpdate", "NdAdd", "NdSub")
)
_LAST_AXIS = frozenset(
    {"TopK", "TopKV2", "InTopK", "InTopKV2", "SparseSoftmaxCrossEntropyWithLogits"}
)
_SEGMENTS = frozenset(
    f"SparseSegment{kind}{more}"
    for kind in ("Sum", "Mean", "SqrtN")
    for more in ("", "WithNumSegments")
)
LOOKUPS = frozenset({"Gather", "GatherV2", "ResourceGather"}) | _SEGMENTS
_REDUCTIONS = frozenset({"Sum", "Mean", "Max", "Min", "Prod", "Any", "All", "EuclideanNorm"})


def looks_up(site: Site) -> Iterator[Effect]:
    """End along the tall axis, where any id is good; pass it by others.   w, ids -> rows"""
    if site.slot or find_attr(site.node, "batch_dims").i:
        raise site.refusal()
    place, rank = site.place
    ids = site.inputs[1]
    axis = site.get_integers(2)[0] % rank if site.node.op == "GatherV2" else 0
    if axis == place:
        yield LooksUp(ids, site.tall)
        return
    wide = find_rank(site.graph, ids)
    if wide is None or site.node.op in _SEGMENTS:
        raise site.unclear()
    yield site.moved(place if place < axis else place + wide - 1, rank + wide - 1)


def looks_up_entries(site: Site) -> Iterator[Effect]:
    """End along the first axis, which is indexed for sure.   w, indices -> entries"""
    if site.slot or site.place[0]:
        raise site.refusal()
    yield LooksUp(site.inputs[1], site.tall)


def writes_rows(site: Site) -> Iterator[Effect]:
    """Pass a ref on of which some rows are written by ids.   ref, ids, rows -> ref"""
    if site.slot:
        raise site.refusal()
    if not site.node.op.startswith("Resource"):
        yield site.out()


def reduces(site: Site) -> Iterator[Effect]:
    """End along the tall axis, pass it by others.   w, axes -> y"""
    if site.slot:
        raise site.refusal()
    if site.graph.op(site.inputs[1].node) == "Range":  # all axes, of a tensor of unknown rank
        return
    place, rank = site.place
    axes = {axis % rank for axis in site.get_integers(1)}
    if place in axes:
        return
    if find_attr(site.node, "keep_dims").b:
        yield site.out()
    else:
        yield site.moved(place - sum(axis < place for axis in axes), rank - len(axes))


def picks_along_last(site: Site) -> Iterator[Effect]:
    """End along the last axis: labels that are ids may be larger.   logits, labels -> losses"""
    if site.slot or site.tall.axis != -1:
        raise site.refusal()
    if site.node.op == "SparseSoftmaxCrossEntropyWithLogits":
        yield site.out(port=1)


def tells_shape(site: Site) -> Iterator[Effect]:
    """Let what is made with a shape have the right size by itself.   w -> its shape"""
    yield Loosens(TensorRef(site.edge.consumer, site.slot))


def ends(site: Site) -> Iterator[Effect]:
    """End: any height is good.   w ->"""
    yield from ()


def saves(site: Site) -> Iterator[Effect]:
    """End where a tensor is saved whole.   w -> file"""
    first = len(site.inputs) - len(slices_at(site.graph, site.edge.consumer))
    if slices_at(site.graph, site.edge.consumer)[site.slot - first]:
        raise GrowError.partitioned(site.tall.table)
    yield from ()


ENDING: dict[str, Rule] = {
    **dict.fromkeys(LOOKUPS, looks_up),
    **dict.fromkeys(("GatherNd", "ResourceGatherNd"), looks_up_entries),
    **dict.fromkeys(_ROW_WRITERS, writes_rows),
    **dict.fromkeys(_REDUCTIONS | {"ArgMax", "ArgMin"}, reduces),
    **dict.fromkeys(_LAST_AXIS, picks_along_last),
    **dict.fromkeys(("Shape", "ShapeN", "Size", "VariableShape"), tells_shape),
    **dict.fromkeys(STATUS - {"VariableShape"}, ends),
    **dict.fromkeys(("L2Loss", "Rank", "Where", "Assert", "DisableCopyOnRead"), ends),
    **dict.fromkeys(SAVERS, saves),
}
