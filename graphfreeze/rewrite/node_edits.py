"""The nodes that edits make of a graph."""

from graphfreeze.errors import RewriteError
from graphfreeze.model.graph import Graph, with_inputs
from graphfreeze.rewrite.edits import AddNode, ReplaceNode, Reroute
from graphfreeze.schema import NodeDef


def made_node(graph: Graph, edit: AddNode | ReplaceNode | Reroute) -> NodeDef:
    """Return the node that an edit puts into a graph, new or in the place of the one there.

    Raises RewriteError for a new one that is there, and for an old one that is not."""
    match edit:
        case AddNode():
            return _added(graph, edit)
        case ReplaceNode(node):
            require(graph, str(node.name))
            return node
        case Reroute(edge, to):
            require(graph, edge.consumer)
            inputs = [str(ref) for ref in graph.inputs(edge.consumer)]
            inputs[edge.slot] = str(to)
            return with_inputs(graph.nodes[edge.consumer], inputs)


def require(graph: Graph, name: str) -> None:
    """Refuse to edit a node that is not there; raises RewriteError."""
    if name not in graph:
        raise RewriteError.no_such_node(name, graph.nodes)


def _added(graph: Graph, edit: AddNode) -> NodeDef:
    if edit.name in graph:
        raise RewriteError.name_taken(edit.name)
    inputs = [str(ref) for ref in edit.inputs]
    node = NodeDef(name=edit.name, op=edit.op, device=edit.device, input=inputs)
    for key, value in edit.attrs.items():
        node.attr[key].CopyFrom(value)
    return node
