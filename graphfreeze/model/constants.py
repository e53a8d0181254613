"""The constants of a graph, and the reads that tell that one was a variable."""

from dataclasses import dataclass

from graphfreeze.model.attrs import (
    COMPLEX,
    FLOATING,
    Shape,
    colocations,
    count_elements,
    dtype_name,
    find_attr,
    parse_shape,
)
from graphfreeze.model.graph import Graph
from graphfreeze.schema import types_pb2

NUMBERS = frozenset(
    {
        *(FLOATING | COMPLEX),
        *(types_pb2.DT_BOOL, types_pb2.DT_INT8, types_pb2.DT_INT16, types_pb2.DT_INT32),
        *(types_pb2.DT_INT64, types_pb2.DT_UINT8, types_pb2.DT_UINT16, types_pb2.DT_UINT32),
        types_pb2.DT_UINT64,
    }
)
"""The types of constants that can be variables."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A Const: name, type, and ``shape`` of its value."""

    name: str
    dtype: int
    shape: Shape

    @property
    def elements(self) -> int:
        """Return how many numbers it holds."""
        return count_elements(self.shape) or 0

    @property
    def type_name(self) -> str:
        """Return its type as Python code names it."""
        return dtype_name(self.dtype)

    @property
    def is_floating(self) -> bool:
        """Tell whether it holds floating numbers."""
        return self.dtype in FLOATING


def find_constants(graph: Graph) -> list[Constant]:
    """Return the Consts of a graph in its order."""
    nodes = (node for node in graph.nodes.values() if node.op == "Const")
    values = ((str(node.name), find_attr(node, "value").tensor) for node in nodes)
    return [Constant(n, v.dtype, parse_shape(v.tensor_shape) or ()) for n, v in values]


def is_read_of(graph: Graph, reader: str, name: str) -> bool:
    """Tell whether a node is what the read of a variable was frozen to."""
    if graph.op(reader) != "Identity":
        return False
    *_, last = reader.split("/")
    is_named = reader == f"{name}/read" or last.startswith("ReadVariableOp")
    return is_named or name in colocations(graph.nodes[reader])
