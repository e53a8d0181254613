"""The op of a bare GraphDef that runs all initializers, as ``global_variables_initializer``."""

from collections.abc import Collection, Iterator

from graphfreeze.model.graph import Graph

_GROUPED = frozenset({"NoOp"})
_WRITING = ("Assign", "Initialize", "LookupTableImport")


def find_init_op(graph: Graph, initializers: Collection[str]) -> str | None:
    """Return the NoOp that waits for most initializers, at least half, and for no other op.

    It may wait for groups of them, one for each device; initializers of local variables can be in
    an op of their own."""
    wanted = set(initializers)
    counts = {name: len(wanted & find_members(graph, name)) for name in _groups(graph)}
    fitting = [name for name, count in counts.items() if count and 2 * count >= len(wanted)]
    plain = (name for name in fitting if _is_plain(graph, find_members(graph, name)))
    return max(plain, key=lambda name: counts[name], default=None)


def _groups(graph: Graph) -> Iterator[str]:
    return (name for name in graph.nodes if graph.op(name) in _GROUPED)


def find_members(graph: Graph, name: str) -> set[str]:
    """Return what a group waits for, and what the groups in it do."""
    found: set[str] = set()
    todo = [ref.node for ref in graph.inputs(name)]
    while todo:
        each = todo.pop()
        if graph.op(each) in _GROUPED:
            todo += [ref.node for ref in graph.inputs(each)]
        else:
            found.add(each)
    return found


def _is_plain(graph: Graph, members: set[str]) -> bool:
    return all(graph.op(name).startswith(_WRITING) for name in members)
