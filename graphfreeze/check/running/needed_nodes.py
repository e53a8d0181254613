"""Which nodes run when some tensors are fetched and others are fed."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef

_TABLE_STARTS = ("InitializeTable", "LookupTableImport")
_ITERATOR_STARTS = ("MakeIterator",)
_QUEUES, _ENQUEUES = ("QueueDequeue", "ReaderRead"), "QueueEnqueue"


@dataclass(frozen=True)
class Running:
    """What one graph runs: ``starts`` come first, ``nodes`` are all, theirs included."""

    starts: tuple[str, ...]
    nodes: frozenset[str]


def find_running(graph: Graph, wanted: Iterable[str], fed: Collection[TensorRef] = ()) -> Running:
    """Return the nodes that ``wanted`` ones need, and what fills their tables and iterators."""
    nodes = closure(graph, wanted, fed)
    starts: list[str] = []
    todo = [name for name in graph.nodes if name in nodes]
    while todo:
        new = [start for name in todo for start in _starts(graph, name) if start not in starts]
        starts += dict.fromkeys(new)
        more = closure(graph, new, fed) - nodes
        nodes |= more
        todo = [name for name in graph.nodes if name in more]
    return Running(tuple(starts), frozenset(nodes))


def _starts(graph: Graph, name: str) -> list[str]:
    """Return the ops that fill a lookup table, or make an iterator begin."""
    op = graph.op(name)
    if "Table" not in op and "Iterator" not in op:
        return []
    prefixes = _TABLE_STARTS if "Table" in op else _ITERATOR_STARTS
    found = [each for each in graph.consumers(name) if graph.op(each).startswith(prefixes)]
    return found[:1] if prefixes is _ITERATOR_STARTS else found


def closure(graph: Graph, wanted: Iterable[str], fed: Collection[TensorRef]) -> set[str]:
    """Return the nodes that have to run; nothing runs for the sake of a tensor that is fed."""
    found: set[str] = set()
    todo = [name for name in wanted if name in graph]
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += [r.node for r in graph.inputs(name) if r.node in graph and r not in fed]
    return found


def find_queue(graph: Graph, nodes: Iterable[str]) -> str | None:
    """Return a node that would wait for a queue which nobody fills, None if there is none."""
    run = list(nodes)
    filled = {graph.data_inputs(n)[0].node for n in run if graph.op(n).startswith(_ENQUEUES)}
    takers = (name for name in run if graph.op(name).startswith(_QUEUES))
    return next((n for n in takers if graph.data_inputs(n)[0].node not in filled), None)
