"""Build the training step of a graph under construction, with parts of it frozen."""

from collections.abc import Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any, Protocol

from graphfreeze.errors import TrainError
from graphfreeze.live.choice import Choice, Rows, Variable, choose
from graphfreeze.live.row_guard import RowGuard
from graphfreeze.live.writers import cone, find_writers, refuse_writers, without_writers
from graphfreeze.runtime import open_runtime
from graphfreeze.selection.rows import RowSet

Tensor = Any  # TensorFlow has no types
Operation = Any


class Optimizer(Protocol):
    """What is needed of an optimizer; all of ``tf.compat.v1.train`` have it."""

    def apply_gradients(
        self, grads_and_vars: list[tuple[Tensor, Variable]], global_step: Variable = None
    ) -> Operation:
        """Return the operation that applies gradients."""


def minimize(
    loss: Tensor | Sequence[Tensor],
    optimizer: Optimizer,
    *,
    freeze: Iterable[str] = (),
    rows: Mapping[Variable | str, Rows] | None = None,
    global_step: Variable = None,
) -> Operation:
    """Return a train_op for the trainable variables of the default graph that are not frozen.

    Several losses are summed. ``freeze`` holds patterns of variables and scopes. ``rows`` gives
    the frozen rows of a table, a variable or its name, as text (``"0:1000,1012,-5:"``), a RowSet,
    or bool [height] where True is frozen; it decides for its table whatever ``freeze`` says. Not
    one bit of a frozen value changes, whatever the optimizer does, and a frozen row's gradient
    reaches no slot.

    The graph's UPDATE_OPS run before the step, but for those that write a frozen variable.
    A variable that the loss does not reach is left out. ``global_step`` is counted up if given.
    New slots join the graph's variables; no other collection is changed. Under Adam, and under
    optimizers that are not from ``tf.compat.v1.train``, frozen rows are written back after each
    update: wait for the train_op before you read them.

    Raises SelectionError (a pattern or row that means nothing), TrainError (nothing is left to
    train) and RewriteError (the loss or UPDATE_OPS write what is frozen).
    """
    tf = open_runtime()
    losses = list(loss) if isinstance(loss, Sequence) else [loss]
    choice = choose(tf, freeze, rows or {})
    reached = _gradients(tf, losses, choice)
    updates = _updates(tf, choice)
    refuse_writers(
        [*choice.frozen, *choice.partly], cone([*(each.op for each in losses), *updates])
    )
    with tf.control_dependencies(updates):
        train_op = _guarded(tf, optimizer, reached, choice.rows, global_step)
    refuse_writers(choice.frozen, cone([train_op]))
    return train_op


def _guarded(
    tf: ModuleType,
    optimizer: Optimizer,
    pairs: list[tuple[Tensor, Variable]],
    rows: Mapping[str, RowSet],
    global_step: Variable,
) -> Operation:
    """Return the optimizer's update between what keeps the frozen rows before and after it."""
    guards = {
        variable.op.name: RowGuard(tf, variable, rows[variable.op.name], optimizer)
        for _, variable in pairs
        if variable.op.name in rows
    }
    pairs = [(guards[v.op.name].guard(g) if v.op.name in guards else g, v) for g, v in pairs]
    saved = [tensor for guard in guards.values() for tensor in guard.save()]
    with tf.control_dependencies(saved):
        applied = _applied(tf, optimizer, pairs, global_step)
    with tf.control_dependencies([applied]):
        restored = [op for guard in guards.values() for op in guard.restore()]
    return tf.group(applied, *restored, name="graphfreeze/train_op")


def _applied(
    tf: ModuleType,
    optimizer: Optimizer,
    pairs: list[tuple[Tensor, Variable]],
    global_step: Variable,
) -> Operation:
    """Return the optimizer's update, and keep it out of ``train_op``: it is not the whole step."""
    listed = tf.get_collection_ref(tf.GraphKeys.TRAIN_OP)
    before = list(listed)
    applied = optimizer.apply_gradients(pairs, global_step=global_step)
    listed[:] = before
    return applied


def _gradients(
    tf: ModuleType, losses: list[Tensor], choice: Choice
) -> list[tuple[Tensor, Variable]]:
    """Return gradient and variable for each variable that learns and that a loss reaches."""
    gradients = tf.gradients(losses, choice.trained) if choice.trained else []
    pairs = zip(gradients, choice.trained, strict=True)
    reached = [(gradient, variable) for gradient, variable in pairs if gradient is not None]
    if not reached:
        raise TrainError.nothing_to_train(", ".join(each.name for each in losses))
    return reached


def _updates(tf: ModuleType, choice: Choice) -> list[Operation]:
    """Return the UPDATE_OPS that write no wholly frozen variable."""
    entries = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    ops = [entry if isinstance(entry, tf.Operation) else entry.op for entry in entries]
    writers = {op for variable in choice.frozen for op in find_writers(variable)}
    return list(dict.fromkeys(without_writers(ops, writers)))
