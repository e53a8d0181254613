"""The tensors that are refs of variables: what an op may write through, or read by value.

A ref passes through loops and branches (RefEnter, RefSwitch, RefMerge, ...), and most writers give
theirs back: Assign, ApplyAdam and so on yield the ref that they took first. After a RefMerge it
may stand for several variables.
"""

from collections.abc import Iterator

from graphfreeze.model.graph import Edge, Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.reads import is_known, is_ref_edge
from graphfreeze.model.variables import REF_OPS

REF_PASSING = frozenset(
    {"RefEnter", "RefExit", "RefIdentity", "RefMerge", "RefNextIteration", "RefSwitch"}
)
Refs = dict[TensorRef, set[str]]


def find_refs(graph: Graph) -> Refs:
    """Return every ref, and the variables that it may stand for."""
    found: Refs = {}
    todo = [(TensorRef(name), name) for name in graph.nodes if graph.op(name) in REF_OPS]
    while todo:
        ref, variable = todo.pop()
        owners = found.setdefault(ref, set())
        if variable not in owners:
            owners.add(variable)
            given = (each for edge in graph.edges_of(ref) for each in _given_back(graph, edge))
            todo.extend((each, variable) for each in given)
    return found


def _given_back(graph: Graph, edge: Edge) -> Iterator[TensorRef]:
    """Yield the refs that a node yields of the one that it takes there."""
    node = graph.nodes[edge.consumer]
    is_passed = node.op in REF_PASSING or edge.slot == 0
    if is_passed and is_ref_edge(graph, edge) and is_known(graph, node):
        for port, is_ref in enumerate(graph.ops.output_is_ref(node, graph.functions)):
            if is_ref:
                yield TensorRef(edge.consumer, port)
