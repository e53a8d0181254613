"""Copies of functions in whose bodies some nodes are others, and the calls that name them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from graphfreeze.model.bodies import Body, open_body
from graphfreeze.model.calls import Call, find_calls
from graphfreeze.model.graph import Graph
from graphfreeze.model.unfolded import INTO, label_of
from graphfreeze.rewrite.edits import ReplaceNode
from graphfreeze.rewrite.specialise import Specialised, naming
from graphfreeze.schema import NodeDef

Change = Callable[[Graph, str], NodeDef]
"""Return what takes a node's place in a graph."""


@dataclass(frozen=True)
class ChangedBodies:
    """Functions that are copied to change nodes in them, as ``change`` does.

    Each call on the way to such a node names a copy, and so do its other functions: see
    ``Specialised``."""

    copies: Specialised
    change: Change

    def calls(self, graph: Graph, places: Iterable[str]) -> Iterator[ReplaceNode]:
        """Yield the calls of a graph that lead to nodes, named as ``unfolded`` names them."""
        inside: dict[str, list[tuple[str, str]]] = {}
        for place in places:
            step, _, rest = place.partition(INTO)
            name, _, label = step.partition("[")
            inside.setdefault(name, []).append((label and f"[{label}", rest))
        for name, inner in inside.items():
            calls = find_calls(graph, graph.nodes[name])
            names = [self.copies.copy(self._body(graph, call, inner)) for call in calls]
            yield ReplaceNode(naming(graph.nodes[name], calls, names))

    def _body(self, graph: Graph, call: Call, inner: Sequence[tuple[str, str]]) -> Body:
        """Return the body of a function with the nodes in it that are others."""
        body = open_body(graph, call.function)
        own = [rest for label, rest in inner if label in ("", label_of(call))]
        deeper = [rest for rest in own if INTO in rest]
        for edit in list(self.calls(body.graph, deeper)):
            body.graph.put(edit.node)
        body.graph.functions.update(self.copies.made)
        for name in (rest for rest in own if INTO not in rest):
            body.graph.put(self.change(body.graph, name))
        return body
