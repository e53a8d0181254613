"""What reads a table is led over its overlay: in a graph, or in a function that takes the table."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from graphfreeze.model.control_flow import nodes_in_loops
from graphfreeze.model.graph import Edge, Graph
from graphfreeze.model.names import TensorRef, control
from graphfreeze.model.reads import RESOURCE_LOOKUPS
from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.builder import MARK, Builder
from graphfreeze.rewrite.edits import AddNode, NodeEdit, Reroute
from graphfreeze.rewrite.lookups import Lookup
from graphfreeze.rewrite.mask_lookup import look_up
from graphfreeze.rewrite.needs import Need
from graphfreeze.rewrite.new_variable import NewVariable
from graphfreeze.rewrite.overlay import rows_name
from graphfreeze.rewrite.overlay_nodes import over_lookup, over_whole
from graphfreeze.rewrite.row_nodes import row_ids
from graphfreeze.rewrite.table_readers import Place, Readers
from graphfreeze.rewrite.twins import Twins
from graphfreeze.selection.rows import RowSet


@dataclass
class Reading:
    """The reads of a table, one after the other led over its overlay.

    ``new`` is the variable of its trainable ``rows``, whose ids are made anew at each place unless
    ``ids`` has them."""

    graph: Graph
    table: Variable
    rows: RowSet
    new: NewVariable
    places: Mapping[Place, Sequence[Edge]]
    ids: TensorRef | None = None

    def __post_init__(self) -> None:
        self.twins = Twins(self.graph, self.table, self.new)
        self.looped = nodes_in_loops(self.graph)

    def edits(self) -> Iterator[NodeEdit]:
        """Yield what leads every reader over the overlay."""
        for place, edges in self.places.items():
            build = self._builder(place)
            result = self._overlaid(build, place)
            yield from build.edits
            yield from (Reroute(edge, result) for edge in edges)
        yield from self.twins.edits

    def _overlaid(self, build: Builder, place: Place) -> TensorRef:
        lookup, graph = place.lookup, self.graph
        if lookup is None:
            return self._whole(build, place.tensor, self.twins.value(place.tensor))
        source = graph.data_inputs(lookup.node)[0]
        if lookup.is_by_rows:
            by_handle = graph.op(lookup.node) in RESOURCE_LOOKUPS
            new = self.twins.twin(source) if by_handle else self.twins.value(source)
            return over_lookup(build, graph, lookup, new, self.rows, self._shape[1:])
        dtype = self.table.dtype
        reads = (("table", source), ("rows", self.twins.twin(source)))
        table, new = (build.add(r, "ReadVariableOp", (h,), {"dtype": dtype}) for r, h in reads)
        return look_up(build, graph, lookup, self._whole(build, table, new), dtype=dtype)

    def _whole(self, build: Builder, below: TensorRef, new: TensorRef) -> TensorRef:
        ids = self.ids
        if ids is None or build.anchor is not None:
            ids = row_ids(build.within("trainable"), self.rows)
        dtype = self.graph.dtype(below) if below.node in self.graph else self.table.dtype
        return over_whole(build, below, new, ids, dtype, self._shape)

    @property
    def _shape(self) -> tuple[int, ...]:
        return tuple(size for size in self.table.shape or () if size is not None)

    def _builder(self, place: Place) -> Builder:
        tensor = place.tensor
        own = str(self.graph.nodes[tensor.node].device)
        scope = f"port_{tensor.port}/" if tensor.port else ""
        build = Builder(tensor.node, own or self.new.device, scope=scope)
        if tensor.node in self.looped:
            build.anchor = control(tensor.node)
        return build


def table_places(graph: Graph, table: Variable, steps: Collection[str]) -> dict[Place, list[Edge]]:
    """Return where values of a table are taken, see ``Readers``; raises RewriteError."""

    def accepts(lookup: Lookup) -> bool:
        return lookup.is_by_rows or graph.op(lookup.node) in RESOURCE_LOOKUPS

    return Readers(graph, table, accepts, steps=steps).find_places()


def find_past(graph: Graph, table: Variable, steps: Collection[str]) -> str | None:
    """Say which reader gets rows of the table itself, if any."""
    for place, edges in table_places(graph, table, steps).items():
        where = place.tensor.node.split(f"/{MARK}/")[0]
        own = (f"{where}/{MARK}/", f"{table.name}/{MARK}/")
        for edge in edges:
            if not edge.consumer.startswith(own):
                return f"{edge.consumer} takes rows of {table.name} past their overlay"
    return None


def lay_over(graph: Graph, need: Need, _: Sequence[Need]) -> Iterator[NodeEdit]:
    """Lead what a body reads of a table over its overlay, whose handle is led in; see ``Need``."""
    table, entries = need.variable, need.choice.entries
    rows = None if entries is None else entries.rows
    if not need.choice.overlay or rows is None:
        return
    live = rows.complement()
    shape = (live.count, *(size or 0 for size in (table.shape or ())[1:]))
    new = NewVariable(rows_name(table), shape, table.dtype, table.kind)
    places = table_places(graph, table, graph.nodes)
    reading = Reading(graph, table, live, new, places)
    edits = list(reading.edits())
    yield from edits
    taken = {ref for edit in edits if isinstance(edit, AddNode) for ref in edit.inputs}
    if new.read in taken:
        read = next(node for node in new.nodes() if node.name == new.read.node)
        yield read
