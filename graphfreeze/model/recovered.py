"""What a graph without collections of variables is known by: its ops alone."""

from collections.abc import Mapping
from dataclasses import dataclass

from graphfreeze.model.graph import Graph
from graphfreeze.model.init_op import find_init_op, find_members
from graphfreeze.model.ops import OpTypeError
from graphfreeze.model.training import Training
from graphfreeze.model.untrained import find_untrained
from graphfreeze.model.variables import Variable
from graphfreeze.schema import MetaGraphDef


@dataclass(frozen=True)
class Recovered:
    """``untrained`` tells by name why a floating variable does not learn.

    ``init_op`` runs the initializers of most variables, but for those ``left_out``; those
    ``uninitialized`` have none."""

    untrained: Mapping[str, str]
    init_op: str | None
    left_out: tuple[str, ...]
    uninitialized: tuple[str, ...]


_NOTHING = Recovered({}, None, (), ())


def recover(graph: Graph, variables: tuple[Variable, ...], header: MetaGraphDef) -> Recovered:
    """Return what the ops tell of variables that no collection describes.

    A damaged graph, which lacks nodes or types, tells nothing for sure, so nothing is told."""
    if any(True for _ in graph.dangling()):
        return _NOTHING
    try:
        return _recover(graph, variables, header)
    except OpTypeError:
        return _NOTHING


def _recover(graph: Graph, variables: tuple[Variable, ...], header: MetaGraphDef) -> Recovered:
    training = Training(graph, {}, variables, header)
    initializers = {v.name: training.find_initializer(v) for v in variables}
    known = {name: op for name, op in initializers.items() if op is not None}
    init_op = find_init_op(graph, known.values())
    run = find_members(graph, init_op) if init_op is not None else set()
    return Recovered(
        find_untrained(graph, variables, header),
        init_op,
        tuple(name for name, op in known.items() if op not in run),
        tuple(name for name in initializers if name not in known),
    )
