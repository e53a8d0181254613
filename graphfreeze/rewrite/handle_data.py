"""What the handles are that functions take: type and shape of their variables.

Only today's TensorFlow writes this into functions. Without it, its gradients of a loop or branch
inside another fail where one branch leaves a variable alone. The draft and what is written stay as
they are.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from graphfreeze.model.attrs import find_attr
from graphfreeze.model.bodies import open_body
from graphfreeze.model.calls import Call, find_calls
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.reads import passed_on
from graphfreeze.schema import FunctionDef, GraphDef, TensorShapeProto

_UNKNOWN = TensorShapeProto(unknown_rank=True)


@dataclass(frozen=True)
class Handle:
    """The variable behind a handle: its type, and its shape where only one comes there."""

    dtype: int
    shape: TensorShapeProto

    def or_(self, other: "Handle | None") -> "Handle":
        """Return what fits both."""
        return self if other is None or other == self else Handle(self.dtype, _UNKNOWN)


Arguments = dict[tuple[str, int], Handle]


def find_handles(graph: Graph) -> Arguments:
    """Return the variables behind the handles that functions are given, by function and place."""
    found: Arguments = {}
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


def describe_handles(message: GraphDef, found: Mapping[tuple[str, int], Handle]) -> None:
    """Write into the functions of a message, in place, what their handles are."""
    functions = {str(f.signature.name): f for f in message.library.function}
    for (name, argument), handle in found.items():
        _describe(functions[name], argument, handle)


def _describe(function: FunctionDef, argument: int, handle: Handle) -> None:
    taken = function.signature.input_arg[argument]
    if not taken.handle_data:
        taken.handle_data.add(dtype=handle.dtype, shape=handle.shape)


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
