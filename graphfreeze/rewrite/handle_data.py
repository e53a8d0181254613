"""What the handles are that functions take and give back: type and shape of their variables.

Only today's TensorFlow writes this into functions. Without it, its gradients of a loop or branch
inside another fail where one branch leaves a variable alone, and those of a call that gives handles
back, as one does that 1.15 trained. The draft and what is written stay as they are.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from graphfreeze.model.attrs import find_attr
from graphfreeze.model.bodies import open_body
from graphfreeze.model.calls import Call, find_calls
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.reads import passed_on
from graphfreeze.schema import FunctionDef, GraphDef, OpDef, TensorShapeProto, types_pb2

_UNKNOWN = TensorShapeProto(unknown_rank=True)


@dataclass(frozen=True)
class Handle:
    """The variable behind a handle: its type, and its shape where only one comes there."""

    dtype: int
    shape: TensorShapeProto

    def or_(self, other: "Handle | None") -> "Handle":
        """Return what fits both."""
        return self if other is None or other == self else Handle(self.dtype, _UNKNOWN)


Places = dict[tuple[str, int], Handle]


def find_handles(graph: Graph) -> Places:
    """Return the variables behind the handles that functions are given, by function and place."""
    found: Places = {}
    todo = [(graph, name, _handle(graph, name)) for name in _variables(graph)]
    while todo:
        inside, name, handle = todo.pop()
        for call, argument in _taken(inside, name):
            place = (call.name, argument)
            both = handle.or_(found.get(place))
            if both != found.get(place):
                found[place] = both
                body = open_body(graph, call.function).graph
                todo.append((body, call.argument_name(argument), both))
    return found


def describe_handles(message: GraphDef, graph: Graph) -> None:
    """Write into the functions of a message of the graph, in place, what their handles are."""
    found = find_handles(graph)
    for function in message.library.function:
        name, signature = str(function.signature.name), function.signature
        for place, taken in enumerate(signature.input_arg):
            _describe(taken, found.get((name, place)))
        for place, given in enumerate(signature.output_arg):
            if given.type == types_pb2.DT_RESOURCE:
                argument = find_returned(graph, graph.functions[name], place)
                _describe(given, None if argument is None else found.get((name, argument)))


def _describe(arg: OpDef.ArgDef, handle: Handle | None) -> None:
    if handle is not None and not arg.handle_data:
        arg.handle_data.add(dtype=handle.dtype, shape=handle.shape)


def find_returned(
    graph: Graph, function: FunctionDef, place: int, seen: frozenset[str] = frozenset()
) -> int | None:
    """Return the argument that a function gives back at a place as it is, None if it gives none."""
    body, name = open_body(graph, function), str(function.signature.name)
    if name in seen:
        return None
    ref: TensorRef | None = body.graph.inputs(body.returns[place])[0]
    while ref is not None and ref.node not in body.arguments:
        ref = _before(body.graph, ref, seen | {name})
    return None if ref is None else body.arguments.index(ref.node)


def _before(graph: Graph, ref: TensorRef, seen: frozenset[str]) -> TensorRef | None:
    """Return the tensor that a node hands on there, None if it computes it."""
    inputs = graph.data_inputs(ref.node)
    if graph.op(ref.node) == "Identity":
        return inputs[0]
    calls = (c for c in find_calls(graph, graph.nodes[ref.node]) if c.gives_returns)
    call = next(calls, None)
    place = None if call is None else find_returned(graph, call.function, ref.port or 0, seen)
    slot = None if call is None or place is None else call.find_slot(place)
    return None if slot is None else inputs[slot]


def _variables(graph: Graph) -> list[str]:
    return [name for name in graph.nodes if graph.op(name) == "VarHandleOp"]


def _handle(graph: Graph, name: str) -> Handle:
    node = graph.nodes[name]
    return Handle(int(find_attr(node, "dtype").type), find_attr(node, "shape").shape)


def _taken(graph: Graph, name: str) -> Iterator[tuple[Call, int]]:
    """Yield the calls that take a handle, and as which argument."""
    for ref in passed_on(graph, TensorRef(name), "resource"):
        for edge in graph.edges_of(ref):
            for call in find_calls(graph, graph.nodes[edge.consumer]):
                argument = call.find_argument(edge.slot)
                if argument is not None:
                    yield call, argument
