"""An optimizer of plain assignments, in the manner of BERT's ``optimization.py``."""

from __future__ import annotations

import re
from typing import Iterable, Sequence

import tensorflow as tf


def add_training(
    loss: tf.Tensor, learning_rate: float, steps: int, warmup_steps: int
) -> tf.Operation:
    """Add a schedule with a warm-up, a clip of all but ``side``, the optimizer, the next step."""
    global_step = tf.train.get_or_create_global_step()
    rate = tf.train.polynomial_decay(
        tf.constant(learning_rate, shape=[]), global_step, steps, end_learning_rate=0.0, power=1.0
    )
    done, all_of_them = (tf.cast(x, tf.float32) for x in (global_step, warmup_steps))
    is_warmup = tf.cast(global_step < warmup_steps, tf.float32)
    rate = (1.0 - is_warmup) * rate + is_warmup * learning_rate * (done + 1.0) / all_of_them

    optimizer = AdamWeightDecayOptimizer(
        rate,
        weight_decay_rate=0.01,
        epsilon=1e-6,
        exclude_from_weight_decay=["LayerNorm", "layer_norm", "bias"],
    )
    asides = tf.trainable_variables("side/")
    variables = [each for each in tf.trainable_variables() if each not in asides]
    gradients, _ = tf.clip_by_global_norm(tf.gradients(loss, variables), clip_norm=1.0)
    both = [*gradients, *tf.gradients(loss, asides)], [*variables, *asides]
    train_op = optimizer.apply_gradients(zip(*both), global_step=global_step)
    # The optimizer leaves the step alone. Nothing goes to the collection train_op.
    new_global_step = global_step + 1
    # BERT's own does not wait, so that its rates may see the old step or the new one.
    with tf.control_dependencies([train_op]):
        next_step = global_step.assign(new_global_step)
    return tf.group(train_op, [next_step], name="train_op")


class AdamWeightDecayOptimizer(tf.compat.v1.train.Optimizer):
    """Adam without its correction of the bias, whose weight decay passes the moments by."""

    def __init__(
        self,
        learning_rate: tf.Tensor,
        weight_decay_rate: float = 0.0,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-6,
        exclude_from_weight_decay: Sequence[str] = (),
        name: str = "AdamWeightDecayOptimizer",
    ) -> None:
        super().__init__(False, name)
        self.learning_rate = learning_rate
        self.weight_decay_rate = weight_decay_rate
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon
        self.exclude_from_weight_decay = exclude_from_weight_decay

    def apply_gradients(
        self,
        grads_and_vars: Iterable[tuple[tf.Tensor, tf.Variable]],
        global_step: tf.Variable | None = None,
        name: str | None = None,
    ) -> tf.Operation:
        """Assign each variable and its moments."""
        assignments = []
        for grad, param in grads_and_vars:
            if grad is None:
                continue
            param_name = param.op.name
            m, v = (
                tf.get_variable(
                    name=f"{param_name}/{slot}",
                    shape=param.shape.as_list(),
                    dtype=tf.float32,
                    trainable=False,
                    initializer=tf.zeros_initializer(),
                )
                for slot in ("adam_m", "adam_v")
            )
            next_m = tf.multiply(self.beta_1, m) + tf.multiply(1.0 - self.beta_1, grad)
            next_v = tf.multiply(self.beta_2, v) + tf.multiply(1.0 - self.beta_2, tf.square(grad))
            update = next_m / (tf.sqrt(next_v) + self.epsilon)
            if self.decays(param_name):
                update += self.weight_decay_rate * param
            next_param = param - self.learning_rate * update
            assignments += [param.assign(next_param), m.assign(next_m), v.assign(next_v)]
        return tf.group(*assignments, name=name)

    def decays(self, name: str) -> bool:
        """Tell whether a variable's weights decay."""
        return not any(re.search(pattern, name) for pattern in self.exclude_from_weight_decay)
