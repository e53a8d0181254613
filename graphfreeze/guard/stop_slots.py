"""Stop the updates of slots that only frozen variables had."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from graphfreeze.model.model import Model
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import Edit, ReplaceNode
from graphfreeze.rewrite.gate import gated
from graphfreeze.rewrite.steps import Step
from graphfreeze.rewrite.stopped import Stopped
from graphfreeze.rewrite.waits import Waits, going_writers
from graphfreeze.selection.resolve import Selection


@dataclass
class StopSlots:
    """Stop what writes a slot whose variable is wholly frozen, so that no gradient is needed.

    ``m = Assign(m, ...); AssignSub(w, ... m ...)``   =>   ``m = RefIdentity(m)``

    It goes before the writers of frozen variables are gated: these tell whose slot it is. A slot
    that anything else takes, beta powers and the global step go on. ``stopped`` names the slots
    afterwards.
    """

    selection: Selection
    step: Step
    name: str = "stop_slots"
    stopped: list[str] = field(default_factory=list)

    def plan(self, draft: Draft) -> Iterator[Edit]:
        """Yield the edits."""
        found = Stopped(draft, self.selection, self.step)
        self.stopped = [slot.name for slot in found.slots]
        stopped = [*self.selection.frozen, *found.slots]
        waits = Waits(draft.graph, going_writers(draft.graph, draft.variables, stopped))
        for writer, slot in found.slot_writers.items():
            yield ReplaceNode(gated(draft.graph, slot, writer, waits.find(writer)))

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Look for a slot that a step still writes by itself."""
        left = Stopped(draft, self.selection, self.step).slot_writers
        return f"a step still reaches {next(iter(left))}" if left else None
