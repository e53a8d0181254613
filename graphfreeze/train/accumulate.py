"""Averages of the gradients of several runs.

=============  ======================================  ===============================
gradient       is kept in                              memory
=============  ======================================  ===============================
dense          a ConditionalAccumulator                one gradient
IndexedSlices  a queue, from which all come out again  the ids and rows of N batches
=============  ======================================  ===============================

Both belong to the session and to no checkpoint: a session that ends before N runs loses them.
One client at a time may run the step: two that each see N gradients would both wait to take them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from graphfreeze.train.gates import Gate

_NEVER_STALE = 2**62  # an accumulator drops what is older than its own count of steps


@dataclass(frozen=True)
class Accumulated:
    """The means of ``count`` runs behind a ``gate``, and an op that begins the next ones."""

    means: Sequence[Any]
    gate: Gate
    emptied: Any


def accumulated(tf: ModuleType, gradients: Sequence[Any], count: int) -> Accumulated:
    """Keep gradients, and average them once there are ``count`` of each.

    All are kept or none: each waits for every gradient."""
    with tf.name_scope("accumulate"):
        with tf.control_dependencies([gradient.op for gradient in gradients]):
            kept = [_kept(tf, gradient) for gradient in gradients]
            adds = [each.add() for each in kept]
        runs = tf.ConditionalAccumulator(tf.float32, [], name="runs")
        with tf.control_dependencies(adds):
            added = runs.apply_grad(tf.zeros([]), local_step=_NEVER_STALE)
        with tf.control_dependencies([added]):
            gate = Gate.of(tf, runs.num_accumulated() >= count)
        with tf.control_dependencies([gate.open]):
            means = [each.mean(count) for each in kept]
            return Accumulated(means, gate, runs.take_grad(count).op)


@dataclass(frozen=True)
class _Dense:
    tf: ModuleType
    gradient: Any
    sums: Any

    def add(self) -> object:
        wide = self.tf.cast(self.gradient, self.sums.dtype)
        return self.sums.apply_grad(wide, local_step=_NEVER_STALE)

    def mean(self, count: int) -> object:
        return self.tf.cast(self.sums.take_grad(count), self.gradient.dtype)


@dataclass(frozen=True)
class _Sparse:
    tf: ModuleType
    gradient: Any
    queue: Any

    def add(self) -> object:
        return self.queue.enqueue([self.gradient.indices, self.gradient.values])

    def mean(self, count: int) -> object:
        """Return the slices of all runs, in their order: as those of one batch."""
        tf, taken = self.tf, list[Any]()
        for _ in range(count):
            with tf.control_dependencies([each.op for each in taken[-1:]]):
                ids, values = self.queue.dequeue()
            ids.set_shape([None])
            values.set_shape(tf.TensorShape([None]).concatenate(self.gradient.values.shape[1:]))
            taken.append(tf.IndexedSlices(values, ids))
        values = tf.concat([each.values for each in taken], 0)
        ids = tf.concat([each.indices for each in taken], 0)
        mean = values / tf.cast(count, values.dtype)
        return tf.IndexedSlices(mean, ids, self.gradient.dense_shape)


def _kept(tf: ModuleType, gradient: Any) -> _Dense | _Sparse:
    if isinstance(gradient, tf.IndexedSlices):
        # Without bounds: an enqueue never waits, also after a run that broke off in between.
        queue = tf.FIFOQueue(-1, [gradient.indices.dtype, gradient.values.dtype], name="slices")
        return _Sparse(tf, gradient, queue)
    dtype = gradient.dtype if gradient.dtype.size >= tf.float32.size else tf.float32
    sums = tf.ConditionalAccumulator(dtype, gradient.shape, name="gradient")
    return _Dense(tf, gradient, sums)
