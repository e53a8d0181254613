"""Where the value of a variable goes, if not to the loss."""

from collections.abc import Iterator

from graphfreeze.model.collected import node_entries
from graphfreeze.model.graph import Graph
from graphfreeze.model.model import Model
from graphfreeze.model.names import find_ref
from graphfreeze.model.reads import SAVERS, STATUS, is_write, writers
from graphfreeze.model.variables import Variable

_LOSSES = ("losses", "regularization_losses")
_READS = frozenset({"Identity", "ReadVariableOp"})
_MOST = 6


def find_ends(model: Model, graph: Graph, variable: Variable) -> list[str]:
    """Return what a variable's value leads to: other losses, savers, writers, summaries, ends.

    ``graph`` is the model's, unfolded. The variable's initializer and what restores it are left
    out, and reads that nobody takes.
    """
    reached = graph.descendants([variable.name], data_only=True)
    told = [f"the loss {name}" for name in _losses(model) if _node(name) in reached]
    own = {n for n in writers(graph, variable) if graph.op(n).startswith("Assign")}
    beyond = reached - own - {variable.name}
    ends = [n for n in graph.nodes if n in beyond]
    found = dict.fromkeys([*told, *(text for n in ends for text in _end(graph, n))])
    more = len(found) - _MOST
    return [*list(found)[:_MOST], *([f"{more:,} more"] if more > 0 else [])]


def _losses(model: Model) -> list[str]:
    return [name for key in _LOSSES for name in node_entries(model.collections, key)]


def _node(name: str) -> str:
    ref = find_ref(name)
    return "" if ref is None else ref.node


def _end(graph: Graph, name: str) -> Iterator[str]:
    """Yield what a node is, if the value ends there."""
    op = graph.op(name)
    if op in SAVERS:
        yield f"the saver's {name}"
    elif op.endswith("Summary"):
        yield f"the summary {name}"
    elif is_write(graph, name):
        yield f"the writer {name} ({op})"
    elif op not in STATUS | _READS and not graph.consumers(name, data_only=True):
        yield f"{name} ({op})"
