"""What guards a writer of a partly frozen variable."""

from collections.abc import Iterator

from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.builder import MARK
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import Edit
from graphfreeze.rewrite.entry_update import EntryUpdate
from graphfreeze.rewrite.guarded_entries import guarded_entries, is_kept
from graphfreeze.rewrite.guarded_update import guarded_update
from graphfreeze.rewrite.row_update import RowUpdate
from graphfreeze.selection.entries import Entries


def find_guard(
    draft: Draft, variable: Variable, entries: Entries, writer: str
) -> Iterator[Edit] | None:
    """Return the edits that keep a writer from frozen entries, None if there is no way."""
    if entries.rows is not None:
        live = entries.rows.complement()
        edits = guarded_update(RowUpdate(draft.graph, variable, writer, live))
        if edits is not None:
            return edits
    return guarded_entries(EntryUpdate(draft.graph, variable, writer, entries))


def is_guarded(draft: Draft, variable: Variable, entries: Entries, writer: str) -> bool:
    """Tell whether what a writer writes comes from nodes that guard it."""
    if entries.rows is not None and _takes_own_rows(draft, writer):
        return True
    return is_kept(EntryUpdate(draft.graph, variable, writer, entries))


def _takes_own_rows(draft: Draft, writer: str) -> bool:
    rows = draft.graph.arguments(writer).get("indices")
    return rows is not None and rows.node.startswith(f"{writer}/{MARK}/")
