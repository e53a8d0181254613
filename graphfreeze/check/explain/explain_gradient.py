"""Tell why a variable has a gradient of a loss, or has none, without TensorFlow's runtime."""

from collections.abc import Iterator, Sequence

import msgspec

from graphfreeze.check.explain.chosen import get_variable
from graphfreeze.check.explain.gradient_flow import Flow
from graphfreeze.check.explain.gradient_search import Search, Stop
from graphfreeze.check.explain.variable_ends import find_ends
from graphfreeze.model.calls import is_call
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
from graphfreeze.model.model import Model
from graphfreeze.model.names import TensorRef
from graphfreeze.model.records import VariableRecord
from graphfreeze.model.unfolded import Unfolded
from graphfreeze.model.unfolding import unfold
from graphfreeze.model.variables import Variable
from graphfreeze.prepare.part_switches import PartSwitches
from graphfreeze.prepare.recover_contexts import RecoverContexts
from graphfreeze.prepare.restore_ends import RestoreEnds
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.run import run
from graphfreeze.schema import GradientDef
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
    losses = find_losses(model.graph, model.collections, loss)
    draft = Draft(model)
    run(draft, [PartSwitches(), RestoreEnds(), RecoverContexts()])  # as gradients are built
    unfolded = unfold(draft.graph, without=find_own_gradients(model))
    flow, ends = Flow(unfolded, draft.collections), tuple(map(unfolded.ref, losses))
    record = _answer(model, variable, Search(flow, TensorRef(variable.name), ends))
    return msgspec.structs.replace(
        record,
        losses=[ref.tensor_name for ref in losses],
        trainable=variable.is_trainable,
        state=former.state if former is not None else "",
        rule=former.rule if former is not None else "",
        notes=[*_notes(unfolded, variable, record), *_overlay_notes(former)],
    )


def _answer(model: Model, variable: Variable, search: Search) -> GradientRecord:
    told = GradientRecord(
        variable=variable.name,
        losses=[],
        has_gradient=False,
        status=CUT,
        trainable=False,
    )
    if not variable.is_differentiable:
        return msgspec.structs.replace(told, status=NO_NUMBERS)
    if variable.name not in search.onward:
        ends = find_ends(model, search.flow.graph, variable)
        return msgspec.structs.replace(told, status=DISCONNECTED, leads_to=ends)
    if raising := search.refusals():
        cuts = _cuts(search, raising)
        return msgspec.structs.replace(told, status=REFUSED, **cuts)
    for status, with_zeros in ((GRADIENT, False), (ZERO, True)):
        if path := search.find_path(with_zeros=with_zeros):
            steps = _steps(search, path)
            return msgspec.structs.replace(told, has_gradient=True, status=status, path=steps)
    stops = search.cuts()
    cuts = _cuts(search, stops)
    if any(stop.block.is_unknown for stop in stops):
        return msgspec.structs.replace(told, has_gradient=None, status=UNKNOWN, **cuts)
    return msgspec.structs.replace(told, **cuts)


def _cuts(search: Search, stops: Sequence[Stop]) -> dict[str, object]:
    return {
        "cuts": [_cut(search, stop) for stop in stops[:_MOST_CUTS]],
        "cut_count": len(stops),
    }


def _cut(search: Search, stop: Stop) -> CutRecord:
    path, onward = _steps(search, stop.path), _steps(search, search.path_to_loss(stop.node))
    (cut,) = _steps(search, [stop.node])
    path += [cut] * (cut not in path[-1:])  # a call that ends here: its body does not
    return CutRecord(cut.name, cut.op, stop.block.reason, path, onward)


def _steps(search: Search, names: Sequence[str]) -> list[StepRecord]:
    told = search.flow.unfolded
    return [StepRecord(name, told.op(name)) for name in told.steps(names)]


def _taken_by(told: Unfolded, variable: Variable) -> str:
    """Return a call that a variable's value, or its handle, is handed to; '' if there is none."""
    reached = told.graph.descendants([variable.name], data_only=True)
    return next((call for call in told.calls if reached & {*told.arguments(call)}), "")


def _overlay_notes(former: VariableRecord | None) -> Iterator[str]:
    """Yield what learns in place of a table."""
    if former is not None and former.overlay_rows is not None:
        yield f"its rows that are not frozen learn in {former.overlay_rows}: ask about that"


def find_own_gradients(model: Model) -> frozenset[str]:
    """Return the functions whose gradients are other functions, not those of their bodies."""
    given = (leaf.message for leaf in model.part.leaves("gradient"))
    return frozenset(str(each.function_name) for each in given if isinstance(each, GradientDef))


def _notes(told: Unfolded, variable: Variable, record: GradientRecord) -> Iterator[str]:
    """Yield what else there is to know."""
    closed = (s.name for s in record.path if s.name not in told.calls)
    for name in closed:
        node = told.graph.nodes[name]
        if is_call(told.graph, node):
            yield f"{name} calls a function; its body was not looked into, and may cut the gradient"
    if record.status in (CUT, DISCONNECTED) and (call := _taken_by(told, variable)):
        yield f"{call} takes it into a function: tf.gradients may give zeros for it, not None"
    if record.has_gradient and not variable.is_trainable:
        yield "it is not in trainable_variables, so an optimizer leaves it out by itself"
