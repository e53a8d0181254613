"""Records of a model and of a freeze."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from graphfreeze.errors.base import listed, shape_text
from graphfreeze.frozen import FrozenModel
from graphfreeze.model.collected import node_entries
from graphfreeze.model.manifest import path_text
from graphfreeze.model.model import Model
from graphfreeze.model.recognised import recognise
from graphfreeze.model.records import FreezeRecord, ModelRecord, WordRecord
from graphfreeze.model.static_shapes import find_shape
from graphfreeze.model.step_ends import StepEnds
from graphfreeze.model.training import TRAIN_OP_KEYS
from graphfreeze.model.variables import Variable
from graphfreeze.model.weights import has_weights
from graphfreeze.read.former import Former
from graphfreeze.report.choices import choice_records, variable_record
from graphfreeze.report.device_notes import device_notes
from graphfreeze.report.former import find_former, is_patched
from graphfreeze.report.former_averages import average_notes
from graphfreeze.report.function_record import copied_record, function_reads
from graphfreeze.report.gradient_notes import function_name, gradient_notes
from graphfreeze.report.head_text import head_notes
from graphfreeze.report.notes import call_notes, learning_notes, update_notes
from graphfreeze.report.patch_record import patch_notes, patch_record
from graphfreeze.report.recovered_notes import context_notes, recovered_notes
from graphfreeze.report.rows_initialised import rows_initialised
from graphfreeze.report.saved_model_record import asset_records, signature_records
from graphfreeze.report.target_notes import target_notes, writer_notes
from graphfreeze.report.thaw_record import thaw_notes, thaw_record
from graphfreeze.report.training_text import kept_notes
from graphfreeze.rewrite.edits import Change, DropKey, SetValue, ValueEdit
from graphfreeze.rewrite.overlay import MERGE_KEY
from graphfreeze.selection.pattern import matching
from graphfreeze.selection.resolve import OTHER, SLOT, TRAINABLE
from graphfreeze.train.groups import BERT_NO_DECAY
from graphfreeze.train.request import TrainRequest, optimizer_name


def model_record(model: Model, scope: Sequence[str] = ()) -> ModelRecord:
    """Return what a model holds; the slots of an old training are told apart.

    What graphfreeze wrote is told with the states and rules that it was written with.
    With patterns in ``scope`` only variables that one of them matches are told; raises
    SelectionError if a pattern matches none."""
    training = model.training
    slots = {variable.name for variable in (*training.slots, *training.bound)}
    keys = sorted(TRAIN_OP_KEYS)
    train_ops = [name for key in keys for name in node_entries(model.collections, key)]
    chosen = matching(scope, [v.name for v in model.variables]) if scope else None
    former = find_former(model)
    is_old = not former or is_patched(model)
    told = {v.name for v in model.variables if chosen is None or v.name in chosen}
    return ModelRecord(
        path=path_text(model.source.path),
        format=model.source.format,
        nodes=len(model.graph.nodes),
        producer=model.producer,
        tensorflow=model.tensorflow_version,
        checkpoint=None if model.source.checkpoint is None else path_text(model.source.checkpoint),
        losses=node_entries(model.collections, "losses"),
        train_ops=train_ops,
        train_op=train_ops[0] if train_ops else None,
        training=recognise(training, kept=True) if is_old else None,
        steps=list(StepEnds(training).ends) if is_old and training.writers else [],
        tags=list(model.tags),
        signatures=signature_records(model),
        assets=asset_records(model),
        main_op=model.main_op,
        can_thaw=not model.variables and has_weights(model.graph),
        variables=[
            former.get(v.name) or variable_record(v, _state(v, slots))
            for v in model.variables
            if v.name in told
        ],
        function_reads=list(function_reads(model, told)),
    )


def _state(variable: Variable, slots: Collection[str]) -> str:
    if variable.name in slots:
        return SLOT
    return TRAINABLE if variable.is_trainable else OTHER


def freeze_record(frozen: FrozenModel, *, version: str, out: Path | None = None) -> FreezeRecord:
    """Return what became of a model, variable by variable, and what it took."""
    draft, selection, train = frozen.draft, frozen.selection, frozen.train
    retarget, built = frozen.retarget, train.built if train is not None else None
    unreached = train.built.unreached if train is not None and train.built is not None else ()
    added = [str(draft.graph.nodes[name].op) for name in draft.added_nodes()]
    base, request = draft.base, train.request if train is not None else None
    asked = request or TrainRequest()
    setting = [edit for edit in draft.value_edits if isinstance(edit, SetValue)]
    whole, anew = {e.key for e in setting if not _is_change(e)}, base.source.names.excluded
    variables = choice_records(selection, frozen.kernels, unreached)
    optimizer = None if request is None else optimizer_name(request)
    return FreezeRecord(
        graphfreeze=version,
        source=path_text(base.source.path),
        source_sha256=hashlib.sha256(base.raw).hexdigest(),
        format=base.source.format,
        nodes=len(draft.graph.nodes),
        producer=base.producer,
        variables=variables,
        stopped_tensors=[ref.tensor_name for ref in selection.tensors],
        nodes_added=len(added),
        nodes_changed=len(draft.changed_nodes()),
        nodes_removed=len(draft.removed_nodes()),
        operations_added=dict(sorted(Counter(added).items())),
        keys_added=_keys(e for e in setting if not _is_change(e) and e.key not in anew),
        keys_changed=_keys(
            e for e in setting if e.key in anew or (_is_change(e) and e.key not in whole)
        ),
        merge_op=next(iter(node_entries(draft.collections, MERGE_KEY)), None),
        keys_dropped=_keys(e for e in draft.value_edits if isinstance(e, DropKey)),
        train_op=train.built_name if train is not None else None,
        losses=[ref.tensor_name for ref in train.losses] if train is not None else [],
        optimizer=optimizer,
        learning_rate=request.rate if request is not None else None,
        global_step=train.built.global_step if train is not None and train.built else None,
        newer_ops=retarget.newer if retarget is not None else [],
        target=retarget.target if retarget is not None else None,
        ops_rewritten=dict(sorted(retarget.rewritten.items())) if retarget is not None else {},
        devices_cleared=dict(sorted(frozen.devices.items())),
        gradients={name: function_name(given) for name, given in asked.gradients.items()},
        gradients_ignored=dict(built.ignored) if built is not None else {},
        words=[
            WordRecord(w.table, f"--{w.option.replace('_', '-')}", w.rows, list(w.missing))
            for w in selection.words
        ],
        rows_initialised=list(rows_initialised(frozen)),
        slots_kept=frozen.slots.kept if frozen.slots is not None else {},
        arguments={k: v if isinstance(v, bool) else float(v) for k, v in asked.arguments.items()},
        schedule=None if asked.chosen_schedule is None else str(asked.chosen_schedule),
        clip_norm=None if asked.clip_norm is None else float(asked.clip_norm),
        lr_scales={pattern: float(factor) for pattern, factor in asked.lr_scales.items()},
        no_decay=list(asked.no_decay or (BERT_NO_DECAY if optimizer == "adamw" else ())),
        accumulate=asked.accumulate,
        skip_nonfinite=asked.skip_nonfinite,
        seed=draft.seed,
        patch=patch_record(frozen),
        old_training=frozen.old,
        thaw=thaw_record(frozen),
        head=frozen.head,
        values=frozen.taken,
        table_initializers=node_entries(draft.collections, "table_initializer"),
        assets=asset_records(base),
        loops_recovered=list(frozen.contexts.loops),
        no_backprop=list(frozen.contexts.closed),
        batch_norms_inference=list(selection.batch_norms),
        dropouts_off=list(selection.dropouts),
        copied=copied_record(draft),
        checkpoint=None if base.source.checkpoint is None else path_text(base.source.checkpoint),
        notes=[
            *_former_notes(frozen),
            *recovered_notes(draft.base),
            *context_notes(frozen, out),
            *selection.notes,
            *frozen.grown.notes,
            *average_notes(draft, selection),
            *kept_notes(frozen.old),
            *(learning_notes(variables, optimizer) if frozen.patch is None else ()),
            *(call_notes(draft, variables) if frozen.patch is None and train is None else ()),
            *device_notes(frozen),
            *(update_notes(draft) if train is not None else ()),
            *gradient_notes(asked.gradients, built.ignored if built is not None else {}),
            *target_notes(frozen),
            *writer_notes(frozen),
            *head_notes(frozen),
            *_loss_notes(frozen),
            *_slot_notes(frozen),
            *_pin_notes(frozen),
            *patch_notes(frozen),
            *thaw_notes(frozen),
        ],
    )


def _former_notes(frozen: FrozenModel) -> Iterator[str]:
    """Yield whose values go on where a freeze was undone first."""
    if frozen.former is not None:
        source = frozen.former.written.source
        what = f"what {path_text(source.path)} was frozen to is undone"
        values = "it has no checkpoint"
        if source.checkpoint is not None:
            values = f"the values that go on are those of {path_text(source.checkpoint)}"
        yield f"--refreeze: {what}; {values}"
        yield from _setting_notes(frozen, frozen.former)


def _setting_notes(frozen: FrozenModel, former: Former) -> Iterator[str]:
    """Yield that an optimizer or its rate is another one than before: none is taken over."""
    request, mark = frozen.train.request if frozen.train is not None else None, former.mark
    if request is None or mark.optimizer is None:
        return
    before, now = (mark.optimizer, mark.learning_rate), (optimizer_name(request), request.rate)
    if before != now:
        told = [name if rate is None else f"{name} at {rate:g}" for name, rate in (before, now)]
        yield f"--refreeze takes no setting over: the train_op was {told[0]}, and is {told[1]} now"


def _loss_notes(frozen: FrozenModel) -> Iterator[str]:
    """Yield the losses that are no scalars."""
    for loss in frozen.train.losses if frozen.train is not None else ():
        shape = find_shape(frozen.draft.graph, loss)
        if shape:
            told = shape_text(shape)
            yield f"{loss.tensor_name} has shape {told}: the sum of its elements is minimized"


def _slot_notes(frozen: FrozenModel) -> Iterator[str]:
    """Yield the slots that begin anew although others go on."""
    if frozen.slots is not None and frozen.slots.kept and frozen.slots.fresh:
        names = listed(frozen.slots.fresh, most=3)
        note = f"--keep-slots: the checkpoint has no slots that fit {names}; they begin anew"
        if any("beta1_power" in key for key in frozen.slots.kept):
            # 0.1 / sqrt(0.001), with the betas that it has by itself
            note += ", under beta powers that go on: their first steps are up to 3.2 times as large"
        yield note
    for first, *others in frozen.slots.doubtful.values() if frozen.slots is not None else ():
        yield f"--keep-slots: all go on with {first}; the old training also had {listed(others)}"


def _pin_notes(frozen: FrozenModel) -> Iterator[str]:
    """Yield the variables whose frozen entries are put back after they were written."""
    for name, writers in frozen.pins.pinned.items() if frozen.pins is not None else ():
        op = frozen.draft.graph.op(writers[0])
        yield (
            f"nothing keeps {writers[0]} (op {op}) from the frozen entries of {name}: they are put "
            "back after it, and who reads in between sees them moved; --row-strategy overlay "
            "needs no such pin"
        )


def _keys(edits: Iterable[ValueEdit]) -> list[str]:
    """Return the keys of value edits, each once: several savers may name one."""
    return list(dict.fromkeys(edit.key for edit in edits))


def _is_change(edit: SetValue) -> bool:
    """Tell whether an edit starts from what a key has so far."""
    return isinstance(edit.source, Change)
