"""Tell why a variable has a gradient of a loss, or has none, without TensorFlow's runtime."""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from graphfreeze.check.explain.chosen import get_variable
from graphfreeze.check.explain.gradient_flow import Flow
from graphfreeze.check.explain.gradient_ops import CALLS
from graphfreeze.check.explain.gradient_search import Search, Stop
from graphfreeze.check.explain.variable_ends import find_ends
from graphfreeze.model.explain_records import (
    CUT,
    DISCONNECTED,
    GRADIENT,
    NO_NUMBERS,
    REFUSED,
    UNKNOWN,
    ZERO,
    CutRecord,
    GradientRecord,
    StepRecord,
)
from graphfreeze.model.functions import called_functions
from graphfreeze.model.graph import Graph
from graphfreeze.model.model import Model
from graphfreeze.model.names import TensorRef
from graphfreeze.model.records import VariableRecord
from graphfreeze.model.variables import Variable
from graphfreeze.train.request import find_losses

_MOST_CUTS = 5


def explain_gradient(
    model: Model,
    name: str,
    *,
    loss: Sequence[str] = (),
    former: VariableRecord | None = None,
) -> GradientRecord:
    """Tell whether a variable has a gradient of a loss, by which path, or what cuts it.

    ``loss`` are names of tensors, ``total`` for all losses; without any, the ``losses`` collection
    has to leave no doubt. ``former`` is what an earlier freeze says of the variable. Raises
    CheckError for the name, TrainError for the losses.
    """
    variable = get_variable(model, name)
    losses = tuple(find_losses(model.graph, model.collections, loss))
    flow = Flow(model.graph, model.collections)
    record = _answer(model, variable, Search(flow, TensorRef(variable.name), losses))
    return msgspec.structs.replace(
        record,
        trainable=variable.is_trainable,
        state=former.state if former is not None else "",
        rule=former.rule if former is not None else "",
        notes=[*_notes(model, variable, record), *_overlay_notes(former)],
    )


def _answer(model: Model, variable: Variable, search: Search) -> GradientRecord:
    graph = model.graph
    told = GradientRecord(
        variable=variable.name,
        losses=[ref.tensor_name for ref in search.losses],
        has_gradient=False,
        status=CUT,
        trainable=False,
    )
    if not variable.is_differentiable:
        return msgspec.structs.replace(told, status=NO_NUMBERS)
    if variable.name not in search.onward:
        ends = find_ends(model, variable)
        return msgspec.structs.replace(told, status=DISCONNECTED, leads_to=ends)
    if raising := search.refusals():
        cuts = _cuts(graph, search, raising)
        return msgspec.structs.replace(told, status=REFUSED, **cuts)
    for status, with_zeros in ((GRADIENT, False), (ZERO, True)):
        if path := search.find_path(with_zeros=with_zeros):
            steps = _steps(graph, path)
            return msgspec.structs.replace(told, has_gradient=True, status=status, path=steps)
    stops = search.cuts()
    cuts = _cuts(graph, search, stops)
    if any(stop.block.is_unknown for stop in stops):
        return msgspec.structs.replace(told, has_gradient=None, status=UNKNOWN, **cuts)
    return msgspec.structs.replace(told, **cuts)


def _cuts(graph: Graph, search: Search, stops: Sequence[Stop]) -> dict[str, object]:
    return {
        "cuts": [_cut(graph, search, stop) for stop in stops[:_MOST_CUTS]],
        "cut_count": len(stops),
    }


def _cut(graph: Graph, search: Search, stop: Stop) -> CutRecord:
    return CutRecord(
        stop.node,
        graph.op(stop.node),
        stop.block.reason,
        _steps(graph, stop.path),
        _steps(graph, search.path_to_loss(stop.node)),
    )


def _steps(graph: Graph, names: Iterable[str]) -> list[StepRecord]:
    return [StepRecord(name, graph.op(name)) for name in names]


def _overlay_notes(former: VariableRecord | None) -> Iterator[str]:
    """Yield what learns in place of a table."""
    if former is not None and former.overlay_rows is not None:
        yield f"its rows that are not frozen learn in {former.overlay_rows}: ask about that"


def _notes(model: Model, variable: Variable, record: GradientRecord) -> Iterator[str]:
    """Yield what else there is to know."""
    graph = model.graph
    calls = [s.name for s in record.path if s.op in CALLS | graph.functions.keys()]
    calls += [s.name for s in record.path if called_functions(graph.nodes[s.name])]
    for name in dict.fromkeys(calls):
        yield f"{name} calls a function; its body was not looked into, and may cut the gradient"
    if record.has_gradient and not variable.is_trainable:
        yield "it is not in trainable_variables, so an optimizer leaves it out by itself"
