"""Records of a model and of a freeze."""

import hashlib
import os
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from graphfreeze.model.collected import node_entries
from graphfreeze.model.model import Model
from graphfreeze.model.records import FreezeRecord, ModelRecord, VariableRecord
from graphfreeze.model.training import TRAIN_OP_KEYS, Training
from graphfreeze.model.variables import Variable
from graphfreeze.report.former import find_former
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import DropKey, SetValue
from graphfreeze.selection.pattern import matching
from graphfreeze.selection.resolve import OTHER, SLOT, TRAINABLE, Choice, Selection
from graphfreeze.train.request import TrainRequest
from graphfreeze.train.train_op import TrainOp

NOT_REACHED = "not reached"


def model_record(model: Model, scope: Sequence[str] = ()) -> ModelRecord:
    """Return what a model holds; the slots of an old training are told apart.

    What graphfreeze wrote is told with the states and rules that it was written with.
    With patterns in ``scope`` only variables that one of them matches are told; raises
    SelectionError if a pattern matches none."""
    training = Training(model.graph, model.collections, model.variables, model.header)
    slots = {variable.name for variable in training.find().slots()}
    keys = sorted(TRAIN_OP_KEYS)
    train_ops = [name for key in keys for name in node_entries(model.collections, key)]
    chosen = matching(scope, [v.name for v in model.variables]) if scope else None
    former = find_former(model)
    return ModelRecord(
        path=_told(model.source.path),
        format=model.source.format,
        nodes=len(model.graph.nodes),
        producer=model.producer,
        tensorflow=model.tensorflow_version,
        checkpoint=None if model.source.checkpoint is None else _told(model.source.checkpoint),
        losses=node_entries(model.collections, "losses"),
        train_ops=train_ops,
        train_op=train_ops[0] if train_ops else None,
        variables=[
            former.get(v.name) or _variable(v, _state(v, slots))
            for v in model.variables
            if chosen is None or v.name in chosen
        ],
    )


def _told(path: Path) -> str:
    """Write a path; JSON takes no bytes that are not UTF-8."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _state(variable: Variable, slots: Collection[str]) -> str:
    if variable.name in slots:
        return SLOT
    return TRAINABLE if variable.is_trainable else OTHER


def _variable(
    variable: Variable, state: str, rule: str = "", rows: list[list[int]] | None = None
) -> VariableRecord:
    shape = None if variable.shape is None else list(variable.shape)
    is_partly = rows is not None and bool(shape)
    return VariableRecord(
        name=variable.name,
        kind=variable.kind,
        dtype=variable.type_name,
        shape=shape,
        parameters=variable.parameters,
        state=state,
        rule=rule,
        rows=shape[0] if is_partly and shape else None,
        frozen_rows=None if rows is None else sum(stop - start for start, stop in rows),
        frozen_ranges=rows,
    )


def freeze_record(
    draft: Draft, selection: Selection, train: TrainOp | None, *, version: str
) -> FreezeRecord:
    """Return what became of a model, variable by variable, and what it took."""
    unreached = train.built.unreached if train is not None and train.built is not None else ()
    added = [str(draft.graph.nodes[name].op) for name in draft.added_nodes()]
    base, request = draft.base, train.request if train is not None else None
    return FreezeRecord(
        graphfreeze=version,
        source=_told(base.source.path),
        source_sha256=hashlib.sha256(base.raw).hexdigest(),
        format=base.source.format,
        nodes=len(draft.graph.nodes),
        producer=base.producer,
        variables=[_chosen(choice, unreached) for choice in selection.choices],
        stopped_tensors=[ref.tensor_name for ref in selection.tensors],
        nodes_added=len(added),
        nodes_changed=len(draft.changed_nodes()),
        nodes_removed=len(draft.removed_nodes()),
        operations_added=dict(sorted(Counter(added).items())),
        keys_added=_keys(draft, SetValue),
        keys_dropped=_keys(draft, DropKey),
        train_op=train.built_name if train is not None else None,
        losses=[ref.tensor_name for ref in train.losses] if train is not None else [],
        optimizer=_optimizer_name(request),
        learning_rate=request.rate if request is not None else None,
        global_step=train.built.global_step if train is not None and train.built else None,
        newer_ops=train.newer_ops if train is not None else [],
    )


def _chosen(choice: Choice, unreached: Collection[str]) -> VariableRecord:
    state = choice.state
    if choice.variable.name in unreached:
        state = NOT_REACHED
    ranges = None if choice.rows is None else choice.rows.intervals.tolist()
    return _variable(choice.variable, state, choice.rule, ranges)


def _keys(draft: Draft, kind: type[SetValue] | type[DropKey]) -> list[str]:
    """Return the keys of value edits, each once: several savers may name one."""
    return list(dict.fromkeys(e.key for e in draft.value_edits if isinstance(e, kind)))


def _optimizer_name(request: TrainRequest | None) -> str | None:
    if request is None:
        return None
    chosen = request.optimizer
    return chosen if isinstance(chosen, str) else type(chosen).__name__
