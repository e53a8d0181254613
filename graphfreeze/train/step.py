"""What a step does with gradients: test, average, clip, apply, count.

    gradients -> those of what learns -> finite? -> N of them? -> clipped -> an optimizer for each
    factor of the learning rate -> the global step

Only what was asked for is built.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.overlay import rows_name
from graphfreeze.selection.resolve import Selection
from graphfreeze.train.accumulate import accumulated
from graphfreeze.train.gates import Gate, all_finite, gate_updates, passed
from graphfreeze.train.groups import by_factor, learning_factors, without_decay
from graphfreeze.train.live_gradients import live_gradients
from graphfreeze.train.make_optimizer import make_optimizer
from graphfreeze.train.rates import scheduled
from graphfreeze.train.request import TrainRequest

SKIPPED_STEPS = "skipped_steps"
Applier = Callable[[Sequence[Any]], Any]  # of gradients


@dataclass(frozen=True)
class Step:
    """The parts of a step; ``updates`` are the UPDATE_OPS that it runs, ``losses`` nodes."""

    tf: ModuleType
    draft: Draft
    selection: Selection
    request: TrainRequest
    global_step: Any
    updates: Sequence[str]
    losses: Sequence[str]

    def build(self, pairs: Sequence[tuple[Any, Any]], names: Sequence[str]) -> Any:
        """Return an op that makes the step; ``names`` are all variables that are to learn.

        Raises TrainError, and what TensorFlow raises."""
        tf, variables = self.tf, [variable for _, variable in pairs]
        gradients = [gradient for gradient, _ in pairs]
        apply = self._applier(variables, names)
        if self.request.looks_at_gradients:
            gradients = live_gradients(tf, self.draft, self.selection, pairs)
        if self.request.skip_nonfinite:
            return self._unless_spoilt(gradients, apply)
        return self._averaged(gradients, apply)

    def _unless_spoilt(self, gradients: Sequence[Any], apply: Applier) -> Any:
        """Go on if all gradients are finite, and count the run as skipped if not."""
        tf = self.tf
        skipped = tf.Variable(0, trainable=False, dtype=tf.int64, name=SKIPPED_STEPS)
        with tf.name_scope("finite"):
            gate = Gate.of(tf, all_finite(tf, gradients))
            gate_updates(tf, self.draft, self.updates, self.losses, gate)
            with tf.control_dependencies([gate.open]):
                gradients = [passed(tf, gradient) for gradient in gradients]
        with tf.control_dependencies([gate.open]):
            done = self._averaged(gradients, apply)
        with tf.name_scope("finite"):
            with tf.control_dependencies([gate.shut]):
                counted = skipped.assign_add(1, read_value=False)
            return gate.ended([done], [counted])

    def _averaged(self, gradients: Sequence[Any], apply: Applier) -> Any:
        """Apply gradients, or average those of several runs and apply the mean."""
        tf, count = self.tf, self.request.accumulate
        updates = [tf.get_default_graph().as_graph_element(name) for name in self.updates]
        with tf.control_dependencies(updates):
            if count == 1:
                return apply(gradients)
            kept = accumulated(tf, gradients, count)
            with tf.control_dependencies([kept.gate.open]):
                done = apply(kept.means)
            with tf.name_scope("accumulate"):
                ended = kept.gate.ended([done, kept.emptied])
            return tf.group(ended, *updates, name="accumulated")

    def _applier(self, variables: Sequence[Any], names: Sequence[str]) -> Applier:
        """Return what makes the op that applies gradients and counts the step."""
        told = {name: self._told(name) for name in names}
        frozen = [variable.name for variable in self.selection.frozen]
        factors = learning_factors(self.request.lr_scales, told.values(), frozen)
        still = self._without_decay(list(told.values()), frozen)
        own = [factors[told[variable.op.name]] for variable in variables]

        def apply(gradients: Sequence[Any]) -> Any:
            pairs = list(zip(self._clipped(gradients), variables, strict=True))
            return self._applied(list(by_factor(pairs, own)), lambda name: told[name] not in still)

        return apply

    def _without_decay(self, names: Sequence[str], frozen: Sequence[str]) -> set[str]:
        is_decaying = self.request.optimizer == "adamw"
        return without_decay(self.request.no_decay, names, frozen) if is_decaying else set()

    def _clipped(self, gradients: Sequence[Any]) -> Sequence[Any]:
        """Return gradients whose norm together is at most the largest that is wanted."""
        tf, largest = self.tf, self.request.clip_norm
        if largest is None:
            return gradients
        return list(tf.clip_by_global_norm(gradients, largest, self._norm(gradients))[0])

    def _norm(self, gradients: Sequence[Any]) -> Any:
        """Return the norm of all gradients; those of half precision would overflow in their own.

        tf.global_norm takes one type alone."""
        tf = self.tf
        wide = [tf.cast(g, tf.float32) if g.dtype.size < tf.float32.size else g for g in gradients]
        types = dict.fromkeys(gradient.dtype for gradient in wide)
        if len(types) == 1:
            return tf.global_norm(wide)
        norms = [tf.global_norm([g for g in wide if g.dtype == dtype]) for dtype in types]
        return tf.global_norm([tf.cast(norm, tf.float32) for norm in norms])

    def _applied(
        self, groups: Sequence[tuple[float, list[Any]]], is_decayed: Callable[[str], bool]
    ) -> Any:
        """Return the op that applies gradients, by one optimizer for each factor, and counts."""
        tf, step = self.tf, self.global_step
        if len(groups) == 1:
            ((factor, pairs),) = groups
            return self._optimizer(factor, is_decayed).apply_gradients(pairs, global_step=step)
        done = [
            self._optimizer(factor, is_decayed).apply_gradients(pairs) for factor, pairs in groups
        ]
        with tf.control_dependencies(done), tf.get_default_graph().colocate_with(step.op):
            return step.assign_add(1, read_value=False)

    def _optimizer(self, factor: float, is_decayed: Callable[[str], bool]) -> Any:
        """Return the optimizer, its learning rate times a factor."""
        request, tf, step = self.request, self.tf, self.global_step
        if not isinstance(request.optimizer, str):
            return request.optimizer
        rate: Any = (request.rate or 0.0) * factor
        schedule = request.chosen_schedule
        if schedule is not None:
            first: Any = scheduled(tf, schedule, request.rate or 0.0, step)
            rate = first if factor == 1 else first * factor
        name, given = request.optimizer, request.arguments
        return make_optimizer(tf, name, rate, given, step, is_decayed=is_decayed)

    def _told(self, name: str) -> str:
        """Return the name that patterns know: of rows that are laid over a table, the table's."""
        tables = {rows_name(table): table.name for table in self.selection.overlaid}
        return tables.get(name, name)
