"""Gradients that were Python functions when a model was built, and which the graph does not hold.

``tf.Graph.gradient_override_map`` and ``tf.custom_gradient`` leave nothing but a name at a node,
the attribute ``_gradient_op_type``.
"""

import importlib
import os
import re
import sys
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain

from graphfreeze.errors import TrainError
from graphfreeze.model.attrs import COMPLEX, FLOATING
from graphfreeze.model.bodies import open_body
from graphfreeze.model.calls import find_calls, is_call
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.schema import FunctionDef, NodeDef, types_pb2

MADE_UP = "_gradient_op_type"
# Numbered by the process that built them: another one has the same names for other functions.
_NUMBERED = re.compile(r"(CustomGradient|(?P<call>(Stateful)?PartitionedCall))-\d+")
# By whose gradient TensorFlow goes into a body.
_PASSED = FLOATING | COMPLEX | {types_pb2.DT_RESOURCE, types_pb2.DT_VARIANT}
ERROR, IGNORE = "error", "ignore"
Gradient = Callable[..., object]


def gradient_type(node: NodeDef) -> str:
    """Return the name of the gradient that a node asks for, '' if it has its op's own."""
    return bytes(node.attr[MADE_UP].s).decode(errors="replace") if MADE_UP in node.attr else ""


def asking(
    graph: Graph,
    variables: Sequence[str],
    losses: Sequence[TensorRef],
    *,
    own: Container[str] = (),
) -> dict[str, str]:
    """Return the nodes, and what they ask for, by which gradients of losses reach variables.

    A node of a function is called ``function/node``; functions that have a gradient of their
    ``own`` are not looked into. Calls are left out: their gradients are made from bodies."""
    found, opened = dict[str, str](), set[str]()
    ways = [("", graph, _between(graph, variables, (ref.node for ref in losses)))]
    while ways:
        place, inside, names = ways.pop()
        for name in names:
            node = inside.nodes[name]
            kind = gradient_type(node)
            if kind and not _is_of_a_call(kind):
                found[place + name] = kind
            for call in find_calls(inside, node):
                if call.gives_returns and call.name not in opened and call.name not in own:
                    opened.add(call.name)
                    ways.append((f"{call.name}/", *_inside(graph, call.function)))
    return found


def _inside(graph: Graph, function: FunctionDef) -> tuple[Graph, list[str]]:
    """Return a body, and the nodes that its gradients pass."""
    body = open_body(graph, function)
    arguments = function.signature.input_arg
    starts = [str(each.name) for each in arguments if each.type in _PASSED]
    return body.graph, _between(body.graph, starts, body.returns)


def _between(graph: Graph, starts: Sequence[str], ends: Iterable[str]) -> list[str]:
    """Return the nodes on ways from some nodes to others that no StopGradient ends."""
    above, reached, todo = graph.ancestors(ends), set[str](), list(starts)
    while todo:
        name = todo.pop()
        if name in above and name not in reached and graph.op(name) != "StopGradient":
            reached.add(name)
            todo += graph.consumers(name, data_only=True)
    return [name for name in graph.nodes if name in reached]


def gradients_of_calls(graph: Graph) -> set[str]:
    """Return what calls ask for, bodies of functions included."""
    nodes = (node for node in every_node(graph) if is_call(graph, node))
    return {kind for node in nodes if _is_of_a_call(kind := gradient_type(node))}


def every_node(graph: Graph) -> Iterator[NodeDef]:
    """Yield the nodes of a graph and of its functions."""
    bodies = (function.node_def for function in graph.functions.values())
    return chain(graph.nodes.values(), *bodies)


def _is_of_a_call(kind: str) -> bool:
    found = _NUMBERED.fullmatch(kind)
    return found is not None and found["call"] is not None


def is_numbered(kind: str) -> bool:
    """Tell whether a gradient's name means nothing outside the process that made it up."""
    return _NUMBERED.fullmatch(kind) is not None


def check_names(graph: Graph, names: Iterable[str]) -> None:
    """Refuse gradients of ops and names that no node has; raises TrainError."""
    nodes = list(every_node(graph))
    known = {kind for node in nodes if (kind := gradient_type(node))}
    for name in names:
        if name not in known and all(node.op != name for node in nodes):
            raise TrainError.unknown_gradient(name, sorted(known))


def find_function(name: str, place: str) -> Gradient:
    """Return the function that ``module:function`` names; raises TrainError.

    Modules are looked for in the current directory too."""
    module, _, function = place.partition(":")
    if not module or not function:
        raise TrainError.bad_gradient(name, place, "write it as module:function")
    try:
        with _current_directory():
            found = getattr(importlib.import_module(module), function, None)
    except (ImportError, SyntaxError, NameError, AttributeError, TypeError, ValueError) as error:
        raise TrainError.bad_gradient(name, place, str(error)) from error
    if not callable(found):
        raise TrainError.bad_gradient(name, place, f"{module} has no function {function!r}")
    made: Gradient = found
    return made


@contextmanager
def _current_directory() -> Iterator[None]:
    sys.path.insert(0, os.getcwd())
    try:
        yield
    finally:
        sys.path.pop(0)
