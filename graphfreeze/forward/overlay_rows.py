"""Lay the trainable rows of a table over it, as a variable of their own."""

from collections.abc import Iterator
from dataclasses import dataclass

from graphfreeze.errors import RewriteError
from graphfreeze.model.control_flow import nodes_in_loops
from graphfreeze.model.graph import Edge
from graphfreeze.model.model import Model
from graphfreeze.model.names import TensorRef, control
from graphfreeze.model.reads import RESOURCE_LOOKUPS
from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.builder import MARK, Builder
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import Edit, Reroute
from graphfreeze.rewrite.lookups import Lookup
from graphfreeze.rewrite.mask_lookup import look_up
from graphfreeze.rewrite.new_variable import add_variables
from graphfreeze.rewrite.overlay import Overlay, merge_all
from graphfreeze.rewrite.overlay_nodes import over_lookup, over_whole
from graphfreeze.rewrite.row_nodes import row_ids
from graphfreeze.rewrite.specialise import find_reading_calls
from graphfreeze.rewrite.steps import LISTED, Step
from graphfreeze.rewrite.table_readers import Place, Readers
from graphfreeze.rewrite.twins import Twins, list_twins
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
    =================================  ====================================================

    The variable ``<table>/graphfreeze/rows`` begins with the table's values. ``graphfreeze/merge``
    writes it back into the table, under the table's own name; no step runs that. The gradients
    into the table itself are left to ``StopGradient``, which is to follow.
    """

    selection: Selection
    step: Step = LISTED
    name = "overlay_rows"

    def plan(self, draft: Draft) -> Iterator[Edit]:
        """Yield the edits; raises RewriteError for a reader that no overlay fits, and a writer.

        No overlay fits what functions read."""
        overlaid = self.selection.overlaid
        for variable, writer in self.step.writers(draft, overlaid):
            op = draft.graph.op(writer)
            raise RewriteError.overlaid_writer(variable.name, writer, op=op)
        for variable, call in find_reading_calls(draft.graph, overlaid):
            op = draft.graph.op(call)
            raise RewriteError.overlaid_in_function(variable.name, call, op=op)
        overlays = [Overlay(draft, v, frozen.complement()) for v, frozen in overlaid.items()]
        looped = nodes_in_loops(draft.graph) if overlays else set()
        twins: dict[TensorRef, TensorRef] = {}
        for overlay in overlays:
            yield from overlay.nodes
            yield overlay.saved_value(self.selection.tables)
            reading = _Reading(overlay, self._places(draft, overlay.table), looped)
            yield from reading.edits()
            twins |= reading.twins.made
        yield from add_variables(draft, [overlay.variable for overlay in overlays])
        yield from list_twins(draft.collections, twins)
        if overlays:
            yield from merge_all(list(overlaid))

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Look for a reader that gets rows of the table itself, and for a step that writes them."""
        for variable in self.selection.overlaid:
            for place, edges in self._places(draft, variable).items():
                where = place.tensor.node.split(f"/{MARK}/")[0]
                own = (f"{where}/{MARK}/", f"{variable.name}/{MARK}/")
                for edge in edges:
                    if not edge.consumer.startswith(own):
                        return f"{edge.consumer} takes rows of {variable.name} past their overlay"
        for variable, writer in self.step.writers(draft, self.selection.overlaid):
            return f"a step reaches {writer}, which writes {variable.name} under its overlay"
        return None

    def _places(self, draft: Draft, table: Variable) -> dict[Place, list[Edge]]:
        graph = draft.graph

        def accepts(lookup: Lookup) -> bool:
            return lookup.is_by_rows or graph.op(lookup.node) in RESOURCE_LOOKUPS

        steps = self.step.nodes(draft)
        return Readers(graph, table, accepts, steps=steps).find_places()


@dataclass
class _Reading:
    """The reads of a table, one after the other led over its overlay."""

    overlay: Overlay
    places: dict[Place, list[Edge]]
    looped: set[str]

    def __post_init__(self) -> None:
        graph, table = self.overlay.draft.graph, self.overlay.table
        self.twins = Twins(graph, table, self.overlay.variable)

    def edits(self) -> Iterator[Edit]:
        """Yield what leads every reader over the overlay."""
        for place, edges in self.places.items():
            build = self._builder(place)
            result = self._overlaid(build, place)
            yield from build.edits
            yield from (Reroute(edge, result) for edge in edges)
        yield from self.twins.edits

    def _overlaid(self, build: Builder, place: Place) -> TensorRef:
        lookup, graph = place.lookup, self.overlay.draft.graph
        if lookup is None:
            return self._whole(build, place.tensor, self.twins.value(place.tensor))
        source = graph.data_inputs(lookup.node)[0]
        if lookup.is_by_rows:
            by_handle = graph.op(lookup.node) in RESOURCE_LOOKUPS
            new = self.twins.twin(source) if by_handle else self.twins.value(source)
            rows, tail = self.overlay.rows, self.overlay.shape[1:]
            return over_lookup(build, graph, lookup, new, rows, tail)
        dtype = self.overlay.table.dtype
        reads = (("table", source), ("rows", self.twins.twin(source)))
        table, new = (build.add(r, "ReadVariableOp", (h,), {"dtype": dtype}) for r, h in reads)
        return look_up(build, graph, lookup, self._whole(build, table, new), dtype=dtype)

    def _whole(self, build: Builder, below: TensorRef, new: TensorRef) -> TensorRef:
        graph, ids = self.overlay.draft.graph, self.overlay.ids
        if build.anchor is not None:
            ids = row_ids(build.within("trainable"), self.overlay.rows)
        dtype = graph.dtype(below) if below.node in graph else self.overlay.table.dtype
        return over_whole(build, below, new, ids, dtype, self.overlay.shape)

    def _builder(self, place: Place) -> Builder:
        tensor = place.tensor
        own = str(self.overlay.draft.graph.nodes[tensor.node].device)
        scope = f"port_{tensor.port}/" if tensor.port else ""
        build = Builder(tensor.node, own or self.overlay.device, scope=scope)
        if tensor.node in self.looped:
            build.anchor = control(tensor.node)
        return build
