"""Freeze a model, and let the rest learn."""

from collections.abc import Mapping, Sequence

from graphfreeze.check.proof.static_proof import prove
from graphfreeze.check.record import find_entries
from graphfreeze.errors import CheckError, LoadError, PathLike, RewriteError, TrainError
from graphfreeze.forward.choose_kernels import choose_kernels
from graphfreeze.frozen import FrozenModel, check_loaded
from graphfreeze.guard.pin_rows import PinRows
from graphfreeze.guard.prune_collections import PruneCollections
from graphfreeze.guard.rebuild_saver import RebuildSaver
from graphfreeze.model.heads import Head
from graphfreeze.model.model import Model
from graphfreeze.model.names import find_ref
from graphfreeze.model.targets import choose_target
from graphfreeze.prepare.add_head import go_on_with
from graphfreeze.prepare.clear_devices import ClearDevices
from graphfreeze.prepare.drop_training import DropTraining
from graphfreeze.prepare.former_rows import held_rows, trained_rows
from graphfreeze.prepare.grow_tables import GrowTables
from graphfreeze.prepare.keep_training import KeepTraining
from graphfreeze.prepare.part_switches import PartSwitches
from graphfreeze.prepare.recover_collections import RecoverCollections
from graphfreeze.prepare.recover_contexts import RecoverContexts
from graphfreeze.prepare.restore_ends import RestoreEnds
from graphfreeze.prepare.set_rows import SetRows
from graphfreeze.prepare.start_anew import StartAnew
from graphfreeze.read.former import get_former
from graphfreeze.read.mark import is_marked
from graphfreeze.read.naming import named_former, with_names
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.run import run
from graphfreeze.rewrite.steps import Step
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.selection.resolve import resolve
from graphfreeze.selection.row_values import count_added, get_row_values
from graphfreeze.selection.value_plan import ValuePlan
from graphfreeze.stages import forward_passes, guard_passes
from graphfreeze.train.custom_gradients import ERROR, Gradient
from graphfreeze.train.former_slots import FormerSlots
from graphfreeze.train.keep_counts import KeepCounts
from graphfreeze.train.keep_slots import KeepSlots
from graphfreeze.train.optimizers import OptimizerSpec
from graphfreeze.train.request import TrainRequest, optimizer_name
from graphfreeze.train.retarget import Retarget
from graphfreeze.train.schedules import Schedule
from graphfreeze.train.train_op import TrainOp


def freeze(
    model: Model,
    plan: FreezePlan,
    *,
    head: Head | None = None,
    keep: Sequence[str] = (),
    seed: int | None = None,
    refreeze: bool = False,
    keep_training: bool = False,
    clear_devices: bool = False,
    values: ValuePlan | None = None,
    no_backprop: Sequence[str] = (),
) -> FrozenModel:
    """Freeze the chosen parts of a model: stop their gradients, take them off what learns.

    An old training subgraph goes; ``keep`` names tensors that stay even if nothing else needs
    them, such as a loss that no collection lists. With ``keep_training`` it stays beside a new one,
    and still writes what is frozen if somebody runs it; ``graphfreeze_old_train_op`` names its ops.
    A ``head`` is laid on the model first, so that ``plan`` can name its variables; its loss is then
    what is trained. With a ``seed`` whatever is drawn anew is drawn alike each time.
    ``clear_devices`` takes the devices off all nodes. ``values`` tells what of the checkpoint is
    taken, under which names, and what begins anew. Loops and branches that no context describes
    get one; ``no_backprop`` are frames of such loops that no gradient is to pass.

    With ``refreeze`` a bundle is undone in memory and frozen anew, with the values of its latest
    trained checkpoint, or of the one that ``load`` was given; a head of before stays. Without it a
    model that was frozen before raises LoadError. TensorFlow is not started. Raises SelectionError,
    RewriteError, UndoError.
    """
    check_loaded(model)
    values = values or ValuePlan()
    former = named_former(get_former(model), values) if refreeze else None
    if former is None and is_marked(model):
        raise LoadError.already_frozen(model.source.path)
    draft = Draft(with_names(model, values) if former is None else former.original)
    draft.seed, draft.value_plan = seed, values
    devices = ClearDevices()
    run(draft, [devices] if clear_devices else [])
    added = go_on_with(head, former)
    needed = (*keep, *([] if added is None else [added.head.at]))
    old = KeepTraining(needed) if keep_training else DropTraining(needed)
    run(draft, [old, StartAnew()])
    draft.graph.aside = old.aside
    if old.aside:
        _check_beside_old(plan)
    contexts = RecoverContexts(tuple(no_backprop))
    run(draft, [PartSwitches(), RestoreEnds(), contexts])
    trained = trained_rows(former, draft) if former is not None else ()
    run(draft, [SetRows({each.table.name: (each.rows, each.values) for each in trained})])
    grow = GrowTables(count_added(plan, draft.tables(old.slots)))
    run(draft, [grow])
    held = held_rows(former, grow.grown) if former is not None else {}
    run(draft, [] if added is None else [RecoverCollections(), added])
    selection = resolve(plan, draft.variables, draft.graph, saver=draft.saver_ops, slots=old.slots)
    given = get_row_values(plan, selection.tables, draft.graph)
    grow.check_values(held, {each.table.name: each.rows for each in given})
    kernels = choose_kernels(draft, selection, [*trained, *given])
    kept = [ref for name in keep if (ref := find_ref(name)) is not None]
    run(draft, [SetRows({each.table.name: (each.rows, each.values) for each in given})])
    run(draft, forward_passes(selection, kernels, Step(kept)))
    run(draft, guard_passes(selection, Step(kept)))
    frozen = FrozenModel(draft, selection, kernels, given, grow, former=former, old=old.record)
    frozen.devices, frozen.contexts = devices.cleared, contexts.recovered
    frozen.head = None if added is None else added.record
    return frozen


