"""Resolve a plan against a model, once and loudly: from patterns to variables and entries."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from graphfreeze.errors import SelectionError
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef, parse_ref
from graphfreeze.model.saver import SaverOps
from graphfreeze.model.tables import Table, find_tables
from graphfreeze.model.variables import REF_OPS, RESOURCE_OPS, Variable
from graphfreeze.model.weights import has_weights
from graphfreeze.selection.choice import (
    FROZEN,
    OTHER,
    PARTLY,
    SLOT,
    TRAINABLE,
    UPDATED,
    Choice,
)
from graphfreeze.selection.dropouts import turn_off
from graphfreeze.selection.entries import Entries
from graphfreeze.selection.entry_arrays import Scale
from graphfreeze.selection.entry_options import Marked, mark_tables
from graphfreeze.selection.pattern import find_matches
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.selection.rows import RowSet
from graphfreeze.selection.statistics import stop_statistics
from graphfreeze.selection.words import WordCount

__all__ = [
    "FROZEN",
    "OTHER",
    "PARTLY",
    "SLOT",
    "TRAINABLE",
    "UPDATED",
    "Choice",
    "Selection",
    "resolve",
]


@dataclass(frozen=True, slots=True)
class Selection:
    """A choice for every variable, and the tensors to stop gradients at.

    ``tables`` are the variables as they are saved, ``words`` tells what words came to.
    ``batch_norms`` are the nodes of those that use their moving averages from now on, ``dropouts``
    those of the ones turned off, ``notes`` sentences for the report."""

    choices: tuple[Choice, ...]
    tensors: tuple[TensorRef, ...]
    tables: tuple[Table, ...] = ()
    words: tuple[WordCount, ...] = ()
    mask_kernel: str = "auto"
    batch_norms: tuple[str, ...] = ()
    dropouts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def frozen(self) -> list[Variable]:
        """Return the variables that nothing writes: wholly frozen, or read under an overlay."""
        return [e.variable for e in self.choices if e.state == FROZEN or e.overlay]

    @property
    def partly(self) -> dict[Variable, Entries]:
        """Return the variables that are written in part, with their frozen entries."""
        partly = (e for e in self.choices if not e.overlay)
        return {e.variable: e.entries for e in partly if e.entries is not None}

    @property
    def scaled(self) -> dict[Variable, Scale]:
        """Return the variables whose rows' gradients are scaled."""
        return {e.variable: e.scale for e in self.choices if e.scale is not None}

    @property
    def overlaid(self) -> dict[Variable, RowSet]:
        """Return the tables that an overlay of their trainable rows keeps, with the frozen rows."""
        pairs = ((e.variable, e.entries) for e in self.choices if e.overlay)
        return {v: e.rows for v, e in pairs if e is not None and e.rows is not None}

    @property
    def trained(self) -> list[Variable]:
        """Return the variables that learn, partly frozen ones included, without those overlaid.

        The shadow of a partly frozen variable is partly frozen too, and does not learn."""
        learning = (e for e in self.choices if e.state in (TRAINABLE, PARTLY) and not e.overlay)
        return [e.variable for e in learning if e.variable.is_trainable]


def resolve(
    plan: FreezePlan,
    variables: Sequence[Variable],
    graph: Graph,
    *,
    saver: SaverOps | None = None,
    slots: Collection[str] = (),
) -> Selection:
    """Return what a plan means for these variables; raises SelectionError.

    Only floating and complex variables that are saved can be chosen; integers, such as a global
    step, local variables and the ``slots`` of an old optimizer do not learn and stay as they are.
    ``saver`` tells which variables are parts of one, where no collection does.
    """
    if not variables and plan.names_variables:
        raise SelectionError.no_variables(has_weights=has_weights(graph))
    choices = {v.name: Choice(v, SLOT if v.name in slots else _state(v)) for v in variables}
    chosen = [v for v in variables if _can_learn(v) and v.name not in slots]
    for name, state, rule in _scopes(plan, [v.name for v in chosen]):
        old = choices[name]
        choices[name] = replace(old, state=FROZEN if state else _state(old.variable), rule=rule)
    tables = find_tables(graph, chosen, saver)
    marked, words = mark_tables(plan, tables, graph)
    for each in marked:
        for choice in _choices_of(each, overlay=plan.row_strategy == "overlay"):
            choices[choice.variable.name] = choice
    tensors = tuple(_tensor(text, graph) for text in plan.stop_gradient)
    stopped = stop_statistics(choices, graph, plan.batch_norm)
    dropouts = turn_off(stopped.choices, graph, plan.dropout)
    selection = Selection(
        tuple(stopped.choices.values()),
        tensors,
        tables,
        words,
        plan.mask_kernel,
        stopped.inferred,
        dropouts.off,
        (*stopped.notes, *dropouts.notes),
    )
    _check(selection, plan)
    return selection


def _can_learn(variable: Variable) -> bool:
    return variable.is_differentiable and not variable.is_local


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


def _choices_of(marked: Marked, *, overlay: bool) -> Iterator[Choice]:
    """Yield the choices for the variables of a table: each part has its piece of what is marked."""
    frozen, rule = marked.frozen, marked.rule
    if overlay and not frozen.is_empty and (frozen.rows is None or marked.scale is not None):
        raise SelectionError.overlay_of_entries(marked.table.name)
    for part in marked.table.parts:
        variable = part.variable
        shape = tuple(size or 0 for size in variable.shape or ())
        piece = frozen.part(part.offset, shape)
        scale = None if marked.scale is None else marked.scale.part(part.offset[0], shape[0])
        if piece.is_full:
            yield Choice(variable, FROZEN, rule)
        elif not variable.is_trainable:
            raise SelectionError.rows_not_trainable(variable.name)
        elif piece.is_empty:
            yield Choice(variable, TRAINABLE, rule, scale=scale)
        else:
            yield Choice(variable, PARTLY, rule, piece, scale, overlay)


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
    count = graph.count_outputs(ref.node)
    if (ref.port or 0) >= count:
        raise SelectionError.unknown_tensor(text, [f"{ref.node}:{i}" for i in range(count)])
    return ref


def _check(selection: Selection, plan: FreezePlan) -> None:
    """Refuse a selection that freezes nothing, or all there is."""
    is_frozen = any(c.state in (FROZEN, PARTLY) or c.scale for c in selection.choices)
    if not is_frozen and not selection.tensors and plan.asks_to_freeze:
        raise SelectionError.nothing_frozen()
    trainable = [c for c in selection.choices if c.variable.is_trainable]
    is_learning = any(c.state in (TRAINABLE, PARTLY) for c in trainable)
    if trainable and not is_learning:
        raise SelectionError.everything_frozen(len(trainable))
