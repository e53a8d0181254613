"""Keep a step of training to the trainable rows of a table, in a live graph.

=====================================  ===========================  ==========================
optimizer                              sparse gradient              dense gradient
=====================================  ===========================  ==========================
its sparse update writes the ids only  filtered to trainable rows   sliced to trainable rows
Adam, and objects we do not know       filtered, and pinned         frozen rows 0, and pinned
=====================================  ===========================  ==========================

Pinned: the frozen rows are copied before the update and written back after it, in the same step.
Between the two, others that read the table without waiting may see rows that moved.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from graphfreeze.selection.rows import RowSet
from graphfreeze.train.optimizers import OPTIMIZERS

Tensor = Any  # TensorFlow has no types
Variable = Any

# The sparse update of these writes no other row than those it is given, whatever the gradient.
_EXACT = frozenset(known.cls for known in OPTIMIZERS.values() if not known.moves_all_rows)


class RowGuard:
    """The guard of one table; its ops lie on the table's device, in its name scope."""

    def __init__(self, tf: ModuleType, variable: Variable, rows: RowSet, optimizer: object) -> None:
        self.tf, self.variable, self.rows = tf, variable, rows
        # A subclass may do more than its base.
        self.is_pinned = type(optimizer) not in [getattr(tf.train, name) for name in _EXACT]
        self._copy: tuple[Tensor, Tensor] | None = None

    def guard(self, gradient: Tensor) -> Tensor:
        """Return the gradient without what it says of frozen rows."""
        tf = self.tf
        with self._beside_table():
            if isinstance(gradient, tf.IndexedSlices):
                return self._filtered(gradient)
            if self.is_pinned:
                zeros = tf.zeros_like(gradient)
                return tf.where(tf.constant(self.rows.mask()), zeros, gradient, name="gradient")
            ids = self._ids(self.rows.complement())
            shape = tf.constant(self.variable.shape.as_list(), tf.int64)
            return tf.IndexedSlices(tf.gather(gradient, ids, name="gradient"), ids, shape)

    def save(self) -> list[Tensor]:
        """Copy the frozen rows if they have to be written back; return what runs before."""
        if not self.is_pinned:
            return []
        with self._beside_table():
            ids = self._ids(self.rows)
            self._copy = ids, self.tf.gather(self.variable, ids, name="pin/save")
        return [self._copy[1]]

    def restore(self) -> list[Tensor]:
        """Write the copy back, if there is one; return what runs after the update."""
        if self._copy is None:
            return []
        with self._beside_table():
            return [self.tf.scatter_update(self.variable, *self._copy, name="pin/restore").op]

    @contextmanager
    def _beside_table(self) -> Iterator[None]:
        graph, op = self.tf.get_default_graph(), self.variable.op
        with graph.colocate_with(op), self.tf.name_scope(f"{op.name}/graphfreeze/"):
            yield

    def _filtered(self, gradient: Tensor) -> Tensor:
        """Drop the ids of frozen rows, and their slices."""
        tf = self.tf
        ids = gradient.indices  # int [n]: optimizers take no other shape
        places = tf.where(tf.logical_not(self._is_frozen(ids)))[:, 0]
        kept = tf.gather(gradient.values, places, name="gradient")
        return tf.IndexedSlices(kept, tf.gather(ids, places), gradient.dense_shape)

    def _is_frozen(self, ids: Tensor) -> Tensor:
        """Return bool, shaped as ``ids``; the set is held as bounds or as bytes, what is less."""
        tf = self.tf
        bounds = self.rows.intervals.reshape(-1)
        if bounds.nbytes >= self.rows.height:
            return tf.gather(tf.constant(self.rows.mask(), name="frozen_rows"), ids)
        passed = tf.searchsorted(tf.constant(bounds, ids.dtype, name="bounds"), ids, side="right")
        return tf.equal(passed % 2, 1)

    def _ids(self, rows: RowSet) -> Tensor:
        """Return int64 [n]: the rows, rising."""
        tf = self.tf
        if len(rows.intervals) == 1:
            start, stop, step = (tf.constant(n, tf.int64) for n in (*rows.intervals[0], 1))
            return tf.range(start, stop, step, name="rows")
        return tf.where(tf.constant(rows.mask(), name="rows/mask"))[:, 0]