def _check_beside_old(plan: FreezePlan) -> None:
    """Refuse what an old training that stays cannot bear; raises RewriteError."""
    if plan.add_words:
        reason = "its slots cannot grow with the table"
        raise RewriteError.not_beside_old_training("--add-words", reason)
    if plan.row_strategy == "overlay":
        reason = "it writes the table, and the model would read the rows above it"
        raise RewriteError.not_beside_old_training("--row-strategy overlay", reason)


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
    target: str | None = None,
    op_libraries: Sequence[PathLike] = (),
    gradients: Mapping[str, str | Gradient] | None = None,
    custom_gradients: str = ERROR,
) -> FrozenModel:
    """Add a train_op over the variables that are left, and return the same object.

    ``loss`` names tensors to sum, or ``total``; without any it is that of a head that was added,
    else the graph's ``losses`` collection has to leave no doubt. ``optimizer`` is a name (see
    ``graphfreeze.train.optimizers``) or an object of ``tf.compat.v1.train``, which has its
    settings; of the names ``adam``, ``adamw`` and ``adadelta`` have a learning rate of their own,
    0.001. ``keep_slots`` lets new slots go on from those that the checkpoint has of the same
    optimizer.

    A named optimizer takes a ``schedule`` (``"polynomial:steps=10000,warmup=1000"``, or a
    ``Schedule``), ``lr_scales``, factors of the learning rate by pattern (of several that match
    the last holds), and for ``adamw`` ``no_decay``, patterns of what does not decay. ``clip_norm``
    bounds the norm of all gradients of what learns. The gradients of ``accumulate`` runs make one
    step, of their mean; those of fewer are in no checkpoint. With ``skip_nonfinite`` a run whose
    gradients hold inf or NaN changes nothing, and ``graphfreeze/skipped_steps`` counts it.

    ``target`` is ``"1.15"`` or ``"2"``, the TensorFlow that is to run the result: for 1.15 new
    nodes use only ops and attributes that it knows, and newer ops are told by older ones. By
    default it is 1.15, and 2 for what TensorFlow 2 wrote.

    ``op_libraries`` are files (``.so``) of ops that TensorFlow does not have; they stay loaded.
    Nodes whose gradients were Python functions, which no graph holds, are an error, unless
    ``gradients`` has a function, or ``"module:function"``, by the gradient's name (an op's will do
    too), or ``custom_gradients`` is ``"ignore"``: then their op's own is taken.

    Starts TensorFlow. Raises TrainError, RewriteError, and CheckError if a step could change what
    is frozen; the model is then as it was.
    """
    if frozen.train is not None:
        raise TrainError.second_train_op(frozen.train.built_name)
    request = TrainRequest(
        tuple(loss) or frozen.head_loss,
        optimizer,
        learning_rate,
        dict(arguments or {}),
        schedule,
        clip_norm,
        dict(lr_scales or {}),
        tuple(no_decay),
        accumulate,
        skip_nonfinite,
        custom_gradients,
        dict(gradients or {}),
        tuple(op_libraries),
    )
    retarget = Retarget(choose_target(target, frozen.draft.base), bool(op_libraries))
    train = TrainOp(frozen.selection, request)
    step = Step(train.losses)
    pins = PinRows(frozen.selection, step)
    guard = [pins, *guard_passes(frozen.selection, step)]
    prune = PruneCollections(frozen.selection)
    draft = frozen.draft.copy()
    run(draft, [RecoverCollections(), train, *guard, RebuildSaver(), prune])
    former = _former_slots(frozen)
    if former is not None:
        run(draft, [KeepCounts(former.former)])
    name = optimizer_name(request)
    slots = KeepSlots(frozen.selection, name, former) if keep_slots else None
    if slots is not None:
        run(draft, [slots])
    run(draft, [retarget])
    breaches = prove(draft, frozen.selection, step)
    if breaches:
        raise CheckError.unsafe_step([str(breach) for breach in breaches])
    frozen.draft, frozen.train, frozen.slots, frozen.pins = draft, train, slots, pins
    frozen.retarget = retarget
    return frozen


def _former_slots(frozen: FrozenModel) -> FormerSlots | None:
    """Return the slots of the freeze that was undone, if one was."""
    if frozen.former is None:
        return None
    told = {each.name: find_entries(each) for each in frozen.former.variables}
    entries = {name: found for name, found in told.items() if found is not None}
    return FormerSlots(frozen.former, frozen.selection, entries)
