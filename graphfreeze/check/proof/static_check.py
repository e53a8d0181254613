"""The static part of ``verify``: what the files of a bundle alone can show."""

from collections.abc import Iterator
from dataclasses import replace

from graphfreeze.check.proof.agreement import find_differences
from graphfreeze.check.proof.forward_proof import STOP, find_unmasked, find_unstopped, forward_graph
from graphfreeze.check.proof.static_proof import prove
from graphfreeze.check.proof.values_at_rest import make_evaluator
from graphfreeze.check.record import selection_of
from graphfreeze.errors.base import listed
from graphfreeze.forward.overlay_rows import OverlayRows
from graphfreeze.model.model import Model
from graphfreeze.model.names import TensorRef, find_ref
from graphfreeze.model.patch_records import PatchRecord
from graphfreeze.model.reads import resource_lookups
from graphfreeze.model.records import FreezeRecord
from graphfreeze.model.step_ends import StepEnds
from graphfreeze.model.training import Training
from graphfreeze.model.unfolding import unfold
from graphfreeze.model.verify_records import FAILED, PASSED, SectionRecord
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import Reroute
from graphfreeze.rewrite.steps import Step
from graphfreeze.selection.resolve import Selection

STATIC = "static"


def check_static(model: Model, record: FreezeRecord) -> SectionRecord:
    """Prove what a record says of a loaded bundle, without running anything.

    No op that a step runs changes a frozen value; no gradient passes a stop or a mask; collections,
    saver, slots and record agree. Raises CheckError, LoadError."""
    draft, selection = Draft(model), selection_of(model, record)
    draft.graph.aside = _aside(model, record)
    refs = (find_ref(name) for name in record.losses)
    losses = [ref for ref in refs if ref is not None and ref.node in model.graph]
    failures = list(dict.fromkeys(_failures(draft, record, selection, losses)))
    return SectionRecord(STATIC, FAILED if failures else PASSED, failures, _notes(record))


def _aside(model: Model, record: FreezeRecord) -> frozenset[str]:
    """Return the nodes of trainings, where an old one was kept: they take values as they were."""
    if record.old_training is None or not record.old_training.kept:
        return frozenset()
    kept = tuple(record.losses)
    training = Training(model.graph, model.collections, model.variables, model.header, kept)
    return frozenset(training.find().found)


def _failures(
    draft: Draft, record: FreezeRecord, selection: Selection, losses: list[TensorRef]
) -> Iterator[str]:
    if record.patch is not None:
        yield from map(str, prove(draft, selection, _step_of_patch(draft, record.patch)))
        yield from find_differences(draft, record, selection)
        return
    step = Step(losses)
    yield from map(str, prove(draft, selection, step))
    told = unfold(draft.graph)
    graph, evaluator = forward_graph(draft, losses, told), make_evaluator(draft, step, told.graph)
    tensors = tuple(map(told.ref, selection.tensors))
    yield from find_unstopped(graph, replace(selection, tensors=tensors))
    yield from find_unmasked(graph, selection, evaluator)
    yield from find_differences(draft, record, selection)
    if selection.overlaid:
        past = OverlayRows(selection, step).verify(draft.base, _without_stops(draft, selection))
        if past is not None:
            yield past


def _step_of_patch(draft: Draft, patch: PatchRecord) -> Step:
    """Return what a patch is to have made safe: the named steps, or whatever may write."""
    if patch.is_named:
        return Step(ops=tuple(patch.steps))
    model = draft.base
    return Step(ops=StepEnds(model.training).may_write)


def _without_stops(draft: Draft, selection: Selection) -> Draft:
    """Return a draft whose readers of overlaid tables take them as before the gradients' end."""
    bare, graph = draft.copy(), draft.graph
    handles = (n for v in selection.overlaid for n in resource_lookups(graph, v))
    for read in [*draft.reads(selection.overlaid), *map(TensorRef, handles)]:
        for edge in graph.edges_of(read):
            if graph.op(edge.consumer) == STOP:
                behind = graph.edges_of(TensorRef(edge.consumer))
                for reroute in [Reroute(each, read) for each in behind]:
                    bare.apply(reroute)
    return bare


def _notes(record: FreezeRecord) -> list[str]:
    if not record.run_ops:
        return ["there is no train_op: what a later one writes is not shown"]
    if record.patch is not None and record.patch.still_writing:
        told = listed([each.writer for each in record.patch.still_writing], most=3)
        steps = listed(record.patch.steps)
        return [f"shown of {steps} alone: when they are run, these write what is frozen: {told}"]
    return []
