"""Put frozen entries back after something wrote over them.

A pin is for a writer that nothing can keep from them: between the writer and the pin others see
entries that moved.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef, control
from graphfreeze.model.tables import Table
from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.builder import Builder, node_name
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import Edit, SetValue
from graphfreeze.rewrite.entry_mask import trainable_mask
from graphfreeze.rewrite.new_variable import NewVariable, add_variables
from graphfreeze.rewrite.row_nodes import row_ids
from graphfreeze.rewrite.table_rows import find_table_rows
from graphfreeze.schema import types_pb2
from graphfreeze.selection.entries import Entries
from graphfreeze.selection.rows import RowSet

INT64 = types_pb2.DT_INT64


def pin_name(variable: Variable) -> str:
    """Return the name of the op that puts the frozen entries of a variable back."""
    return node_name(variable.name, "pin")


def is_pinned(graph: Graph, variable: Variable, writer: str) -> bool:
    """Tell whether a writer is the pin of a variable, or one that the pin waits for."""
    pin = pin_name(variable)
    return writer == pin or (pin in graph and control(writer) in graph.inputs(pin))


@dataclass
class Pin:
    """The copy of a variable's frozen ``entries``, and the op that puts them back.

    ==============  =======================================  ==================================
    frozen          copy, which nothing writes               put back by
    ==============  =======================================  ==================================
    whole rows      ``w/graphfreeze/frozen_rows``, the rows  ScatterUpdate
    other entries   ``w/graphfreeze/frozen_entries``, all    Assign of ``Select(mask, now, copy)``
    ==============  =======================================  ==================================
    """

    draft: Draft
    variable: Variable
    entries: Entries
    copy: NewVariable = field(init=False)

    def __post_init__(self) -> None:
        rows = self.entries.rows
        role = "frozen_entries" if rows is None else "frozen_rows"
        shape = (self._rows.count, *self.entries.shape[1:])
        name, dtype = node_name(self.variable.name, role), self.variable.dtype
        self.copy = NewVariable(name, shape, dtype, self.variable.kind, self._device)

    @property
    def _rows(self) -> RowSet:
        """The rows that are copied."""
        rows = self.entries.rows
        return RowSet.full(self.entries.shape[0]) if rows is None else rows

    @property
    def _device(self) -> str:
        return str(self.draft.graph.nodes[self.variable.name].device)

    def find_value(self, table: Table) -> SetValue | None:
        """Return what the checkpoint has for the copy, None for a part without whole rows."""
        rows = find_table_rows(self.draft, self.variable, self._rows, table)
        return None if rows is None else SetValue(self.copy.name, rows)

    def edits(self, writers: Sequence[str]) -> Iterator[Edit]:
        """Yield the copy, and the op that runs after the writers."""
        yield from add_variables(self.draft, [self.copy])
        build = Builder(self.variable.name, self._device, scope="pin_")
        late = replace(build, controls=[control(writer) for writer in writers], scope="")
        (self._put_entries if self.entries.rows is None else self._put_rows)(build, late)
        yield from build.edits

    def _put_rows(self, build: Builder, late: Builder) -> None:
        inputs = (TensorRef(self.variable.name), row_ids(build, self._rows), self.copy.read)
        types = {"Tindices": INT64}
        if self.variable.kind == "resource":
            late.add("pin", "ResourceScatterUpdate", inputs, {"dtype": self.copy.dtype, **types})
        else:
            attrs = {"T": self.copy.dtype, **types, "use_locking": True}
            late.add("pin", "ScatterUpdate", inputs, attrs)

    def _put_entries(self, build: Builder, late: Builder) -> None:
        handle, dtype = TensorRef(self.variable.name), self.copy.dtype
        mask = trainable_mask(build, self.entries, self.variable)
        is_ref = self.variable.kind == "ref"
        op, key = ("Identity", "T") if is_ref else ("ReadVariableOp", "dtype")
        now = late.add("pin_now", op, (handle,), {key: dtype})
        kept = build.add("kept", "SelectV2", (mask, now, self.copy.read), {"T": dtype})
        if is_ref:
            attrs = {"T": dtype, "use_locking": True, "validate_shape": True}
            late.add("pin", "Assign", (handle, kept), attrs)
        else:
            late.add("pin", "AssignVariableOp", (handle, kept), {"dtype": dtype})
