"""Write what was made, and tell what was done."""

from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import msgspec

from graphfreeze.emit.also import Also, check_also
from graphfreeze.emit.assets import check_assets
from graphfreeze.emit.bundle import write_draft, write_model
from graphfreeze.emit.contents import check_contents, check_graph_alone
from graphfreeze.emit.libraries import load_libraries
from graphfreeze.emit.place import check_place, is_file
from graphfreeze.errors import EmitError, PathLike
from graphfreeze.frozen import FrozenModel
from graphfreeze.guard.prune_collections import PruneCollections
from graphfreeze.guard.rebuild_saver import RebuildSaver
from graphfreeze.model.model import Model
from graphfreeze.model.records import FreezeRecord
from graphfreeze.prepare.initialize_missing import InitializeMissing
from graphfreeze.prepare.recover_collections import RecoverCollections
from graphfreeze.report.notes import left_out_notes
from graphfreeze.report.records import freeze_record
from graphfreeze.report.saved_model_text import asset_notes
from graphfreeze.report.undo_text import no_undo_notes
from graphfreeze.report.values_record import values_record
from graphfreeze.rewrite.run import Pass, run


def check_out(
    model: Model,
    out: str | Path,
    *,
    force: bool = False,
    also: Sequence[str] = (),
    needs_values: bool = True,
) -> None:
    """Refuse a place to freeze to that ``save`` would refuse later on; raises EmitError.

    Without ``needs_values`` a model may be without a checkpoint: its variables begin anew."""
    check_also(also, Path(out))
    check_place(Path(out), model.source, force=force)
    if is_file(Path(out)):
        return
    check_assets(model)
    if needs_values and model.source.checkpoint is None and model.variables:
        raise EmitError.no_checkpoint(model.source.path)


def complete(frozen: FrozenModel, out: str | Path) -> FrozenModel:
    """Add what a place needs besides, and return the same object; ``save`` does so by itself.

    A MetaGraphDef gets its collections, a bundle a saver too; its checkpoint is checked. Raises
    RewriteError, EmitError, LoadError; the model is then as it was.
    """
    done = _completed(frozen, Path(out))
    frozen.draft, frozen.taken = done.draft, done.taken
    return frozen


def _completed(frozen: FrozenModel, place: Path) -> FrozenModel:
    draft = frozen.draft.copy()
    if is_file(place):
        check_graph_alone(draft, place)
    if place.suffix in (".pb", ".pbtxt"):
        return replace(frozen, draft=draft)
    if frozen.patch is None:
        described: list[Pass] = [RecoverCollections(), PruneCollections(frozen.selection)]
        run(draft, described if is_file(place) else [*described, RebuildSaver()])
    if is_file(place):
        return replace(frozen, draft=draft)
    check_assets(draft.base)
    begins_anew = draft.value_plan.missing == "initialize"
    if begins_anew:
        run(draft, [InitializeMissing()])
    # What has no values yet may be looked at in a dry run; it cannot be written.
    has_values = begins_anew or frozen.thaw is not None
    if not has_values and draft.base.source.checkpoint is None:
        return replace(frozen, draft=draft)
    return replace(frozen, draft=draft, taken=values_record(draft, check_contents(draft)))


def report(
    frozen: FrozenModel, out: str | Path | None = None, *, also: Sequence[str] = ()
) -> FreezeRecord:
    """Tell what a freeze did; with ``out`` and ``also`` what these mean for the result, too."""
    place = None if out is None else Path(out)
    record = freeze_record(frozen, version=version("graphfreeze"), out=place)
    notes = [*record.notes, *asset_notes(frozen.draft.base, place), *no_undo_notes(place)]
    notes += left_out_notes(_also(record, also).left_out(frozen.draft))
    return msgspec.structs.replace(record, also=list(also), notes=notes)


def _also(record: FreezeRecord, forms: Sequence[str]) -> Also:
    """Return the forms that are asked for; what trains a SavedModel is what runs a whole step."""
    steps = record.run_ops
    return Also(tuple(forms), steps[0] if len(steps) == 1 else None)


def save(
    model: Model | FrozenModel,
    out: str | Path,
    *,
    force: bool = False,
    also: Sequence[str] = (),
    op_libraries: Sequence[PathLike] = (),
) -> None:
    """Write a model, whole or not at all.

    ``out`` with suffix ``.pb``, ``.pbtxt`` or ``.meta`` is one graph file; a frozen model goes to
    a bundle, a folder, otherwise; the model stays as it is. ``force`` replaces a file, an empty
    folder or a bundle that is there.

    ``also`` names what a bundle is to hold besides: ``savedmodel`` (tagged ``train``, with the
    train_op as SavedModels have it), ``pb``, ``pbtxt`` (the GraphDef). ``op_libraries`` are files
    of ops that initializing new values takes and TensorFlow does not have; those that
    ``add_train_op`` was given are loaded. Raises EmitError, LoadError, RewriteError.
    """
    check_also(also, Path(out))
    if isinstance(model, Model):
        if also:
            raise EmitError.also_needs_freeze(out, also)
        write_model(model, Path(out), force=force)
        return
    load_libraries(op_libraries)
    done = _completed(model, Path(out))
    record = report(done, also=also)
    write_draft(done.draft, record, Path(out), force=force, also=_also(record, also))
