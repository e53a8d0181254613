"""What each placeholder is fed with, inferred from its shape and from what consumes it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from graphfreeze.check.feeds.bounds import BoundFinder
from graphfreeze.check.feeds.id_paths import arrivals
from graphfreeze.check.feeds.placeholder_shapes import find_placeholder_shape, guess_shape
from graphfreeze.check.feeds.scalar_feeds import find_scalar
from graphfreeze.check.feeds.widths import find_dimension
from graphfreeze.errors import CheckError
from graphfreeze.model.attrs import FLOATING, dtype_name
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.schema import types_pb2

NORMAL, UNIFORM, INTEGERS, CHANCE = "normal", "uniform", "integers", "chance"
CONSTANT, SWITCH, ROWS, CELLS = "constant", "switch", "rows", "cells"
WHOLE = frozenset(
    {
        *(types_pb2.DT_INT8, types_pb2.DT_INT16, types_pb2.DT_INT32, types_pb2.DT_INT64),
        *(types_pb2.DT_UINT8, types_pb2.DT_UINT16, types_pb2.DT_UINT32, types_pb2.DT_UINT64),
    }
)
_POSITIVE = {"Log": 0, "Log1p": 0, "Sqrt": 0, "Rsqrt": 0, "SoftmaxCrossEntropyWithLogits": 1}
_PARSING = ("Parse", "Decode")
_NO_RANGE = "no consumer tells a range"
_ENTRIES = 4  # of a row of a sparse tensor, at most


@dataclass(frozen=True, slots=True)
class FeedSpec:
    """How the values of one tensor are drawn: ``kind``, between ``low`` and ``high``.

    ``kind`` is normal, uniform, integers, chance (bool), constant (``value``), or rows and cells:
    the shape of a sparse tensor and its indices. ``source`` says who decided."""

    name: str
    dtype: int
    shape: tuple[int, ...]
    kind: str
    source: str
    low: float = 0
    high: float = 1
    value: object = None

    @property
    def is_guess(self) -> bool:
        """Tell whether nothing in the graph says which whole numbers it may be."""
        return self.source.startswith(_NO_RANGE)


@dataclass(frozen=True)
class FeedPlanner:
    """Infers feeds in one graph; unknown dimensions are ``batch`` long.

    ``producer`` is the version of the graph: before 24 a shape without dimensions says nothing."""

    finder: BoundFinder
    batch: int
    producer: int

    def plan(self, names: Sequence[str]) -> list[FeedSpec]:
        """Return feeds of these placeholders; raises CheckError where none can be inferred."""
        sparse = dict(self._sparse(names))
        found = [sparse.get(name) or self._plan(name) for name in names]
        return list(self._with_lengths(found))

    @property
    def _graph(self) -> Graph:
        return self.finder.graph

    def _plan(self, name: str) -> FeedSpec:
        dtype = int(self._graph.nodes[name].attr["dtype"].type)
        shape, guess = self._shape(name)
        told = replace(_nothing(name, dtype), shape=shape)
        if not shape and (scalar := find_scalar(self._graph, name, dtype, self.batch)) is not None:
            value, source = scalar
            return replace(told, kind=CONSTANT, value=value, source=source + guess)
        if dtype in FLOATING:
            return self._floats(told, guess)
        if dtype in WHOLE:
            return self._integers(told, guess)
        if dtype == types_pb2.DT_BOOL:
            if shape:
                return replace(told, kind=CHANCE, source="its type" + guess)
            source = "a training; false in the second step"
            return replace(told, kind=SWITCH, value="true", source=source + guess)
        if dtype == types_pb2.DT_STRING and not self._is_parsed(name):
            return replace(told, kind=CONSTANT, value="", source="its type" + guess)
        raise CheckError.needs_feed(name, dtype_name(dtype))

    def _shape(self, name: str) -> tuple[tuple[int, ...], str]:
        """Return a shape without unknown dimensions, and what was guessed of it."""
        shape = find_placeholder_shape(self._graph, name, self.producer)
        if shape is not None:
            return tuple(self.batch if size is None else size for size in shape), ""
        return guess_shape(self._graph, name, self.batch), "; shape guessed"

    def _floats(self, told: FeedSpec, guess: str) -> FeedSpec:
        name = told.name.partition(":")[0]
        takers = self._graph.edges_from(name)
        taken = [_POSITIVE.get(self._graph.op(e.consumer)) == e.slot for e in takers]
        if any(taken):
            ops = [e.consumer for e, is_it in zip(takers, taken, strict=True) if is_it]
            return replace(told, kind=UNIFORM, low=0.05, high=1, source=f"{ops[0]} takes it{guess}")
        bounds = self.finder.find(TensorRef(name))
        if bounds is not None and bounds.high is not None and self._is_rounded(name):
            return self._integers(told, guess)
        return replace(told, kind=NORMAL, source="its type" + guess)

    def _is_rounded(self, name: str) -> bool:
        """Tell whether its numbers are made whole ones, as Keras does with ids."""
        takers = (each.edge.consumer for each in arrivals(self._graph, TensorRef(name)))
        casts = (self._graph.nodes[each] for each in takers if self._graph.op(each) == "Cast")
        return any(node.attr["DstT"].type in WHOLE for node in casts)

    def _integers(self, told: FeedSpec, guess: str) -> FeedSpec:
        bounds = self.finder.find(TensorRef(told.name.partition(":")[0]))
        if bounds is None:
            source = _NO_RANGE
            return replace(told, kind=INTEGERS, low=0, high=2, source=source + guess)
        high = 0 if bounds.high is None else bounds.high  # 0: the time dimension, see below
        return replace(told, kind=INTEGERS, low=bounds.low, high=high, source=bounds.source + guess)

    def _with_lengths(self, found: Sequence[FeedSpec]) -> Iterator[FeedSpec]:
        """Let lengths end with the shortest second dimension that is fed."""
        times = [spec.shape[1] for spec in found if len(spec.shape) > 1 and spec.kind != CELLS]
        for spec in found:
            is_open = spec.kind == INTEGERS and spec.high == 0
            yield replace(spec, high=min(times, default=self.batch) + 1) if is_open else spec

    def _is_parsed(self, name: str) -> bool:
        ops = (self._graph.op(each) for each in self._graph.descendants([name], data_only=True))
        return any(op.startswith(_PARSING) for op in ops)

    def _sparse(self, names: Iterable[str]) -> Iterator[tuple[str, FeedSpec]]:
        """Yield feeds of sparse tensors: placeholders ``x/indices``, ``x/values``, ``x/shape``."""
        for name in names:
            scope, _, last = name.rpartition("/")
            if last != "indices" or f"{scope}/values" not in names:
                continue
            shape = find_placeholder_shape(self._graph, name, self.producer) or (None, 2)
            rank = shape[-1] or 2
            dense = (self.batch, *[self._width(scope) or _ENTRIES] * (rank - 1))
            count, kind = len(sparse_rows(dense)), types_pb2.DT_INT64
            source = f"sparse tensor {scope}, shape {list(dense)}"
            cells = FeedSpec(f"{name}:0", kind, (count, rank), CELLS, source, value=dense)
            yield name, cells
            values = self._plan(f"{scope}/values")
            yield f"{scope}/values", replace(values, shape=(count,))
            if f"{scope}/shape" in names:
                told = FeedSpec(f"{scope}/shape:0", kind, (rank,), ROWS, source, value=dense)
                yield f"{scope}/shape", told

    def _width(self, scope: str) -> int | None:
        """Return how many columns a product with a matrix asks for."""
        for edge in self._graph.edges_from(f"{scope}/indices"):
            if self._graph.op(edge.consumer) == "SparseTensorDenseMatMul":
                return find_dimension(self._graph, self._graph.data_inputs(edge.consumer)[3], 0)
        return None


def _nothing(name: str, dtype: int) -> FeedSpec:
    return FeedSpec(f"{name}:0", dtype, (), NORMAL, "")


def sparse_rows(dense: Sequence[int]) -> list[tuple[int, ...]]:
    """Return indices of a sparse tensor in their order; the first row is full, others shorter."""
    middle = (0,) * (len(dense) - 2)
    if len(dense) == 1:
        return [(i,) for i in range(dense[0])]
    width = dense[-1]
    return [(row, *middle, i) for row in range(dense[0]) for i in range(width - row % width)]


def placeholders(graph: Graph, names: Iterable[str]) -> list[str]:
    """Return the placeholders among nodes that have to be fed, in the order of the graph."""
    chosen = set(names)
    return [name for name in graph.nodes if name in chosen and _has_to_be_fed(graph, name)]


def _has_to_be_fed(graph: Graph, name: str) -> bool:
    return graph.op(name) in ("Placeholder", "PlaceholderV2")
