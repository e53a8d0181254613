"""Values that a ref variable changes under the hands of those who took them.

A read of a ref copies nothing: ``w/read`` is the variable's own memory, and an Identity of it, or
a Switch or an Enter, still is. A consumer that waits for a writer sees what was written, though
the read ran before: so an average that is taken after the step takes the new weights. The read of
a resource keeps what it saw. There such a consumer takes a read of its own, which waits as it does:

    r = Identity(w)                            r = ReadVariableOp(w)
    a = AssignAdd(w, x)                  =>    a = AssignAddVariableOp(w, x)
    y = Neg(r, ^a)                             y/graphfreeze/read = ReadVariableOp(w, ^a)
                                               y = Neg(y/graphfreeze/read, ^a)
"""

from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from graphfreeze.model.attrs import find_attr, type_attr
from graphfreeze.model.control_flow import MERGES
from graphfreeze.model.graph import Edge, Graph
from graphfreeze.model.names import TensorRef, control
from graphfreeze.rewrite.builder import node_name
from graphfreeze.rewrite.edits import AddNode
from graphfreeze.rewrite.resource_reads import Handle, ResourceReads
from graphfreeze.schema import types_pb2

_SAME = frozenset({"Identity", "StopGradient", "PreventGradient"})
_UNFIT_ATTRS = ("_class", "_output_shapes")


@dataclass
class ResourceViews:
    """Finds the consumers that see a variable written.

    ``led`` tells the handle beside each value that had to be led into a branch or a loop."""

    graph: Graph
    reads: ResourceReads
    led: dict[TensorRef, TensorRef] = field(default_factory=dict)

    def reread(self, lookups: Container[str] = ()) -> dict[Edge, TensorRef]:
        """Return the edges that are to carry a read of their own, and those reads.

        ``lookups`` are the nodes that read for themselves."""
        found: dict[Edge, TensorRef] = {}
        for view in self.sources:
            for edge in self.graph.edges_of(view):
                waits = [control(name) for name in dict.fromkeys(self._waits(edge))]
                if waits and edge.consumer not in lookups:
                    root = self._root(view)
                    found[edge] = self.reads.read_at(edge, self._handle(view), waits, root)
        return found

    @cached_property
    def sources(self) -> dict[TensorRef, TensorRef]:
        """Every value that is a variable's memory, and what it was taken from."""
        reads, graph, found = self.reads, self.graph, dict[TensorRef, TensorRef]()
        todo = [
            (TensorRef(edge.consumer), ref)
            for ref in reads.refs
            for edge in graph.edges_of(ref)
            if reads.is_read(edge)
        ]
        while todo:
            view, source = todo.pop(0)
            found[view] = source
            todo.extend((out, view) for edge in graph.edges_of(view) for out in self._beyond(edge))
        return found

    def _beyond(self, edge: Edge) -> Iterator[TensorRef]:
        """Yield the outputs of a node that still are what it took."""
        node = self.graph.nodes[edge.consumer]
        if edge.slot == 0 and node.op == "Switch":
            yield from (TensorRef(edge.consumer, port) for port in (0, 1))
        elif node.op in _SAME or (node.op == "Enter" and find_attr(node, "is_constant").b):
            yield TensorRef(edge.consumer)

    def _root(self, view: TensorRef) -> TensorRef:
        while view in self.sources:
            view = self.sources[view]
        return view

    def _waits(self, edge: Edge) -> Iterator[str]:
        """Yield what a consumer waits for that comes after a writer, and what it took does not."""
        graph, view = self.graph, self.graph.ref_at(edge)
        if graph.op(edge.consumer) in MERGES:
            return
        root = self._root(view)
        seen = self.reads.writers_before(view.node, root)
        for ref in graph.inputs(edge.consumer):
            if ref != view and self.reads.writers_before(ref.node, root) - seen:
                yield ref.node

    def _handle(self, view: TensorRef) -> Handle:
        """Return the variable's handle where a value of it is."""
        source = self.sources[view]
        if source in self.reads.refs:
            return self.reads.handle(source)
        inner = self._handle(source)
        if self.graph.op(view.node) in _SAME:
            return inner
        if view not in self.led:
            self.led[source] = inner.tensor
            self.led[view] = self._lead(view, inner)
        return Handle(self.led[view])

    def _lead(self, view: TensorRef, handle: Handle) -> TensorRef:
        """Lead a handle into a branch or a loop as its value is led."""
        node, name = self.graph.nodes[view.node], node_name(view.node, "handle")
        rest = self.graph.inputs(view.node)[1:]
        attrs = {key: value for key, value in node.attr.items() if key not in _UNFIT_ATTRS}
        attrs["T"] = type_attr(types_pb2.DT_RESOURCE)
        inputs = tuple(dict.fromkeys((handle.tensor, *rest, *handle.waits)))
        self.reads.added[name] = AddNode(name, str(node.op), inputs, attrs, str(node.device))
        return TensorRef(name, view.port)
