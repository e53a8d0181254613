"""How a variable is used: its reads, lookups and writers, and where gradients can flow.

==========  ================================  ======================================
            ref variable                      resource variable
==========  ================================  ======================================
handle      ``w``, RefEnter, RefSwitch, ...   ``w``, Identity, Enter, Switch, ...,
                                              what a function gives back of it
read        Identity of it, or ``w`` itself   ReadVariableOp
lookup      Gather of a read                  ResourceGather of the handle
writer      any op that takes the ref         any op that takes it and is not known
                                              to only read
==========  ================================  ======================================
"""

from collections.abc import Collection, Iterator

from graphfreeze.model.functions import handed_back, writes_argument
from graphfreeze.model.graph import Edge, Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.variables import ONLY_READ, PASS_HANDLE, Variable
from graphfreeze.schema import NodeDef

SAVERS = frozenset({"Save", "SaveSlices", "SaveV2"})
RESTORERS = frozenset({"Restore", "RestoreSlice", "RestoreV2"})
RESOURCE_LOOKUPS = frozenset({"ResourceGather", "ResourceGatherNd"})
_PASS_REF = frozenset({"RefEnter", "RefSwitch", "RefIdentity", "RefExit"})
STATUS = frozenset({"IsVariableInitialized", "VarIsInitializedOp", "VariableShape"})
_AVERAGING = frozenset({"Sub", "Mul", "Add", "AddV2", "Identity", "Cast", "RealDiv"})
_SUMMARY = "Summary"
_RESOURCE_WRITERS = (
    "Assign",
    "ResourceApply",
    "ResourceSparseApply",
    "ResourceScatter",
    "ResourceStridedSliceAssign",
)


def handles(graph: Graph, variable: Variable) -> list[TensorRef]:
    """Return the tensors that stand for the variable itself, in loops and branches too."""
    return passed_on(graph, TensorRef(variable.name), variable.kind)


def passed_on(graph: Graph, start: TensorRef, kind: str) -> list[TensorRef]:
    """Return a ref, or the handle of a resource, and all that stands for it further on."""
    found: dict[TensorRef, None] = {}
    todo = [start]
    while todo:
        ref = todo.pop(0)
        if ref not in found:
            found[ref] = None
            edges = graph.edges_of(ref)
            todo.extend(TensorRef(e.consumer, p) for e in edges for p in _ports(graph, e, kind))
    return list(found)


def _ports(graph: Graph, edge: Edge, kind: str) -> Collection[int]:
    """Return the outputs of a node that stand for the variable which it takes at an edge."""
    op = graph.op(edge.consumer)
    if op in (_PASS_REF if kind == "ref" else PASS_HANDLE):
        return range(2 if op.endswith("Switch") else 1)
    if kind == "ref":
        return ()
    return sorted(handed_back(graph, graph.nodes[edge.consumer], edge.slot))


def handle_edges(graph: Graph, variable: Variable) -> Iterator[Edge]:
    """Yield every edge that carries the variable itself."""
    for handle in handles(graph, variable):
        yield from graph.edges_of(handle)


def is_ref_edge(graph: Graph, edge: Edge) -> bool:
    """Tell whether a node takes a ref there, not a value; an unknown op does."""
    node = graph.nodes[edge.consumer]
    if graph.ref_at(edge).is_control or node.op in SAVERS:
        return False
    return not is_known(graph, node) or graph.ops.input_is_ref(node, graph.functions)[edge.slot]


def is_known(graph: Graph, node: NodeDef) -> bool:
    """Tell whether the types of a node's inputs and outputs are known."""
    return node.op in graph.functions or graph.ops.find(str(node.op)) is not None


def reads(graph: Graph, variable: Variable) -> list[TensorRef]:
    """Return the tensors that yield the variable's value."""
    if variable.kind == "resource":
        edges = handle_edges(graph, variable)
        return [TensorRef(e.consumer) for e in edges if graph.op(e.consumer) == "ReadVariableOp"]
    found: list[TensorRef] = []
    for handle in handles(graph, variable):
        by_value = [e for e in graph.edges_of(handle) if not is_ref_edge(graph, e)]
        found += [TensorRef(e.consumer) for e in by_value if graph.op(e.consumer) == "Identity"]
        if any(graph.op(e.consumer) != "Identity" for e in by_value):
            found.append(handle)
    return found


