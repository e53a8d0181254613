"""A constant as the variable that it was: its node, its reads, and what collections say of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from graphfreeze.model.attrs import colocations, shape_proto, type_attr
from graphfreeze.model.graph import Edge, Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.reads import is_ref_edge
from graphfreeze.model.weights import Weight
from graphfreeze.rewrite.builder import node_name
from graphfreeze.rewrite.edits import AddNode, Edit, ReplaceNode, Reroute
from graphfreeze.rewrite.saver_edits import restore_op
from graphfreeze.schema import AttrValue, NodeDef, VariableDef

_OPS = {"ref": "VariableV2", "resource": "VarHandleOp"}
_READS = {"ref": "read", "resource": "Read/ReadVariableOp"}


@dataclass(frozen=True)
class ThawedVariable:
    """A weight of a graph, and the kind of variable that it becomes: ``ref`` or ``resource``."""

    graph: Graph
    weight: Weight
    kind: str

    @property
    def name(self) -> str:
        """The name of the constant and of the variable."""
        return self.weight.constant.name

    def edits(self) -> Iterator[Edit]:
        """Yield the variable in the constant's place, and what reads it for the others."""
        yield ReplaceNode(self._node())
        if self.kind == "resource":
            yield from (ReplaceNode(_resource_read(self.graph.nodes[n])) for n in self._own_reads)
        if self.read.node not in self._own_reads:
            yield self._new_read()
        others = (e for e in self._by_value if e.consumer not in self._own_reads)
        yield from (Reroute(edge, self.read) for edge in others)

    @cached_property
    def read(self) -> TensorRef:
        """The tensor that yields its value: a node that was there, or is to be added."""
        wanted, graph = f"{self.name}/{_READS[self.kind]}", self.graph
        if wanted in self._own_reads:
            return TensorRef(wanted)
        free = [n for n in self._own_reads if len(graph.inputs(n)) == 1]
        is_read = all(edge.consumer in self._own_reads for edge in self._by_value)
        # A resource has a read of that name always: TensorFlow itself asks for its value there.
        if self.kind == "ref" and is_read and free:
            return TensorRef(free[0])
        return TensorRef(wanted if wanted not in graph else node_name(self.name, "read"))

    @property
    def definition(self) -> VariableDef:
        """What the collections say of it: what restores it is its initializer."""
        return VariableDef(
            variable_name=f"{self.name}:0",
            initializer_name=restore_op(self.name),
            snapshot_name=self.read.tensor_name,
            trainable=self.weight.is_trainable,
            is_resource=self.kind == "resource",
        )

    @cached_property
    def _by_value(self) -> list[Edge]:
        """The edges that carry the value, not those of ops that take a ref."""
        edges = self.graph.edges_from(self.name)
        data = (edge for edge in edges if not self.graph.ref_at(edge).is_control)
        return [edge for edge in data if not is_ref_edge(self.graph, edge)]

    @cached_property
    def _own_reads(self) -> list[str]:
        """The Identities of the constant. What it waits for they would not: then a new one does."""
        if self.graph.inputs(self.name):
            return []
        consumers = dict.fromkeys(edge.consumer for edge in self._by_value)
        return [name for name in consumers if self.graph.op(name) == "Identity"]

    def _node(self) -> NodeDef:
        constant, old = self.weight.constant, self.graph.nodes[self.name]
        node = NodeDef(name=self.name, op=_OPS[self.kind], device=old.device)
        node.attr["dtype"].type = constant.dtype
        node.attr["shape"].shape.CopyFrom(shape_proto(constant.shape))
        node.attr["container"].s = b""
        node.attr["shared_name"].s = self.name.encode() if self.kind == "resource" else b""
        near = [each for each in colocations(old) if each in self.graph and each != self.name]
        if near:
            node.attr["_class"].CopyFrom(_located(near))
        return node

    def _new_read(self) -> AddNode:
        inputs = (TensorRef(self.name), *self.graph.inputs(self.name))
        dtype, device = type_attr(self.weight.constant.dtype), self.graph.nodes[self.name].device
        if self.kind == "resource":
            return AddNode(self.read.node, "ReadVariableOp", inputs, {"dtype": dtype}, str(device))
        attrs = {"T": dtype, "_class": _located([self.name])}
        return AddNode(self.read.node, "Identity", inputs, attrs, str(device))


def _located(names: list[str]) -> AttrValue:
    return AttrValue(list=AttrValue.ListValue(s=[f"loc:@{name}".encode() for name in names]))


def _resource_read(identity: NodeDef) -> NodeDef:
    """Return the ReadVariableOp in the place of an Identity."""
    node = NodeDef(name=identity.name, op="ReadVariableOp", device=identity.device)
    node.input.extend(identity.input)
    for key, value in identity.attr.items():
        node.attr["dtype" if key == "T" else key].CopyFrom(value)
    return node
