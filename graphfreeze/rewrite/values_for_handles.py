"""Functions that take the values of variables where they took handles.

    y = PartitionedCall(x, w) {f: dense}         v = ReadVariableOp(w)
                                                 y = PartitionedCall(x, v) {f: dense__..._values_1}
    dense(x, w):                          =>     dense__..._values_1(x, w):
      r = ReadVariableOp(w)                        r = Identity(w)
      e = ResourceGather(w, x)                     e = GatherV2(w, x, axis)

For graphs that are to hold constants: TensorFlow's own conversion loses lookups in functions, and
handles that loops give back.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from graphfreeze.model.attrs import type_attr
from graphfreeze.model.bodies import Body, open_body
from graphfreeze.model.calls import WHILES, Call, find_calls
from graphfreeze.model.graph import Graph, with_inputs
from graphfreeze.model.names import TensorRef
from graphfreeze.model.reads import passed_on
from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.builder import node_name
from graphfreeze.rewrite.handle_data import find_returned
from graphfreeze.rewrite.specialise import free_name, naming
from graphfreeze.rewrite.valued_nodes import HANDING_ON, give, hang_axes, valued
from graphfreeze.schema import (
    FunctionDef,
    NodeDef,
)

Values = Mapping[TensorRef, int]


@dataclass
class ValuesForHandles:
    """Lets the calls of a graph, which is changed, take values; new functions are put beside."""

    graph: Graph
    _made: dict[tuple[str, tuple[tuple[int, int], ...]], str] = field(default_factory=dict)

    def replace(self, variables: Iterable[Variable]) -> None:
        """Read variables before they are handed to functions; raises ExportError."""
        for variable in variables:
            if variable.kind == "resource" and variable.name in self.graph:
                for ref in passed_on(self.graph, TensorRef(variable.name), "resource"):
                    self._read(ref, variable.dtype)

    def _read(self, ref: TensorRef, dtype: int) -> None:
        graph = self.graph
        edges = [e for e in graph.edges_of(ref) if find_calls(graph, graph.nodes[e.consumer])]
        if not edges:
            return
        value = TensorRef(node_name(ref.node, f"value_{ref.port}"))
        attrs = {"dtype": type_attr(dtype)}
        read = NodeDef(name=value.node, op="ReadVariableOp", input=[str(ref)], attr=attrs)
        graph.put(read)
        for edge in edges:
            inputs = [str(each) for each in graph.inputs(edge.consumer)]
            inputs[edge.slot] = str(value)
            graph.put(with_inputs(graph.nodes[edge.consumer], inputs))
        self._spread(graph, self._reached(graph, {value: dtype}))

    def _reached(self, graph: Graph, starts: Values) -> dict[TensorRef, int]:
        """Return all tensors that become values, with their types."""
        found, todo = dict[TensorRef, int](), list(starts.items())
        while todo:
            ref, dtype = todo.pop()
            if ref not in found:
                found[ref] = dtype
                for edge in graph.edges_of(ref):
                    todo += [(each, dtype) for each in _given_on(graph, edge.consumer, edge.slot)]
        return found

    def _spread(self, graph: Graph, values: Values) -> None:
        """Let what takes these tensors take values."""
        taken: dict[str, dict[int, int]] = {}
        for ref, dtype in values.items():
            for edge in graph.edges_of(ref):
                taken.setdefault(edge.consumer, {})[edge.slot] = dtype
        for name, slots in taken.items():
            calls = find_calls(graph, graph.nodes[name])
            if calls:
                graph.put(self._call(graph.nodes[name], calls, slots, values))
            else:
                (dtype,) = slots.values()
                for node in valued(graph.nodes[name], dtype):
                    graph.put(node)

    def _call(
        self, node: NodeDef, calls: list[Call], slots: Mapping[int, int], values: Values
    ) -> NodeDef:
        names = []
        for call in calls:
            places = ((call.find_argument(slot), dtype) for slot, dtype in slots.items())
            taken = {place: dtype for place, dtype in places if place is not None}
            names.append(self._function(call.function, taken))
        made = naming(node, calls, names)
        for call in calls:
            types = made.attr["T" if node.op in WHILES else "Tin"].list.type if call.attr else []
            for slot, dtype in slots.items():
                if types:
                    types[slot - call.given] = dtype
        for ref, dtype in values.items():
            if ref.node == node.name:
                give(made, ref.port or 0, dtype)
        return made

    def _function(self, function: FunctionDef, taken: Mapping[int, int]) -> str:
        """Return the name of a function like this one that takes values at some places."""
        key = str(function.signature.name), tuple(sorted(taken.items()))
        if not taken:
            return key[0]
        if key not in self._made:
            self._made[key] = free_name(key[0], self.graph.functions, role="values")
            self.graph.functions[self._made[key]] = function  # of its signature, if it calls itself
            made = self._converted(open_body(self.graph, function), self._made[key], taken)
            self.graph.functions[self._made[key]] = made
        return self._made[key]

    def _converted(self, body: Body, name: str, taken: Mapping[int, int]) -> FunctionDef:
        starts = {TensorRef(body.arguments[place]): dtype for place, dtype in taken.items()}
        for ref, dtype in starts.items():
            body.graph.put(next(valued(body.graph.nodes[ref.node], dtype)))
        self._spread(body.graph, self._reached(body.graph, starts))
        hang_axes(body.graph)
        made = _renamed_outputs(body).written(name)
        for nodes, args in (
            (body.arguments, made.signature.input_arg),
            (body.returns, made.signature.output_arg),
        ):
            for node, arg in zip(nodes, args, strict=True):
                arg.type = body.graph.nodes[node].attr["T"].type
                arg.ClearField("handle_data")
        made.attr.pop("_input_shapes", None)
        made.arg_attr.clear()
        return made


def _renamed_outputs(body: Body) -> Body:
    """Return a body that speaks of tensors as their new ops call them: ``r:output:0``."""
    graph, opened = body.graph, body.opened
    changed = [name for name, node in opened.items() if graph.op(name) != node.op]
    for each in dict.fromkeys(user for name in changed for user in graph.consumers(name)):
        graph.put(with_inputs(graph.nodes[each], [str(ref) for ref in graph.inputs(each)]))
    return replace(body, texts={r: t for r, t in body.texts.items() if r.node not in changed})


def _given_on(graph: Graph, name: str, slot: int) -> Iterator[TensorRef]:
    """Yield the outputs of a node that are what it takes there."""
    node = graph.nodes[name]
    if node.op in HANDING_ON:
        yield from (TensorRef(name, port) for port in range(2 if node.op == "Switch" else 1))
    calls = [call for call in find_calls(graph, node) if call.gives_returns]
    for call in calls[:1]:
        for port in range(len(call.function.signature.output_arg)):
            if find_returned(graph, call.function, port) == call.find_argument(slot):
                yield TensorRef(name, port)
