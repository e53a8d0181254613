"""What a step runs and why: the path from what is fetched to a node, and what functions do."""

from collections import deque
from collections.abc import Iterator, Sequence

from graphfreeze.model.attrs import find_attr
from graphfreeze.model.functions import functions_run
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import parse_ref
from graphfreeze.model.unfolded import own_name
from graphfreeze.model.variables import ONLY_READ, REF_OPS, RESOURCE_OPS
from graphfreeze.schema import FunctionDef, NodeDef

_ITERATORS = ("Iterator", "AnonymousIterator", "MultiDeviceIterator")
_MAKERS = frozenset({"MakeIterator", "MultiDeviceIteratorInit"})
Storage = tuple[str, str, bool]  # container, name, whether it is a resource


def find_path(graph: Graph, sources: Sequence[str], target: str) -> list[str]:
    """Return the shortest way from one of the sources to a node that it needs, [] if none."""
    came: dict[str, str] = dict.fromkeys(sources, "")
    todo = deque(came)
    while todo:
        name = todo.popleft()
        if name == target:
            path = [name]
            while came[path[0]]:
                path.insert(0, came[path[0]])
            return path
        for ref in graph.inputs(name) if name in graph else ():
            if ref.node not in came:
                came[ref.node] = name
                todo.append(ref.node)
    return []


def nodes_run(graph: Graph, ends: Sequence[str]) -> set[str]:
    """Return the nodes that run when these are fetched.

    Who takes the next element of an iterator runs the data sets that iterators were made of."""
    found = graph.ancestors(ends)
    if any(graph.op(name).startswith(_ITERATORS) for name in found):
        todo = [name for name in graph.nodes if graph.op(name) in _MAKERS]
        for name in todo:  # what these wait for runs once, when the iterator is made
            above = {ref.node for ref in graph.data_inputs(name)} & graph.nodes.keys()
            todo += sorted(above - found)
            found |= above
    return found


def resource_name(node: NodeDef) -> Storage:
    """Return what tells the storage of a variable from others; two nodes may share one.

    A node in a body that is unfolded has the name that it has in the body."""
    container, shared = (bytes(find_attr(node, key).s) for key in ("container", "shared_name"))
    # The runtime calls the container that has no name so.
    place = container.decode() or "localhost"
    return place, shared.decode() or own_name(str(node.name)), node.op in RESOURCE_OPS


def find_hidden_writers(graph: Graph, name: str) -> Iterator[tuple[str, Storage]]:
    """Yield function and storage where the functions that a node calls open a variable.

    Only those whose handle goes on to more than reads."""
    for function in functions_run(graph, graph.nodes[name], set()):
        for node in function.node_def:
            if node.op in REF_OPS | RESOURCE_OPS and not _is_only_read(function, str(node.name)):
                yield str(function.signature.name), resource_name(node)


def _is_only_read(function: FunctionDef, handle: str) -> bool:
    is_returned = any(parse_ref(str(text)).node == handle for text in function.ret.values())
    return not is_returned and all(
        node.op in ONLY_READ
        for node in function.node_def
        if any(not t.startswith("^") and parse_ref(str(t)).node == handle for t in node.input)
    )
