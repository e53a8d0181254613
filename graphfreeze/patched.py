"""What a patch made of the training that a graph has."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from graphfreeze.errors import PatchError
from graphfreeze.guard.free_norms import FreeNorms
from graphfreeze.guard.stop_slots import StopSlots
from graphfreeze.model.reads import RESTORERS, writers
from graphfreeze.model.step_ends import StepEnds
from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.stopped import Stopped
from graphfreeze.selection.resolve import Selection

Written = tuple[str, Variable]


@dataclass(frozen=True)
class Patched:
    """The steps that were patched, and what stops in them.

    ``before`` is told by a draft without the patch's edits; ``norms`` and ``slots`` are the passes
    as they ran."""

    before: Stopped
    ends: StepEnds
    is_named: bool
    norms: FreeNorms
    slots: StopSlots

    @property
    def steps(self) -> tuple[str, ...]:
        """The nodes that run a step."""
        return tuple(self.before.step.train_ops(self.before.draft))

    @property
    def begun(self) -> list[str]:
        """The writers that the patch changes."""
        return [writer for writer, _ in (*self.stopped, *self.kept_to_entries)]

    @cached_property
    def stopped(self) -> list[Written]:
        """The writers of wholly frozen variables that write no more."""
        return list(self.before.writers.items())

    @cached_property
    def kept_to_entries(self) -> list[Written]:
        """The writers of partly frozen variables, which write what learns alone."""
        found = self.before.step.writers(self.before.draft, self.before.selection.partly)
        return [(writer, variable) for variable, writer in found]

    @property
    def learning_nowhere(self) -> Selection:
        """The selection, without frozen variables that some other step goes on to train."""
        selection = self.before.selection
        going = {variable.name for _, variable in self.still_writing} if self.is_named else set()
        choices = (c for c in selection.choices if c.variable.name not in going)
        return replace(selection, choices=tuple(choices))

    def check(self) -> None:
        """Refuse a patch that stops nothing; raises PatchError."""
        selection = self.before.selection
        names = [variable.name for variable in (*selection.frozen, *selection.partly)]
        if self.stopped or self.kept_to_entries:
            return
        if self.is_named:
            raise PatchError.not_written_by(self.steps, names)
        raise PatchError.nothing_written(names)

    @cached_property
    def still_writing(self) -> list[Written]:
        """The other writers of both, but for initializers and what restores."""
        return list(self._find_still_writing())

    def count_needless(self, after: Draft) -> int:
        """Return how many nodes of a step it need not compute any more."""
        step, before = self.before.step, self.before.draft
        return len(step.nodes(before) - step.nodes(after))

    def _find_still_writing(self) -> Iterator[Written]:
        selection, graph = self.before.selection, self.before.draft.graph
        done = set(self.begun)
        for variable in (*selection.frozen, *selection.partly):
            for writer in writers(graph, variable):
                if writer in done or writer in self.ends.initializers:
                    continue
                if RESTORERS.isdisjoint(graph.op(name) for name in graph.ancestors([writer])):
                    yield writer, variable
