"""Let the train_op write only the trainable rows of a partly frozen table."""

from collections.abc import Iterator
from dataclasses import dataclass

from graphfreeze.errors import RewriteError
from graphfreeze.model.collected import node_entries
from graphfreeze.model.model import Model
from graphfreeze.model.names import parse_ref
from graphfreeze.model.reads import writers
from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.builder import MARK
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import Edit
from graphfreeze.rewrite.guarded_update import guarded_update
from graphfreeze.rewrite.row_update import RowUpdate
from graphfreeze.selection.resolve import Selection


@dataclass(frozen=True)
class FilterUpdates:
    """Guard every writer of a partly frozen table that the train_op reaches.

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

    A frozen row is never written, so no optimizer, no restored slot and no denormal, infinite or
    NaN value can move one bit of it.
    """

    selection: Selection
    name = "filter_updates"

    def plan(self, draft: Draft) -> Iterator[Edit]:
        """Yield the edits; raises RewriteError for a writer that cannot be guarded."""
        for variable, frozen in self.selection.partly.items():
            for writer in _reached_writers(draft, variable):
                update = RowUpdate(draft.graph, variable, frozen.complement(), writer)
                edits = guarded_update(update)
                if edits is None:
                    op = draft.graph.op(writer)
                    raise RewriteError.unguarded_writer(variable.name, writer, op=op)
                yield from edits

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Prove that no op the train_op runs writes a frozen variable, or a frozen row."""
        for variable in self.selection.frozen:
            for writer in _reached_writers(draft, variable):
                return f"the train_op reaches {writer}, which writes the frozen {variable.name}"
        for variable in self.selection.partly:
            for writer in _reached_writers(draft, variable):
                if not _is_guarded(draft, writer):
                    return f"{writer} writes {variable.name} without a guard"
        return None


def _reached_writers(draft: Draft, variable: Variable) -> list[str]:
    train_ops = [parse_ref(name).node for name in node_entries(draft.collections, "train_op")]
    reached = draft.graph.ancestors(train_ops)
    return [name for name in writers(draft.graph, variable) if name in reached]


def _is_guarded(draft: Draft, writer: str) -> bool:
    """Tell whether a writer takes its rows from this pass's own nodes."""
    definition = draft.graph.ops.find(draft.graph.op(writer))
    names = [str(arg.name) for arg in definition.input_arg] if definition is not None else []
    if "indices" not in names:
        return False
    rows = draft.graph.data_inputs(writer)[names.index("indices")]
    return rows.node.startswith(f"{writer}/{MARK}/")
