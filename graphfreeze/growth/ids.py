"""The ids that pick rows of a table: where they come from, and what else is decided by them."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from graphfreeze.growth.ends import LOOKUPS
from graphfreeze.growth.heights import Grows, LooksUp, Stretches, Tall
from graphfreeze.model.graph import Edge, Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.saver import saved_variable
from graphfreeze.model.shape_vectors import find_sizes
from graphfreeze.model.static_shapes import find_integers
from graphfreeze.model.tables import Table

SAMPLERS = frozenset(
    {
        *("UniformCandidateSampler", "LogUniformCandidateSampler"),
        *("LearnedUnigramCandidateSampler", "ThreadUnsafeUnigramCandidateSampler"),
    }
)
COUNTED_SAMPLER = "FixedUnigramCandidateSampler"
# Ops that give ids as they get them, perhaps not all of them, by the inputs that have ids.
_HANDING: dict[str, slice] = {
    **dict.fromkeys(("Identity", "Cast", "Reshape", "ExpandDims", "Squeeze"), slice(1)),
    **dict.fromkeys(("StopGradient", "Switch", "Enter", "Exit", "Unique"), slice(1)),
    **dict.fromkeys(("Transpose", "Gather", "GatherV2", "GatherNd", "Slice"), slice(1)),
    **dict.fromkeys(("StridedSlice", "Unpack", "SplitV", "Tile", "Pad"), slice(1)),
    **dict.fromkeys(("SparseFillEmptyRows", "Split"), slice(1, 2)),
    **dict.fromkeys(("Select", "SelectV2"), slice(1, 3)),
    **dict.fromkeys(("Minimum", "Maximum", "Merge", "Pack"), slice(None)),
    "ConcatV2": slice(-1),
}
# Comparisons by the input that has the bound, and how far it is below the height.
_BOUNDS = {
    **dict.fromkeys((("Less", 1), ("GreaterEqual", 1), ("Greater", 0), ("LessEqual", 0)), 0),
    **dict.fromkeys((("LessEqual", 1), ("Greater", 1), ("Less", 0), ("GreaterEqual", 0)), 1),
    **dict.fromkeys((("Minimum", 0), ("Minimum", 1)), 1),
}
_REMAINDERS = frozenset({"FloorMod", "Mod"})


def find_roots(graph: Graph, ids: TensorRef) -> set[TensorRef]:
    """Return the tensors that ids come from, past ops that leave each id what it is."""
    found: set[TensorRef] = set()
    seen: set[TensorRef] = set()
    todo = [ids]
    while todo:
        ref = todo.pop()
        if ref in seen:
            continue
        seen.add(ref)
        op = graph.op(ref.node)
        if op in _HANDING:
            todo.extend(graph.data_inputs(ref.node)[_HANDING[op]])
        elif op != "Const":
            found.add(ref)
    return found


def companions(
    graph: Graph,
    tables: Iterable[Table],
    lookups: Iterable[LooksUp],
    tall: Collection[TensorRef],
) -> Iterator[Grows]:
    """Yield the first table of the same height that the same ids pick rows of: it grows along."""
    heights = {
        table.name: table.shape[0] for table in tables if table.shape and not table.is_partitioned
    }
    talls = _by_root(graph, lookups)
    for name in graph.nodes:
        if graph.op(name) not in LOOKUPS or not talls:
            continue
        params, ids = graph.data_inputs(name)[:2]
        variable = saved_variable(graph, _unswitched(graph, params))
        if params in tall or variable is None or TensorRef(variable) in tall:
            continue
        for root in sorted(find_roots(graph, ids) & talls.keys()):
            if heights.get(variable) == talls[root].size:
                rank = len(graph.nodes[variable].attr["shape"].shape.dim)
                yield Grows(variable, talls[root].at(-rank, rank))
                return


def bounds(graph: Graph, lookups: Iterable[LooksUp]) -> Iterator[Stretches]:
    """Yield the constants that ids are compared with, or cut off at, so that they fit the table."""
    talls = _by_root(graph, lookups)
    for name in graph.nodes:
        for slot in (0, 1):
            below = _BOUNDS.get((graph.op(name), slot))
            if below is None or not talls:
                continue
            sizes = find_sizes(graph, Edge(name, slot)) or []
            for root in sorted(find_roots(graph, graph.data_inputs(name)[1 - slot]) & talls.keys()):
                tall = talls[root]
                if [size.value for size in sizes] == [tall.size - below]:
                    yield Stretches(sizes[0].path, sizes[0].index, tall)


def _by_root(graph: Graph, lookups: Iterable[LooksUp]) -> Mapping[TensorRef, Tall]:
    return {root: each.tall for each in lookups for root in find_roots(graph, each.ids)}


def find_samplers(graph: Graph, lookups: Iterable[LooksUp]) -> dict[str, Tall]:
    """Return the samplers that draw from all ids of a table whose rows are looked up by them."""
    talls = sorted(_by_root(graph, lookups).items())
    named = ((root.node, tall) for root, tall in talls if graph.op(root.node) in SAMPLERS)
    return {n: tall for n, tall in named if graph.nodes[n].attr["range_max"].i == tall.size}


def find_remainders(graph: Graph, ids: TensorRef, size: int) -> list[str]:
    """Return the nodes that make ids out of other numbers, so that they fit ``size`` rows."""
    found = []
    for name in sorted(graph.ancestors([ids.node])):
        node = graph.nodes[name]
        by = graph.data_inputs(name)[1:] if node.op in _REMAINDERS else ()
        is_remainder = [size] in [find_integers(graph, ref) for ref in by]
        if is_remainder or ("num_buckets" in node.attr and node.attr["num_buckets"].i == size):
            found.append(name)
    return found


def _unswitched(graph: Graph, ref: TensorRef) -> TensorRef:
    """Return what is handed into a branch."""
    while graph.op(ref.node) in ("Switch", "RefSwitch"):
        ref = graph.data_inputs(ref.node)[0]
    return ref
