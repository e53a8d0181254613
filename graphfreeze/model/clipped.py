"""Follow a gradient from where it is clipped to the writers that take it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from graphfreeze.model.control_flow import SWITCHES
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.reads import is_known, is_write
from graphfreeze.model.variables import REF_OPS, RESOURCE_OPS

_SUMS_OF_ROWS = "UnsortedSegmentSum"
_SAME_IDS = frozenset({"Unique", "UniqueV2", "Identity", "Switch"})
_VARIABLES = REF_OPS | RESOURCE_OPS
_BY_ENTRY = frozenset(
    {
        *("Identity", "Mul", "RealDiv", "Div", "Add", "AddV2", "Sub", "AddN", "Square", "Sqrt"),
        *("Rsqrt", "Neg", "Maximum", "Minimum", "Cast", "Abs", "Sign", "Pow", "Switch", "Merge"),
        *("Select", "SelectV2", "CheckNumerics", "Exit", "Enter", "Reciprocal", "IsFinite"),
    }
)


@dataclass
class Clipped:
    """What a clipped gradient leads to: the ``writers`` that take it first.

    ``ids`` are those of a sparse gradient, before repeated ones were summed up; ``is_plain`` tells
    that nothing else on the way can change what an entry of it belongs to."""

    graph: Graph
    writers: set[str] = field(default_factory=set)
    ids: dict[TensorRef, None] = field(default_factory=dict)
    is_plain: bool = True

    def follow(self, clipped: Sequence[str]) -> "Clipped":
        """Follow nodes up to the writers."""
        seen, todo = set[str](), list(clipped)
        while todo:
            name = todo.pop()
            if name in seen:
                continue
            seen.add(name)
            op, refs = self.graph.op(name), self.graph.data_inputs(name)
            if self._is_writer(name):
                self._take(name)
                continue
            if op == _SUMS_OF_ROWS:
                self._add(refs[1])
            elif op not in _BY_ENTRY and self._leads_on(name):
                self.is_plain = False
            todo += self._takers(name)
        return self

    def _takers(self, name: str) -> Iterator[str]:
        """Yield what takes a node's value, but for tests of which branch to take."""
        for edge in self.graph.edges_from(name):
            is_test = edge.slot == 1 and self.graph.op(edge.consumer) in SWITCHES
            if not is_test and not self.graph.ref_at(edge).is_control:
                yield edge.consumer

    def _leads_on(self, name: str) -> bool:
        """Tell whether a node, perhaps a summary, leads to a writer at all."""
        behind = self.graph.descendants([name], data_only=True)
        return any(is_write(self.graph, each) for each in behind)

    def _is_writer(self, name: str) -> bool:
        """Tell whether a node writes a variable; an op that nobody knows does, if it takes one."""
        graph = self.graph
        taken = (graph.op(ref.node) for ref in graph.data_inputs(name))
        is_known_op = is_known(graph, graph.nodes[name])
        return is_write(graph, name) or (not is_known_op and not _VARIABLES.isdisjoint(taken))

    def _take(self, writer: str) -> None:
        self.writers.add(writer)
        ids = self.graph.arguments(writer).get("indices")
        if ids is not None:
            self._add(ids)

    def _add(self, ids: TensorRef) -> None:
        # In a branch they are those from before it: the norm may decide which one is taken.
        while self.graph.op(ids.node) in _SAME_IDS:
            ids = self.graph.data_inputs(ids.node)[0]
        self.ids[ids] = None
