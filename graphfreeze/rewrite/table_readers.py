"""Where the values of a table are taken: by lookups that read some of it, and by all other ops.

The walk starts at the reads of a variable and at the lookups on its handle, and goes on through
Identity, Cast to a floating type, Switch, and an Enter behind which there are lookups alone: any
other value that enters a loop is better masked once, before it does.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from graphfreeze.errors import RewriteError
from graphfreeze.model.attrs import COMPLEX, FLOATING
from graphfreeze.model.calls import CALLS
from graphfreeze.model.functions import called_functions
from graphfreeze.model.graph import Edge, Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.reads import (
    SAVERS,
    STATUS,
    forward_edges,
    handle_edges,
    is_known,
    is_ref_edge,
    reads,
    resource_lookups,
)
from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.builder import MARK
from graphfreeze.rewrite.lookups import Lookup, find_lookup


@dataclass(frozen=True, slots=True)
class Place:
    """A tensor with values of a table: what a lookup took of it, or all of it."""

    tensor: TensorRef
    lookup: Lookup | None = None


@dataclass(frozen=True)
class Readers:
    """A walk over the readers of a table.

    Lookups that ``accepts`` denies count as ops that take the whole table. With ``steps``, the
    nodes that a step runs, all of those count that take values, whether a gradient passes there or
    not, and summaries."""

    graph: Graph
    variable: Variable
    accepts: Callable[[Lookup], bool] = lambda _: True
    steps: Collection[str] | None = None

    def find_places(self) -> dict[Place, list[Edge]]:
        """Return where values are taken on to a loss, with the edges that take them.

        Raises RewriteError for a lookup on the variable's handle that is not accepted, and for an
        op or a function that nobody knows. What functions read is none of this graph's."""
        found: dict[Place, list[Edge]] = {}
        for read in reads(self.graph, self.variable):
            self._follow(read, found)
        for name in resource_lookups(self.graph, self.variable):
            lookup, edges = self._lookup(name), self._edges(TensorRef(name))
            if lookup is None and edges:
                op = self.graph.op(name)
                raise RewriteError.unmaskable_reader(self.variable.name, name, op=op)
            found[Place(TensorRef(name), lookup)] = edges
        self._check_known()
        return {place: edges for place, edges in found.items() if edges}

    def _follow(self, value: TensorRef, found: dict[Place, list[Edge]]) -> None:
        """Sort the consumers of a whole table: lookups, ops that pass it on, and all others."""
        for edge in self._edges(value):
            passed = list(self._passed(edge))
            lookup = self._lookup(edge.consumer) if edge.slot == 0 else None
            if passed:
                for ref in passed:
                    self._follow(ref, found)
            elif lookup is not None:
                ref = TensorRef(edge.consumer)
                found[Place(ref, lookup)] = self._edges(ref)
            elif not self._ends(edge):
                found.setdefault(Place(value), []).append(edge)

    def _lookup(self, name: str) -> Lookup | None:
        lookup = find_lookup(self.graph, name, self.variable)
        return lookup if lookup is not None and self.accepts(lookup) else None

    def _passed(self, edge: Edge) -> Iterator[TensorRef]:
        """Yield the outputs of a node that passes the whole table on, and so is followed."""
        name, op = edge.consumer, self.graph.op(edge.consumer)
        if edge.slot or MARK in name.split("/"):
            return
        if op == "Switch":
            yield from (TensorRef(name, port) for port in (0, 1))
        is_passing = op == "Identity" or (op == "Cast" and not self._ends(edge))
        if is_passing or (op == "Enter" and self._feeds_lookups(TensorRef(name))):
            yield TensorRef(name)

    def _ends(self, edge: Edge) -> bool:
        """Tell whether a cast takes the gradient away: to integers, say."""
        node = self.graph.nodes[edge.consumer]
        return (
            self.steps is None
            and node.op == "Cast"
            and node.attr["DstT"].type not in FLOATING | COMPLEX
        )

    def _feeds_lookups(self, entered: TensorRef) -> bool:
        """Tell whether lookups alone take what enters a loop."""
        return all(
            all(map(self._feeds_lookups, passed))
            if (passed := list(self._passed(edge)))
            else edge.slot == 0 and self._lookup(edge.consumer) is not None
            for edge in self._edges(entered)
        )

    def _edges(self, value: TensorRef) -> list[Edge]:
        """Return the consumers of a value that count."""
        found = forward_edges(self.graph, value)
        if self.steps is None:
            return found
        known = {*found, *(e for e in self.graph.edges_of(value) if self._is_step(e))}
        return [edge for edge in self.graph.edges_of(value) if edge in known]

    def _is_step(self, edge: Edge) -> bool:
        """Tell whether a step or a summary takes a value there, and not the variable itself."""
        op, source = self.graph.op(edge.consumer), self.graph.ref_at(edge)
        is_read = op == "Identity" and source.node == self.variable.name
        if is_read or is_ref_edge(self.graph, edge) or op in SAVERS | STATUS:
            return False
        return op.endswith("Summary") or edge.consumer in (self.steps or ())

    def _check_known(self) -> None:
        """Refuse a table that is handed to an op or function that nobody knows."""
        if self.variable.kind != "resource":
            return
        for edge in handle_edges(self.graph, self.variable):
            node = self.graph.nodes[edge.consumer]
            called = called_functions(node) if node.op in CALLS else []
            if not is_known(self.graph, node) or not self.graph.functions.keys() >= set(called):
                op = str(node.op)
                raise RewriteError.unmaskable_reader(self.variable.name, edge.consumer, op=op)
