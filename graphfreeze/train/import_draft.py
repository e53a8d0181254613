"""The draft as TensorFlow gets it to build a train_op: with all that its gradients ask for."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType

from graphfreeze.errors import TrainError
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.op_origins import with_origins
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.handle_data import describe_handles
from graphfreeze.rewrite.message import importable, meta_graph
from graphfreeze.runtime import has_gradient, missing_ops, own_gradient, registered
from graphfreeze.schema import MetaGraphDef
from graphfreeze.train.aliases import Aliases
from graphfreeze.train.call_gradients import CallGradients
from graphfreeze.train.custom_gradients import (
    IGNORE,
    Gradient,
    asking,
    check_names,
    every_node,
    is_numbered,
)
from graphfreeze.train.request import TrainRequest


@dataclass(frozen=True)
class Import:
    """How an import names the functions of the draft.

    ``ignored`` are the nodes, with the names of their gradients, that were given their op's own."""

    aliases: Aliases
    ignored: Mapping[str, str]


@contextmanager
def imported(
    tf: ModuleType,
    draft: Draft,
    request: TrainRequest,
    *,
    learning: Sequence[str],
    losses: Sequence[TensorRef],
) -> Iterator[Import]:
    """Import the draft into the default graph, for as long as its gradients are wanted.

    Raises TrainError, with TensorFlow's reason if it refuses the graph."""
    graph, given = draft.graph, request.gradient_functions
    check_names(graph, given)
    _check_ops(tf, draft)
    message = importable(meta_graph(draft))
    describe_handles(message.graph_def, graph)
    entries = message.graph_def.library.gradient
    own = {str(entry.function_name): str(entry.gradient_func) for entry in entries}
    check_gradients(graph, own)
    asked = asking(graph, learning, losses, own=own)
    lost = {node: kind for node, kind in asked.items() if not _is_held(kind, given)}
    if lost and request.custom_gradients != IGNORE:
        raise TrainError.custom_gradients(lost)
    aliases = Aliases.of(graph.functions)
    aliases.put_on(message.graph_def)
    calls = CallGradients(tf, aliases, own).by_name(graph)
    named = dict.fromkeys(lost.values(), own_gradient) | given
    with registered(calls | {aliases.alias(name): each for name, each in named.items()}):
        _import(tf, message)
        yield Import(aliases, lost)


def _check_ops(tf: ModuleType, draft: Draft) -> None:
    """Name the ops that TensorFlow does not have; raises TrainError."""
    functions = draft.graph.functions
    ops = (str(node.op) for node in every_node(draft.graph))
    lacking = missing_ops(op for op in ops if op not in functions)
    if lacking:
        raise TrainError.missing_ops(with_origins(lacking), version=tf.__version__)


def check_gradients(graph: Graph, own: Mapping[str, str]) -> None:
    """Look for gradients of functions that are not there; raises TrainError."""
    for function, gradient in own.items():
        if gradient not in graph.functions:
            raise TrainError.no_gradient_function(function, gradient)


def _is_held(kind: str, given: Mapping[str, Gradient]) -> bool:
    """Tell whether the function that a gradient's name stands for is at hand."""
    return kind in given or (has_gradient(kind) and not is_numbered(kind))


def _import(tf: ModuleType, message: MetaGraphDef) -> None:
    try:
        tf.train.import_meta_graph(message)
    except (ValueError, TypeError, KeyError, tf.errors.OpError) as error:
        raise TrainError.import_refused(str(error), version=tf.__version__) from error
