"""Where a tensor that has to grow along with a table gets its size from.

=====================================  =======================================================
variable                               gets more rows
placeholder                            is to be fed with more
OneHot, Fill, random numbers           their depth or shape grows
constant of one value                  gets more of it
op that only computes entry by entry   its inputs are asked
RestoreV2                              gives what the checkpoint has
=====================================  =======================================================
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from graphfreeze.errors import GrowError
from graphfreeze.growth.computing import ALONGSIDE, PASSING, SWITCHES
from graphfreeze.growth.heights import (
    Effect,
    Grows,
    Passes,
    Repeats,
    Stretches,
    Tall,
    Widens,
)
from graphfreeze.model.attrs import parse_shape
from graphfreeze.model.graph import Edge, Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.reads import RESTORERS
from graphfreeze.model.saver import slices_at
from graphfreeze.model.shape_vectors import find_sizes
from graphfreeze.model.static_shapes import find_integers, find_rank, find_shape, is_uniform
from graphfreeze.model.variables import REF_OPS, RESOURCE_OPS
from graphfreeze.schema import NodeDef

_BY_ENTRY = ALONGSIDE | {"Select", "BiasAdd"}
_MAKERS = {
    "Fill": 0, "BroadcastTo": 1, "RandomUniform": 0, "RandomUniformInt": 0, "TruncatedNormal": 0,
    "RandomStandardNormal": 0, "ParameterizedTruncatedNormal": 0, "StatelessRandomUniform": 0,
    "StatelessRandomNormal": 0, "StatelessTruncatedNormal": 0, "StatelessRandomUniformInt": 0,
}  # fmt: skip


@dataclass
class Sources:
    """Finds what has to be different for a tensor to be as tall as another one.

    ``tall`` are the tensors known to be, ``loose`` the nodes whose shapes change by themselves."""

    graph: Graph
    tall: Mapping[TensorRef, Tall]
    loose: Collection[str]
    seen: set[TensorRef] = field(default_factory=set)

    def find(self, edge: Edge, tall: Tall) -> Iterator[Effect]:
        """Yield the effects; raises GrowError for what cannot grow."""
        ref = self.graph.ref_at(edge)
        if ref in self.tall and not self.tall[ref].grows_as(tall):
            raise GrowError.two_heights(edge.consumer, self.tall[ref].table, tall.table)
        if ref in self.tall or ref.node in self.loose or ref in self.seen:
            return
        self.seen.add(ref)
        shape = find_shape(self.graph, ref)
        if shape is not None and (len(shape) < -tall.axis or shape[tall.axis] == 1):
            return
        yield from self._find(edge, ref, tall)

    def _find(self, edge: Edge, ref: TensorRef, tall: Tall) -> Iterator[Effect]:
        node = self.graph.nodes[ref.node]
        if node.op in REF_OPS | RESOURCE_OPS:
            yield Grows(ref.node, tall)
        elif node.op == "Const" and is_uniform(node.attr["value"].tensor):
            yield Repeats(edge, tall)
        elif node.op in ("Placeholder", "PlaceholderWithDefault"):
            yield from self._widen(node, tall)
        elif node.op == "OneHot":
            yield from self._deepen(ref, tall)
        elif node.op in _MAKERS:
            yield from self._make(ref, tall)
        elif node.op in PASSING | SWITCHES:
            yield from self.find(Edge(ref.node, 0), tall)
        elif node.op in ("Reshape", "ExpandDims", "Transpose"):
            yield from self.find(Edge(ref.node, 0), self._before(node, tall))
        elif node.op in _BY_ENTRY:
            for slot in range(len(self.graph.data_inputs(ref.node))):
                yield from self.find(Edge(ref.node, slot), tall)
        elif node.op not in RESTORERS or slices_at(self.graph, ref.node)[ref.port or 0]:
            raise _stiff(node, tall)

    def _before(self, node: NodeDef, tall: Tall) -> Tall:
        """Return where the height was before a tensor was laid out anew."""
        source, how = self.graph.data_inputs(str(node.name))[:2]
        rank, numbers = find_rank(self.graph, source), find_integers(self.graph, how)
        if node.op == "Reshape":
            shape = find_shape(self.graph, source) or ()
            is_first = tall.axis != -1 and shape[:1] == (tall.size,)
            if tall.axis == -1 or is_first:
                return tall.at(-len(shape) if is_first else -1, rank)
        elif rank is not None and numbers is not None and node.op == "Transpose":
            return tall.at(numbers[tall.axis] % rank - rank, rank)
        elif rank is not None and numbers is not None:
            new = numbers[0] % (rank + 1)
            return tall.at(tall.axis + (tall.axis + rank + 1 < new), rank)
        raise _stiff(node, tall)

    def _widen(self, node: NodeDef, tall: Tall) -> Iterator[Effect]:
        name = str(node.name)
        shape = parse_shape(node.attr["shape"].shape) if "shape" in node.attr else None
        if shape:
            yield Widens(name, tall)
            yield Passes(TensorRef(name), tall.at(tall.axis, len(shape)))
        if node.op == "PlaceholderWithDefault":
            yield from self.find(Edge(name, 0), tall)

    def _deepen(self, ref: TensorRef, tall: Tall) -> Iterator[Effect]:
        """Let one-hot labels have more classes: the new axis is the last one, or ``axis``."""
        node, edge = self.graph.nodes[ref.node], Edge(ref.node, 1)
        rank = find_rank(self.graph, ref)
        axis = int(node.attr["axis"].i) if "axis" in node.attr else -1
        if axis >= 0 and rank is not None:
            axis -= rank
        if axis != tall.axis or find_integers(self.graph, self.graph.ref_at(edge)) != [tall.size]:
            raise _stiff(node, tall)
        yield Stretches((edge,), 0, tall)
        yield Passes(ref, tall.at(axis, rank))

    def _make(self, ref: TensorRef, tall: Tall) -> Iterator[Effect]:
        node = self.graph.nodes[ref.node]
        sizes = find_sizes(self.graph, Edge(ref.node, _MAKERS[str(node.op)]))
        if sizes is None or len(sizes) < -tall.axis or sizes[tall.axis].value != tall.size:
            raise _stiff(node, tall)
        size = sizes[tall.axis]
        yield Stretches(size.path, size.index, tall)
        yield Passes(ref, tall.at(tall.axis, len(sizes)))


def _stiff(node: NodeDef, tall: Tall) -> GrowError:
    return GrowError.fixed_size(tall.table, str(node.name), op=str(node.op), size=tall.size)
