"""Show that no gradient of a loss reaches what is frozen: every reader has its stop or its mask.

The guard at the writers keeps the promise without this. Only what is fetched besides the train_op
counts: the gradients themselves take values as they were.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from graphfreeze.check.proof.evaluate import Evaluator
from graphfreeze.check.proof.frozen_entries import find_leak, find_leak_by_ids, find_leak_of_mask
from graphfreeze.errors import RewriteError
from graphfreeze.model.calls import is_call
from graphfreeze.model.graph import Edge, Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.reads import (
    forward_edges,
    handle_edges,
    is_write,
    reads,
    resource_lookups,
    writers,
)
from graphfreeze.model.static_shapes import find_shape
from graphfreeze.model.unfolded import Unfolded, is_inside
from graphfreeze.model.variables import Variable
from graphfreeze.read.number_types import Array
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.lookups import GATHER, GATHER_ND, Lookup
from graphfreeze.rewrite.steps import fetched_besides, train_ops
from graphfreeze.rewrite.table_readers import Place, Readers
from graphfreeze.selection.entries import Entries, Mask
from graphfreeze.selection.resolve import Selection

STOP = "StopGradient"
_MOST_POINTS = 1 << 16
_UNTOLD = "its mask cannot be told"


def forward_graph(draft: Draft, losses: Sequence[TensorRef], told: Unfolded) -> Graph:
    """Return what a gradient can reach: the data that leads to what is fetched besides a train_op.

    ``told`` is the draft's graph, unfolded: bodies of functions are part of it. Without a train_op
    that is all that there is. What leads to writers alone is left out: none has a gradient."""
    graph = told.graph
    ends = [each for name in fetched_besides(draft, losses) for each in told.givers(name)]
    writing = {w for v in draft.variables for w in writers(graph, v) if is_write(graph, w)}
    if not train_ops(draft):
        every = (name for name in graph.nodes if name not in graph.aside and not is_inside(name))
        ends = [name for name in every if not graph.consumers(name, data_only=True)]
    kept, todo = set[str](), ends
    while todo:
        name = todo.pop()
        if name in graph and name not in kept and name not in writing:
            kept.add(name)
            todo += [ref.node for ref in graph.data_inputs(name)]
    nodes = (node for name, node in graph.nodes.items() if name in kept)
    return Graph(nodes, graph.functions, graph.ops)


def find_unstopped(graph: Graph, selection: Selection) -> Iterator[str]:
    """Yield a sentence for each reader of what is wholly frozen that no StopGradient is before."""
    frozen = [variable for variable in selection.frozen if variable.name in graph]
    yield from _not_looked_into(graph, [*frozen, *selection.partly])
    sources = [read for variable in frozen for read in reads(graph, variable)]
    sources += [TensorRef(name) for v in frozen for name in resource_lookups(graph, v)]
    sources += [tensor for tensor in selection.tensors if tensor.node in graph]
    for source in dict.fromkeys(sources):
        for edge in forward_edges(graph, source):
            if graph.op(edge.consumer) != STOP:
                yield f"{edge.consumer} takes {source} past its StopGradient"


def _not_looked_into(graph: Graph, variables: Sequence[Variable]) -> Iterator[str]:
    """Yield a sentence for each call that takes a variable and that could not be unfolded."""
    for variable in variables:
        if variable.kind != "resource" or variable.name not in graph:
            continue
        for edge in handle_edges(graph, variable):
            node = graph.nodes[edge.consumer]
            if is_call(graph, node) and node.op != "SymbolicGradient":
                yield f"what {edge.consumer} does with {variable.name} cannot be looked into"


def find_unmasked(graph: Graph, selection: Selection, evaluator: Evaluator) -> Iterator[str]:
    """Yield a sentence for each reader of a partly frozen variable that no mask is before."""
    for variable, entries in selection.partly.items():
        if variable.name not in graph:
            continue
        try:
            places = Readers(graph, variable).find_places()
        except RewriteError as error:
            yield str(error)
            continue
        check = _Masks(graph, variable, entries, evaluator)
        for place, edges in places.items():
            yield from check.faults(place, edges)


@dataclass(frozen=True)
class _Masks:
    graph: Graph
    variable: Variable
    entries: Entries
    evaluator: Evaluator

    def faults(self, place: Place, edges: Sequence[Edge]) -> Iterator[str]:
        """Yield what is wrong with the ops that take the values of a place."""
        for edge in edges:
            mask = self._mask(edge)
            if mask is not None:
                leak = self._leak(place, mask)
                reason = "" if leak is None else f": {leak}"
            elif self._is_stopped(edge):
                continue
            else:
                leak = reason = ""
            if leak is not None:
                yield f"{edge.consumer} takes rows of {self.variable.name} past their mask{reason}"

    def _mask(self, edge: Edge) -> TensorRef | None:
        """Return the mask that a node lets the gradient of a value through, None if it has none."""
        op, inputs = self.graph.op(edge.consumer), self.graph.data_inputs(edge.consumer)
        if op == "SelectV2" and edge.slot == 1:
            return inputs[0]
        if op == "Mul" and not self._is_stopped(edge):
            other = inputs[1 - edge.slot]
            return other if self.graph.op(other.node) == "Cast" else None
        return None

    def _is_stopped(self, edge: Edge) -> bool:
        """Tell whether a gradient ends at a node, or behind the one product that it is."""
        op = self.graph.op(edge.consumer)
        behind = self.graph.edges_of(TensorRef(edge.consumer)) if op == "Mul" else ()
        ends = bool(behind) and all(self.graph.op(e.consumer) == STOP for e in behind)
        return op == STOP or ends

    def _leak(self, place: Place, mask: TensorRef) -> str | None:
        """Return what a mask lets through of what stands at a place, None if nothing frozen."""
        lookup = place.lookup
        if lookup is not None and lookup.ids is not None:
            if lookup.is_by_rows:
                return find_leak_by_ids(self.evaluator, mask, lookup.ids, self.entries)
            given = self._cases(lookup)
        elif lookup is not None:
            given = iter([({}, self._sliced(lookup))])
        else:
            value = self.evaluator.find(mask)
            if not isinstance(value, np.ndarray):
                return _UNTOLD
            return find_leak_of_mask(value, self.entries)
        for ids, frozen in given:
            value = self.evaluator.with_given(ids).find(mask)
            leak = find_leak(value, frozen) if isinstance(value, np.ndarray) else _UNTOLD
            if leak is not None:
                return leak
        return None

    def _sliced(self, lookup: Lookup) -> Mask:
        """Return what a slice takes that is frozen."""
        frozen = self.entries.mask()
        for axis, span in reversed(list(enumerate(lookup.spans))):
            frozen = np.take(frozen, span if isinstance(span, int) else list(span), axis=axis)
        return np.asarray(frozen)

    def _cases(self, lookup: Lookup) -> Iterator[tuple[dict[TensorRef, Array], Mask]]:
        """Yield ids, or points, that take all of a variable once, and what is frozen there."""
        assert lookup.ids is not None
        shape, frozen = self.entries.shape, self.entries.mask()
        if lookup.kind == GATHER:
            ids = np.arange(shape[lookup.axis])
            ids = np.broadcast_to(ids, (*shape[: lookup.batch_dims], ids.size))
            yield {lookup.ids: ids}, frozen
            return
        assert lookup.kind == GATHER_ND
        known = find_shape(self.graph, lookup.ids)
        depth = known[-1] if known else None
        for count in [depth] if depth is not None else range(1, lookup.rank + 1):
            points = _points(shape[:count])
            yield {lookup.ids: points}, np.asarray(frozen[tuple(points.T)])


def _points(shape: tuple[int, ...]) -> Array:
    """Return the points of a shape, int64 [n, rank]; some of them where they are many."""
    total = prod(shape)
    flat = np.unique(np.linspace(0, total - 1, min(total, _MOST_POINTS)).astype(np.int64))
    return np.stack(np.unravel_index(flat, shape), axis=1)
