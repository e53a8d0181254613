"""What a step is to stop: the writers of what is frozen, and of slots that served nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from graphfreeze.model.control_flow import nodes_in_loops
from graphfreeze.model.slot_owners import SlotOwners
from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.steps import Step
from graphfreeze.selection.resolve import SLOT, Selection


@dataclass(frozen=True)
class Stopped:
    """What stops in a draft whose writers are still as they were."""

    draft: Draft
    selection: Selection
    step: Step

    @cached_property
    def writers(self) -> dict[str, Variable]:
        """The writers of wholly frozen variables that the step reaches."""
        return {w: v for v, w in self.step.writers(self.draft, self.selection.frozen)}

    @cached_property
    def looped(self) -> set[str]:
        """The nodes that run inside while loops."""
        return nodes_in_loops(self.draft.graph)

    @cached_property
    def owners(self) -> SlotOwners:
        """Which variables the slots serve."""
        slots = [c.variable for c in self.selection.choices if c.state == SLOT]
        return SlotOwners(self.draft.graph, self.draft.variables, slots)

    @cached_property
    def slots(self) -> Sequence[Variable]:
        """The slots that nothing needs without those writers."""
        return self.owners.find_idle(self.writers)

    @cached_property
    def slot_writers(self) -> dict[str, Variable]:
        """The writers of those slots that the step reaches, but for those that stop anyway."""
        found = self.step.writers(self.draft, self.slots)
        return {writer: slot for slot, writer in found if writer not in self.writers}
