"""Handles and reads in the place of refs.

A ref is two things: a place to write to, and a value that is read whenever a node takes it. A
resource variable has a handle for the one, and needs a ReadVariableOp for the other, that runs
when the node would have taken the value:

=====================================  ==================================================
a node that takes a ref by value       takes
=====================================  ==================================================
and waits for nothing that matters     a read of the variable that is there, else a new one
waits, or takes a value that some      a read of its own, which waits for the same
writer of the variable comes before
takes it from a writer                 a read that waits for the writer
takes it where branches come together  the value that comes out of the branch, which a Merge
                                       passes on; only a writer there needs the handle
=====================================  ==================================================
"""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from graphfreeze.model.attrs import colocations, type_attr
from graphfreeze.model.control_flow import MERGES
from graphfreeze.model.graph import Edge, Graph
from graphfreeze.model.names import TensorRef, control
from graphfreeze.model.reads import STATUS, is_ref_edge
from graphfreeze.model.refs import REF_PASSING, Refs, find_refs
from graphfreeze.model.variables import REF_OPS
from graphfreeze.rewrite.builder import node_name
from graphfreeze.rewrite.edits import AddNode
from graphfreeze.schema import types_pb2

_NO_WRITERS = REF_PASSING | STATUS


@dataclass(frozen=True, slots=True)
class Handle:
    """A variable's handle, and the control edge from the writer that comes first, if any."""

    tensor: TensorRef
    waits: tuple[TensorRef, ...] = ()


