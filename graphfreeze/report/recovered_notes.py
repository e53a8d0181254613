"""What had to be guessed of a graph without collections, in sentences."""

from collections.abc import Iterator
from pathlib import Path

from graphfreeze.errors.base import listed
from graphfreeze.frozen import FrozenModel
from graphfreeze.model.model import Model
from graphfreeze.model.recovered import Recovered
from graphfreeze.model.untrained import reasons
from graphfreeze.report.columns import count_text

_MOST = 3


def recovered_notes(model: Model) -> Iterator[str]:
    """Yield what the ops of a bare graph were taken to mean; nothing where collections tell."""
    recovered = model.recovered
    if recovered is None:
        return
    slots = {v.name for v in (*model.training.slots, *model.training.bound)}
    able = [v for v in model.variables if v.is_trainable and v.name not in slots]
    count = count_text(len(model.variables), "variable")
    yield f"no collection tells of the {count}; taken for trainable: {len(able):,}"
    untrained = {n: why for n, why in recovered.untrained.items() if n not in slots}
    for reason, names in reasons(untrained).items():
        yield f"taken for not trainable ({reason}): {listed(names, most=_MOST)}"
    yield _saver(model)
    yield _init_op(recovered, len(model.variables))


def context_notes(frozen: FrozenModel, out: Path | None) -> Iterator[str]:
    """Yield which loops and branches were described by their nodes, and what those do not tell.

    A result ``out`` that is a GraphDef has no place for that."""
    contexts, collections = frozen.contexts, frozen.draft.collections
    if "while_context" in collections and out is not None and out.suffix in (".pb", ".pbtxt"):
        yield (
            f"a {out.suffix} has no place for the contexts of while loops, so tf.gradients passes "
            "none of them: write a bundle or a .meta"
        )
        return
    if contexts.loops or contexts.branches:
        told = [count_text(len(contexts.loops), "while loop")] if contexts.loops else []
        ending = "" if contexts.branches == 1 else "es"
        told += [f"{contexts.branches:,} branch{ending}"] if contexts.branches else []
        yield f"no context told of {' and '.join(told)}: recovered from the nodes"
    open_ = [frame for frame in contexts.loops if frame not in {*contexts.closed, *contexts.within}]
    if open_:
        yield (
            "no node tells of back_prop=False or swap_memory: gradients pass the recovered "
            f"{listed(open_, most=_MOST)}; name loops that they are not to pass with --no-backprop"
        )
    if contexts.closed:
        yield f"no gradient passes {listed(contexts.closed, most=_MOST)}, as --no-backprop says"
    for frame, reason in contexts.misfits.items():
        yield f"the loop {frame} has no context, and no gradient passes it: {reason}"


def _saver(model: Model) -> str:
    if model.saver is None:
        return "the graph has no saver: a bundle and a .meta get a new one"
    return f"no SaverDef: {model.saver.restore_op_name} was taken for the op that restores"


def _init_op(recovered: Recovered, count: int) -> str:
    bare = recovered.uninitialized
    if len(bare) == count:
        return "no variable has an initializer: the checkpoint gives all values"
    told = "no op was found that runs all initializers"
    if recovered.init_op is not None:
        told = f"{recovered.init_op} was taken for the init_op"
        if recovered.left_out:
            told += f"; it leaves out {listed(recovered.left_out, most=_MOST)}"
    if bare:
        told += f"; no initializer was found of {listed(bare, most=_MOST)}"
    return told