def plain_reads(graph: Graph, variable: Variable) -> list[TensorRef]:
    """Return the reads right at the variable that wait for nothing: in no loop, in no branch."""
    own = (TensorRef(variable.name),)
    found = (ref for ref in reads(graph, variable) if ref.node != variable.name)
    return [ref for ref in found if graph.inputs(ref.node) == own]


def resource_lookups(graph: Graph, variable: Variable) -> list[str]:
    """Return the nodes that read some rows straight from the handle."""
    edges = handle_edges(graph, variable)
    return [e.consumer for e in edges if graph.op(e.consumer) in RESOURCE_LOOKUPS]


def writers(graph: Graph, variable: Variable) -> list[str]:
    """Return the nodes that change the variable, also through the ref that another one gives back.

    An unknown op that could is one."""
    found: dict[str, None] = {}
    todo, seen = list(handle_edges(graph, variable)), set[Edge]()
    while todo:
        edge = todo.pop(0)
        if edge not in seen and _writes(graph, variable, edge):
            found[edge.consumer] = None
            todo.extend(_edges_of_result(graph, edge))
        seen.add(edge)
    return list(found)


def _edges_of_result(graph: Graph, edge: Edge) -> Iterator[Edge]:
    """Yield the edges of the ref that a writer gives back: Assign, Apply... give their first."""
    node = graph.nodes[edge.consumer]
    is_ref = is_known(graph, node) and any(graph.ops.output_is_ref(node, graph.functions)[:1])
    if is_ref and edge.slot == 0:
        for ref in passed_on(graph, TensorRef(edge.consumer), "ref"):
            yield from graph.edges_of(ref)


def _writes(graph: Graph, variable: Variable, edge: Edge) -> bool:
    op = graph.op(edge.consumer)
    if variable.kind == "ref":
        return is_ref_edge(graph, edge) and op not in _PASS_REF | STATUS
    if op in ONLY_READ | PASS_HANDLE:
        return False
    return writes_argument(graph, edge)


def forward_edges(graph: Graph, read: TensorRef) -> list[Edge]:
    """Return the consumers of a read that can carry a gradient to a loss.

    Savers, writers, moving averages, initializers, summaries and an old training keep the raw
    read. Of a ref variable's own output only the edges by value count, and not those to its other
    reads.
    """
    source = graph.nodes[read.node]
    is_handle = is_known(graph, source) and any(graph.ops.output_is_ref(source, graph.functions))
    return [
        edge
        for edge in graph.edges_of(read)
        if not (is_handle and (is_ref_edge(graph, edge) or graph.op(edge.consumer) == "Identity"))
        and edge.consumer not in graph.aside
        and not _is_idle(graph, edge, depth=5)
    ]


def _is_idle(graph: Graph, edge: Edge, *, depth: int) -> bool:
    """Tell whether an edge ends, over at most a few averaging ops, in writers and savers alone."""
    op = graph.op(edge.consumer)
    if op in SAVERS or op.endswith(_SUMMARY) or op in STATUS:
        return True
    if is_write(graph, edge.consumer):
        return True
    if op not in _AVERAGING or not depth:
        return False
    beyond = [e for e in graph.edges_from(edge.consumer) if not graph.ref_at(e).is_control]
    return bool(beyond) and all(_is_idle(graph, e, depth=depth - 1) for e in beyond)


def is_write(graph: Graph, name: str) -> bool:
    """Tell whether a node writes some variable."""
    op = graph.op(name)
    node = graph.nodes[name]
    if not is_known(graph, node):
        return False
    if any(graph.ops.input_is_ref(node, graph.functions)):
        return op not in _PASS_REF | STATUS
    return op.startswith(_RESOURCE_WRITERS)
