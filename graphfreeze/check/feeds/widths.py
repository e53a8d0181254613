"""How many classes a tensor of scores has: its last dimension, as far as the graph tells."""

from collections.abc import Callable

from graphfreeze.model.attrs import find_attr
from graphfreeze.model.graph import Edge, Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.shape_vectors import find_sizes
from graphfreeze.model.static_shapes import find_integers, find_shape

_PASSING = frozenset(
    {
        *("Identity", "Cast", "StopGradient", "PreventGradient", "CheckNumerics", "Switch"),
        *("Enter", "RefEnter", "Exit", "NextIteration", "Merge", "Softmax", "LogSoftmax", "Relu"),
        *("Sigmoid", "Tanh", "Log", "Exp", "Neg", "Elu", "Selu", "Softplus", "Squeeze"),
        *(
            "ReadVariableOp",
            "Mean",
            "Max",
            "MaxPool",
            "AvgPool",
            "FusedBatchNorm",
            "FusedBatchNormV3",
        ),
    }
)
_BOTH = frozenset({"Add", "AddV2", "Sub", "Mul", "RealDiv", "Maximum", "Minimum", "BiasAdd"})
_BOTH_OF_THREE = frozenset({"Select", "SelectV2"})
_MATRICES = {"MatMul": "transpose_b", "BatchMatMul": "adj_y", "BatchMatMulV2": "adj_y"}
_DEPTH = 25


def find_width(graph: Graph, ref: TensorRef, *, depth: int = _DEPTH) -> int | None:
    """Return the last dimension of a tensor, None where nothing tells."""
    shape = find_shape(graph, ref) if ref.node in graph else None
    if shape and shape[-1] is not None:
        return shape[-1]
    if not depth or ref.node not in graph:
        return None
    op, inputs = graph.op(ref.node), graph.data_inputs(ref.node)

    def below(slot: int) -> int | None:
        return find_width(graph, inputs[slot], depth=depth - 1)

    if op in _PASSING and inputs:
        return below(0)
    if op in _BOTH or op in _BOTH_OF_THREE:
        slots = (2, 1) if op in _BOTH_OF_THREE else (1, 0)
        return next((width for slot in slots if (width := below(slot) or 0) > 1), None)
    return _of_product(graph, ref, below, depth)


def _of_product(
    graph: Graph, ref: TensorRef, below: Callable[[int], int | None], depth: int
) -> int | None:
    """Return the width of a product, of a convolution, of what is put together or reshaped."""
    op, inputs = graph.op(ref.node), graph.data_inputs(ref.node)
    if op in _MATRICES:
        if not find_attr(graph.nodes[ref.node], _MATRICES[op]).b:
            return below(1)
        return find_dimension(graph, inputs[1], -2, depth=depth - 1)
    if op == "Conv2D":
        return below(1)
    if op == "ConcatV2":
        widths = [find_width(graph, each, depth=depth - 1) for each in inputs[:-1]]
        axis, known = find_integers(graph, inputs[-1]), [width for width in widths if width]
        is_last = axis is not None and axis[0] in (-1, 1)
        return sum(known) if is_last and len(known) == len(widths) else None
    if op in ("Reshape", "GatherV2", "Gather", "ResourceGather"):
        return _of_shape(graph, ref, depth) if op == "Reshape" else below(0)
    return None


def _of_shape(graph: Graph, ref: TensorRef, depth: int) -> int | None:
    sizes = find_sizes(graph, Edge(ref.node, 1))
    if not sizes:
        return None
    last = sizes[-1]
    if last.value is not None:
        return last.value if last.value > 0 else None
    return None if last.of is None else find_dimension(graph, last.of, last.axis, depth=depth - 1)


def find_dimension(graph: Graph, ref: TensorRef, axis: int, *, depth: int = _DEPTH) -> int | None:
    """Return one dimension of a tensor, also through what passes a tensor on."""
    while depth and ref.node in graph:
        shape = find_shape(graph, ref)
        if shape is not None and -len(shape) <= axis < len(shape):
            return shape[axis]
        if graph.op(ref.node) not in _PASSING or not graph.data_inputs(ref.node):
            return None
        ref, depth = graph.data_inputs(ref.node)[0], depth - 1
    return None
