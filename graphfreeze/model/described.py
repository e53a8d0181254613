"""What contexts tell of where nodes run: the paths that ``model.nesting`` finds in the nodes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from graphfreeze.model.control_flow import CONTEXTS, Context, nested_contexts, node_of
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import parse_ref
from graphfreeze.model.nesting import Branch, Loop, Nesting, Path
from graphfreeze.schema import CollectionDef, WhileContextDef


@dataclass(frozen=True)
class Described:
    """The contexts of a graph by their paths, and the path of each node in them.

    Branches of conds on one predicate share a path, and so do nodes in them."""

    nesting: Nesting
    contexts: dict[Path, list[Context]] = field(default_factory=dict)
    paths: dict[str, Path] = field(default_factory=dict)
    tops: list[tuple[str, bytes, Path]] = field(default_factory=list)

    @property
    def graph(self) -> Graph:
        """The graph whose contexts these are."""
        return self.nesting.graph

    def loops(self) -> Iterator[tuple[Path, WhileContextDef]]:
        """Yield the loops."""
        for path, contexts in self.contexts.items():
            yield from ((path, each) for each in contexts if isinstance(each, WhileContextDef))


def find_described(nesting: Nesting, collections: Mapping[str, CollectionDef]) -> Described:
    """Return what the contexts in collections tell, as TensorFlow takes it when it imports them.

    A context owns the nodes of its values, but for those from outside and those of contexts
    inside it. ``tops`` are the entries of the collections, and which outermost loop or branch each
    is, or is a part of if the entries do not tell what is in what."""
    found = Described(nesting)
    for key, kind in CONTEXTS.items():
        entry = collections.get(key)
        for raw in entry.bytes_list.value if entry is not None else ():
            context = kind.FromString(raw)
            found.tops.append((key, raw, _root(nesting, context)))
            _add(found, context, ())
    return found


def _root(nesting: Nesting, context: Context) -> Path:
    is_loop = isinstance(context, WhileContextDef)
    inside = node_of(str(context.pivot_name if is_loop else context.pred_name))
    return (nesting.paths.get(inside) or _step(nesting, context, ()))[:1]


def _step(nesting: Nesting, context: Context, around: Path) -> Path:
    if isinstance(context, WhileContextDef):
        return (*around, Loop(str(context.context_name)))
    predicate = nesting.origin(parse_ref(str(context.pred_name)))
    return (*around, Branch(predicate, int(context.branch)))


def _add(found: Described, context: Context, around: Path) -> None:
    path = _step(found.nesting, context, around)
    found.contexts.setdefault(path, []).append(context)
    outside = context.values_def.external_values.keys()
    own = (node_of(name) for name in context.values_def.values if name not in outside)
    found.paths.update((name, path) for name in own if name in found.graph)
    for inner in nested_contexts(context):
        _add(found, inner, path)


def differences(first: Described, second: Described) -> Iterator[str]:
    """Yield what two descriptions of a graph, or of a graph and a part of it, tell differently.

    Asked are the nodes and contexts of both graphs: where nodes run; of loops parallel_iterations,
    pivot, Enters and Exits (an Exit by what it lets out); the values that come in from outside.
    Not asked is what no node tells: back_prop, swap_memory, maximum_iterations, what constants
    wait for, and values that come in and go nowhere. Of a value that came into several conds on one
    predicate a context tells one way."""
    for name in first.graph.nodes:
        one, other = first.paths.get(name, ()), second.paths.get(name, ())
        if name in second.graph and one != other:
            yield f"{name} runs in {path_text(one)}, and in {path_text(other)}"
    loops = dict(second.loops())
    for path, loop in (each for each in first.loops() if each[0] in loops):
        facts = _loop_facts(loop, first, second), _loop_facts(loops[path], second, first)
        told = zip(*facts, strict=True)
        yield from (
            f"{path_text(path)} has {one}, and {other}" for one, other in told if one != other
        )
    for path in (each for each in first.contexts if each in second.contexts):
        pairs = _brought(first, path, second), _brought(second, path, first)
        odd = {outer for outer, _ in pairs[0] ^ pairs[1]} - {
            outer for outer, _ in pairs[0] & pairs[1]
        }
        if odd:
            yield f"{path_text(path)} brings in {sorted(odd)} in different ways"


def path_text(path: Path) -> str:
    """Name a path in a sentence."""
    return " in ".join(map(str, reversed(path))) or "no context"


def _loop_facts(loop: WhileContextDef, own: Described, other: Described) -> Iterator[str]:
    enters = {node_of(name) for name in loop.loop_enter_names}
    sources = (own.graph.data_inputs(node_of(name)) for name in loop.loop_exit_names)
    left = {str(ref) for source in sources for ref in source if ref.node in other.graph}
    yield f"parallel_iterations {loop.parallel_iterations}"
    yield f"pivot {loop.pivot_name}"
    yield f"Enters {sorted(name for name in enters if name in other.graph)}"
    yield f"Exits of {sorted(left)}"


def _brought(own: Described, path: Path, other: Described) -> set[tuple[str, str]]:
    """Return the values from outside that go somewhere in both graphs."""
    pairs = (each.values_def.external_values.items() for each in own.contexts[path])
    found = {(outer, inner) for each in pairs for outer, inner in each if outer != inner}
    graphs = own.graph, other.graph
    return {pair for pair in found if all(_is_used(graph, *pair) for graph in graphs)}


def _is_used(graph: Graph, outer: str, inner: str) -> bool:
    return node_of(outer) in graph and bool(graph.edges_of(parse_ref(inner)))
