"""Export what was trained: the original model with its new values, and nothing of the training."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from graphfreeze.emit.exporting import (
    CHECKPOINT,
    FROZEN,
    GRAPH,
    SAVED_MODEL,
    check_dest,
    check_values,
    find_others,
    write_frozen,
    write_graph,
    write_plain_checkpoint,
    write_served,
)
from graphfreeze.emit.libraries import load_libraries
from graphfreeze.errors import ExportError, PathLike
from graphfreeze.exported import Exported
from graphfreeze.guard.rebuild_saver import RebuildSaver
from graphfreeze.model.exported_records import ExportRecord
from graphfreeze.model.model import Model
from graphfreeze.prepare.add_head import go_on_with
from graphfreeze.prepare.clear_devices import ClearDevices
from graphfreeze.prepare.drop_training import DropTraining
from graphfreeze.prepare.former_rows import appended_rows, trained_rows
from graphfreeze.prepare.grow_tables import GrowTables
from graphfreeze.prepare.recover_collections import RecoverCollections
from graphfreeze.prepare.resource_variables import ResourceVariables
from graphfreeze.prepare.serve import Serve
from graphfreeze.prepare.set_rows import SetRows
from graphfreeze.read.tags import Tags, parse_tags
from graphfreeze.read.trained import Trained, get_trained
from graphfreeze.report.exported_record import export_record
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.run import Pass, run
from graphfreeze.selection.served import Asked, choose_outputs, choose_served, of_head

KEPT, RESOURCE = KINDS = ("kept", "resource")


def export(
    model: Model,
    dest: str | Path,
    *,
    format: str = SAVED_MODEL,
    checkpoint: str | Path | int | None = None,
    variables: str = KEPT,
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    signature: str | None = None,
    tags: Tags | None = None,
    clear_devices: bool = False,
    op_libraries: Sequence[PathLike] = (),
    force: bool = False,
) -> ExportRecord:
    """Write the model that a bundle was made of, with the values that were trained since.

    Masks, pins, overlays and training ops are gone, rows that learned in an overlay are in their
    table; names, keys and signatures are those of the original, with the words that were added. A
    model that graphfreeze did not write is exported as it is, without its training.

    ``format`` is ``savedmodel``, ``checkpoint`` (a folder with ``model.meta``), ``frozen-pb`` (a
    GraphDef with constants for variables) or ``graph`` (a file without values). ``checkpoint`` is a
    prefix, or a step that a checkpoint beside the model is of; without it that of the model goes.
    ``variables`` are ``kept`` as they are, or ``resource``, the kind of TensorFlow 2.

    A SavedModel has the original's signatures; ``inputs`` and ``outputs``, ``NAME=TENSOR`` or
    ``TENSOR``, make one called ``signature``, ``serving_default`` if that is None. Where the model
    has none and none is given, placeholders and evident outputs make one, and the record says so.
    Of a frozen graph ``outputs``, else those of a signature, say what is kept. ``tags`` are of the
    SavedModel, as a sequence or joined by commas, those of the original but for ``train``, or
    ``serve``, by default.

    ``op_libraries`` are files of ops that TensorFlow does not have and that outputs of
    ``frozen-pb`` need. ``force`` replaces a file or a former export. TensorFlow is started where
    values change or are left out, and for ``frozen-pb``. Raises ExportError, EmitError, LoadError,
    SelectionError, UndoError.
    """
    place = Path(dest)
    check_dest(format, place, model.source, force=force)
    load_libraries(op_libraries)
    asked = Asked(signature, inputs, outputs)
    exported = _restored(get_trained(model, checkpoint), asked)
    draft = exported.draft
    asked = of_head(asked, exported.head, draft.signatures)
    _rewrite(exported, variables, clear_devices=clear_devices)
    if format != GRAPH:
        check_values(draft, format)
    described = (asked, draft.graph, draft.collections, draft.signatures)
    if format == GRAPH:
        write_graph(draft, place)
    elif format == CHECKPOINT:
        write_plain_checkpoint(draft, place)
    elif format == FROZEN:
        refs, exported.has_guessed_outputs = choose_outputs(*described)
        exported.outputs = tuple(refs)
        write_frozen(draft, exported.outputs, place)
    else:
        _serve(exported, asked, parse_tags(tags), place)
    return export_record(exported, format, place, version=version("graphfreeze"))


def _restored(trained: Trained, asked: Asked) -> Exported:
    """Return the original without its training, as it was trained; raises UndoError, LoadError."""
    former, draft = trained.former, Draft(trained.original)
    added = go_on_with(None, former)
    old = DropTraining((*asked.tensors, *([] if added is None else [added.head.at])))
    run(draft, [old])
    rows = trained_rows(former, draft) if former is not None else ()
    run(draft, [SetRows({each.table.name: (each.rows, each.values) for each in rows})])
    more = appended_rows(former, draft) if former is not None else {}
    grow = GrowTables(more, has_values=True)
    run(draft, [grow, RecoverCollections()])
    run(draft, [] if added is None else [added])
    run(draft, [RebuildSaver()])
    head = None if added is None else added.record
    return Exported(draft, trained, old.record, rows, grow, head)


def _rewrite(exported: Exported, variables: str, *, clear_devices: bool) -> None:
    """Rewrite what is asked to be another than in the original; raises RewriteError."""
    passes: list[Pass] = [ClearDevices()] if clear_devices else []
    if variables == RESOURCE:
        passes.append(ResourceVariables())
    elif variables != KEPT:
        raise ExportError.no_such_kind(variables, KINDS)
    run(exported.draft, passes)
    exported.is_rewritten = bool(passes)


def _serve(exported: Exported, asked: Asked, tags: Sequence[str] | None, place: Path) -> None:
    """Write a SavedModel.

    A MetaGraph that the source has for these tags, beside the one that was trained, is the better
    one to serve, unless that one is asked to be more than it was: a signature, words."""
    draft = exported.draft
    exported.tags = _tags(draft, tags)
    siblings = find_others(draft, exported.tags)
    exported.left_out = siblings.left_out
    if siblings.twin is not None and not (tags or asked.tensors or exported.has_more):
        exported.twin = siblings.twin.message
        write_served(draft, [*siblings.kept, siblings.twin], place, with_draft=False)
        return
    described = (asked, draft.graph, draft.collections, draft.signatures)
    exported.served = choose_served(*described)
    run(draft, [Serve(exported.served, exported.tags)])
    write_served(draft, siblings.kept, place)


def _tags(draft: Draft, wanted: Sequence[str] | None) -> tuple[str, ...]:
    if wanted is not None:
        return tuple(wanted)
    return tuple(tag for tag in draft.tags if tag != "train") or ("serve",)
