"""Which functions a node calls, and which of their arguments its inputs become.

====================================  =============  ======================================
op                                    functions      argument of an input
====================================  =============  ======================================
While, StatelessWhile                 cond, body     the same place
If, StatelessIf, Case, StatelessCase  each branch    one less: the choice comes first
PartitionedCall,                      f              the same place
StatefulPartitionedCall, MapDefun
RemoteCall                            f              one less: the target comes first
SymbolicGradient                      f              the same place; gradients come behind
For                                   body           two less: start, limit and delta come
                                                     first, and the counter is no input
an op that is a function              itself         the same place
====================================  =============  ======================================

Of other ops that name functions (those of data sets) none is a call: no gradient passes there.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from graphfreeze.errors import LoadError, PathLike
from graphfreeze.model.graph import Graph
from graphfreeze.schema import FunctionDef, NodeDef

# By op: how many inputs are no arguments, and how many arguments no inputs; both come first.
_LAYOUTS = {
    **dict.fromkeys(("While", "StatelessWhile", "MapDefun", "SymbolicGradient"), (0, 0)),
    **dict.fromkeys(("PartitionedCall", "StatefulPartitionedCall"), (0, 0)),
    **dict.fromkeys(("If", "StatelessIf", "Case", "StatelessCase", "RemoteCall"), (1, 0)),
    "For": (3, 1),
}
CALLS = frozenset(_LAYOUTS)
WHILES = frozenset({"While", "StatelessWhile"})
# What these give is not what their functions return.
_OTHER_RESULTS = {("While", "cond"), ("StatelessWhile", "cond"), ("SymbolicGradient", "f")}


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the library that a node calls.

    ``attr`` is the attribute that names it, '' where the op itself is the function; ``place`` is
    its place in a list of them. ``given`` are the inputs that come before its arguments, ``own``
    the arguments that come before the inputs.
    """

    node: str
    op: str
    attr: str
    place: int | None
    function: FunctionDef
    given: int = 0
    own: int = 0

    @property
    def name(self) -> str:
        """The function's name."""
        return str(self.function.signature.name)

    @property
    def gives_returns(self) -> bool:
        """Tell whether the node's outputs are what the function returns, in their order."""
        return (self.op, self.attr) not in _OTHER_RESULTS

    def find_argument(self, slot: int) -> int | None:
        """Return which argument an input of the node becomes, None if it becomes none."""
        at = slot - self.given + self.own
        return at if slot >= self.given and at < len(self.function.signature.input_arg) else None

    def find_slot(self, argument: int) -> int | None:
        """Return which input of the node an argument is, None if it is none."""
        return argument - self.own + self.given if argument >= self.own else None

    def argument_name(self, argument: int) -> str:
        """Return how the body calls an argument."""
        return str(self.function.signature.input_arg[argument].name)


def is_call(graph: Graph, node: NodeDef) -> bool:
    """Tell whether a gradient can pass a node by way of functions."""
    return node.op in CALLS or node.op in graph.functions


def find_calls(graph: Graph, node: NodeDef) -> list[Call]:
    """Return the functions that a node calls, in the order of its attributes' names.

    Functions that are not in the library are left out."""
    if node.op in graph.functions:
        return [Call(str(node.name), str(node.op), "", None, graph.functions[node.op])]
    if node.op not in CALLS:
        return []
    given, own = _LAYOUTS[str(node.op)]
    return [
        Call(str(node.name), str(node.op), attr, place, graph.functions[name], given, own)
        for attr, place, name in named_functions(node)
        if name in graph.functions
    ]


def check_functions(graph: Graph, path: PathLike) -> None:
    """Refuse a graph that calls a function which its library lacks; raises LoadError.

    A node of a body is told as ``function/node``, ``path`` is what the error calls the graph."""
    bodies = ((f"{name}/", each.node_def) for name, each in graph.functions.items())
    for place, nodes in (("", graph.nodes.values()), *bodies):
        for node in (each for each in nodes if each.op in CALLS):
            for _, _, name in named_functions(node):
                if name not in graph.functions and graph.ops.find(name) is None:
                    node_name = f"{place}{node.name}"
                    raise LoadError.no_function(path, node_name, name, graph.functions)


def named_functions(node: NodeDef) -> Iterator[tuple[str, int | None, str]]:
    """Yield the functions that attributes of a node name: attribute, place in its list, name."""
    for attr in sorted(node.attr):
        value = node.attr[attr]
        if value.HasField("func"):
            yield attr, None, str(value.func.name)
        for place, function in enumerate(value.list.func):
            yield attr, place, str(function.name)
