"""Patch the training that a graph has, so that it leaves chosen parts alone."""

from collections.abc import Sequence

from graphfreeze.check.proof.static_proof import prove
from graphfreeze.errors import CheckError, LoadError
from graphfreeze.frozen import FrozenModel, check_loaded
from graphfreeze.guard.free_norms import FreeNorms
from graphfreeze.guard.prune_collections import PruneCollections
from graphfreeze.guard.stop_slots import StopSlots
from graphfreeze.model.model import Model
from graphfreeze.model.step_ends import StepEnds
from graphfreeze.patched import Patched
from graphfreeze.prepare.clear_devices import ClearDevices
from graphfreeze.read.former import get_former
from graphfreeze.read.mark import is_marked
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.patch_limits import check_plan, check_selection
from graphfreeze.rewrite.run import run
from graphfreeze.rewrite.steps import Step
from graphfreeze.rewrite.stopped import Stopped
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.selection.resolve import resolve
from graphfreeze.stages import guard_passes


def patch(
    model: Model,
    plan: FreezePlan,
    *,
    train_op: Sequence[str] = (),
    clip_counts_frozen: bool = False,
    refreeze: bool = False,
    clear_devices: bool = False,
) -> FrozenModel:
    """Let the training steps of a graph write nothing that is frozen; all names stay.

    ``train_op`` names the ops whose steps are patched. Without any all are: whatever writes a
    variable, but for what only initializers, restore ops and savers reach; no collection is asked.
    A clip by the global norm no longer counts frozen gradients, unless ``clip_counts_frozen``.

    With ``refreeze`` a patch that was made before is undone in memory, and this one made instead.
    ``clear_devices`` takes the devices off all nodes.

    No variable is added, so the model's own checkpoints fit as before. TensorFlow is not started,
    and need not know the model's ops. Raises PatchError for what only ``freeze`` can do and where
    there is nothing to patch, SelectionError, RewriteError, CheckError, UndoError, and LoadError
    for a model that was frozen before.
    """
    check_loaded(model)
    former = get_former(model, needs_training=False) if refreeze else None
    if former is None and is_marked(model):
        raise LoadError.already_frozen(model.source.path)
    check_plan(plan)
    model = model if former is None else former.original
    draft, devices = Draft(model), ClearDevices()
    run(draft, [devices] if clear_devices else [])
    training = model.training
    slots = {variable.name for variable in (*training.slots, *training.bound)}
    selection = resolve(plan, draft.variables, draft.graph, saver=draft.saver_ops, slots=slots)
    check_selection(selection)
    ends = StepEnds(training)
    step = Step(ops=ends.named(train_op) if train_op else ends.ends)
    norms, idle = FreeNorms(selection, step), StopSlots(selection, step)
    before = Stopped(draft.copy(), selection, step)
    patched = Patched(before, ends, bool(train_op), norms, idle)
    patched.check()
    run(draft, [] if clip_counts_frozen else [norms])
    run(draft, [idle, *guard_passes(selection, step)])
    run(draft, [PruneCollections(patched.learning_nowhere)])
    breaches = prove(draft, selection, step if train_op else Step(ops=ends.may_write))
    if breaches:
        raise CheckError.unsafe_step([str(breach) for breach in breaches])
    return FrozenModel(draft, selection, former=former, patch=patched, devices=devices.cleared)
