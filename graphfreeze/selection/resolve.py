"""Resolve a plan against a model, once and loudly: from patterns to variables and rows."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from graphfreeze.errors import SelectionError
from graphfreeze.model.attrs import COMPLEX
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef, parse_ref
from graphfreeze.model.variables import REF_OPS, RESOURCE_OPS, Variable
from graphfreeze.selection.pattern import find_matches, get_single_match
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.selection.rows import RowSet, parse_rows

FROZEN, PARTLY, TRAINABLE = "frozen", "partly frozen", "trainable"
OTHER, SLOT = "not trainable", "slot"


@dataclass(frozen=True, slots=True)
class Choice:
    """What becomes of a variable, and by which rule; ``rows`` are the frozen ones if only some."""

    variable: Variable
    state: str
    rule: str = ""
    rows: RowSet | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """A choice for every variable, and the tensors to stop gradients at."""

    choices: tuple[Choice, ...]
    tensors: tuple[TensorRef, ...]

    @property
    def frozen(self) -> list[Variable]:
        """Return the wholly frozen variables."""
        return [each.variable for each in self.choices if each.state == FROZEN]

    @property
    def partly(self) -> dict[Variable, RowSet]:
        """Return the partly frozen variables with their frozen rows."""
        return {each.variable: each.rows for each in self.choices if each.rows is not None}

    @property
    def trained(self) -> list[Variable]:
        """Return the variables that learn, partly frozen ones included."""
        return [e.variable for e in self.choices if e.state in (TRAINABLE, PARTLY)]


def resolve(
    plan: FreezePlan, variables: Sequence[Variable], graph: Graph, *, slots: Collection[str] = ()
) -> Selection:
    """Return what a plan means for these variables; raises SelectionError.

    Only floating and complex variables that are saved can be chosen; integers, such as a global
    step, local variables and the ``slots`` of an old optimizer do not learn and stay as they are.
    """
    choices = {v.name: Choice(v, SLOT if v.name in slots else _state(v)) for v in variables}
    chosen = (v for v in variables if v.is_differentiable and not v.is_local)
    names = [v.name for v in chosen if v.name not in slots]
    for name, state, rule in _scopes(plan, names):
        old = choices[name]
        choices[name] = replace(old, state=FROZEN if state else _state(old.variable), rule=rule)
    for name, rows, rule in _rows(plan, choices, names):
        choices[name] = _choice_of_rows(choices[name].variable, rows, rule)
    tensors = tuple(_tensor(text, graph) for text in plan.stop_gradient)
    selection = Selection(tuple(choices.values()), tensors)
    _check(selection, plan)
    return selection


def _state(variable: Variable) -> str:
    """Return what a variable is before any option applies."""
    return TRAINABLE if variable.is_trainable else OTHER


def _scopes(plan: FreezePlan, names: Sequence[str]) -> Iterator[tuple[str, bool, str]]:
    """Yield name, whether it is frozen, and the rule, in the order of the options."""
    kept = [pattern for pattern, _ in find_matches(plan.train_only, names)]
    for name in names if kept else ():
        if not any(pattern.matches(name) for pattern in kept):
            yield name, True, f"--train-only {' '.join(plan.train_only)}"
    for pattern, found in find_matches(plan.freeze, names):
        yield from ((name, True, f"--freeze {pattern}") for name in found)
    for pattern, found in find_matches(plan.except_, names):
        yield from ((name, False, f"--except {pattern}") for name in found)


def _rows(
    plan: FreezePlan, choices: Mapping[str, Choice], names: Sequence[str]
) -> Iterator[tuple[str, RowSet, str]]:
    """Yield table, frozen rows and rule."""
    frozen = _row_sets(plan.freeze_rows, choices, names)
    trained = _row_sets(plan.train_rows, choices, names)
    for name in dict.fromkeys([*frozen, *trained]):
        parts = [f"--freeze-rows {name}"] * (name in frozen)
        parts += [f"--train-rows {name}"] * (name in trained)
        yield name, _frozen_rows(name, frozen.get(name), trained.get(name)), " ".join(parts)


def _frozen_rows(name: str, frozen: RowSet | None, trained: RowSet | None) -> RowSet:
    """Return the frozen rows; with both options the rest of the rows is trained."""
    if frozen is None:
        assert trained is not None
        return trained.complement()
    both = frozen.intersection(trained) if trained is not None else None
    if both is not None and not both.is_empty:
        first, stop = (int(n) for n in both.intervals[0])
        raise SelectionError.frozen_and_trained(name, f"rows {first}:{stop}")
    return frozen


def _row_sets(
    options: Mapping[str, str], choices: Mapping[str, Choice], names: Sequence[str]
) -> dict[str, RowSet]:
    found: dict[str, RowSet] = {}
    for pattern, text in options.items():
        variable = _table(pattern, choices, names)
        assert variable.shape is not None
        rows = parse_rows(text, variable.shape[0] or 0, variable=variable.name)
        # Two patterns may name one table.
        found[variable.name] = rows.union(found.get(variable.name, RowSet.empty(rows.height)))
    return found


def _table(pattern: str, choices: Mapping[str, Choice], names: Sequence[str]) -> Variable:
    """Return the one variable that a row option names; it must have rows."""
    variable = choices[get_single_match(pattern, names)].variable
    if not variable.shape or variable.shape[0] is None:
        raise SelectionError.no_rows_to_choose(variable.name, variable.shape or ())
    if variable.partition_of:
        raise SelectionError.rows_of_a_part(variable.name, variable.partition_of)
    if variable.dtype in COMPLEX:
        raise SelectionError.rows_of_complex(variable.name, dtype=variable.type_name)
    return variable


def _choice_of_rows(variable: Variable, rows: RowSet, rule: str) -> Choice:
    if rows.is_full:
        return Choice(variable, FROZEN, rule)
    if not variable.is_trainable:
        raise SelectionError.rows_not_trainable(variable.name)
    if rows.is_empty:
        return Choice(variable, TRAINABLE, rule)
    return Choice(variable, PARTLY, rule, rows)


def _tensor(text: str, graph: Graph) -> TensorRef:
    """Return a tensor that a gradient can be stopped at."""
    try:
        ref = parse_ref(text)
    except ValueError:
        raise SelectionError.unknown_tensor(text, graph.nodes) from None
    if ref.is_control or ref.node not in graph:
        raise SelectionError.unknown_tensor(text, graph.nodes)
    if graph.op(ref.node) in REF_OPS | RESOURCE_OPS:
        raise SelectionError.tensor_is_variable(text, ref.node)
    count = len(graph.ops.find_output_types(graph.nodes[ref.node], graph.functions) or ())
    if (ref.port or 0) >= count:
        raise SelectionError.unknown_tensor(text, [f"{ref.node}:{i}" for i in range(count)])
    return ref


def _check(selection: Selection, plan: FreezePlan) -> None:
    """Refuse a selection that freezes nothing, or all there is."""
    is_frozen = any(choice.state in (FROZEN, PARTLY) for choice in selection.choices)
    if not is_frozen and not selection.tensors and plan != FreezePlan():
        raise SelectionError.nothing_frozen()
    trainable = [c for c in selection.choices if c.variable.is_trainable]
    if trainable and not selection.trained:
        raise SelectionError.everything_frozen(len(trainable))
