"""The public API: the stages in their order, without any logic of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import msgspec

from graphfreeze.check.difference import find_difference, find_states
from graphfreeze.check.explain import explain_gradient as gradients
from graphfreeze.check.explain import explain_writers as writing
from graphfreeze.check.proof.static_proof import prove
from graphfreeze.check.verify import verify, verify_checkpoints
from graphfreeze.emit.bundle import write_draft, write_model
from graphfreeze.emit.contents import check_contents, check_graph_alone
from graphfreeze.emit.place import check_place, is_file
from graphfreeze.errors import CheckError, EmitError, LoadError, TrainError
from graphfreeze.forward.choose_kernels import choose_kernels
from graphfreeze.frozen import FrozenModel
from graphfreeze.guard.pin_rows import PinRows
from graphfreeze.guard.prune_collections import PruneCollections
from graphfreeze.guard.rebuild_saver import RebuildSaver
from graphfreeze.model.diff_records import DiffRecord
from graphfreeze.model.explain_records import GradientRecord, WritersRecord
from graphfreeze.model.model import Model
from graphfreeze.model.names import find_ref
from graphfreeze.model.records import FreezeRecord, ModelRecord
from graphfreeze.prepare.drop_training import DropTraining
from graphfreeze.prepare.grow_tables import GrowTables
from graphfreeze.prepare.recover_collections import RecoverCollections
from graphfreeze.prepare.set_rows import SetRows
from graphfreeze.read import load
from graphfreeze.report.former import find_former, former_losses
from graphfreeze.report.records import freeze_record, model_record
from graphfreeze.rewrite.builder import MARK
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.run import Pass, run
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.selection.resolve import resolve
from graphfreeze.selection.row_values import count_added, get_row_values
from graphfreeze.stages import forward_passes, guard_passes
from graphfreeze.train.keep_slots import KeepSlots
from graphfreeze.train.optimizers import OptimizerSpec
from graphfreeze.train.request import TrainRequest, optimizer_name
from graphfreeze.train.schedules import Schedule
from graphfreeze.train.train_op import TrainOp

__all__ = [
    "FrozenModel",
    "add_train_op",
    "check_out",
    "complete",
    "diff",
    "explain_gradient",
    "explain_writers",
    "freeze",
    "load",
    "report",
    "save",
    "show",
    "verify",
    "verify_checkpoints",
]


def show(model: Model, *, scope: Sequence[str] = ()) -> ModelRecord:
    """Tell what a model holds; patterns in ``scope`` limit its variables. Raises SelectionError."""
    return model_record(model, scope)


def diff(first: Model, second: Model) -> DiffRecord:
    """Tell how a second model differs from a first one; values in checkpoints are not compared."""
    sides = (model_record(first).variables, model_record(second).variables)
    found = find_difference(first, second)
    return msgspec.structs.replace(found, variables=find_states(*sides))


def explain_gradient(model: Model, variable: str, *, loss: Sequence[str] = ()) -> GradientRecord:
    """Tell why a variable has a gradient of a loss, or none; what cuts it, or the path it takes.

    Without ``loss`` it is that of a bundle, else the graph's ``losses`` collection has to leave no
    doubt. TensorFlow is not started. Raises CheckError, TrainError.
    """
    former = find_former(model).get(variable.removesuffix(":0"))
    asked = loss or former_losses(model)
    return gradients.explain_gradient(model, variable, loss=asked, former=former)


def explain_writers(model: Model, variable: str, *, train_op: str | None = None) -> WritersRecord:
    """Tell every op that writes a variable, and by which path a train_op runs it.

    Without ``train_op`` the graph's own are asked. TensorFlow is not started. Raises CheckError.
    """
    former = find_former(model).get(variable.removesuffix(":0"))
    return writing.explain_writers(model, variable, train_op=train_op, former=former)


def freeze(
    model: Model, plan: FreezePlan, *, keep: Sequence[str] = (), seed: int | None = None
) -> FrozenModel:
    """Freeze the chosen parts of a model: stop their gradients, take them off what learns.

    An old training subgraph goes; ``keep`` names tensors that stay even if nothing else needs
    them, such as a loss that no collection lists. With a ``seed`` whatever is drawn anew is drawn
    alike each time. TensorFlow is not started. Raises SelectionError, RewriteError, and LoadError
    for a model that was frozen before.
    """
    if MARK in model.collections:
        raise LoadError.already_frozen(model.source.path)
    draft = Draft(model)
    draft.seed = seed
    drop = DropTraining(tuple(keep))
    run(draft, [drop])
    grow = GrowTables(count_added(plan, draft.tables(drop.slots)))
    run(draft, [grow])
    selection = resolve(plan, draft.variables, draft.graph, saver=draft.saver_ops, slots=drop.slots)
    values = get_row_values(plan, selection.tables, draft.graph)
    grow.check_values({each.table.name: each.rows for each in values})
    kernels = choose_kernels(draft, selection, values)
    kept = [ref for name in keep if (ref := find_ref(name)) is not None]
    run(draft, [SetRows({each.table.name: (each.rows, each.values) for each in values})])
    run(draft, forward_passes(selection, kernels, kept))
    run(draft, guard_passes(selection, kept))
    return FrozenModel(draft, selection, kernels, values, grow)


def add_train_op(
    frozen: FrozenModel,
    *,
    loss: Sequence[str] = (),
    optimizer: str | OptimizerSpec = "adam",
    learning_rate: float | None = None,
    arguments: Mapping[str, float | bool] | None = None,
    keep_slots: bool = False,
    schedule: str | Schedule | None = None,
    clip_norm: float | None = None,
    lr_scales: Mapping[str, float] | None = None,
    no_decay: Sequence[str] = (),
    accumulate: int = 1,
    skip_nonfinite: bool = False,
) -> FrozenModel:
    """Add a train_op over the variables that are left, and return the same object.

    ``loss`` names tensors to sum, or ``total``; without any, the graph's ``losses`` collection has
    to leave no doubt. ``optimizer`` is a name (see ``graphfreeze.train.optimizers``) or an object
    of ``tf.compat.v1.train``, which has its settings; of the names ``adam``, ``adamw`` and
    ``adadelta`` have a learning rate of their own, 0.001. ``keep_slots`` lets new slots go on from
    those that the checkpoint has of the same optimizer.

    A named optimizer takes a ``schedule`` (``"polynomial:steps=10000,warmup=1000"``, or a
    ``Schedule``), ``lr_scales``, factors of the learning rate by pattern (of several that match
    the last holds), and for ``adamw`` ``no_decay``, patterns of what does not decay. ``clip_norm``
    bounds the norm of all gradients of what learns. The gradients of ``accumulate`` runs make one
    step, of their mean; those of fewer are in no checkpoint. With ``skip_nonfinite`` a run whose
    gradients hold inf or NaN changes nothing, and ``graphfreeze/skipped_steps`` counts it.

    Starts TensorFlow. Raises TrainError, RewriteError, and CheckError if a step could change what
    is frozen; the model is then as it was.
    """
    if frozen.train is not None:
        raise TrainError.second_train_op(frozen.train.built_name)
    request = TrainRequest(
        tuple(loss),
        optimizer,
        learning_rate,
        dict(arguments or {}),
        schedule,
        clip_norm,
        dict(lr_scales or {}),
        tuple(no_decay),
        accumulate,
        skip_nonfinite,
    )
    train = TrainOp(frozen.selection, request)
    pins = PinRows(frozen.selection, train.losses)
    guard = [pins, *guard_passes(frozen.selection, train.losses)]
    prune = PruneCollections(frozen.selection)
    draft = frozen.draft.copy()
    run(draft, [RecoverCollections(), train, *guard, RebuildSaver(), prune])
    slots = KeepSlots(frozen.selection, optimizer_name(request)) if keep_slots else None
    if slots is not None:
        run(draft, [slots])
    breaches = prove(draft, frozen.selection, train.losses)
    if breaches:
        raise CheckError.unsafe_step([str(breach) for breach in breaches])
    frozen.draft, frozen.train, frozen.slots, frozen.pins = draft, train, slots, pins
    return frozen


def check_out(model: Model, out: str | Path, *, force: bool = False) -> None:
    """Refuse a place to freeze to that ``save`` would refuse later on; raises EmitError."""
    check_place(Path(out), model.source, force=force)
    if not is_file(Path(out)) and model.source.checkpoint is None:
        raise EmitError.no_checkpoint(model.source.path)


def complete(frozen: FrozenModel, out: str | Path) -> FrozenModel:
    """Add what a place needs besides, and return the same object; ``save`` does so by itself.

    A MetaGraphDef gets its collections, a bundle a saver too; its checkpoint is checked. Raises
    RewriteError, EmitError, LoadError; the model is then as it was.
    """
    frozen.draft = _completed(frozen, Path(out))
    return frozen


def _completed(frozen: FrozenModel, place: Path) -> Draft:
    draft = frozen.draft.copy()
    if is_file(place):
        check_graph_alone(draft, place)
    if place.suffix in (".pb", ".pbtxt"):
        return draft
    described: list[Pass] = [RecoverCollections(), PruneCollections(frozen.selection)]
    run(draft, described if is_file(place) else [*described, RebuildSaver()])
    if not is_file(place) and draft.base.source.checkpoint is not None:
        check_contents(draft)
    return draft


def report(frozen: FrozenModel) -> FreezeRecord:
    """Tell what a freeze did."""
    return freeze_record(frozen, version=version("graphfreeze"))


def save(model: Model | FrozenModel, out: str | Path, *, force: bool = False) -> None:
    """Write a model, whole or not at all.

    ``out`` with suffix ``.pb``, ``.pbtxt`` or ``.meta`` is one graph file; a frozen model goes to
    a bundle, a folder, otherwise; the model stays as it is. ``force`` replaces a file, an empty
    folder or a bundle that is there. Raises EmitError, LoadError, RewriteError.
    """
    if isinstance(model, Model):
        write_model(model, Path(out), force=force)
        return
    done = replace(model, draft=_completed(model, Path(out)))
    write_draft(done.draft, report(done), Path(out), force=force)
