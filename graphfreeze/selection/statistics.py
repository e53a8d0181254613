"""What happens to moving averages and batch norms when what they belong to is frozen."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from graphfreeze.model.averages import FUSED_NORMS, Average, find_averages
from graphfreeze.model.batch_norms import BatchNorm, find_batch_norms, is_training
from graphfreeze.model.graph import Graph
from graphfreeze.model.origins import Values
from graphfreeze.model.unfolded import is_inside
from graphfreeze.model.unfolding import unfold
from graphfreeze.model.variables import Variable
from graphfreeze.selection.choice import FROZEN, PARTLY, SLOT, UPDATED, Choice
from graphfreeze.selection.scopes import Scopes

KEEP, INFERENCE = "keep", "inference"
_EXCEPT = "--except "
_MOST_NAMES = 5


@dataclass
class Statistics:
    """Which moving averages stop, and which batch norms are to use theirs.

    A batch norm is frozen if its moving averages are, by name or pattern, or if its gamma and beta
    wholly are, as far as it has them; without any, if all is frozen that can learn in the
    innermost scope around it that holds such a variable. Other averages, but for shadows of
    variables, go by that scope too. What ``--except`` names is left alone.

    ``inferred`` names the batch norms that are to use their moving averages, ``notes`` are
    sentences for the report.
    """

    choices: dict[str, Choice]
    inferred: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)


def stop_statistics(choices: Mapping[str, Choice], graph: Graph, batch_norm: str) -> Statistics:
    """Return what becomes of moving averages, given what becomes of the variables they follow."""
    told = Statistics(dict(choices))
    if not any(choice.state in (FROZEN, PARTLY) for choice in choices.values()):
        return told
    variables = [choice.variable for choice in choices.values() if choice.state != SLOT]
    values = Values(graph, variables)
    averages = find_averages(values)
    norms = find_batch_norms(values, averages)
    shadows = {a.variable: owner for a in averages if (owner := _owner(a, values)) is not None}
    others = [average for average in averages if average.variable not in shadows]
    frozen = _frozen_statistics(choices, norms, others)
    kept = _decide(told, others, frozen, batch_norm)
    if kept:
        told.notes.append(
            f"--batch-norm keep: moving averages go on and are not frozen: {_listed(kept)}"
        )
    for average in averages:
        if average.variable in shadows:
            _follow(told, average, shadows[average.variable])
    if batch_norm == INFERENCE:
        scopes = Scopes(choices.values(), (average.variable for average in averages))
        _infer(told, norms, [name for name in choices if name in frozen], scopes)
        told.notes.extend(_left_in_functions(graph, scopes))
    return told


def _left_in_functions(graph: Graph, scopes: Scopes) -> Iterator[str]:
    """Yield that batch norms of frozen scopes stay as they are, where functions hold them."""
    body = unfold(graph).graph
    fused = (name for name in body.nodes if is_inside(name) and body.op(name) in FUSED_NORMS)
    for name in fused:
        if is_training(body, name) and scopes.is_frozen(name):
            reason = "it is in a function"
            yield f"the batch norm {name} still uses the statistics of its batch: {reason}"


def _owner(average: Average, values: Values) -> Variable | None:
    """Return the variable that an average is a shadow of, None if it follows something computed."""
    found = (values.find(source) for source in average.sources)
    return next((v for v in found if v is not None and v != average.variable), None)


def _frozen_statistics(
    choices: Mapping[str, Choice], norms: Sequence[BatchNorm], averages: Sequence[Average]
) -> set[str]:
    """Return the names of the averages that belong to what is frozen."""
    scopes = Scopes(choices.values(), (average.variable for average in averages))
    learned: dict[str, list[Variable]] = {a.variable.name: [] for a in averages}
    for norm in norms:
        for variable in filter(None, (norm.mean, norm.variance)):
            learned.setdefault(variable.name, []).extend(norm.learned)
    return {
        name
        for name, own in learned.items()
        if choices[name].state == FROZEN
        or (all(choices[v.name].state == FROZEN for v in own) if own else scopes.is_frozen(name))
    }


def _decide(
    told: Statistics, averages: Sequence[Average], frozen: set[str], batch_norm: str
) -> list[str]:
    """Freeze the averages of what is frozen, or let them go on; return those that go on."""
    kept = []
    companions = {a.variable.name: a.companions for a in averages}
    for name in (name for name in told.choices if name in frozen):
        owner = name.rpartition("/")[0] or name
        for variable in (told.choices[name].variable, *companions.get(name, ())):
            old = told.choices[variable.name]
            if old.rule.startswith(_EXCEPT):
                continue
            if batch_norm == KEEP:
                new = replace(old, state=UPDATED, rule="--batch-norm keep")
                kept.append(variable.name)
            elif old.state != FROZEN:
                rule = f"statistics of {owner}, --batch-norm {batch_norm}"
                new = replace(old, state=FROZEN, rule=rule)
            else:
                continue
            told.choices[variable.name] = new
    return kept


def _follow(told: Statistics, average: Average, owner: Variable) -> None:
    """Freeze of a shadow what is frozen of its variable."""
    leader, rule = told.choices[owner.name], f"shadow of {owner.name}"
    for variable in (average.variable, *average.companions):
        old = told.choices[variable.name]
        if old.state == FROZEN or old.rule.startswith(_EXCEPT):
            continue
        if leader.state == FROZEN:
            told.choices[variable.name] = replace(old, state=FROZEN, rule=rule)
        elif leader.state == PARTLY:
            is_like = not average.companions and variable.shape == owner.shape
            if leader.overlay or not is_like:
                told.notes.append(
                    f"{variable.name} goes on to average {owner.name}, frozen entries included"
                )
            else:
                new = Choice(variable, PARTLY, rule, leader.entries)
                told.choices[variable.name] = new


def _infer(
    told: Statistics, norms: Sequence[BatchNorm], stopped: Iterable[str], scopes: Scopes
) -> None:
    """Choose the batch norms that use their moving averages from now on."""
    chosen = []
    for norm in norms:
        own = [v for v in (norm.mean, norm.variance) if v is not None]
        states = {told.choices[v.name].state for v in own}
        if states == {FROZEN} and not norm.problem:
            chosen.append(norm.node)
        elif states == {FROZEN} or (norm.problem and not own and scopes.is_frozen(norm.node)):
            told.notes.append(
                f"the batch norm {norm.node} still uses the statistics of its batch: {norm.problem}"
            )
    told.inferred = tuple(chosen)
    known = {v.name for norm in norms for v in (norm.mean, norm.variance) if v is not None}
    unknown = [n for n in stopped if told.choices[n].state == FROZEN and n not in known]
    if unknown:
        told.notes.append(
            "--batch-norm inference: whatever takes these moving averages is no known batch norm, "
            f"and stays as it is: {_listed(unknown)}"
        )


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
