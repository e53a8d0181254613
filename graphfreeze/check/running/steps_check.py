"""Run steps of the train_op, and look which bits they moved."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import msgspec

from graphfreeze.check.record import NOT_REACHED
from graphfreeze.check.running.opened import Opened
from graphfreeze.check.running.restored_values import RestoredValues
from graphfreeze.check.running.step_gradients import find_gradients
from graphfreeze.errors.base import listed
from graphfreeze.model.nesting import unfetchable
from graphfreeze.model.records import FreezeRecord, VariableRecord
from graphfreeze.model.verify_records import FAILED, PASSED, ChangeRecord, SectionRecord
from graphfreeze.read.number_types import Array
from graphfreeze.selection.resolve import FROZEN, PARTLY, TRAINABLE

NAME = "steps"
GIVEN, NONE, ZERO, NOT_FINITE = "given", "none", "zero", "not finite"
_TOLD = (FROZEN, PARTLY, TRAINABLE, NOT_REACHED)
Feeds = Mapping[str, Array]


@dataclass
class Steps:
    """Steps of a bundle that was begun; ``feeds_of`` returns what a step is fed with.

    ``nodes`` are those that a step runs; with ``accumulate`` it takes several runs. ``on_step`` is
    told each number of a step that is done."""

    opened: Opened
    record: FreezeRecord
    nodes: frozenset[str]
    feeds_of: Callable[[int], Feeds]
    count: int
    on_step: Callable[[int], None]
    gradients: dict[str, set[str]] = field(default_factory=dict)

    def run(self) -> tuple[SectionRecord, list[ChangeRecord]]:
        """Run the steps and compare; raises CheckError where TensorFlow fails."""
        before = RestoredValues(self.opened, self._told)
        ops, probes = self.record.run_ops, self._probes()
        for run in range(self.count * self.record.accumulate):
            found = self.opened.run([*ops, *probes.values()], self.feeds_of(run))
            for (name, kind), value in zip(probes, found[len(ops) :], strict=True):
                if bool(value):
                    self.gradients.setdefault(name, set()).add(kind)
            self.on_step((run + 1) // self.record.accumulate)
        known = {name for name, _ in probes}
        changes = [
            msgspec.structs.replace(each, gradient=self._gradient(told, told.name in known))
            if each.state == TRAINABLE
            else each
            for told, each in before.changes()
        ]
        return _judged(changes, self.count), changes

    @cached_property
    def _told(self) -> list[VariableRecord]:
        """The variables to look at; what learns in place of a table is told with its own name."""
        graph = self.opened.model.graph
        told = [v for v in self.record.variables if v.state in _TOLD and v.name in graph]
        overlays = [v for v in told if v.overlay_rows is not None]
        named = {v.name for v in told}
        return told + [_overlay(v) for v in overlays if v.overlay_rows not in named]

    def _probes(self) -> dict[tuple[str, str], str]:
        """Return scalars to fetch: whether a gradient has a number, and one that is not finite."""
        tf, graph = self.opened.tf, self.opened.model.graph
        found: dict[tuple[str, str], str] = {}
        hidden = unfetchable(graph)
        by_name = {v.name: v for v in self.opened.model.variables}
        for told in self._told:
            if told.state == FROZEN or told.name not in by_name:
                continue
            refs = find_gradients(graph, by_name[told.name], self.nodes - hidden)
            with self.opened.graph.as_default():
                taken = [self.opened.graph.get_tensor_by_name(r.tensor_name) for r in refs]
                if taken:
                    given = [tf.reduce_any(tf.not_equal(each, 0)) for each in taken]
                    broken = [tf.reduce_any(tf.not_equal(each - each, 0)) for each in taken]
                    found[told.name, GIVEN] = tf.reduce_any(tf.stack(given)).name
                    found[told.name, NOT_FINITE] = tf.reduce_any(tf.stack(broken)).name
        return found

    def _gradient(self, variable: VariableRecord, is_known: bool) -> str | None:
        """Return what is known of a variable's gradient over all steps."""
        if variable.state == NOT_REACHED:
            return NONE
        if not is_known:
            return None
        found = self.gradients.get(variable.name, set())
        return NOT_FINITE if NOT_FINITE in found else GIVEN if found else ZERO


def _overlay(table: VariableRecord) -> VariableRecord:
    """Return what learns in place of rows of a table, as a variable of its own."""
    return VariableRecord(
        name=str(table.overlay_rows),
        kind=table.kind,
        dtype=table.dtype,
        shape=None,
        parameters=None,
        state=TRAINABLE,
    )


def _judged(changes: Sequence[ChangeRecord], count: int) -> SectionRecord:
    """Return the section: a frozen entry that moved is a failure, and a train_op that is idle."""
    failures = [_sentence(each) for each in changes if each.state == FROZEN and each.moved]
    learning = [each for each in changes if each.state == TRAINABLE]
    if learning and not any(each.moved for each in learning):
        failures.append(f"nothing learns: no trainable variable moved in {count} steps")
    notes = []
    for gradient, what in (
        (NONE, "no gradient reaches"),
        (ZERO, "the gradient was exactly zero in all steps of"),
        (NOT_FINITE, "the gradient held inf or NaN of"),
    ):
        names = [each.name for each in learning if each.gradient == gradient]
        notes += [f"{what} {listed(names)}"] if names else []
    broken = [each.name for each in learning if each.largest is None]
    notes += [f"inf or NaN is in {listed(broken)}"] if broken else []
    return SectionRecord(NAME, FAILED if failures else PASSED, failures, notes)


def _sentence(change: ChangeRecord) -> str:
    where = f", the first at {change.first}" if change.first else ""
    amount = f", by up to {change.largest:.3g}" if change.largest is not None else ""
    count = f"{change.moved:,} of {change.elements:,} frozen entries moved"
    return f"{change.name}: {count}{where}{amount}"
