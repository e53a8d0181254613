"""Inputs of nodes in functions that are of another type than what they are given."""

from collections.abc import Iterator

from graphfreeze.model.bodies import open_body
from graphfreeze.model.calls import find_calls
from graphfreeze.model.graph import Graph


def find_misfits(graph: Graph) -> Iterator[str]:
    """Yield the nodes that take a type they do not know, as ``function/node`` inside functions."""
    places = {"": graph}
    for name, function in graph.functions.items():
        places[f"{name}/"] = open_body(graph, function).graph
    for place, inside in places.items():
        yield from (f"{place}{name}" for name in inside.nodes if _is_misfit(inside, name))


def _is_misfit(graph: Graph, name: str) -> bool:
    node = graph.nodes[name]
    wanted, refs = graph.ops.find_input_types(node, graph.functions), graph.data_inputs(name)
    if wanted is None:
        return False
    given = [graph.dtype(ref) if ref.node in graph else None for ref in refs]
    for call in find_calls(graph, node):
        for slot, dtype in enumerate(given):
            at = call.find_argument(slot)
            if at is not None and dtype != call.function.signature.input_arg[at].type:
                return True
    return list(wanted) != given
