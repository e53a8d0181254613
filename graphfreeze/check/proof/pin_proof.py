"""Show that what a writer may have moved is put back before the train_op is done.

``train_op -> pin -> writer``: the pin stores the frozen entries as a variable holds them that no
step writes, and that the checkpoint gives the same bits.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from graphfreeze.check.bit_counts import differs
from graphfreeze.check.proof.frozen_entries import (
    Rows,
    find_leak_of_mask,
    frozen_in,
    row_chunks,
    rows_with_frozen,
)
from graphfreeze.check.proof.guard_proof import ROW_STORES, STORES, GuardProof
from graphfreeze.errors import LoadError
from graphfreeze.model.control_flow import branches_of
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.reads import writers
from graphfreeze.model.unfolded import is_inside
from graphfreeze.model.variables import REF_OPS, RESOURCE_OPS, Variable
from graphfreeze.read.checkpoint_values import find_values
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import FromRows, SetValue
from graphfreeze.rewrite.steps import Step

_EARLY = "it may store a value from before the pin"


@dataclass(frozen=True)
class PinProof:
    """A proof about the writers of one variable that ``guard`` does not find harmless."""

    draft: Draft
    guard: GuardProof
    variable: Variable
    step: Step

    def without_pinned(self, faults: Mapping[str, str], written: Sequence[str]) -> dict[str, str]:
        """Return the faults that no pin makes good, given all writers that a step runs."""
        # What is in a function's body may not run: it may be a branch.
        pins = [w for w in faults if not is_inside(w) and self._puts_back(w)]
        left = {writer: fault for writer, fault in faults.items() if writer not in pins}
        for pin in pins if left else ():
            before = self.graph.ancestors([pin])
            if not self._ends_step(pin):
                continue
            kept = (writer for writer in written if self.guard.stores_frozen(writer))
            early = {w: _EARLY for w in kept if w not in before and w not in faults}
            loose = self._run_without(pin) | self._run_with_a_dead(pin, left)
            left = {w: f for w, f in left.items() if w not in before or w in loose} | early
        return left

    @property
    def graph(self) -> Graph:
        """The graph of the draft, unfolded."""
        return self.guard.graph

    def _run_without(self, pin: str) -> set[str]:
        """Return the nodes that something runs which is fetched, and does not wait for a pin."""
        fetched = self.step.besides(self.draft)
        return self.graph.ancestors(f for f in fetched if pin not in self.graph.ancestors([f]))

    def _run_with_a_dead(self, pin: str, writers: Iterable[str]) -> set[str]:
        """Return the writers that may run when the pin does not, for it is in a branch."""
        branches = branches_of(self.graph, pin)
        return {w for w in writers if not branches <= branches_of(self.graph, w)}

    def _ends_step(self, pin: str) -> bool:
        ends = self.step.train_ops(self.draft)
        return bool(ends) and all(pin in self.graph.ancestors([end]) for end in ends)

    def _puts_back(self, writer: str) -> bool:
        """Tell whether a writer stores every frozen entry as it is in the checkpoint."""
        op, inputs = self.graph.op(writer), self.graph.data_inputs(writer)
        if op in ROW_STORES:
            ids = self.guard.evaluator.find(inputs[1])
            frozen = rows_with_frozen(self.guard.entries)
            is_whole = isinstance(ids, np.ndarray) and np.array_equal(ids, frozen)
            return is_whole and self._is_copy(inputs[2], frozen)
        kept = self.guard.passed_from(inputs[-1])
        if op not in STORES or self.graph.op(kept.node) != "SelectV2":
            return False
        mask, _, copy = self.graph.data_inputs(kept.node)
        value = self.guard.evaluator.find(mask)
        if not isinstance(value, np.ndarray) or find_leak_of_mask(value, self.guard.entries):
            return False
        return self._is_copy(copy, np.arange(self.guard.entries.shape[0]))

    def _is_copy(self, ref: TensorRef, rows: Rows) -> bool:
        """Tell whether a tensor is a variable at rest that holds some rows of this one."""
        copy = self.guard.passed_from(ref).node
        found = next((v for v in self.draft.variables if v.name == copy), None)
        if found is None or self.graph.op(copy) not in REF_OPS | RESOURCE_OPS:
            return False
        reached = self.graph.ancestors(self.step.ends(self.draft))
        return reached.isdisjoint(writers(self.graph, found)) and self._has_values(copy, rows)

    def _has_values(self, copy: str, rows: Rows) -> bool:
        keys = self.draft.saved_keys()
        key, own = keys.get(copy, copy), keys.get(self.variable.name, self.variable.name)
        for edit in reversed(self.draft.value_edits):
            if edit.key == key and isinstance(edit, SetValue):
                if not isinstance(edit.source, FromRows) or edit.source.key != own:
                    return False
                given = np.flatnonzero(edit.source.rows.mask())
                return np.array_equal(given, rows + self._offset)
        try:
            values, at = find_values(self.draft.base.source), 0
            if values is None:
                return False
            for chunk in row_chunks(rows, self.guard.entries):
                held = np.arange(at, at + len(chunk))
                both = values.read_rows(own, chunk + self._offset), values.read_rows(key, held)
                if differs(*both)[frozen_in(self.guard.entries, chunk)].any():
                    return False
                at += len(chunk)
        except (LoadError, IndexError, ValueError):
            return False
        return True

    @cached_property
    def _offset(self) -> int:
        """The row of the saved whole at which the variable begins."""
        parts = (part for table in self.draft.tables() for part in table.parts)
        return next((p.offset[0] for p in parts if p.variable == self.variable and p.offset), 0)
