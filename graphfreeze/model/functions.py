"""What function bodies do with the variables that are handed to them."""

from collections.abc import Iterator

from graphfreeze.model.graph import Edge, Graph
from graphfreeze.model.names import parse_ref
from graphfreeze.model.variables import ONLY_READ
from graphfreeze.schema import FunctionDef, NodeDef

_FIRST_ARGUMENT = {"If": 1, "StatelessIf": 1, "Case": 1, "StatelessCase": 1}


def called_functions(node: NodeDef) -> list[str]:
    """Return the functions that a node names in its attributes."""
    found = [str(value.func.name) for value in node.attr.values() if value.HasField("func")]
    lists = (value.list.func for value in node.attr.values() if value.HasField("list"))
    return found + [str(func.name) for funcs in lists for func in funcs]


def functions_run(graph: Graph, node: NodeDef, seen: set[str]) -> Iterator[FunctionDef]:
    """Yield the functions that a node calls, and those that these call; ``seen`` ones no more."""
    todo = [str(node.op), *called_functions(node)]
    while todo:
        name = todo.pop()
        if name in graph.functions and name not in seen:
            seen.add(name)
            function = graph.functions[name]
            yield function
            for each in function.node_def:
                todo += [str(each.op), *called_functions(each)]


def writes_argument(graph: Graph, edge: Edge) -> bool:
    """Tell whether an op that takes a variable's handle could change the variable."""
    node = graph.nodes[edge.consumer]
    return _node_writes(graph, node, edge.slot, frozenset())


def _node_writes(graph: Graph, node: NodeDef, slot: int, seen: frozenset[tuple[str, int]]) -> bool:
    names = [str(node.op)] if node.op in graph.functions else called_functions(node)
    if not names:
        return node.op not in ONLY_READ
    argument = slot - _FIRST_ARGUMENT.get(str(node.op), 0)
    return any(_function_writes(graph, name, argument, seen) for name in names)


def _function_writes(
    graph: Graph, name: str, argument: int, seen: frozenset[tuple[str, int]]
) -> bool:
    function = graph.functions.get(name)
    if function is None:
        return True
    if (name, argument) in seen:
        return False
    handle = str(function.signature.input_arg[argument].name)
    inner = seen | {(name, argument)}
    return any(_node_writes(graph, node, slot, inner) for node, slot in _users(function, handle))


def _users(function: FunctionDef, handle: str) -> list[tuple[NodeDef, int]]:
    """Return the nodes of a body, and the inputs, that take a handle; Identity passes it on."""
    names, users = {handle}, []
    for node in function.node_def:
        for slot, text in enumerate(node.input):
            if text.startswith("^") or parse_ref(str(text)).node not in names:
                continue
            if node.op == "Identity":
                names.add(str(node.name))
            else:
                users.append((node, slot))
    return users
