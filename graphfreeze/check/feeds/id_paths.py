"""Where the numbers of a tensor arrive unchanged: through what passes, cuts or joins tensors."""

from collections.abc import Iterator
from dataclasses import dataclass

from graphfreeze.model.graph import Edge, Graph
from graphfreeze.model.names import TensorRef

# For each op the inputs whose numbers come out again, and at which outputs.
_ALL = (0,)
_PASSING: dict[str, tuple[int, ...]] = dict.fromkeys(
    (
        *("Identity", "Cast", "Reshape", "ExpandDims", "Squeeze", "Slice", "StridedSlice", "Tile"),
        *("Transpose", "Switch", "Enter", "Exit", "NextIteration", "StopGradient", "Gather"),
        *("GatherV2", "GatherNd", "Reverse", "ReverseV2", "ReverseSequence", "Unpack", "SplitV"),
        *("Unique", "UniqueV2", "DynamicPartition", "RandomShuffle", "PlaceholderWithDefault"),
        *("PreventGradient", "Snapshot", "BroadcastTo", "EnsureShape", "Max", "Min"),
    ),
    _ALL,
) | {
    "Pack": tuple(range(99)),
    "Concat": tuple(range(1, 99)),
    "ConcatV2": tuple(range(99)),
    "Merge": tuple(range(99)),
    "Select": (1, 2),
    "SelectV2": (1, 2),
    "Split": (1,),
    "Maximum": (0, 1),
    "SparseFillEmptyRows": (1,),
    "SparseReorder": (1,),
    "SparseToDense": (2,),
}
_PORTS = {"SparseFillEmptyRows": (1,), "SparseReorder": (1,), "Switch": (0, 1), "Unique": (0,)}
_MANY = {"Unpack": "num", "SplitV": "num_split", "Split": "num_split"}
# Ids of a partitioned table are divided before they are looked up.
_DIVIDING = frozenset({"FloorDiv", "FloorMod", "Mod", "Sub", "Maximum", "DynamicPartition"})
_STORES = {"TensorArrayScatterV3": 2, "TensorArrayWriteV3": 2, "TensorArraySplitV3": 1}
_LOADS = ("TensorArrayReadV3", "TensorArrayGatherV3", "TensorArrayConcatV3")


@dataclass(frozen=True, slots=True)
class Arrival:
    """An edge that the numbers reach; ``is_divided`` if something was computed from them."""

    edge: Edge
    is_divided: bool


def arrivals(graph: Graph, ref: TensorRef) -> Iterator[Arrival]:
    """Yield every edge that a tensor's numbers reach, in the order of their distance."""
    todo, seen = [(ref, False)], {(ref, False)}
    while todo:
        ref, is_divided = todo.pop(0)
        for edge in graph.edges_of(ref):
            yield Arrival(edge, is_divided)
            onward = [(each, is_divided) for each in _passed(graph, edge)]
            if graph.op(edge.consumer) in _DIVIDING:
                onward += [(each, True) for each in _outputs(graph, edge.consumer)]
            for each in onward:
                if each not in seen:
                    seen.add(each)
                    todo.append(each)


def _passed(graph: Graph, edge: Edge) -> Iterator[TensorRef]:
    """Yield the tensors in which the numbers at an edge come out again."""
    op = graph.op(edge.consumer)
    if edge.slot in _PASSING.get(op, ()):
        yield from _outputs(graph, edge.consumer)
    elif _STORES.get(op) == edge.slot:
        array = _array(graph, edge.consumer)
        loads = (name for name in graph.nodes if graph.op(name) in _LOADS)
        yield from (TensorRef(name) for name in loads if _array(graph, name) == array)


def _outputs(graph: Graph, name: str) -> Iterator[TensorRef]:
    op, node = graph.op(name), graph.nodes[name]
    ports: tuple[int, ...] | range = _PORTS.get(op, _ALL)
    if op in _MANY:
        ports = range(int(node.attr[_MANY[op]].i))
    elif op == "DynamicPartition":
        ports = range(int(node.attr["num_partitions"].i))
    yield from (TensorRef(name, port) for port in ports)


def _array(graph: Graph, name: str) -> str:
    """Return the TensorArray that a node stores to or loads from."""
    source = graph.data_inputs(name)[0].node
    while graph.op(source) in ("Identity", "Enter", "Switch", "TensorArrayGradV3"):
        source = graph.data_inputs(source)[0].node
    return source
