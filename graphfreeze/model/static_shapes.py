"""What a graph says of the shapes of its tensors before it runs."""

from graphfreeze.model.attrs import HINT, Shape, count_elements, parse_shape, read_numbers
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.variables import REF_OPS, RESOURCE_OPS
from graphfreeze.schema import TensorProto, types_pb2

_INTEGERS = frozenset({types_pb2.DT_INT32, types_pb2.DT_INT64})
_FOLDED = frozenset({"Identity", "Cast", "Pack", "Add", "AddV2", "Sub"})
_SAME = frozenset(
    {
        *("Identity", "Cast", "StopGradient", "CheckNumerics", "Enter", "RefEnter", "Exit"),
        *("Switch", "RefSwitch", "ReadVariableOp", "Neg", "Exp", "Log", "Sqrt", "Rsqrt", "Square"),
        *("Tanh", "Relu", "Sigmoid", "Softmax", "LogSoftmax", "BiasAdd", "ZerosLike", "OnesLike"),
    }
)


def find_shape(graph: Graph, ref: TensorRef, *, depth: int = 20) -> Shape | None:
    """Return a tensor's shape, that of the variable for its handle; None where nothing tells."""
    node = graph.nodes.get(ref.node)
    if node is None or not depth:
        return None
    if node.op in REF_OPS | RESOURCE_OPS:
        return parse_shape(node.attr["shape"].shape) if "shape" in node.attr else None
    hints = node.attr[HINT].list.shape if HINT in node.attr else ()
    if (ref.port or 0) < len(hints) and not hints[ref.port or 0].unknown_rank:
        return parse_shape(hints[ref.port or 0])
    if node.op == "Const":
        return parse_shape(node.attr["value"].tensor.tensor_shape)
    if node.op == "Placeholder" and "shape" in node.attr and node.attr["shape"].shape.dim:
        return parse_shape(node.attr["shape"].shape)
    if node.op == "MatMul":
        return (None, None)
    if node.op in _SAME:
        return find_shape(graph, graph.data_inputs(ref.node)[0], depth=depth - 1)
    return None


def find_rank(graph: Graph, ref: TensorRef) -> int | None:
    """Return how many axes a tensor has, None where nothing tells."""
    shape = find_shape(graph, ref)
    return None if shape is None else len(shape)


def find_integers(graph: Graph, ref: TensorRef, *, depth: int = 8) -> list[int] | None:
    """Return the whole numbers of a constant, or computed from constants, flat; else None."""
    node = graph.nodes.get(ref.node)
    if node is None or not depth:
        return None
    if node.op == "Const":
        tensor = node.attr["value"].tensor
        return read_integers(tensor) if tensor.dtype in _INTEGERS else None
    if node.op not in _FOLDED:
        return None
    inputs = [find_integers(graph, each, depth=depth - 1) for each in graph.data_inputs(ref.node)]
    values = [value for value in inputs if value is not None]
    if len(values) < len(inputs):
        return None
    if node.op == "Pack":
        return [number for value in values for number in value]
    first, *rest = values
    if not rest:
        return first
    sign = -1 if node.op == "Sub" else 1
    both = len(first) == len(rest[0]) == 1
    return [first[0] + sign * rest[0][0]] if both else None


def read_integers(tensor: TensorProto) -> list[int]:
    """Return the whole numbers of a tensor, flat; the last one stands for those left out."""
    values = [int(value) for value in read_numbers(tensor).tolist()]
    count = count_elements(parse_shape(tensor.tensor_shape)) or 0
    return values[:count] + values[-1:] * (count - len(values))


def is_uniform(value: TensorProto) -> bool:
    """Tell whether a constant has the same bits in all its entries."""
    if value.tensor_content:
        size, content = item_size(value), bytes(value.tensor_content)
        # Most are told apart by their first two entries, without a copy of the rest.
        second = content[size : 2 * size]
        return second in (b"", content[:size]) and content[size:] == content[:-size]
    fields = ("dtype", "tensor_shape", "version_number")
    values = [v for spec, each in value.ListFields() if spec.name not in fields for v in each]
    return all(each == values[0] for each in values[1:])


def item_size(value: TensorProto) -> int:
    """Return how many bytes an entry of a tensor takes in ``tensor_content``."""
    count = 1
    for dim in value.tensor_shape.dim:
        count *= dim.size
    return len(value.tensor_content) // count
