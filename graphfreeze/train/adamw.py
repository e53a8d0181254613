"""Adam with decoupled weight decay, composed of what ``tf.compat.v1.train`` has."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Protocol

WEIGHT_DECAY = 0.01


class Applies(Protocol):
    """What is needed of Adam."""

    def apply_gradients(
        self, grads_and_vars: Sequence[tuple[object, object]], global_step: object = None
    ) -> object:
        """Return the operation that applies gradients."""


@dataclass(frozen=True)
class AdamW:
    """``var -= rate * weight_decay * var``, then Adam (Loshchilov and Hutter, 2019, algorithm 2).

    As in BERT's AdamWeightDecayOptimizer the decay is dense: rows that a batch does not look up
    decay too. It waits for all gradients, which are those of the values before it; Adam's own
    update, which does not depend on the variable's value, waits for it.
    """

    tf: ModuleType
    adam: Applies
    rate: object
    weight_decay: float
    is_decayed: Callable[[str], bool]

    def apply_gradients(
        self, grads_and_vars: Sequence[tuple[Any, Any]], global_step: object = None
    ) -> object:
        """Return the operation that decays variables and applies gradients."""
        tf = self.tf
        known = [(g, v) for g, v in grads_and_vars if g is not None]
        decayed = [v for _, v in known if self.is_decayed(v.op.name)] if self.weight_decay else []
        with tf.control_dependencies([g.op for g, _ in known]), tf.name_scope("weight_decay"):
            decays = [self._decay(variable) for variable in decayed]
        with tf.control_dependencies(decays):
            return self.adam.apply_gradients(grads_and_vars, global_step=global_step)

    def _decay(self, variable: Any) -> object:
        tf = self.tf
        with tf.name_scope(variable.op.name), tf.get_default_graph().colocate_with(variable.op):
            dtype = variable.dtype.base_dtype
            part = tf.cast(self.rate, dtype) * tf.cast(self.weight_decay, dtype)
            return variable.assign_sub(part * variable, read_value=False)
