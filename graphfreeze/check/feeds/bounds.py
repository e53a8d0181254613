"""Which whole numbers a tensor may hold, told by the ops that take them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from graphfreeze.check.feeds.id_paths import arrivals
from graphfreeze.check.feeds.widths import find_dimension, find_width
from graphfreeze.model.attrs import find_attr
from graphfreeze.model.graph import Edge, Graph
from graphfreeze.model.names import TensorRef, parse_ref
from graphfreeze.model.partitions import find_strategies
from graphfreeze.model.static_shapes import find_integers, find_rank, find_shape
from graphfreeze.model.tables import Table
from graphfreeze.model.unfolded import Unfolded, is_inside
from graphfreeze.model.variables import REF_OPS, RESOURCE_OPS

_LOOKUPS = frozenset({"Gather", "GatherV2", "ResourceGather"})
_POINTS = frozenset({"GatherNd", "ResourceGatherNd"})
_SAMPLERS = ("CandidateSampler",)
_COMPARING = frozenset({"Less", "LessEqual", "Greater", "GreaterEqual"})
_SCORES = {"SparseSoftmaxCrossEntropyWithLogits": 0, "InTopK": 0, "InTopKV2": 0}
_CASES = frozenset({"Case", "StatelessCase"})
_READS = frozenset({"Identity", "ReadVariableOp", "Enter", "RefEnter", "Switch", "RefSwitch"})


@dataclass(frozen=True, slots=True)
class Bounds:
    """Numbers from ``low`` up to, without, ``high``; ``source`` says who asks for it.

    ``high`` is None for lengths, which end with the time dimension."""

    low: int
    high: int | None
    source: str


@dataclass(frozen=True)
class BoundFinder:
    """Looks for bounds in one graph; ``tables`` are its variables, put together."""

    unfolded: Unfolded
    tables: tuple[Table, ...]

    @property
    def graph(self) -> Graph:
        """The graph, with the bodies of its functions."""
        return self.unfolded.graph

    def find(self, ref: TensorRef) -> Bounds | None:
        """Return the narrowest bounds that a consumer asks for, None where none does."""
        found = list(self._all(ref))
        sure = [each for each in found if each.high is not None]
        if not sure:
            return next(iter(found), None)
        return min(sure, key=lambda each: each.high or 0)

    @cached_property
    def _partitioned(self) -> Mapping[str, Table]:
        """The lookups in parts of a table, by node."""
        tables = (table for table in self.tables if table.is_partitioned)
        return {name: table for table in tables for name in find_strategies(self.graph, table)}

    @cached_property
    def _choices(self) -> Mapping[TensorRef, Bounds]:
        """What chooses one of the branches of a Case."""
        calls = (each for each in self.unfolded.calls.items() if each[1].op in _CASES)
        return {
            parse_ref(node.input[0]): Bounds(
                0, len(find_attr(node, "branches").list.func), f"branches of {name}"
            )
            for name, node in calls
            if not is_inside(name)
        }

    def _all(self, ref: TensorRef) -> Iterator[Bounds]:
        if ref in self._choices:
            yield self._choices[ref]
        for arrival in arrivals(self.graph, ref):
            name, slot = arrival.edge.consumer, arrival.edge.slot
            table = self._partitioned.get(name)
            if table is not None and slot == 1 and table.shape and table.shape[0]:
                yield _ids(table.name, table.shape[0])
            elif not arrival.is_divided:
                bounds = self._at(arrival.edge)
                if bounds is not None:
                    yield bounds

    def _at(self, edge: Edge) -> Bounds | None:
        """Return what one edge asks for."""
        graph, op = self.graph, self.graph.op(edge.consumer)
        if op in _LOOKUPS and edge.slot == 1:
            return self._of_lookup(edge.consumer)
        if op in _POINTS and edge.slot == 1:
            return self._of_points(edge.consumer)
        if op in _SCORES and edge.slot == 1:
            width = find_width(graph, graph.data_inputs(edge.consumer)[_SCORES[op]])
            return None if width is None else Bounds(0, width, f"classes of {edge.consumer}")
        return self._of_others(edge)

    def _of_lookup(self, name: str) -> Bounds | None:
        graph, inputs = self.graph, self.graph.data_inputs(name)
        axis = [0]
        if graph.op(name) == "GatherV2":
            axis = find_integers(graph, inputs[2]) or [0]
        height = find_dimension(graph, inputs[0], axis[0])
        return None if not height else _ids(_table_name(graph, inputs[0]), height)

    def _of_points(self, name: str) -> Bounds | None:
        table, points = self.graph.data_inputs(name)[:2]
        shape, depth = find_shape(self.graph, table), find_width(self.graph, points) or 1
        sizes = [size for size in (shape or ())[:depth] if size]
        return None if not sizes else _ids(_table_name(self.graph, table), min(sizes))

    def _of_others(self, edge: Edge) -> Bounds | None:
        graph, (name, slot) = self.graph, (edge.consumer, edge.slot)
        op, inputs = graph.op(name), graph.data_inputs(name)
        if op == "OneHot" and slot == 0:
            depth = find_integers(graph, inputs[1])
            return None if not depth else Bounds(0, depth[0], f"depth of {name}")
        if op.endswith(_SAMPLERS) and slot == 0:
            limit = int(graph.nodes[name].attr["range_max"].i)
            return Bounds(0, limit, f"classes of {name}") if limit else None
        if op.startswith("UnsortedSegment") and slot == 1:
            count = find_integers(graph, inputs[2])
            return None if not count else Bounds(0, count[0], f"segments of {name}")
        if op == "CTCLoss" and slot == 2:
            width = find_width(graph, inputs[0])
            return None if width is None else Bounds(0, width - 1, f"labels of {name}")
        if op == "Equal":
            return self._of_prediction(name, inputs[1 - slot])
        is_length = (op, slot) in (("ReverseSequence", 1), ("CTCLoss", 3))
        if is_length or (op in _COMPARING and self._is_counted(inputs[1 - slot])):
            return Bounds(1, None, f"lengths for {name}")
        return None

    def _of_prediction(self, name: str, other: TensorRef) -> Bounds | None:
        """Return the classes of what labels are compared with, ``ArgMax`` of scores."""
        while self.graph.op(other.node) in ("Cast", "Identity", "Reshape"):
            other = self.graph.data_inputs(other.node)[0]
        if self.graph.op(other.node) != "ArgMax":
            return None
        width = find_width(self.graph, self.graph.data_inputs(other.node)[0])
        return None if width is None else Bounds(0, width, f"classes of {name}")

    def _is_counted(self, ref: TensorRef) -> bool:
        """Tell whether a tensor counts places: a Range, or the counter of a loop."""
        graph = self.graph
        while graph.op(ref.node) in ("Cast", "Identity", "ExpandDims", "Reshape", "Switch"):
            ref = graph.data_inputs(ref.node)[0]
        is_counter = graph.op(ref.node) == "Merge" and find_rank(graph, ref) in (0, None)
        return graph.op(ref.node) == "Range" or is_counter


def _ids(table: str, height: int) -> Bounds:
    return Bounds(0, height, f"ids of {table} ({height:,} rows)")


def _table_name(graph: Graph, ref: TensorRef) -> str:
    """Return the variable that is looked up, or the tensor if it is none."""
    name = ref.node
    while graph.op(name) in _READS and graph.data_inputs(name):
        name = graph.data_inputs(name)[0].node
    return name if graph.op(name) in REF_OPS | RESOURCE_OPS else ref.node
