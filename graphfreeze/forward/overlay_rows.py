"""Lay the trainable rows of a table over it, as a variable of their own."""

from collections.abc import Iterator
from dataclasses import dataclass

from graphfreeze.errors import RewriteError
from graphfreeze.model.model import Model
from graphfreeze.model.names import TensorRef
from graphfreeze.rewrite.copies import copy_edits
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import Edit
from graphfreeze.rewrite.handed import bodies
from graphfreeze.rewrite.needs import Need, needs_of
from graphfreeze.rewrite.new_variable import add_variables
from graphfreeze.rewrite.overlay import Overlay, merge_all
from graphfreeze.rewrite.overlay_reads import Reading, find_past, lay_over, table_places
from graphfreeze.rewrite.specialise import Specialised
from graphfreeze.rewrite.steps import LISTED, Step
from graphfreeze.rewrite.twins import list_twins
from graphfreeze.selection.resolve import Selection


@dataclass(frozen=True)
class OverlayRows:
    """Keep a table as it is, and let a variable of its trainable rows learn in their place.

    =================================  ====================================================
    reader                             takes instead
    =================================  ====================================================
    lookup by rows: Gather, GatherV2,  what it took, with rows of the variable at the
    ResourceGather                     places of trainable ids: a step costs the batch
    another ResourceGather, or         the same of the whole table under its overlay
    ResourceGatherNd
    any other                          the whole table under its overlay
    a function that takes the table    the variable too, in a copy where the same is done
    =================================  ====================================================

    The variable ``<table>/graphfreeze/rows`` begins with the table's values. ``graphfreeze/merge``
    writes it back into the table, under the table's own name; no step runs that. The gradients
    into the table itself are left to ``StopGradient``, which is to follow.
    """

    selection: Selection
    step: Step = LISTED
    name = "overlay_rows"

    def plan(self, draft: Draft) -> Iterator[Edit]:
        """Yield the edits; raises RewriteError for a reader that no overlay fits, and a writer."""
        overlaid = self.selection.overlaid
        for variable, writer in self.step.writers(draft, overlaid):
            op = draft.graph.op(writer)
            raise RewriteError.overlaid_writer(variable.name, writer, op=op)
        overlays = [Overlay(draft, v, frozen.complement()) for v, frozen in overlaid.items()]
        twins: dict[TensorRef, TensorRef] = {}
        steps = self.step.nodes(draft) if overlays else set()
        for overlay in overlays:
            yield from overlay.nodes
            yield overlay.saved_value(self.selection.tables)
            table, rows, new = overlay.table, overlay.rows, overlay.variable
            places = table_places(draft.graph, table, steps)
            reading = Reading(draft.graph, table, rows, new, places, overlay.ids)
            yield from reading.edits()
            twins |= reading.twins.made
        yield from add_variables(draft, [overlay.variable for overlay in overlays])
        yield from list_twins(draft.collections, twins)
        copies = Specialised(draft.graph.functions, lay_over)
        yield from copy_edits(draft, copies, list(copies.calls(draft.graph, self._needs)))
        if overlays:
            yield from merge_all(list(overlaid))

    @property
    def _needs(self) -> list[Need]:
        return [need for need in needs_of(self.selection, {}) if need.choice.overlay]

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Look for a reader that gets rows of the table itself, and for a step that writes them."""
        steps = self.step.nodes(draft)
        past = [find_past(draft.graph, table, steps) for table in self.selection.overlaid]
        for _, graph, needs in bodies(draft.graph, self._needs):
            past += [find_past(graph, need.variable, graph.nodes) for need in needs]
        for wrong in past:
            if wrong is not None:
                return wrong
        for variable, writer in self.step.writers(draft, self.selection.overlaid):
            return f"a step reaches {writer}, which writes {variable.name} under its overlay"
        return None
