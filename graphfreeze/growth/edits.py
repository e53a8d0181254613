"""Make the edits by which a graph's tensors get as tall as their tables."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from graphfreeze.growth.constants import grown_value
from graphfreeze.growth.heights import Pads, Repeats, Stretches, Tall, Widens
from graphfreeze.growth.ids import find_samplers
from graphfreeze.growth.travel import Travel
from graphfreeze.model.attrs import (
    HINT,
    parse_shape,
    type_attr,
)
from graphfreeze.model.graph import Edge, Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.variables import RESOURCE_OPS
from graphfreeze.rewrite.builder import Builder, node_name
from graphfreeze.rewrite.edits import AddNode, Edit, ReplaceNode, Reroute
from graphfreeze.schema import AttrValue, NodeDef, TensorProto, TensorShapeProto, types_pb2


@dataclass
class Growth:
    """Collects the edits; ``nodes`` are those that change in their place.

    ==========================  =====================================================
    variable, placeholder       another dimension in its shape
    constant                    changed in its place, or copied for who needs it taller
    initial value, too short    zeros behind it
    _output_shapes              mended; sizes that change by themselves are left open
    ==========================  =====================================================
    """

    graph: Graph
    travel: Travel
    nodes: dict[str, NodeDef] = field(default_factory=dict)
    added: list[AddNode] = field(default_factory=list)
    rerouted: list[Reroute] = field(default_factory=list)

    def edits(self) -> Iterator[Edit]:
        """Yield the edits in the order of the graph."""
        for name, tall in self.travel.grown.items():
            _widen(self._change(name).attr["shape"].shape, tall)
        for change in self.travel.changes:
            match change:
                case Widens(node, tall):
                    _widen(self._change(node).attr["shape"].shape, tall)
                case Pads(edge, variable, tall):
                    self._pad(edge, variable, tall)
                case _:
                    pass
        for name, tall in find_samplers(self.graph, self.travel.lookups).items():
            self._change(name).attr["range_max"].i = tall.size + tall.added
        self._grow_constants()
        self._mend_hints()
        yield from (
            ReplaceNode(self.nodes[name]) for name in self.graph.nodes if name in self.nodes
        )
        yield from self.added
        yield from self.rerouted

    def _change(self, name: str) -> NodeDef:
        if name not in self.nodes:
            self.nodes[name] = NodeDef()
            self.nodes[name].CopyFrom(self.graph.nodes[name])
        return self.nodes[name]

    def _grow_constants(self) -> None:
        """Change a constant where it stands if all who take it ask for the same, else copy it."""
        values: dict[str, dict[Edge, TensorProto]] = {}
        for change in self.travel.changes:
            if isinstance(change, Stretches | Repeats):
                edge = change.path[-1] if isinstance(change, Stretches) else change.edge
                wanted = values.setdefault(self.graph.ref_at(edge).node, {})
                value = wanted.get(edge, self._value(edge))
                wanted[edge] = grown_value(value, change)
        for name, wanted in values.items():
            value, *others = wanted.values()
            users = {e for e in self.graph.edges_from(name) if not self.graph.ref_at(e).is_control}
            if users == wanted.keys() and all(other == value for other in others):
                self._set_value(self._change(name), value)
            else:
                for edge, each in wanted.items():
                    self._copy(name, edge, each)

    def _value(self, edge: Edge) -> TensorProto:
        return self.graph.nodes[self.graph.ref_at(edge).node].attr["value"].tensor

    def _set_value(self, node: NodeDef, value: TensorProto) -> None:
        node.attr["value"].tensor.CopyFrom(value)
        if HINT in node.attr:
            node.attr[HINT].list.shape[0].CopyFrom(value.tensor_shape)

    def _copy(self, name: str, edge: Edge, value: TensorProto) -> None:
        node = NodeDef()
        node.CopyFrom(self.graph.nodes[name])
        self._set_value(node, value)
        new = node_name(edge.consumer, f"input_{edge.slot}")
        # In a loop a control edge makes a constant run there.
        inputs = self.graph.inputs(name)
        self.added.append(AddNode(new, "Const", inputs, dict(node.attr), str(node.device)))
        self.rerouted.append(Reroute(edge, TensorRef(new)))

    def _pad(self, edge: Edge, variable: str, tall: Tall) -> None:
        """Put rows of zeros behind an initial value.   value -> Assign   =>   value, 0 -> Assign"""
        value, node = self.graph.ref_at(edge), self.graph.nodes[edge.consumer]
        shape = parse_shape(self.graph.nodes[variable].attr["shape"].shape) or ()
        dtype = self.graph.dtype(value)
        build = Builder(edge.consumer, str(node.device))
        rows = np.array([tall.added, *shape[1:]], np.int32)
        dims = build.const("new_shape", rows, types_pb2.DT_INT32)
        zero = build.const("zero", 0, dtype)
        types = {"T": dtype, "index_type": types_pb2.DT_INT32}
        zeros = build.add("new_rows", "Fill", (dims, zero), types)
        axis = build.const("axis", 0, types_pb2.DT_INT32)
        self.added += build.edits
        attrs = {"T": type_attr(dtype), "Tidx": type_attr(types_pb2.DT_INT32), "N": AttrValue(i=2)}
        name = build.name("all_rows")
        self.added.append(AddNode(name, "ConcatV2", (value, zeros, axis), attrs, build.device))
        self.rerouted.append(Reroute(edge, TensorRef(name)))

    def _mend_hints(self) -> None:
        for ref, tall in self.travel.tall.items():
            node = self.graph.nodes[ref.node]
            hints = node.attr[HINT].list.shape if HINT in node.attr else ()
            port = ref.port or 0
            if node.op not in RESOURCE_OPS and port < len(hints) and _has(hints[port], tall):
                _widen(self._change(ref.node).attr[HINT].list.shape[port], tall)
        least = min((tall.size for tall in self.travel.grown.values()), default=0)
        for name, node in self.graph.nodes.items():
            is_loose = name in self.travel.loose and TensorRef(name) not in self.travel.tall
            if is_loose and any(dim.size >= least for dim in _dims(node)):
                for dim in _dims(self._change(name)):
                    dim.size = -1 if dim.size >= least else dim.size


def _dims(node: NodeDef) -> list[TensorShapeProto.Dim]:
    """Return the dimensions of all that a node is said to give."""
    hints = node.attr[HINT].list.shape if HINT in node.attr else ()
    return [dim for shape in hints for dim in shape.dim]


def _has(shape: TensorShapeProto, tall: Tall) -> bool:
    return len(shape.dim) >= -tall.axis and shape.dim[tall.axis].size == tall.size


def _widen(shape: TensorShapeProto, tall: Tall) -> None:
    if _has(shape, tall):
        shape.dim[tall.axis].size = tall.size + tall.added
