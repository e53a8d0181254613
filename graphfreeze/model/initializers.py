"""The ops that give variables their first values."""

from collections.abc import Set

from graphfreeze.model.graph import Graph
from graphfreeze.model.reads import RESTORERS, handles, writers
from graphfreeze.model.variables import Variable


def is_initial(graph: Graph, writer: str, variable: Variable, dependent: Set[str]) -> bool:
    """Tell whether a writer's value depends on no variable: an initializer, a restore op.

    ``dependent`` are the nodes that the value of a variable can change."""
    own = {handle.node for handle in handles(graph, variable)}
    values = {ref.node for ref in graph.data_inputs(writer)} - own
    return "Apply" not in graph.op(writer) and values.isdisjoint(dependent)


def find_initializer(graph: Graph, variable: Variable, dependent: Set[str]) -> str | None:
    """Return the op that gives a variable a value of its own, not one from a checkpoint."""
    for writer in writers(graph, variable):
        above = {graph.op(name) for name in graph.ancestors([writer])}
        is_assign = graph.op(writer).startswith("Assign")
        if is_assign and not above & RESTORERS and is_initial(graph, writer, variable, dependent):
            return writer
    return None
