"""Find global norms: the root of the sum of squares of many gradients, as a clip takes it."""

from collections.abc import Container, Iterator
from dataclasses import dataclass

from graphfreeze.model.graph import Edge, Graph
from graphfreeze.model.names import TensorRef

_SUMS = frozenset({"AddN", "Add", "AddV2", "Pack"})
_SCALED = frozenset({"Mul", "Identity"})
_LED = frozenset({"Switch", "Identity"})
_PRODUCTS = frozenset({"Mul", "RealDiv", "Div"})


@dataclass(frozen=True, slots=True)
class Term:
    """One gradient in a norm: where its square stands in the sum, and the tensor.

    ``square`` is the node that yields the sum of squares, or half of it."""

    edge: Edge
    square: str
    gradient: TensorRef


@dataclass(frozen=True, slots=True)
class Norm:
    """The node of a norm, with its terms."""

    node: str
    terms: tuple[Term, ...]


def find_norms(graph: Graph) -> Iterator[Norm]:
    """Yield the norms of several tensors: ``Sqrt(2 * Sum(Pack(L2Loss(a), L2Loss(b))))`` or alike.

    (``tf.global_norm``, tensorflow/python/ops/clip_ops.py)"""
    for name in graph.nodes:
        if graph.op(name) == "Sqrt":
            terms = tuple(_terms(graph, _without_factor(graph, graph.data_inputs(name)[0])))
            if terms:
                yield Norm(name, terms)


def find_clipped(graph: Graph, behind: Container[str], term: Term) -> list[str]:
    """Return the nodes that scale a gradient by what is ``behind`` its norm, perhaps none."""
    products = (
        edge.consumer
        for ref in _origins(graph, term.gradient)
        for edge in graph.edges_of(ref)
        if graph.op(edge.consumer) in _PRODUCTS and edge.consumer != term.square
    )
    return [n for n in products if any(ref.node in behind for ref in graph.data_inputs(n))]


def _origins(graph: Graph, ref: TensorRef) -> Iterator[TensorRef]:
    """Yield a tensor, and what it was before it was led into a branch."""
    yield ref
    while graph.op(ref.node) in _LED:
        ref = graph.data_inputs(ref.node)[0]
        yield ref


def _without_factor(graph: Graph, ref: TensorRef) -> TensorRef:
    while graph.op(ref.node) in _SCALED:
        refs = graph.data_inputs(ref.node)
        others = [each for each in refs if graph.op(each.node) != "Const"]
        if len(others) != 1:
            return ref
        ref = others[0]
    return ref


def _terms(graph: Graph, ref: TensorRef) -> Iterator[Term]:
    """Yield the terms of a sum; a sum of anything else has none."""
    name = ref.node
    if graph.op(name) == "Sum":
        name = graph.data_inputs(name)[0].node
    if graph.op(name) not in _SUMS:
        return
    for slot, each in enumerate(graph.data_inputs(name)):
        source = each.node
        while graph.op(source) == "Identity":
            source = graph.data_inputs(source)[0].node
        gradient = _find_squared(graph, source)
        if gradient is not None:
            yield Term(Edge(name, slot), source, gradient)
        else:
            yield from _terms(graph, each)


def _find_squared(graph: Graph, name: str) -> TensorRef | None:
    """Return the tensor whose squares a node sums up."""
    if graph.op(name) == "L2Loss":
        return graph.data_inputs(name)[0]
    if graph.op(name) != "Sum":
        return None
    inner = graph.data_inputs(name)[0].node
    refs = graph.data_inputs(inner)
    is_square = graph.op(inner) == "Square" or (graph.op(inner) == "Mul" and refs[0] == refs[1])
    return refs[0] if is_square else None
