"""What is wrong with the contexts of a graph, told by the nodes themselves."""

from collections.abc import Iterator, Mapping

from graphfreeze.model.control_flow import ENTERS, named_in_contexts, node_of
from graphfreeze.model.described import Described, find_described, path_text
from graphfreeze.model.graph import Graph
from graphfreeze.model.nesting import Loop, find_nesting, frame_name
from graphfreeze.schema import CollectionDef


def find_faults(graph: Graph, collections: Mapping[str, CollectionDef]) -> list[str]:
    """Return a sentence for each fault: what is named and gone, and nodes in another context.

    A node without outputs is in none: contexts name tensors."""
    told = find_described(find_nesting(graph), collections)
    named = named_in_contexts(collections)
    gone = (f"{key} names {name}, which is gone" for key, name in named if name not in graph)
    return [*gone, *_elsewhere(told), *_not_brought_in(told)]


def _elsewhere(told: Described) -> Iterator[str]:
    for name, path in told.nesting.paths.items():
        found = told.paths.get(name, ())
        if found != path and told.graph.count_outputs(name):
            yield f"{name} runs in {path_text(path)}, and its context is {path_text(found)}"


def _not_brought_in(told: Described) -> Iterator[str]:
    for path, loop in told.loops():
        inside = {*loop.loop_enter_names, *loop.values_def.external_values.values()}
        brought = {node_of(name) for name in inside}
        for name in told.graph.nodes:
            is_enter = told.graph.op(name) in ENTERS and name not in brought
            if is_enter and path[-1] == Loop(frame_name(told.graph, name)):
                yield f"{name} comes into {path_text(path)}, which does not tell so"
