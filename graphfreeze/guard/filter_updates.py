"""Let the train_op write only the trainable rows of a partly frozen table."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graphfreeze.errors import RewriteError
from graphfreeze.model.control_flow import nodes_in_loops
from graphfreeze.model.model import Model
from graphfreeze.model.names import TensorRef
from graphfreeze.rewrite.builder import MARK
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import Edit
from graphfreeze.rewrite.guarded_update import guarded_update
from graphfreeze.rewrite.row_update import RowUpdate
from graphfreeze.rewrite.steps import reached_writers
from graphfreeze.selection.resolve import Selection


@dataclass(frozen=True)
class FilterUpdates:
    """Guard every writer of a partly frozen table that a step reaches.

    ==============================  ======================================================
    writer                          guarded by
    ==============================  ======================================================
    SparseApply*, Scatter*          ids and updates filtered to trainable rows
    Apply* with a sparse twin       the twin, on the trainable rows of the gradient
    ApplyGradientDescent            ScatterSub of the trainable rows
    ApplyAdam                       Adam's formula on the trainable rows alone
    Assign, AssignAdd, AssignSub    ScatterUpdate, ScatterAdd, ScatterSub of those rows
    any other                       an error that names it
    ==============================  ======================================================

    A step is the train_op, and what is fetched with it: losses, summaries, update_ops, outputs.
    A frozen row is never written, so no optimizer, no restored slot and no denormal, infinite or
    NaN value can move one bit of it.
    """

    selection: Selection
    losses: Sequence[TensorRef] = ()
    name = "filter_updates"

    def plan(self, draft: Draft) -> Iterator[Edit]:
        """Yield the edits; raises RewriteError for a writer that cannot be guarded."""
        looped = nodes_in_loops(draft.graph)
        partly = self.selection.partly
        for variable, writer in reached_writers(draft, partly, self.losses):
            if _is_guarded(draft, writer):
                continue
            update = RowUpdate(draft.graph, variable, partly[variable].complement(), writer)
            edits = None if writer in looped else guarded_update(update)
            if edits is None:
                op = draft.graph.op(writer)
                raise RewriteError.unguarded_writer(variable.name, writer, op=op)
            yield from edits

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Prove that no op that a step runs writes a frozen row."""
        for variable, writer in reached_writers(draft, self.selection.partly, self.losses):
            if not _is_guarded(draft, writer):
                return f"{writer} writes {variable.name} without a guard"
        return None


def _is_guarded(draft: Draft, writer: str) -> bool:
    """Tell whether a writer takes its rows from this pass's own nodes."""
    definition = draft.graph.ops.find(draft.graph.op(writer))
    names = [str(arg.name) for arg in definition.input_arg] if definition is not None else []
    if "indices" not in names:
        return False
    rows = draft.graph.data_inputs(writer)[names.index("indices")]
    return rows.node.startswith(f"{writer}/{MARK}/")
