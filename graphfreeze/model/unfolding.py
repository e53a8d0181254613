"""Put the bodies of functions in the place of what calls them."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

from graphfreeze.model.attrs import type_attr
from graphfreeze.model.bodies import Body, is_stand_in, open_body
from graphfreeze.model.calls import WHILES, Call, find_calls, is_call, named_functions
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef, parse_ref
from graphfreeze.model.unfolded import INTO, Unfolded, label_of, output_name
from graphfreeze.schema import AttrValue, NodeDef, types_pb2

_MOST = 100_000
_LOOPS = WHILES | {"For"}
_GRADIENT = "SymbolicGradient"
_REF = int(types_pb2.DT_FLOAT_REF) - int(types_pb2.DT_FLOAT)


def unfold(graph: Graph, *, without: Container[str] = (), most: int = _MOST) -> Unfolded:
    """Return a graph with the bodies of its functions; the graph itself if it calls none.

    Calls of functions ``without`` stay calls, and so do those in bodies once there are ``most``
    nodes more: functions that call others twice, level for level, have bodies without end."""
    if not any(is_call(graph, node) for node in graph.nodes.values()):
        return Unfolded(graph)
    builder = _Builder(graph, without, len(graph.nodes) + most)
    builder.add(builder.level(graph))
    made = builder.made
    inner = (n for n in made.graph.nodes if n.partition("[")[0].partition(INTO)[0] in graph.aside)
    made.graph.aside = graph.aside.union(inner)
    return made


@dataclass(frozen=True)
class _Level:
    """A graph that is put into what is made under a prefix; ``calls`` are unfolded there.

    ``above`` are the functions that it is in."""

    graph: Graph
    prefix: str
    calls: Mapping[str, Sequence[Call]]
    above: frozenset[str]

    def text(self, ref: TensorRef) -> str:
        """Return what a tensor, or a control edge, is in what is made."""
        name = f"{self.prefix}{ref.node}"
        if ref.node in self.calls and not ref.is_control:
            return output_name(name, ref.port or 0)
        return str(TensorRef(name, ref.port))

    def inputs(self, name: str) -> list[str]:
        """Return what a node takes."""
        return [self.text(ref) for ref in self.graph.inputs(name)]


@dataclass(frozen=True)
class _Inner:
    """A body in the place of a call that takes ``inputs``."""

    call: Call
    body: Body
    inputs: Sequence[str]
    level: _Level

    def values(self, argument: int, *, goes_round: bool) -> list[str]:
        """Return what an argument may be: what is handed over, or what was returned before."""
        slot = self.call.find_slot(argument)
        if slot is None:  # the call makes it itself: a counter
            return []
        given = [self.inputs[slot]]
        if goes_round and not self._is_kept(argument):
            given.append(self.returned(argument - self.call.own))
        return given

    def returned(self, place: int) -> str:
        """Return what the body returns."""
        return self.level.text(self._returned(place))

    def _is_kept(self, argument: int) -> bool:
        """Tell whether the body of a loop hands on an argument as it is."""
        ref, graph = self._returned(argument - self.call.own), self.body.graph
        while graph.op(ref.node) == "Identity":
            ref = graph.data_inputs(ref.node)[0]
        return ref.node == self.body.arguments[argument]

    def _returned(self, place: int) -> TensorRef:
        (ref,) = self.body.graph.inputs(self.body.returns[place])
        return ref


class _Builder:
    """Puts the nodes of a graph, and of its functions, into what is ``made``."""

    def __init__(self, base: Graph, without: Container[str], most: int) -> None:
        self.base, self.without = base, without
        self.most = most
        self.opened: dict[str, Body] = {}
        self.made = Unfolded(Graph((), base.functions, base.ops))

    def level(self, graph: Graph, prefix: str = "", above: frozenset[str] = frozenset()) -> _Level:
        """Return a graph with those of its calls that can be unfolded."""
        found = {name: self._find_calls(node, above) for name, node in graph.nodes.items()}
        return _Level(graph, prefix, {n: calls for n, calls in found.items() if calls}, above)

    def _find_calls(self, node: NodeDef, above: frozenset[str]) -> list[Call]:
        """Return what a node calls, nothing if not all of it can be unfolded."""
        if node.op == _GRADIENT or not is_call(self.base, node):
            return []
        if len(self.made.graph.nodes) > self.most:
            return []
        calls = find_calls(self.base, node)
        is_whole = all(name in self.base.functions for _, _, name in named_functions(node))
        is_plain = not any(call.function.signature.attr for call in calls)
        is_kept = any(call.name in above or call.name in self.without for call in calls)
        return calls if is_whole and is_plain and not is_kept else []

    def add(self, level: _Level) -> list[str]:
        """Add the nodes of a graph, and return their names."""
        added = []
        for name, node in level.graph.nodes.items():
            if level.prefix and is_stand_in(node):
                continue
            if name in level.calls:
                self._add_call(node, level)
            else:
                self._put(node, f"{level.prefix}{name}", level.inputs(name))
            added.append(f"{level.prefix}{name}")
        return added

    def _put(self, node: NodeDef, name: str, inputs: list[str]) -> None:
        if name != node.name or inputs != list(node.input):
            twin = NodeDef()
            twin.CopyFrom(node)
            twin.name = name
            twin.ClearField("input")
            twin.input.extend(inputs)
            node = twin
        self.made.graph.put(node)

    def _add_call(self, node: NodeDef, level: _Level) -> None:
        """Add the bodies that a node calls, and the node as what runs all that is in them."""
        name, inputs = f"{level.prefix}{node.name}", level.inputs(str(node.name))
        inners = [self._inner(call, level, inputs) for call in level.calls[str(node.name)]]
        loop = next((i for i in inners if node.op in _LOOPS and i.call.attr == "body"), None)
        run = dict.fromkeys(f"^{parse_ref(text).node}" for text in inputs)
        for inner in inners:
            self.made.bodies[inner.level.prefix] = inner.body.graph
            self._add_arguments(inner, loop, name)
            run |= dict.fromkeys(f"^{each}" for each in self.add(inner.level))
        self.made.calls[name] = node
        self.made.graph.put(NodeDef(name=name, op="NoOp", device=node.device, input=run))
        self._add_outputs(inners, loop, name)

    def _inner(self, call: Call, level: _Level, inputs: Sequence[str]) -> _Inner:
        body = self.opened.get(call.name) or open_body(self.base, call.function)
        self.opened[call.name] = body
        is_only = len(level.calls[call.node]) == 1 and call.place is None
        prefix = f"{level.prefix}{call.node}{'' if is_only else label_of(call)}{INTO}"
        return _Inner(call, body, inputs, self.level(body.graph, prefix, level.above | {call.name}))

    def _add_arguments(self, inner: _Inner, loop: _Inner | None, call: str) -> None:
        """Add what stands for the arguments; the condition of a loop has those of its body."""
        for at, arg in enumerate(inner.call.function.signature.input_arg):
            if loop is None or inner is loop:
                given = inner.values(at, goes_round=inner is loop)
            else:
                given = [f"{loop.level.prefix}{loop.body.arguments[at]}"]
            self._stand_in(f"{inner.level.prefix}{arg.name}", int(arg.type), given, call)

    def _add_outputs(self, inners: Sequence[_Inner], loop: _Inner | None, call: str) -> None:
        """Add what stands for what a call gives: of branches any of their results."""
        first = inners[0] if loop is None else loop
        for at, output in enumerate(first.call.function.signature.output_arg):
            if loop is None:
                given = [inner.returned(at) for inner in inners]
            else:
                given = loop.values(at + loop.call.own, goes_round=True)
            self._stand_in(
                output_name(call, at), int(output.type), given, call, waits=(f"^{call}",)
            )

    def _stand_in(
        self, name: str, dtype: int, given: Sequence[str], call: str, *, waits: Sequence[str] = ()
    ) -> None:
        is_ref = dtype > _REF
        attrs = {"T": type_attr(dtype - _REF if is_ref else dtype)}
        op = "Merge" if len(given) > 1 else "Identity"
        if not given:
            op, attrs = "Placeholder", {"dtype": type_attr(dtype)}
        elif op == "Merge":
            attrs["N"] = AttrValue(i=len(given))
        node = NodeDef(name=name, op=f"Ref{op}" if is_ref else op, input=[*given, *waits])
        for key, value in attrs.items():
            node.attr[key].CopyFrom(value)
        self.made.graph.put(node)
        self.made.places[name] = call
