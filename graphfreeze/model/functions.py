"""What function bodies do with the variables that are handed to them."""

from collections.abc import Iterator

from graphfreeze.model.calls import CALLS, WHILES, find_calls, named_functions
from graphfreeze.model.graph import Edge, Graph
from graphfreeze.model.names import parse_ref
from graphfreeze.model.variables import ONLY_READ, PASS_HANDLE
from graphfreeze.schema import FunctionDef, NodeDef, types_pb2

_RESOURCE = types_pb2.DT_RESOURCE


def called_functions(node: NodeDef) -> list[str]:
    """Return the functions that a node names in its attributes."""
    return [name for _, _, name in named_functions(node)]


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
    if not graph.functions.keys() >= set(names):
        return True
    if node.op in CALLS or node.op in graph.functions:
        passed = ((call.function, call.find_argument(slot)) for call in find_calls(graph, node))
        return any(at is not None and _writes(graph, each, at, seen) for each, at in passed)
    # Which argument it becomes nobody tells: it may be any.
    functions = (graph.functions[name] for name in names)
    return any(_writes(graph, each, at, seen) for each in functions for at in _handles(each))


def _handles(function: FunctionDef) -> list[int]:
    args = enumerate(function.signature.input_arg)
    return [at for at, arg in args if arg.type == _RESOURCE]


def _writes(
    graph: Graph, function: FunctionDef, argument: int, seen: frozenset[tuple[str, int]]
) -> bool:
    name = str(function.signature.name)
    if (name, argument) in seen:
        return False
    handle = str(function.signature.input_arg[argument].name)
    inner = seen | {(name, argument)}
    return any(_node_writes(graph, node, slot, inner) for node, slot in _users(function, handle))


def handed_back(
    graph: Graph, node: NodeDef, slot: int, seen: frozenset[tuple[str, int]] = frozenset()
) -> set[int]:
    """Return the outputs of a call that are the very handle which it takes as some input."""
    found = {slot} if node.op in WHILES else set[int]()
    for call in find_calls(graph, node):
        argument = call.find_argument(slot)
        if argument is not None and call.gives_returns and (call.name, argument) not in seen:
            found |= _returned(graph, call.function, argument, seen | {(call.name, argument)})
    return found


def _returned(
    graph: Graph, function: FunctionDef, argument: int, seen: frozenset[tuple[str, int]]
) -> set[int]:
    outputs = function.signature.output_arg
    if all(output.type != _RESOURCE for output in outputs):
        return set()
    handles = {str(function.signature.input_arg[argument].name)}
    for node in function.node_def:
        for slot in (slot for slot, text in enumerate(node.input) if text in handles):
            passes = node.op in PASS_HANDLE
            ports = set[int]() if passes else handed_back(graph, node, slot, seen)
            names = graph.ops.output_names(node, graph.functions) if passes or ports else []
            given = names if passes else [names[port] for port in ports]
            handles |= {f"{node.name}:{name}:{at}" for name, at in given}
    return {i for i, output in enumerate(outputs) if function.ret.get(output.name, "") in handles}


def _users(function: FunctionDef, handle: str) -> list[tuple[NodeDef, int]]:
    """Return the nodes of a body, and the inputs, that take a handle and do not pass it on."""
    names, users = {handle}, []
    for node in function.node_def:
        for slot, text in enumerate(node.input):
            if text.startswith("^") or parse_ref(str(text)).node not in names:
                continue
            if node.op in PASS_HANDLE:
                names.add(str(node.name))
            else:
                users.append((node, slot))
    return users
