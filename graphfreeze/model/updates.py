"""The ops that a training step is to run besides the optimizer: UPDATE_OPS."""

from collections.abc import Collection, Iterator

from graphfreeze.model.collected import Collections, node_entries
from graphfreeze.model.control_flow import EXITS, nodes_in_loops
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import parse_ref

UPDATE_OPS = "update_ops"


def kept_updates(graph: Graph, collections: Collections, frozen: Collection[str]) -> list[str]:
    """Return the UPDATE_OPS without those that run one of the ``frozen`` writers.

    Of a group that runs some of them the other members are kept.
    """
    entries = node_entries(collections, UPDATE_OPS)
    kept = (each for entry in entries for each in _members(graph, entry, set(frozen)))
    return list(dict.fromkeys(kept))


def looped_updates(graph: Graph, collections: Collections) -> list[str]:
    """Return the UPDATE_OPS inside while loops: nothing outside of a loop can wait for them.

    A batch norm in a loop's body lists such."""
    entries = node_entries(collections, UPDATE_OPS)
    looped = nodes_in_loops(graph) if entries else set()
    names = {entry: parse_ref(entry.removeprefix("^")).node for entry in entries}
    return [e for e, name in names.items() if name in looped and graph.op(name) not in EXITS]


def _members(graph: Graph, entry: str, frozen: set[str]) -> Iterator[str]:
    node = parse_ref(entry.removeprefix("^")).node
    if node not in graph or not frozen & graph.ancestors([node]):
        yield entry
    elif graph.op(node) == "NoOp":
        for ref in graph.inputs(node):
            yield from _members(graph, ref.node, frozen)
