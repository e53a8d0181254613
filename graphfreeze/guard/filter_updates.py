"""Let the train_op write only the trainable entries of a partly frozen variable."""

from collections.abc import Iterator
from dataclasses import dataclass

from graphfreeze.errors import GraphfreezeError, PatchError, RewriteError
from graphfreeze.model.control_flow import nodes_in_loops
from graphfreeze.model.model import Model
from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import Edit
from graphfreeze.rewrite.guarding import find_guard, is_guarded
from graphfreeze.rewrite.pin import is_pinned, pin_name
from graphfreeze.rewrite.steps import LISTED, Step
from graphfreeze.selection.entries import Entries
from graphfreeze.selection.resolve import Selection


@dataclass(frozen=True)
class FilterUpdates:
    """Guard every writer of a partly frozen variable that a step reaches.

    ==============================  ======================================================
    writer, whole rows frozen       guarded by
    ==============================  ======================================================
    SparseApply*, Scatter*          ids and updates filtered to trainable rows
    Apply* with a sparse twin       the twin, on the trainable rows of the gradient
    ApplyGradientDescent            ScatterSub of the trainable rows
    ApplyAdam                       Adam's formula on the trainable rows alone
    Assign, AssignAdd, AssignSub    ScatterUpdate, ScatterAdd, ScatterSub of those rows
    any other                       as for elements
    ==============================  ======================================================

    By these a frozen row is never written.

    ==============================  ======================================================
    writer, columns or elements     ``Assign(w, Select(mask, new, w))`` with the new value
    ==============================  ======================================================
    Assign                          that it assigns
    AssignAdd, AssignSub            of the sum, the difference
    ApplyGradientDescent            of ``w - alpha * delta``
    SparseApply*, Scatter*          of the op on a copy of the batch's rows, which are stored
    any other Apply*, ScatterNd*    of the op on a copy of the variable
    any other                       a pin that puts the entries back, by ``PinRows`` before;
                                    an error that names it where none fits
    ==============================  ======================================================

    But for a pin, a frozen entry is overwritten with its own bits. So no optimizer, no restored
    slot and no denormal, infinite or NaN value can move one bit of it, nor does anyone see it
    moved.

    What a step runs, see ``Step``.
    """

    selection: Selection
    step: Step = LISTED
    name = "filter_updates"

    def plan(self, draft: Draft) -> Iterator[Edit]:
        """Yield the edits; raises RewriteError, PatchError for a writer that cannot be."""
        looped, partly = nodes_in_loops(draft.graph), self.selection.partly
        for variable, writer in self.step.writers(draft, partly):
            entries = partly[variable]
            if writer == pin_name(variable) or is_guarded(draft, variable, entries, writer):
                continue
            edits = None if writer in looped else find_guard(draft, variable, entries, writer)
            if edits is None and is_pinned(draft.graph, variable, writer):
                continue
            if edits is None:
                raise self._unguarded(variable, writer, draft.graph.op(writer))
            yield from edits

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Prove that no op that a step runs moves a frozen entry."""
        partly = self.selection.partly
        for variable, writer in self.step.writers(draft, partly):
            if not _is_guarded(draft, variable, partly[variable], writer):
                return f"{writer} writes {variable.name} without a guard"
        return None

    def _unguarded(self, variable: Variable, writer: str, op: str) -> GraphfreezeError:
        """Return why a writer is refused: to a training of others no pin can be added."""
        if self.step.ops is not None:
            return PatchError.needs_pin(variable.name, writer, op=op)
        return RewriteError.unguarded_writer(variable.name, writer, op=op)


def _is_guarded(draft: Draft, variable: Variable, entries: Entries, writer: str) -> bool:
    is_held = is_pinned(draft.graph, variable, writer)
    return is_held or is_guarded(draft, variable, entries, writer)