@dataclass
class ResourceReads:
    """Finds what stands for the refs of a graph when variables are resources.

    ``merges`` are the ends of branches that pass values on, whose outputs are none of ``refs``;
    ``added`` are the new nodes that it took, by name."""

    graph: Graph
    refs: Refs
    merges: frozenset[str] = frozenset()
    added: dict[str, AddNode] = field(default_factory=dict)

    @classmethod
    def of(cls, graph: Graph) -> "ResourceReads":
        """Return those of all variables of a graph."""
        every = cls(graph, find_refs(graph))
        merges = every._value_merges()
        left = {ref: owners for ref, owners in every.refs.items() if ref.node not in merges}
        return cls(graph, left, merges)

    def handle(self, ref: TensorRef) -> Handle:
        """Return the handle that stands for a ref: for a writer's, the one that it writes to."""
        if self.graph.op(ref.node) in REF_OPS | REF_PASSING:
            return Handle(ref)
        return Handle(self.handle(self.graph.inputs(ref.node)[0]).tensor, (control(ref.node),))

    def passed_handle(self, ref: TensorRef) -> TensorRef:
        """Return the handle as a tensor of its own that is there when its writer has run."""
        handle = self.handle(ref)
        if not handle.waits:
            return handle.tensor
        return self._add(node_name(ref.node, "handle"), "Identity", handle, ref)

    def value(self, ref: TensorRef) -> TensorRef:
        """Return a read that waits for the ref alone, one of the model's own if there is any."""
        own = next((e.consumer for e in self.graph.edges_of(ref) if self.is_plain(e)), None)
        if own is not None:
            return TensorRef(own)
        role = "read" if self.graph.op(ref.node) in REF_OPS else "value"
        role += f"_{ref.port}" if ref.port else ""
        return self._add(node_name(ref.node, role), "ReadVariableOp", self.handle(ref), ref)

    def value_at(self, edge: Edge) -> TensorRef:
        """Return a read that runs when the consumer would have taken the ref's value."""
        ref, waits = self.graph.ref_at(edge), tuple(self._waits(edge))
        return self.read_at(edge, self.handle(ref), waits, ref) if waits else self.value(ref)

    def read_at(
        self, edge: Edge, handle: Handle, waits: Sequence[TensorRef], ref: TensorRef
    ) -> TensorRef:
        """Return a consumer's own read, which waits; ``ref`` is what the variable is known by."""
        waiting = Handle(handle.tensor, tuple(dict.fromkeys((*handle.waits, *waits))))
        role = f"read_{edge.slot}" if edge.slot else "read"
        return self._add(node_name(edge.consumer, role), "ReadVariableOp", waiting, ref)

    def is_read(self, edge: Edge) -> bool:
        """Tell whether the consumer is itself a read, on the device of the variable."""
        return self.graph.op(edge.consumer) == "Identity" and self.is_beside(
            edge.consumer, self.graph.ref_at(edge)
        )

    def is_plain(self, edge: Edge) -> bool:
        """Tell whether the consumer is a read that waits for the ref alone."""
        return self.is_read(edge) and len(self.graph.inputs(edge.consumer)) == 1

    def is_beside(self, name: str, ref: TensorRef) -> bool:
        """Tell whether a node stays on the device of the variable, where its handle is."""
        node, variable = self.graph.nodes[name], self.owner(ref)
        known = ("", self.graph.nodes[variable].device)
        return node.device in known or variable in colocations(node)

    def _value_merges(self) -> frozenset[str]:
        """Return each RefMerge that nobody writes through, nor waits to read."""
        found = {ref.node for ref in self.refs if self.graph.op(ref.node) == "RefMerge"}
        while needed := {name for name in found if self._is_needed(name, found)}:
            found -= needed
        return frozenset(found)

    def _is_needed(self, merge: str, known: Container[str]) -> bool:
        edges = self.graph.edges_of(TensorRef(merge))
        others = (edge for edge in edges if edge.consumer not in known)
        return any(is_ref_edge(self.graph, e) or any(self._waits(e)) for e in others)

    def owner(self, ref: TensorRef) -> str:
        """Return a variable that a ref stands for, the first of them by name."""
        return min(self.refs[ref])

    def _waits(self, edge: Edge) -> Iterator[TensorRef]:
        """Yield the control edges by which a read runs no sooner than the consumer did."""
        graph, ref, name = self.graph, self.graph.ref_at(edge), edge.consumer
        if graph.op(name) in MERGES:  # it goes on with the first value that comes
            return
        yield from (each for each in graph.inputs(name) if each.is_control)
        others = (each for each in graph.data_inputs(name) if each != ref)
        yield from (control(each.node) for each in others if self._is_after_writer(each, ref))

    def _is_after_writer(self, value: TensorRef, ref: TensorRef) -> bool:
        """Tell whether a value comes after a writer of a variable that a ref stands for."""
        return bool(self.writers_before(value.node, ref))

    def writers_before(self, name: str, ref: TensorRef) -> set[str]:
        """Return what has written the variables that a ref stands for before a node runs."""
        if name not in self._after_any:
            return set()
        if name not in self._before:
            self._before[name] = self.graph.ancestors([name]) & self._all_writers
        return {each for v in self.refs[ref] for each in self._writers[v] & self._before[name]}

    @cached_property
    def _before(self) -> dict[str, set[str]]:
        return {}

    @cached_property
    def _writers(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for ref, variables in self.refs.items():
            edges = (e for e in self.graph.edges_of(ref) if is_ref_edge(self.graph, e))
            names = {e.consumer for e in edges if self.graph.op(e.consumer) not in _NO_WRITERS}
            for variable in variables:
                found.setdefault(variable, set()).update(names)
        return found

    @cached_property
    def _all_writers(self) -> set[str]:
        return {name for names in self._writers.values() for name in names}

    @cached_property
    def _after_any(self) -> set[str]:
        return self.graph.descendants(self._all_writers)

    def _add(self, name: str, op: str, handle: Handle, ref: TensorRef) -> TensorRef:
        """Add a node on the device of the variable, once."""
        is_read = op == "ReadVariableOp"
        dtype = self.graph.dtype(ref) if is_read else int(types_pb2.DT_RESOURCE)
        attrs = {"dtype" if is_read else "T": type_attr(dtype)}
        device = str(self.graph.nodes[self.owner(ref)].device)
        self.added[name] = AddNode(name, op, (handle.tensor, *handle.waits), attrs, device)
        return TensorRef(name)
