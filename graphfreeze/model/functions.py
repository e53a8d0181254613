"""What function bodies do with the variables that are handed to them."""

from collections.abc import Iterator

from graphfreeze.model.calls import CALLS, WHILES, find_calls, named_functions
from graphfreeze.model.graph import Edge, Graph
from graphfreeze.model.handled import NOTHING, Handled
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
    inner, users = seen | {(name, argument)}, _handled(graph, function).users.get(handle, ())
    return any(_node_writes(graph, node, slot, inner) for node, slot in users)


def handed_back(graph: Graph, node: NodeDef, slot: int) -> set[int]:
    """Return the outputs of a call that are the very handle which it takes as some input."""
    found = {slot} if node.op in WHILES else set[int]()
    for call in find_calls(graph, node):
        argument = call.find_argument(slot)
        if argument is not None and call.gives_returns:
            handled = _handled(graph, call.function)
            found |= handled.returned.get(call.argument_name(argument), set())
    return found


def _handled(graph: Graph, function: FunctionDef) -> Handled:
    """Return what a function does with handles; one that calls itself gives none back there."""
    name = str(function.signature.name)
    known = graph.handled.get(name)
    if known is None or known[0] is not function:
        graph.handled[name] = function, NOTHING
        graph.handled[name] = known = function, _find_handled(graph, function)
    return known[1]


def _find_handled(graph: Graph, function: FunctionDef) -> Handled:
    owners = _Owners(graph, function)
    users: dict[str, list[tuple[NodeDef, int]]] = {arg: [] for arg in owners.args}
    returned = {arg: set[int]() for arg in owners.args}
    for node in function.node_def:
        for slot, text in enumerate(node.input if node.op not in PASS_HANDLE else ()):
            for arg in owners.of(str(text)):
                users[arg].append((node, slot))
    for place, output in enumerate(function.signature.output_arg):
        for arg in owners.of(function.ret.get(str(output.name), "")):
            returned[arg].add(place)
    return Handled(users, returned)


class _Owners:
    """Which arguments the texts of a body stand for, where these are handles."""

    def __init__(self, graph: Graph, function: FunctionDef) -> None:
        self.graph = graph
        signature = function.signature
        self.args = [str(arg.name) for arg in signature.input_arg if arg.type == _RESOURCE]
        # All that a node passes on goes by the node alone.
        self._known = {arg: {arg} for arg in self.args}
        count = -1
        while count != (count := sum(map(len, self._known.values()))):
            for node in function.node_def:
                self._pass_on(node)

    def of(self, text: str) -> set[str]:
        """Return the arguments that a text may stand for."""
        return self._known.get(text) or self._known.get(text.partition(":")[0]) or set()

    def _pass_on(self, node: NodeDef) -> None:
        for slot, text in enumerate(node.input):
            args = self.of(str(text))
            passes = bool(args) and node.op in PASS_HANDLE
            given = [str(node.name)] if passes else _given_back(self.graph, node, slot)
            for name in given if args else ():
                self._known.setdefault(name, set()).update(args)


def _given_back(graph: Graph, node: NodeDef, slot: int) -> Iterator[str]:
    """Yield how a body calls the outputs of a call that are the handle which it takes."""
    ports = handed_back(graph, node, slot)
    names = graph.ops.output_names(node, graph.functions) if ports else []
    yield from (f"{node.name}:{name}:{at}" for name, at in (names[port] for port in ports))
