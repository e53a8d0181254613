"""Batch norms in inference: where they take their moving mean and variance.

==========================================  ===========================================
FusedBatchNorm*, not ``is_training``        inputs 3 and 4
BatchNormWithGlobalNormalization            inputs 1 and 2
``x * inv + (beta - mean * inv)``           with ``inv = rsqrt(variance + eps) * gamma``
``(x - mean) * inv``, ``/ sqrt(..)``
==========================================  ===========================================
"""

from graphfreeze.model.attrs import count_elements, find_attr, parse_shape
from graphfreeze.model.averages import FUSED_NORMS
from graphfreeze.model.batch_norms import is_training
from graphfreeze.model.graph import Edge, Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.origins import passed_from
from graphfreeze.model.uses import Use

_ROOTS = frozenset({"Rsqrt", "Sqrt"})
_ADDS = frozenset({"Add", "AddV2"})
_SCALING = frozenset({"Mul", "RealDiv", "Div"})
_VIEWS = frozenset({"Identity", "Reshape", "ExpandDims", "Squeeze", "Cast"})
_FUSED_SLOTS = (3, 4)
_GLOBAL_SLOTS = (1, 2)
_DEEPEST = 6


def is_statistic(graph: Graph, use: Use) -> bool:
    """Tell whether a batch norm takes a value as its moving mean or variance."""
    return any(_is_taken(graph, edge) for edge in use.path)


def _is_taken(graph: Graph, edge: Edge) -> bool:
    op = graph.op(edge.consumer)
    if op in FUSED_NORMS:
        return edge.slot in _FUSED_SLOTS and not is_training(graph, edge.consumer)
    if op == "BatchNormWithGlobalNormalization":
        return edge.slot in _GLOBAL_SLOTS
    if op in _ADDS:
        return _is_variance(graph, edge)
    return _is_scaled_mean(graph, edge) or _is_taken_mean(graph, edge)


def _is_variance(graph: Graph, edge: Edge) -> bool:
    """Tell whether ``variance`` stands there of ``rsqrt(variance + epsilon)``."""
    if not any(graph.op(user) in _ROOTS for user in graph.consumers(edge.consumer)):
        return False
    *_, epsilon = passed_from(graph, graph.data_inputs(edge.consumer)[1 - edge.slot])
    node = graph.nodes[epsilon.node]
    shape = parse_shape(find_attr(node, "value").tensor.tensor_shape)
    return node.op == "Const" and count_elements(shape) == 1


def _is_scaled_mean(graph: Graph, edge: Edge) -> bool:
    """Tell whether ``mean`` stands there of ``beta - mean * inv``."""
    if graph.op(edge.consumer) != "Mul":
        return False
    other = graph.data_inputs(edge.consumer)[1 - edge.slot]
    beyond = graph.edges_of(TensorRef(edge.consumer))
    is_subtracted = any(_is_taken_away(graph, each) for each in beyond)
    return is_subtracted and _is_inverse(graph, other)


def _is_taken_mean(graph: Graph, edge: Edge) -> bool:
    """Tell whether ``mean`` stands there of ``(x - mean) * inv``."""
    if graph.op(edge.consumer) != "Sub" or edge.slot != 1:
        return False
    for each in graph.edges_of(TensorRef(edge.consumer)):
        if graph.op(each.consumer) in _SCALING:
            other = graph.data_inputs(each.consumer)[1 - each.slot]
            if _is_inverse(graph, other):
                return True
    return False


def _is_taken_away(graph: Graph, edge: Edge) -> bool:
    op = graph.op(edge.consumer)
    return op == "Neg" or (op == "Sub" and edge.slot == 1)


def _is_inverse(graph: Graph, ref: TensorRef, *, depth: int = _DEEPEST) -> bool:
    """Tell whether a tensor is the root of a variance, its inverse, or a multiple of it."""
    op = graph.op(ref.node)
    if op in _ROOTS:
        return graph.op(graph.data_inputs(ref.node)[0].node) in _ADDS
    if not depth or op not in _VIEWS | {"Mul"}:
        return False
    refs = graph.data_inputs(ref.node)[: 2 if op == "Mul" else 1]
    return any(_is_inverse(graph, each, depth=depth - 1) for each in refs)
