"""The shapes of placeholders: what the graph says, else what their consumers need."""

from graphfreeze.check.feeds.id_paths import arrivals
from graphfreeze.check.feeds.widths import find_dimension
from graphfreeze.model.attrs import HINT, Shape, parse_shape
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.static_shapes import find_rank, find_shape
from graphfreeze.schema import types_pb2

_TELLING = 24  # the version from which on a shape without dimensions is that of a scalar
_SCALARS = ("prob", "rate", "lr", "train", "phase", "step", "size", "temperature", "dropout")
_LABELLED = "SparseSoftmaxCrossEntropyWithLogits"
_SIDE = 32  # pixels of a picture whose size nothing tells
_ELEMENTWISE = frozenset({"Add", "AddV2", "Sub", "Mul", "SquaredDifference", "RealDiv"})


def find_placeholder_shape(graph: Graph, name: str, producer: int) -> Shape | None:
    """Return a shape, None for an unknown rank and for unknown dimensions.

    Labels that are flattened are no more than there are rows of scores: Keras feeds [batch, 1]."""
    shape = _told_shape(graph, name, producer)
    rank = _label_rank(graph, name) if shape is not None and len(shape) > 1 else None
    if shape is None or rank is None:
        return shape
    return tuple(1 if size is None and axis >= rank else size for axis, size in enumerate(shape))


def _label_rank(graph: Graph, name: str) -> int | None:
    """Return how many axes labels have, by the scores that they are for; None if they are none."""
    for arrival in arrivals(graph, TensorRef(name)):
        edge = arrival.edge
        if graph.op(edge.consumer) == _LABELLED and edge.slot == 1:
            scores = graph.data_inputs(edge.consumer)[0]
            while graph.op(scores.node) in ("Reshape", "Identity"):
                scores = graph.data_inputs(scores.node)[0]
            shape = find_shape(graph, scores)
            return len(shape) - 1 if shape is not None and len(shape) > 1 else None
    return None


def _told_shape(graph: Graph, name: str, producer: int) -> Shape | None:
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
