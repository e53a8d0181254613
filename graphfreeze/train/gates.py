r"""Branches of a step that run or do not, without a control flow context.

The executor does not run an op one of whose inputs is dead, and a Switch lets only one of its
outputs live. Whatever waits for ``open`` runs if the test is true:

    test -> Switch -:1-> open -> ... the branch ... -> done -\
                   -:0-> shut -> ... the other  ... -> done --> Merge -> NoOp

No ref and no handle passes a Switch, so a writer in the branch looks like any other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from graphfreeze.errors import TrainError
from graphfreeze.model.control_flow import nodes_in_loops
from graphfreeze.model.reads import writers
from graphfreeze.rewrite.draft import Draft


@dataclass(frozen=True)
class Gate:
    """A test; ``open`` is alive where it is true, ``shut`` where it is not."""

    tf: ModuleType
    open: Any
    shut: Any

    @classmethod
    def of(cls, tf: ModuleType, test: object) -> "Gate":
        """Make the gate of a bool scalar."""
        no, yes = tf.raw_ops.Switch(data=test, pred=test)
        return cls(tf, tf.identity(yes, name="open"), tf.identity(no, name="shut"))

    def ended(self, done: Sequence[object], otherwise: Sequence[object] = ()) -> object:
        """Return an op that runs in either case, after what is done in it."""
        tf = self.tf
        with tf.control_dependencies(done):
            yes = tf.identity(self.open, name="done")
        with tf.control_dependencies(otherwise):
            no = tf.identity(self.shut, name="done_otherwise")
        merged, _ = tf.raw_ops.Merge(inputs=[no, yes])
        return merged.op


def all_finite(tf: ModuleType, gradients: Iterable[Any]) -> object:
    """Return a bool scalar: whether no gradient holds inf or NaN."""
    values = (getattr(gradient, "values", gradient) for gradient in gradients)
    tests = [tf.reduce_all(tf.is_finite(value)) for value in values]
    return tf.reduce_all(tf.stack(tests), name="all_finite")


def passed(tf: ModuleType, gradient: Any) -> object:
    """Return a gradient that waits for what the block it is in waits for."""
    if hasattr(gradient, "values"):
        values, ids = tf.identity(gradient.values), tf.identity(gradient.indices)
        return tf.IndexedSlices(values, ids, gradient.dense_shape)
    return tf.identity(gradient)


def gate_updates(
    tf: ModuleType, draft: Draft, updates: Iterable[str], losses: Iterable[str], gate: Gate
) -> None:
    """Let the writers that ``updates`` run wait for a gate.

    They keep their names. Whoever fetches one of them alone now computes gradients first; in a
    step that is skipped it has no value, nor has what waits for it. Raises TrainError for a writer
    that nothing can hold back: the gradients or the losses wait for it, or it is in a loop."""
    graph, before = tf.get_default_graph(), _ancestors(gate.open.op) | draft.graph.ancestors(losses)
    looped, run = nodes_in_loops(draft.graph), draft.graph.ancestors(updates)
    kept = (variable for variable in draft.variables if not variable.is_local)
    found = dict.fromkeys(name for variable in kept for name in writers(draft.graph, variable))
    early = [name for name in found if name in before or (name in run and name in looped)]
    if early:
        raise TrainError.update_before_gradients(early)
    for name in found:
        if name in run:
            graph.get_operation_by_name(name)._add_control_input(gate.open.op)


def _ancestors(op: Any) -> set[str]:
    """Return the names of the operations that one waits for, and its own."""
    found, todo = {op.name}, [op]
    while todo:
        last = todo.pop()
        for each in [*(tensor.op for tensor in last.inputs), *last.control_inputs]:
            if each.name not in found:
                found.add(each.name)
                todo.append(each)
    return found
