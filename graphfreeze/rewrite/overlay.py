"""An overlay of a table: the variable of its trainable rows, whence they come and where they go."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from graphfreeze.errors import RewriteError
from graphfreeze.model.names import TensorRef, control, find_ref, parse_ref
from graphfreeze.model.tables import Table
from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.builder import MARK, Builder, node_name
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import AddNode, Edit, SetCollection, SetValue
from graphfreeze.rewrite.new_variable import NewVariable
from graphfreeze.rewrite.row_nodes import row_ids
from graphfreeze.rewrite.table_rows import find_table_rows, get_table
from graphfreeze.schema import CollectionDef, types_pb2
from graphfreeze.selection.rows import RowSet

INT64 = types_pb2.DT_INT64
MERGE_KEY = "graphfreeze_merge"
MERGE_OP = f"{MARK}/merge"


def rows_name(table: Variable) -> str:
    """Return the name of the variable that holds the trainable rows of a table."""
    return node_name(table.name, "rows")


def merge_name(table: Variable) -> str:
    """Return the name of the op that writes the rows back into a table."""
    return node_name(table.name, "merge")


@dataclass
class Overlay:
    """What a table and the variable of its trainable ``rows`` have to do with each other.

    ``ids`` are those rows, int64; ``nodes`` are what it takes outside of the reads."""

    draft: Draft
    table: Variable
    rows: RowSet
    nodes: list[AddNode] = field(default_factory=list)
    ids: TensorRef = field(init=False)
    variable: NewVariable = field(init=False)

    def __post_init__(self) -> None:
        build = Builder(self.table.name, self.device, scope="trainable/", edits=self.nodes)
        self.ids = row_ids(build, self.rows)
        types = {"Tparams": self.table.dtype, "Tindices": INT64}
        value = _initial_value(self.draft, self.table) or self._own_value(build)
        initial = build.add("initial", "Gather", (value, self.ids), types)
        shape = (self.rows.count, *self.shape[1:])
        dtype, kind = self.table.dtype, self.table.kind
        self.variable = NewVariable(
            rows_name(self.table),
            shape,
            dtype,
            kind,
            self.device,
            is_trainable=True,
            initial=initial,
        )
        self._merge()

    @property
    def device(self) -> str:
        """The device of the table."""
        return str(self.draft.graph.nodes[self.table.name].device)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the table."""
        return tuple(size for size in self.table.shape or () if size is not None)

    def saved_value(self, tables: Iterable[Table]) -> SetValue:
        """Return what the checkpoint has for the rows; the table is a part of one of ``tables``.

        Raises RewriteError for a part that does not hold whole rows."""
        whole = get_table(self.table, tables)
        rows = find_table_rows(self.draft, self.table, self.rows, whole)
        if rows is None:
            raise RewriteError.overlaid_columns(whole.name, self.table.name)
        return SetValue(self.variable.name, rows)

    def _own_value(self, build: Builder) -> TensorRef:
        """Return the table's own value, which it may not have yet where both are initialized."""
        handle, dtype = (TensorRef(self.table.name),), self.table.dtype
        if self.table.kind == "resource":
            return build.add("value", "ReadVariableOp", handle, {"dtype": dtype})
        return handle[0]

    def _merge(self) -> None:
        """Add the op that writes the rows back."""
        dtype, handle = self.table.dtype, TensorRef(self.table.name)
        inputs = (handle, self.ids, self.variable.read)
        role = Builder(self.table.name, self.device, edits=self.nodes)
        if self.table.kind == "resource":
            types = {"dtype": dtype, "Tindices": INT64}
            role.add("merge", "ResourceScatterUpdate", inputs, types)
        else:
            attrs = {"T": dtype, "Tindices": INT64, "use_locking": True}
            role.add("merge", "ScatterUpdate", inputs, attrs)


def merge_all(tables: list[Variable]) -> Iterator[Edit]:
    """Yield the op that merges every table, and the collection that names it."""
    yield AddNode(MERGE_OP, "NoOp", tuple(control(merge_name(table)) for table in tables))
    names = CollectionDef.NodeList(value=[MERGE_OP])
    yield SetCollection(MERGE_KEY, CollectionDef(node_list=names))


def _initial_value(draft: Draft, table: Variable) -> TensorRef | None:
    """Find what the table's initializer assigns."""
    graph = draft.graph
    definition = next(v.definition for v in draft.variables if v.name == table.name)
    if definition is None:
        return None
    value = find_ref(str(definition.initial_value_name))
    if value is not None and value.node in graph:
        return value
    initializer = parse_ref(str(definition.initializer_name)).node
    inputs = graph.data_inputs(initializer) if initializer in graph else ()
    return inputs[1] if len(inputs) > 1 else None
