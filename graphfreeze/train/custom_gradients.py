"""Gradients that were Python functions when a model was built, and which the graph does not hold.

``tf.Graph.gradient_override_map`` and ``tf.custom_gradient`` leave nothing but a name at a node,
the attribute ``_gradient_op_type``.
"""

import importlib
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from graphfreeze.errors import TrainError
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.schema import NodeDef

MADE_UP = "_gradient_op_type"
# Numbered by the process that built them: another one has the same names for other functions.
_NUMBERED = re.compile(r"(CustomGradient|(Stateful)?PartitionedCall)-\d+")
ERROR, IGNORE = "error", "ignore"
Gradient = Callable[..., object]


def gradient_type(node: NodeDef) -> str:
    """Return the name of the gradient that a node asks for, '' if it has its op's own."""
    return bytes(node.attr[MADE_UP].s).decode(errors="replace") if MADE_UP in node.attr else ""


def asking(graph: Graph, variables: Sequence[str], losses: Sequence[TensorRef]) -> dict[str, str]:
    """Return the nodes, and what they ask for, by which gradients of losses reach variables."""
    above = graph.ancestors(ref.node for ref in losses)
    reached: set[str] = set()
    todo = list(variables)
    while todo:
        name = todo.pop()
        if name in above and name not in reached and graph.op(name) != "StopGradient":
            reached.add(name)
            todo += graph.consumers(name, data_only=True)
    named = ((name, gradient_type(graph.nodes[name])) for name in graph.nodes if name in reached)
    return {name: kind for name, kind in named if kind}


def is_numbered(kind: str) -> bool:
    """Tell whether a gradient's name means nothing outside the process that made it up."""
    return _NUMBERED.fullmatch(kind) is not None


def check_names(graph: Graph, names: Iterable[str]) -> None:
    """Refuse gradients of ops and names that no node has; raises TrainError."""
    nodes = graph.nodes.values()
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
