"""The public API: the stages in their order, without any logic of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from graphfreeze.emit.bundle import write_draft, write_model
from graphfreeze.emit.contents import check_contents, check_graph_alone
from graphfreeze.emit.place import check_place, is_file
from graphfreeze.errors import EmitError, LoadError, TrainError
from graphfreeze.forward.choose_kernels import choose_kernels
from graphfreeze.forward.hold_masks import HoldMasks
from graphfreeze.forward.mask_rows import MaskRows
from graphfreeze.forward.overlay_rows import OverlayRows
from graphfreeze.forward.stop_gradient import StopGradient
from graphfreeze.frozen import FrozenModel
from graphfreeze.guard.filter_updates import FilterUpdates
from graphfreeze.guard.gate_writers import GateWriters
from graphfreeze.guard.pin_rows import PinRows
from graphfreeze.guard.prune_collections import PruneCollections
from graphfreeze.guard.rebuild_saver import RebuildSaver
from graphfreeze.model.model import Model
from graphfreeze.model.names import TensorRef, find_ref
from graphfreeze.model.records import FreezeRecord, ModelRecord
from graphfreeze.prepare.drop_training import DropTraining
from graphfreeze.prepare.grow_tables import GrowTables
from graphfreeze.prepare.recover_collections import RecoverCollections
from graphfreeze.prepare.set_rows import SetRows
from graphfreeze.read import load
from graphfreeze.report.records import freeze_record, model_record
from graphfreeze.rewrite.builder import MARK
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.mask_kernels import Kernel
from graphfreeze.rewrite.run import Pass, run
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.selection.resolve import Selection, resolve
from graphfreeze.selection.row_values import count_added, get_row_values
from graphfreeze.train.keep_slots import KeepSlots
from graphfreeze.train.optimizers import OptimizerSpec
from graphfreeze.train.request import TrainRequest, optimizer_name
from graphfreeze.train.train_op import TrainOp

__all__ = [
    "FrozenModel",
    "add_train_op",
    "check_out",
    "complete",
    "freeze",
    "load",
    "report",
    "save",
    "show",
]


def show(model: Model, *, scope: Sequence[str] = ()) -> ModelRecord:
    """Tell what a model holds; patterns in ``scope`` limit its variables. Raises SelectionError."""
    return model_record(model, scope)


def freeze(model: Model, plan: FreezePlan, *, keep: Sequence[str] = ()) -> FrozenModel:
    """Freeze the chosen parts of a model: stop their gradients, take them off what learns.

    An old training subgraph goes; ``keep`` names tensors that stay even if nothing else needs
    them, such as a loss that no collection lists. TensorFlow is not started. Raises
    SelectionError, RewriteError, and LoadError for a model that was frozen before.
    """
    if MARK in model.collections:
        raise LoadError.already_frozen(model.source.path)
    draft = Draft(model)
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
    run(draft, _forward(selection, kernels, kept))
    run(draft, _guard(selection, kept))
    return FrozenModel(draft, selection, kernels, values, grow)


def _forward(
    selection: Selection, kernels: Mapping[str, Kernel], losses: Sequence[TensorRef]
) -> list[Pass]:
    hold, overlay = HoldMasks(selection), OverlayRows(selection, losses)
    # New variables are listed in collections, which a bare GraphDef does not have.
    described: list[Pass] = [RecoverCollections()] if hold.is_needed or selection.overlaid else []
    masks: list[Pass] = [
        StopGradient(selection),
        MaskRows(selection, kernels),
        PruneCollections(selection),
    ]
    return [*described, hold, overlay, *masks]


def _guard(selection: Selection, losses: Sequence[TensorRef]) -> list[Pass]:
    return [GateWriters(selection, losses), FilterUpdates(selection, losses)]


def add_train_op(
    frozen: FrozenModel,
    *,
    loss: Sequence[str] = (),
    optimizer: str | OptimizerSpec = "adam",
    learning_rate: float | None = None,
    arguments: Mapping[str, float | bool] | None = None,
    keep_slots: bool = False,
) -> FrozenModel:
    """Add a train_op over the variables that are left, and return the same object.

    ``loss`` names tensors to sum, or ``total``; without any, the graph's ``losses`` collection has
    to leave no doubt. ``optimizer`` is a name (see ``graphfreeze.train.optimizers``) or an object
    of ``tf.compat.v1.train``, which has its settings; of the names ``adam`` and ``adadelta`` have
    a learning rate of their own, 0.001. ``keep_slots`` lets new slots go on from those that the
    checkpoint has of the same optimizer. Starts TensorFlow. Raises TrainError, RewriteError; the
    model is then as it was.
    """
    if frozen.train is not None:
        raise TrainError.second_train_op(frozen.train.built_name)
    request = TrainRequest(tuple(loss), optimizer, learning_rate, dict(arguments or {}))
    train = TrainOp(frozen.selection, request)
    pins = PinRows(frozen.selection, train.losses)
    guard = [pins, *_guard(frozen.selection, train.losses)]
    prune = PruneCollections(frozen.selection)
    draft = frozen.draft.copy()
    run(draft, [RecoverCollections(), train, *guard, RebuildSaver(), prune])
    slots = KeepSlots(frozen.selection, optimizer_name(request))
    if keep_slots:
        run(draft, [slots])
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
