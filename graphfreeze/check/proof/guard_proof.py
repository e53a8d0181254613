"""Show that a writer of a partly frozen variable leaves its frozen entries alone.

==========================================  ====================================================
writer                                      is harmless if
==========================================  ====================================================
``Scatter*(w, ids, ...)``,                  ids are constant, and none is of a frozen row
``SparseApply*(w, ..., ids)``
the same, ``ids = Gather(given, places)``,  the test is false for each frozen row
``places = Reshape(Where(test(given)))``
``Assign(w, Select(mask, new, now))``       now is the variable, and the mask false where frozen
``ScatterUpdate(w, ids, Select(...))``      now is its rows of the same ids, and the mask false
==========================================  ====================================================

Names of nodes mean nothing here. That the frozen entries of ``now`` are those of the checkpoint
holds whenever it is read: each writer before was harmless too.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from graphfreeze.check.proof.evaluate import Evaluator
from graphfreeze.check.proof.frozen_entries import (
    find_leak_by_ids,
    find_leak_of_mask,
    find_leak_of_test,
    rows_with_frozen,
)
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.reads import is_ref_edge
from graphfreeze.selection.entries import Entries

_NO_GUARD = "nothing keeps it to what learns"
STORES = frozenset({"Assign", "AssignVariableOp"})
ROW_STORES = frozenset({"ScatterUpdate", "ResourceScatterUpdate"})
_OF_ROWS = ("Scatter", "SparseApply")
_OF_POINTS = "ScatterNd"
_GATHERS = frozenset({"Gather", "GatherV2", "ResourceGather"})


@dataclass(frozen=True)
class GuardProof:
    """A proof about the writers of one variable; ``own`` are the tensors that stand for it."""

    evaluator: Evaluator
    own: Collection[TensorRef]
    entries: Entries

    @property
    def graph(self) -> Graph:
        """The graph that the writers are in."""
        return self.evaluator.graph

    def find_fault(self, writer: str) -> str | None:
        """Return why a writer may change a frozen entry, None if it is shown that it does not."""
        op = self.graph.op(writer).removeprefix("Resource")
        if op.startswith(_OF_ROWS) and not op.startswith(_OF_POINTS):
            ids = self._indices(writer)
            fault = _NO_GUARD if ids is None else self._find_fault_of_ids(ids)
            if fault is not None and self.graph.op(writer) in ROW_STORES and ids is not None:
                kept = self._find_fault_of_store(writer, ids)
                return None if kept is None else (fault if kept == _NO_GUARD else kept)
            return fault
        return self._find_fault_of_store(writer) if self.graph.op(writer) in STORES else _NO_GUARD

    def stores_frozen(self, writer: str) -> bool:
        """Tell whether a harmless writer stores frozen entries too, as it read them before."""
        op, ids = self.graph.op(writer), self._indices(writer)
        is_filtered = ids is not None and self._find_fault_of_ids(ids) is None
        return op in STORES or (op in ROW_STORES and not is_filtered)

    def _indices(self, writer: str) -> TensorRef | None:
        definition = self.graph.ops.find(self.graph.op(writer))
        names = [str(arg.name) for arg in definition.input_arg] if definition is not None else []
        inputs = self.graph.data_inputs(writer)
        return inputs[names.index("indices")] if "indices" in names else None

    def _find_fault_of_ids(self, ids: TensorRef) -> str | None:
        value = self.evaluator.find(ids)
        if isinstance(value, np.ndarray):
            held = np.intersect1d(value, rows_with_frozen(self.entries))
            return f"its ids hold the frozen row {held[0]}" if held.size else None
        filtered = self._find_filter(ids)
        if filtered is None:
            return "its ids may hold frozen rows"
        return find_leak_of_test(self.evaluator, *filtered, self.entries)

    def _find_filter(self, ids: TensorRef) -> tuple[TensorRef, TensorRef] | None:
        """Return the test that ids went through, and the ids before; these are a vector."""
        taken = self._taken(ids)
        if taken is None or not self._is_vector(taken[0]):
            return None
        given, places = taken
        if self.graph.op(places.node) != "Reshape" or not self._is_vector(places):
            return None
        where = self.graph.data_inputs(places.node)[0]
        if self.graph.op(where.node) != "Where":
            return None
        return self.graph.data_inputs(where.node)[0], given

    def _taken(self, ref: TensorRef) -> tuple[TensorRef, TensorRef] | None:
        """Return what a gather along the first axis takes places of, and the places."""
        if self.graph.op(ref.node) not in _GATHERS or ref.port:
            return None
        source, places, *axis = self.graph.data_inputs(ref.node)
        at = self.evaluator.find(axis[0]) if axis else np.zeros((), np.int32)
        batch = self.graph.nodes[ref.node].attr
        is_plain = "batch_dims" not in batch or not batch["batch_dims"].i
        is_first = isinstance(at, np.ndarray) and at.size == 1 and not at.any()
        return (source, places) if is_plain and is_first else None

    def _is_vector(self, ref: TensorRef) -> bool:
        """Tell whether a tensor is known to have one axis."""
        if self.graph.op(ref.node) == "Unique":
            return not ref.port
        if self.graph.op(ref.node) != "Reshape":
            return False
        shape = self.evaluator.find(self.graph.data_inputs(ref.node)[1])
        return isinstance(shape, np.ndarray) and shape.shape == (1,)

    def _find_fault_of_store(self, writer: str, ids: TensorRef | None = None) -> str | None:
        kept = self.passed_from(self.graph.data_inputs(writer)[-1])
        if self.graph.op(kept.node) not in ("SelectV2", "Select"):
            return _NO_GUARD
        mask, _, now = self.graph.data_inputs(kept.node)
        if not self._is_now(now, ids):
            return "what it keeps is not the variable's own value"
        if not self._are_copies_done(writer):
            return "a temporary copy may be written when its memory is given away"
        if ids is not None and self.graph.op(kept.node) == "SelectV2":
            return find_leak_by_ids(self.evaluator, mask, ids, self.entries)
        value = self.evaluator.find(mask)
        # Select pairs a mask of one axis with rows, whatever the shape of the rest.
        is_whole = self.graph.op(kept.node) == "SelectV2" or (
            isinstance(value, np.ndarray) and value.shape == self.entries.shape
        )
        if not isinstance(value, np.ndarray) or not is_whole or ids is not None:
            return "its mask cannot be shown to spare them"
        return find_leak_of_mask(value, self.entries)

    def _is_now(self, now: TensorRef, ids: TensorRef | None) -> bool:
        """Tell whether a tensor is read of the variable: all of it, or its rows ``ids``."""
        if ids is None:
            return self.passed_from(now) in self.own
        taken = self._taken(self.passed_from(now))
        return taken is not None and taken[1] == ids and self.passed_from(taken[0]) in self.own

    def _are_copies_done(self, writer: str) -> bool:
        """Tell whether all that takes a temporary copy comes before the end of it.

        TensorFlow gives its memory to what is computed next, such as the values to be stored."""
        before = self.graph.ancestors([writer])
        ends = {name for name in before if self.graph.op(name) == "DestroyTemporaryVariable"}
        for end in ends:
            above = self.graph.ancestors([end])
            todo = [name for name in above if self.graph.op(name) == "TemporaryVariable"]
            while todo:
                for edge in self.graph.edges_from(todo.pop()):
                    if edge.consumer not in ends and is_ref_edge(self.graph, edge):
                        if edge.consumer not in above:
                            return False
                        todo.append(edge.consumer)
        return True

    def passed_from(self, ref: TensorRef) -> TensorRef:
        """Return the tensor that one is passed on from, unchanged."""
        seen = set()
        while (
            ref not in self.own
            and ref not in seen
            and self.graph.op(ref.node) in ("Identity", "ReadVariableOp")
        ):
            seen.add(ref)
            ref = self.graph.data_inputs(ref.node)[0]
        return ref
