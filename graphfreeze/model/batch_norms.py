"""Batch norms that use the statistics of their batch, and the moving averages of these."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graphfreeze.model.attrs import dtype_name, find_attr
from graphfreeze.model.averages import FUSED_NORMS, Average, may_average
from graphfreeze.model.control_flow import nodes_in_loops
from graphfreeze.model.graph import Edge, Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.origins import MERGES, Values, origins, passed_from
from graphfreeze.model.variables import Variable

_VIEWS = frozenset({"Reshape", "ExpandDims", "Squeeze"})
_ROOTS = {"Rsqrt": frozenset({"Mul"}), "Sqrt": frozenset({"RealDiv", "Div"})}
_ADDS = frozenset({"Add", "AddV2"})
_MEAN, _VARIANCE = 3, 4  # inputs of a fused one; its outputs 1 and 2 are those of the batch
Moving = tuple[Edge, Variable]


@dataclass(frozen=True, slots=True)
class BatchNorm:
    """A batch norm, named by its FusedBatchNorm* or by the Rsqrt of its variance.

    ``mean`` and ``variance`` are its moving averages, ``edges`` where it takes mean and variance,
    ``learned`` its gamma and beta as far as it has them. ``problem`` tells why it cannot use the
    moving averages, '' if it can."""

    node: str
    mean: Variable | None
    variance: Variable | None
    learned: tuple[Variable, ...]
    edges: tuple[Edge, ...]
    problem: str = ""


def find_batch_norms(values: Values, averages: Sequence[Average]) -> list[BatchNorm]:
    """Return the batch norms that use, always or in one branch, what their batch has.

    ==========================================  ============================================
    fused, ``is_training``                      averages move towards its outputs 1 and 2, or
                                                its branch's other side takes them
    ``x * inv + (beta - mean * inv)``           with ``inv = rsqrt(variance + eps) * gamma``:
    ``(x - mean) * inv``, ``/ sqrt(..)``        averages move towards mean and variance, or a
                                                Merge chooses between batch and average
    ==========================================  ============================================

    One that is not fused and has no moving average is no batch norm, but a layer norm or the like.
    """
    finder = _Finder(values, averages)
    return [norm for name in values.graph.nodes for norm in finder.look_at(name)]


class _Finder:
    def __init__(self, values: Values, averages: Sequence[Average]) -> None:
        self.graph, self.values = values.graph, values
        self.looped = nodes_in_loops(values.graph)
        sources = [(s, each.variable) for each in averages for s in each.sources]
        self.towards = {r: v for s, v in sources for r in self._computed(s)}
        self.reshaped = {r: v for s, v in sources for r in self._behind_views(s)}

    def look_at(self, name: str) -> Iterator[BatchNorm]:
        """Yield the batch norm that a node stands for."""
        op = self.graph.op(name)
        if op in FUSED_NORMS and is_training(self.graph, name):
            yield self._fused(name)
        elif op in _ROOTS:
            yield from self._composed(name)

    def _computed(self, source: TensorRef) -> Iterator[TensorRef]:
        """Yield what an average is moved towards, in the shape that it has itself."""
        refs = origins(self.graph, source)
        return (ref for ref in refs if not self.values.is_read(ref))

    def _behind_views(self, source: TensorRef) -> Iterator[TensorRef]:
        """Yield what an average is moved towards, in whatever shape."""
        for ref in self._computed(source):
            yield ref
            if self.graph.op(ref.node) in _VIEWS:
                yield from self._behind_views(self.graph.data_inputs(ref.node)[0])

    def _fused(self, name: str) -> BatchNorm:
        mean, variance = (self.reshaped.get(TensorRef(name, port)) for port in (1, 2))
        if mean is None or variance is None:
            mean, variance = self._other_branch(name)
        _, scale, offset = self.graph.data_inputs(name)[:3]
        edges = (Edge(name, _MEAN), Edge(name, _VARIANCE))
        dtype = self.graph.dtype(scale)
        return self._made(name, mean, variance, [scale, offset], edges, dtype)

    def _other_branch(self, name: str) -> tuple[Variable | None, Variable | None]:
        """Return the moving averages that the other branch of a cond normalizes with."""
        todo = [name]
        for each in todo:
            for consumer in self.graph.consumers(each, data_only=True):
                if self.graph.op(consumer) == "Identity":
                    todo.append(consumer)
                elif self.graph.op(consumer) in MERGES:
                    for ref in origins(self.graph, TensorRef(consumer)):
                        is_norm = self.graph.op(ref.node) in FUSED_NORMS and ref.port == 0
                        if is_norm and not is_training(self.graph, ref.node):
                            inputs = self.graph.data_inputs(ref.node)
                            return self.values.find(inputs[3]), self.values.find(inputs[4])
        return None, None

    def _composed(self, root: str) -> Iterator[BatchNorm]:
        added = self.graph.data_inputs(root)[0].node
        slots = range(2) if self.graph.op(added) in _ADDS else ()
        variance = next(filter(None, (self._moving(Edge(added, slot)) for slot in slots)), None)
        if variance is None:
            return
        gammas, inverses = self._inverses(root)
        mean, offsets = self._mean(inverses, _ROOTS[self.graph.op(root)], variance[1])
        edges = (*((mean[0],) if mean else ()), variance[0])
        dtype = self.graph.dtype(self.graph.ref_at(edges[0]))
        learned = [*gammas, *offsets]
        moving = mean[1] if mean else None
        yield self._made(root, moving, variance[1], learned, edges, dtype)

    def _inverses(self, root: str) -> tuple[list[TensorRef], list[TensorRef]]:
        """Return gamma, and the tensors that an input is multiplied by, or divided."""
        gammas, inverses = [], [TensorRef(root)]
        for edge in self.graph.edges_of(TensorRef(root)):
            if self.graph.op(edge.consumer) == "Mul":
                other = self.graph.data_inputs(edge.consumer)[1 - edge.slot]
                if self._behind(other) is not None:
                    gammas.append(other)
                    inverses.append(TensorRef(edge.consumer))
        return gammas, inverses

    def _mean(
        self, inverses: Sequence[TensorRef], ops: frozenset[str], variance: Variable
    ) -> tuple[Moving | None, list[TensorRef]]:
        """Return where the mean is taken, and what the result is shifted by."""
        for inverse in inverses:
            for edge in self.graph.edges_of(inverse):
                if self.graph.op(edge.consumer) in ops:
                    for place in self._means(edge):
                        found = self._moving(place)
                        if found is not None and found[1] != variance:
                            return found, self._offsets(edge.consumer)
        return None, []

    def _means(self, edge: Edge) -> Iterator[Edge]:
        """Yield where a mean may stand, given where the inverse is taken."""
        slot = 1 - edge.slot
        other = self.graph.data_inputs(edge.consumer)[slot].node
        if self.graph.op(other) == "Sub":
            yield Edge(other, 1)
        if self.graph.op(other) == "Neg":
            yield Edge(other, 0)
        yield Edge(edge.consumer, slot)

    def _offsets(self, product: str) -> list[TensorRef]:
        """Return what a product is added to, taken from, or scaled by before."""
        found = []
        for edge in self.graph.edges_of(TensorRef(product)):
            if self.graph.op(edge.consumer) in _ADDS | {"Sub", "Mul"}:
                other = self.graph.data_inputs(edge.consumer)[1 - edge.slot]
                found.append(other)
                if self.graph.op(edge.consumer) == "Mul" and self._behind(other) is not None:
                    found += self._offsets(edge.consumer)
        return found

    def _moving(self, edge: Edge) -> Moving | None:
        """Return where a batch's statistic is taken in the shape of its moving average."""
        while True:
            ref = self.graph.ref_at(edge)
            behind = origins(self.graph, ref)
            for each in behind:
                if each in self.towards:
                    return self._typed(edge, self.towards[each])
            if any(self.graph.op(each.node) in MERGES for each in behind):
                read = (self.values.find(each) for each in behind)
                found = next((v for v in read if v is not None and may_average(v)), None)
                return None if found is None else self._typed(edge, found)
            last = behind[-1].node
            if self.graph.op(last) not in _VIEWS:
                return None
            edge = Edge(last, 0)

    def _typed(self, edge: Edge, variable: Variable) -> Moving:
        """Return a place where a tensor of the average's type is taken, the first one if none."""
        place = edge
        for ref in passed_from(self.graph, self.graph.ref_at(edge)):
            if self.graph.dtype(ref) == variable.dtype:
                return place, variable
            place = Edge(ref.node, 0)
        return edge, variable

    def _behind(self, ref: TensorRef) -> Variable | None:
        """Return the variable that a tensor is read from, in whatever shape."""
        *_, last = passed_from(self.graph, ref)
        while self.graph.op(last.node) in _VIEWS:
            ref = self.graph.data_inputs(last.node)[0]
            *_, last = passed_from(self.graph, ref)
        return self.values.find(ref)

    def _made(
        self,
        name: str,
        mean: Variable | None,
        variance: Variable | None,
        shaped: Sequence[TensorRef],
        edges: tuple[Edge, ...],
        dtype: int,
    ) -> BatchNorm:
        behind = (self._behind(ref) for ref in shaped)
        learned = tuple(v for v in behind if v is not None and v.is_trainable)
        problem = ""
        if mean is None or variance is None:
            problem = "its moving averages were not found"
        elif self.looped & {edge.consumer for edge in edges}:
            problem = "it runs in a loop"
        elif {mean.dtype, variance.dtype} != {dtype}:
            problem = f"it takes {dtype_name(dtype)}, its moving averages are {mean.type_name}"
        return BatchNorm(name, mean, variance, learned, edges, problem)


def is_training(graph: Graph, name: str) -> bool:
    """Tell whether a FusedBatchNorm* uses its batch's statistics."""
    node = graph.nodes[name]
    return "is_training" not in node.attr or bool(find_attr(node, "is_training").b)
