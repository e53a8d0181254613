"""The record of an export."""

from collections.abc import Iterator
from pathlib import Path

from graphfreeze.emit.exporting import FROZEN, GRAPH, SAVED_MODEL
from graphfreeze.errors.base import joined, listed
from graphfreeze.exported import Exported
from graphfreeze.model.exported_records import ExportRecord, ServedRecord
from graphfreeze.model.main_op import OP_SIGNATURES
from graphfreeze.model.manifest import path_text
from graphfreeze.model.names import TensorRef
from graphfreeze.model.served import find_defaults
from graphfreeze.report.device_notes import export_device_notes
from graphfreeze.report.serving_notes import batch_norm_notes
from graphfreeze.schema import TensorInfo


def export_record(exported: Exported, form: str, out: Path, *, version: str) -> ExportRecord:
    """Return what was exported, and what it took."""
    draft, trained = exported.draft, exported.trained
    source, variables = draft.base.source, draft.variables
    has_values = form != GRAPH and bool(variables) and source.checkpoint is not None
    signatures = dict(_signatures(exported)) if form == SAVED_MODEL else {}
    return ExportRecord(
        graphfreeze=version,
        source=path_text(source.path),
        format=source.format,
        out=path_text(out),
        form=form,
        checkpoint=path_text(source.checkpoint) if has_values and source.checkpoint else None,
        trained=trained.is_trained if has_values else None,
        variables=len(variables),
        parameters=sum(variable.parameters or 0 for variable in variables),
        kind=" and ".join(sorted({variable.kind for variable in variables})),
        nodes=len(draft.graph.nodes),
        nodes_added=len(draft.added_nodes()),
        nodes_changed=len(draft.changed_nodes()),
        nodes_removed=len(draft.removed_nodes()),
        training=exported.old if exported.twin is None else None,
        merged={each.table.name: each.rows.count for each in exported.merged},
        grown=exported.grown.grown,
        head=exported.head,
        tags=list(exported.tags),
        signatures=signatures,
        left_out=[",".join(tags) for tags in exported.left_out],
        outputs=[ref.tensor_name for ref in exported.outputs],
        notes=list(_notes(exported, form)),
    )


def _signatures(exported: Exported) -> Iterator[tuple[str, ServedRecord]]:
    made = exported.served
    for key, signature in sorted(exported.signatures.items()):
        if key not in OP_SIGNATURES:
            yield (
                key,
                ServedRecord(
                    {name: _told(info) for name, info in sorted(signature.inputs.items())},
                    {name: _told(info) for name, info in sorted(signature.outputs.items())},
                    made is not None and made.name == key and made.is_guessed,
                ),
            )


def _told(info: TensorInfo) -> str:
    """Return the tensor that is meant, of a sparse one its values."""
    return str(info.name or info.coo_sparse.values_tensor_name)


def _names(refs: list[TensorRef]) -> str:
    return joined(ref.tensor_name for ref in refs)


def _notes(exported: Exported, form: str) -> Iterator[str]:
    """Yield what whoever uses the export should know."""
    served, draft = exported.served, exported.draft
    if served is not None and served.is_guessed:
        inputs = _names(list(served.inputs.values())) or "nothing"
        yield (
            f"the model has no signature: {served.name!r} was made of {inputs} and "
            f"{_names(list(served.outputs.values()))}; say otherwise with --input and --output"
        )
    if served is not None:
        fed = {ref.node for ref in served.inputs.values()}
        defaults = find_defaults(draft.graph, served.outputs.values())
        if left := [name for name in defaults if name not in fed]:
            one = len(left) == 1
            told = "is no input and keeps its default" if one else "are no inputs and keep defaults"
            it = "it" if one else "them"
            yield f"{listed(left)} {told}; name {it} with --input if need be"
    if form == FROZEN and exported.has_guessed_outputs:
        names = listed([ref.tensor_name for ref in exported.outputs])
        yield f"no signature says what the outputs are: {names} was taken; name them with --output"
    if form == GRAPH and draft.variables:
        yield "a graph alone has no values: its variables take theirs from a checkpoint"
    if exported.twin is not None:
        own = ",".join(draft.base.tags) or "none"
        yield (
            f"the source's own MetaGraph of the tags {','.join(exported.tags)} is taken, with the "
            f"values that the one of the tags {own} was trained to"
        )
    for tags in exported.left_out:
        yield (
            f"the MetaGraph of the tags {','.join(tags)} is left out: it restores keys that the "
            "checkpoint lacks, or has other shapes for them, or an asset of it is missing"
        )
    yield from exported.grown.notes
    yield from batch_norm_notes(exported)
    yield from export_device_notes(exported.nodes)
