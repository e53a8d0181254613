"""Stop what writes a frozen variable in the course of a step."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graphfreeze.errors import RewriteError
from graphfreeze.model.model import Model
from graphfreeze.model.reads import writers
from graphfreeze.rewrite.copies import copy_edits
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import Edit, ReplaceNode
from graphfreeze.rewrite.gate import gated
from graphfreeze.rewrite.gate_functions import gate
from graphfreeze.rewrite.handed import has_copies
from graphfreeze.rewrite.needs import Need
from graphfreeze.rewrite.specialise import Specialised
from graphfreeze.rewrite.steps import LISTED, Step
from graphfreeze.rewrite.waits import Waits, going_writers
from graphfreeze.selection.resolve import (
    FROZEN,
    OTHER,
    PARTLY,
    TRAINABLE,
    UPDATED,
    Choice,
    Selection,
)

_GOING = frozenset({TRAINABLE, PARTLY, UPDATED})


@dataclass(frozen=True)
class GateWriters:
    """Gate every writer of a wholly frozen variable that a step reaches, as ``gated`` does.

    What a step runs, see ``Step``. A batch norm's moving average is one such writer, if the loss
    waits for it. Initializers and restore ops, which no step reaches, still write. Of a call that
    writes it is not the call that is gated, but what writes in copies of its functions.
    """

    selection: Selection
    step: Step = LISTED
    name = "gate_writers"

    def plan(self, draft: Draft) -> Iterator[Edit]:
        """Yield the edits; raises RewriteError for a writer that has to go on for something else.

        Its data outputs are taken, or it writes a variable too that is not frozen."""
        calls = self._calls(draft)
        yield from self._in_functions(draft, calls)
        found: dict[str, None] = dict.fromkeys(calls)
        others = self._writers_of_others(draft)
        going = going_writers(draft.graph, draft.variables, self.selection.frozen)
        waits = Waits(draft.graph, going)
        for variable, writer in self.step.writers(draft, self.selection.frozen):
            if writer not in found:
                found[writer] = None
                if writer in others:
                    op, other = draft.graph.op(writer), others[writer]
                    raise RewriteError.shared_writer(variable.name, writer, op=op, other=other)
                yield ReplaceNode(gated(draft.graph, variable, writer, waits.find(writer)))

    def _calls(self, draft: Draft) -> list[str]:
        """Return the calls that a step reaches whose functions write what is frozen."""
        graph = draft.graph
        found = self.step.writers(draft, self.selection.frozen)
        return [name for _, name in found if has_copies(graph, name)]

    def _in_functions(self, draft: Draft, calls: Sequence[str]) -> Iterator[Edit]:
        """Let calls name copies of their functions that write nothing frozen."""
        states = {FROZEN, *_GOING}
        needs = [
            Need(choice, owner=choice.variable.name)
            for choice in self.selection.choices
            if choice.variable.kind == "resource"
            and (choice.state in states or _is_counter(choice))
        ]
        copies = Specialised(draft.graph.functions, gate)
        yield from copy_edits(draft, copies, list(copies.calls(draft.graph, needs, calls)))

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Look for a writer that a step still reaches."""
        for variable, writer in self.step.writers(draft, self.selection.frozen):
            return f"a step reaches {writer}, which writes the frozen {variable.name}"
        return None

    def _writers_of_others(self, draft: Draft) -> dict[str, str]:
        """Return what writes a variable that goes on, with its name; slots go with what they serve.

        Not every slot is known as one: what does not learn, but for counters, may be one too."""
        stay = [c for c in self.selection.choices if c.state in _GOING and not c.overlay]
        stay += [c for c in self.selection.choices if _is_counter(c)]
        known = [c.variable for c in stay if c.variable.name in draft.graph]
        return {writer: v.name for v in known for writer in writers(draft.graph, v)}


def _is_counter(choice: Choice) -> bool:
    return choice.state == OTHER and not choice.variable.is_differentiable
