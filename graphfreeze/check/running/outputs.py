"""Which tensors of the original and of the bundle are to be the same to the bit."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from graphfreeze.model.attrs import FLOATING
from graphfreeze.model.collected import node_entries, node_refs
from graphfreeze.model.graph import Graph
from graphfreeze.model.model import Model
from graphfreeze.model.names import TensorRef, find_ref
from graphfreeze.model.nesting import unfetchable
from graphfreeze.model.ops import OpTypeError
from graphfreeze.model.reads import RESTORERS, is_write, writers
from graphfreeze.model.records import FreezeRecord
from graphfreeze.model.signatures import served_signatures, tensors_in
from graphfreeze.model.training import TRAIN_OP_KEYS

_LOOKUPS = frozenset({"Gather", "GatherV2", "ResourceGather"})


@dataclass(frozen=True)
class Outputs:
    """Tensors to compare, losses first; ``losses`` are those that have to be computed."""

    losses: tuple[TensorRef, ...]
    others: tuple[TensorRef, ...]


def find_outputs(original: Model, out: Model, record: FreezeRecord) -> Outputs:
    """Return the losses, what collections and signatures name, and floats that nobody takes.

    Left out is what only one graph has, what training writes, and what a session cannot fetch:
    tensors inside a loop, or on a branch that may not be taken."""
    losses = [ref for ref in map(find_ref, _losses(out, record)) if ref is not None]
    losses = [ref for ref in losses if is_floating(original.graph, ref)]
    hidden = unfetchable(original.graph) | unfetchable(out.graph)
    nodes = [ref.node for ref in losses]
    hidden |= _changing(original, nodes) | _changing(out, nodes)
    if record.patch is not None:  # its norms count less
        hidden |= changed_on_purpose(original.graph, record.patch.norms)
    found = [
        ref
        for ref in dict.fromkeys([*_named(original), *_ends(original.graph)])
        if ref not in losses
        and ref.node not in hidden
        and is_floating(original.graph, ref)
        and is_floating(out.graph, ref)
    ]
    return Outputs(tuple(ref for ref in losses if is_floating(out.graph, ref)), tuple(found))


def _losses(out: Model, record: FreezeRecord) -> Sequence[str]:
    return record.losses or node_entries(out.collections, "losses")


def is_floating(graph: Graph, ref: TensorRef) -> bool:
    """Tell whether a graph has a tensor, and it is floating."""
    if ref.is_control or ref.output or ref.node not in graph:
        return False
    try:
        return (ref.port or 0) < graph.count_outputs(ref.node) and graph.dtype(ref) in FLOATING
    except OpTypeError:
        return False


def _named(model: Model) -> Iterator[TensorRef]:
    """Yield what collections and signatures name; of a summary what it is about."""
    for key, ref in node_refs(model.collections):
        if key in TRAIN_OP_KEYS or ref.is_control or ref.node not in model.graph:
            continue
        is_summary = model.graph.op(ref.node).endswith("Summary")
        yield from model.graph.data_inputs(ref.node) if is_summary else [ref]
    for signature in served_signatures(model.header.signature_def):
        yield from tensors_in(signature.outputs)


def _ends(graph: Graph) -> Iterator[TensorRef]:
    """Yield the outputs of nodes whose data nobody takes; no variables, no values of restore."""
    for name, node in graph.nodes.items():
        if graph.op(name) in RESTORERS or "Variable" in node.op or not graph.data_inputs(name):
            continue
        if not graph.consumers(name, data_only=True):
            try:
                types = graph.ops.output_types(node, graph.functions)
            except OpTypeError:
                continue
            yield from (TensorRef(name, port) for port in range(len(types)))


def _changing(model: Model, losses: Sequence[str]) -> set[str]:
    """Return what comes after a writer, and what reads a variable while the losses change it.

    Of writers that the losses wait for what comes after them is to be compared."""
    graph = model.graph
    forward = graph.ancestors(losses)
    writes = {name for name in graph.nodes if is_write(graph, name)}
    within = writes & forward
    written = [v.name for v in model.variables if within and within & {*writers(graph, v)}]
    return graph.descendants(writes - forward) | graph.descendants(written, data_only=True)


def changed_by_growth(graph: Graph, grown: Collection[str]) -> set[str]:
    """Return the nodes that tell the height of grown tables: all readers but lookups by ids."""
    found: set[str] = set()
    todo = [name for name in grown if name in graph]
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found.add(name)
        for edge in graph.edges_from(name):
            is_lookup = graph.op(edge.consumer) in _LOOKUPS and edge.slot == 0
            if not is_lookup and not graph.ref_at(edge).is_control:
                todo.append(edge.consumer)
    return found


def changed_on_purpose(graph: Graph, nodes: Iterable[str]) -> set[str]:
    """Return what nodes decide in the original that are to differ in the bundle."""
    return graph.descendants([name for name in nodes if name in graph], data_only=True)
