"""Tell what a training in a graph was, by its structure: what is not recognised is said so."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from graphfreeze.model.averages import find_averages
from graphfreeze.model.names import TensorRef
from graphfreeze.model.reads import writers
from graphfreeze.model.recognised.clips import Clip, find_clips
from graphfreeze.model.recognised.rates import read_rate
from graphfreeze.model.recognised.updates import UNKNOWN, Update, Updates
from graphfreeze.model.recognised.walk import Walk
from graphfreeze.model.training import Training
from graphfreeze.model.training_records import ClipRecord, OptimizerRecord, TrainingRecord
from graphfreeze.model.variables import Variable

__all__ = ["recognise"]


def recognise(
    training: Training, *, kept: bool = False, idle: Sequence[str] = ()
) -> TrainingRecord | None:
    """Return what a training is that was found in a graph, None if there is none.

    ``kept`` and ``idle`` update_ops are told along with it."""
    if not training.found:
        return None
    walk = Walk(training)
    return TrainingRecord(
        optimizers=list(_optimizers(walk)),
        averages=len(_averages(walk)),
        nodes=len(training.found),
        slots=len(training.slots),
        train_ops=training.train_ops,
        kept=kept,
        idle_updates=list(idle),
    )


def _optimizers(walk: Walk) -> Iterator[OptimizerRecord]:
    updates = list(Updates(walk).find())
    updated = {each.variable.name for each in updates if each.optimizer != UNKNOWN}
    # A decay that stands by itself goes with the update of its variable.
    alone = [
        u for u in updates if u.optimizer == UNKNOWN and u.decays and u.variable.name in updated
    ]
    groups = _groups(walk, [each for each in updates if each not in alone])
    decayed = {each.variable.name for each in updates if each.decays}
    clips = _bounded(walk, find_clips(walk))
    for members in groups:
        variables = [each.variable for each in members]
        slots = {walk.slots[name] for each in members for name in each.slots & walk.slots.keys()}
        yield OptimizerRecord(
            name=members[0].optimizer,
            variables=len(_wholes(variables)),
            slots=len(_wholes(slots)),
            learning_rate=read_rate(walk, members[0].rate),
            clips=list(_clips(clips, members)),
            decayed=len(_wholes(v for v in variables if v.name in decayed)),
        )


def _groups(walk: Walk, updates: Iterable[Update]) -> list[list[Update]]:
    """Sort updates by optimizer: its name, and the tensor of its learning rate.

    What is written by hand may have a constant of its own for each variable."""
    groups: dict[tuple[str, TensorRef | None], list[Update]] = defaultdict(list)
    for each in updates:
        rate = None if each.rate is None else walk.origin(each.rate)
        groups[each.optimizer, rate].append(each)
    merged: dict[tuple[str, object], list[Update]] = defaultdict(list)
    for (name, rate), members in groups.items():
        is_applied = any(each.is_applied for each in members)
        value = None if rate is None or is_applied else walk.number(rate)
        merged[name, rate if value is None else value] += members
    return list(merged.values())


def _wholes(variables: Iterable[Variable]) -> set[str]:
    return {variable.partition_of or variable.name for variable in variables}


def _bounded(walk: Walk, clips: Iterable[Clip]) -> dict[Clip, set[str]]:
    """Return what each bound decides."""
    graph = walk.training.graph
    return {clip: graph.descendants([clip.node], data_only=True) for clip in clips}


def _clips(clips: Mapping[Clip, set[str]], members: Iterable[Update]) -> Iterator[ClipRecord]:
    """Yield the bounds of an optimizer's gradients, alike ones as one."""
    found: dict[tuple[str, float | None, float | None], list[Variable]] = defaultdict(list)
    for clip, decided in clips.items():
        reached = [each.variable for each in members if each.writer in decided]
        if reached:
            found[(clip.kind, clip.bound, clip.low)] += reached
    for (kind, bound, low), variables in found.items():
        yield ClipRecord(kind=kind, bound=bound, low=low, variables=len(_wholes(variables)))


def _averages(walk: Walk) -> set[str]:
    """Return the variables whose moving averages the training moves."""
    training, values = walk.training, walk.values
    return {
        source.partition_of or source.name
        for average in find_averages(values)
        if not training.found.keys().isdisjoint(writers(training.graph, average.variable))
        for ref in average.sources
        if (source := values.find(ref)) is not None
    }
