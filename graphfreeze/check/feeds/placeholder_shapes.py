"""The shapes of placeholders: what the graph says, else what their consumers need."""

from graphfreeze.check.feeds.widths import find_dimension
from graphfreeze.model.attrs import HINT, Shape, parse_shape
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.static_shapes import find_rank
from graphfreeze.schema import types_pb2

_TELLING = 24  # the version from which on a shape without dimensions is that of a scalar
_SCALARS = ("prob", "rate", "lr", "train", "phase", "step", "size", "temperature", "dropout")
_SIDE = 32  # pixels of a picture whose size nothing tells
_ELEMENTWISE = frozenset({"Add", "AddV2", "Sub", "Mul", "SquaredDifference", "RealDiv"})


def find_placeholder_shape(graph: Graph, name: str, producer: int) -> Shape | None:
    """Return a shape, None for an unknown rank and for unknown dimensions."""
    node = graph.nodes[name]
    hints = node.attr[HINT].list.shape if HINT in node.attr else ()
    if "shape" in node.attr:
        proto = node.attr["shape"].shape
        if proto.dim or (producer >= _TELLING and not proto.unknown_rank):
            return parse_shape(proto)
    return parse_shape(hints[0]) if hints else None


def guess_shape(graph: Graph, name: str, batch: int) -> tuple[int, ...]:
    """Return a shape that the consumers of a placeholder of unknown rank take, else a vector."""
    ref = TensorRef(name)
    if graph.nodes[name].attr["dtype"].type == types_pb2.DT_BOOL or _is_scalar(name):
        return ()
    for edge in graph.edges_of(ref):
        op, inputs = graph.op(edge.consumer), graph.data_inputs(edge.consumer)
        if op in ("MatMul", "BatchMatMul") and edge.slot == 0:
            axis = -1 if graph.nodes[edge.consumer].attr["transpose_b"].b else 0
            return (batch, find_dimension(graph, inputs[1], axis) or batch)
        if op == "Conv2D" and edge.slot == 0:
            return (batch, _SIDE, _SIDE, find_dimension(graph, inputs[1], 2) or 3)
        if op in ("Gather", "GatherV2", "ResourceGather") and edge.slot == 1:
            return (batch,)
        if op in _ELEMENTWISE and (rank := find_rank(graph, inputs[1 - edge.slot])):
            return (batch,) * rank
    return (batch,)


def _is_scalar(name: str) -> bool:
    last = name.rpartition("/")[2].lower()
    return any(part in last for part in _SCALARS)
