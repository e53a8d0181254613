"""Let the train_op write only the trainable entries of a partly frozen variable."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graphfreeze.errors import RewriteError
from graphfreeze.model.control_flow import nodes_in_loops
from graphfreeze.model.model import Model
from graphfreeze.model.names import TensorRef
from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.builder import MARK
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import Edit
from graphfreeze.rewrite.entry_update import EntryUpdate
from graphfreeze.rewrite.guarded_entries import guarded_entries, is_kept
from graphfreeze.rewrite.guarded_update import guarded_update
from graphfreeze.rewrite.row_update import RowUpdate
from graphfreeze.rewrite.steps import reached_writers
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
    any other                       an error that names it
    ==============================  ======================================================

    A frozen entry is overwritten with its own bits. So no optimizer, no restored slot and no
    denormal, infinite or NaN value can move one bit of it, nor does anyone see it moved.

    A step is the train_op, and what is fetched with it: losses, summaries, update_ops, outputs.
    """

    selection: Selection
    losses: Sequence[TensorRef] = ()
    name = "filter_updates"

    def plan(self, draft: Draft) -> Iterator[Edit]:
        """Yield the edits; raises RewriteError for a writer that cannot be guarded."""
        looped, partly = nodes_in_loops(draft.graph), self.selection.partly
        for variable, writer in reached_writers(draft, partly, self.losses):
            if _is_guarded(draft, variable, partly[variable], writer):
                continue
            edits = None if writer in looped else _guard(draft, variable, partly[variable], writer)
            if edits is None:
                op = draft.graph.op(writer)
                raise RewriteError.unguarded_writer(variable.name, writer, op=op)
            yield from edits

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Prove that no op that a step runs moves a frozen entry."""
        partly = self.selection.partly
        for variable, writer in reached_writers(draft, partly, self.losses):
            if not _is_guarded(draft, variable, partly[variable], writer):
                return f"{writer} writes {variable.name} without a guard"
        return None


def _guard(
    draft: Draft, variable: Variable, entries: Entries, writer: str
) -> Iterator[Edit] | None:
    """Return the edits that guard a writer, None if there is no way."""
    if entries.rows is not None:
        live = entries.rows.complement()
        edits = guarded_update(RowUpdate(draft.graph, variable, writer, live))
        if edits is not None:
            return edits
    return guarded_entries(EntryUpdate(draft.graph, variable, writer, entries))


def _is_guarded(draft: Draft, variable: Variable, entries: Entries, writer: str) -> bool:
    """Tell whether what a writer writes comes from this pass's own nodes."""
    if entries.rows is not None and _takes_own_rows(draft, writer):
        return True
    return is_kept(EntryUpdate(draft.graph, variable, writer, entries))


def _takes_own_rows(draft: Draft, writer: str) -> bool:
    definition = draft.graph.ops.find(draft.graph.op(writer))
    names = [str(arg.name) for arg in definition.input_arg] if definition is not None else []
    if "indices" not in names:
        return False
    rows = draft.graph.data_inputs(writer)[names.index("indices")]
    return rows.node.startswith(f"{writer}/{MARK}/")
