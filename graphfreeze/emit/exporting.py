"""An export: what a model was trained to, in a form that knows nothing of its training."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from graphfreeze.emit.assets import check_assets, write_assets
from graphfreeze.emit.checkpoint import write_checkpoint
from graphfreeze.emit.contents import check_contents, find_contents
from graphfreeze.emit.frozen import check_size, frozen_graph
from graphfreeze.emit.graph_file import file_bytes
from graphfreeze.emit.place import FILE_SUFFIXES, check_place, whole_or_nothing
from graphfreeze.emit.savedmodel import saved_model_bytes, write_saved_model
from graphfreeze.emit.siblings import Sibling, Siblings, find_siblings
from graphfreeze.errors import ExportError
from graphfreeze.model.model import Source
from graphfreeze.model.names import TensorRef
from graphfreeze.model.records import NAME
from graphfreeze.model.wire import BinaryCodec, Codec
from graphfreeze.model.wire_text import TextCodec
from graphfreeze.rewrite.draft import Draft
from graphfreeze.selection.value_plan import ValuePlan

CHECKPOINT, SAVED_MODEL, FROZEN, GRAPH = FORMATS = (
    "checkpoint",
    "savedmodel",
    "frozen-pb",
    "graph",
)
_FOLDERS = (CHECKPOINT, SAVED_MODEL)
_CHECKPOINT_FILES = f"{NAME}.meta", f"{NAME}.index", f"{NAME}.data-*", "checkpoint", "assets"
_SAVED_MODEL_FILES = "saved_model.pb", "variables", "assets", "assets.extra"


def check_dest(form: str, dest: Path, source: Source, *, force: bool) -> None:
    """Refuse a place that does not fit a format, or is taken; raises ExportError, EmitError."""
    if form not in FORMATS:
        raise ExportError.no_such_format(form, FORMATS)
    is_folder = form in _FOLDERS
    if is_folder and dest.suffix in FILE_SUFFIXES:
        raise ExportError.other_dest(dest, form, "a folder, whose name has no such suffix")
    if form == GRAPH and dest.suffix not in FILE_SUFFIXES:
        raise ExportError.other_dest(dest, form, "a file that ends in .meta, .pb or .pbtxt")
    if form == FROZEN and dest.suffix not in (".pb", ".pbtxt"):
        raise ExportError.other_dest(dest, form, "a file that ends in .pb or .pbtxt")
    check_place(dest, source, force=force, is_folder=is_folder, is_ours=_is_export)


def _is_export(folder: Path) -> bool:
    """Tell whether a folder holds what an export writes, and nothing else."""
    names = [path.name for path in folder.iterdir()]
    kinds = (_CHECKPOINT_FILES, _SAVED_MODEL_FILES)
    return any(all(any(map(Path(n).match, kind)) for n in names) for kind in kinds)


def check_values(draft: Draft, form: str) -> None:
    """Refuse a model without values; raises ExportError, EmitError, LoadError."""
    source = draft.base.source
    if not draft.variables and form == CHECKPOINT:
        raise ExportError.nothing_to_save(source.path)
    if draft.variables:
        if source.checkpoint is None:
            raise ExportError.no_values(source.path)
        check_contents(draft)


def find_others(draft: Draft, tags: Sequence[str]) -> Siblings:
    """Return the MetaGraphs of the source but for the one that the draft was made of.

    ``tags`` are those that the draft is to have."""
    forms = find_contents(draft).forms if draft.variables else {}
    shapes = {key: form.shape for key, form in forms.items() if form.shape is not None}
    found, own = find_siblings(draft, tags, shapes), set(draft.base.tags)
    return Siblings(
        tuple(each for each in found.kept if set(each.tags) != own),
        tuple(tags for tags in found.left_out if set(tags) != own),
        found.twin if set(tags) != own else None,
    )


def write_graph(draft: Draft, dest: Path) -> None:
    """Write a graph without values."""
    with whole_or_nothing(dest) as place:
        place.write_bytes(file_bytes(draft, dest.suffix))


def _write_values(draft: Draft, folder: Path) -> None:
    """Write a checkpoint of the draft's own keys; files are linked if they have no others."""
    twin = draft.copy()
    twin.value_plan = ValuePlan(compact=True)
    write_checkpoint(twin, folder)


def write_plain_checkpoint(draft: Draft, dest: Path) -> None:
    """Write ``model.meta``, the checkpoint that it restores, and assets.

    Raises EmitError, LoadError."""
    with whole_or_nothing(dest) as place:
        place.mkdir()
        write_assets(draft.base, place)
        _write_values(draft, place)
        (place / f"{NAME}.meta").write_bytes(file_bytes(draft, ".meta"))


def write_served(
    draft: Draft, siblings: Iterable[Sibling], dest: Path, *, with_draft: bool = True
) -> None:
    """Write a SavedModel of MetaGraphs, and of the draft if wanted, with the draft's values.

    Raises EmitError, LoadError."""
    if with_draft:
        check_assets(draft.base)
    with whole_or_nothing(dest) as place:
        raw, base = saved_model_bytes(draft if with_draft else None, siblings), draft.base
        if not draft.variables:
            write_saved_model(raw, base, None, place)
            return
        values = place.with_name("values")
        values.mkdir()
        _write_values(draft, values)
        write_saved_model(raw, base, values / NAME, place)


def write_frozen(draft: Draft, outputs: Sequence[TensorRef], dest: Path) -> None:
    """Write what outputs need, with constants for variables; raises ExportError, EmitError."""
    check_size(draft, outputs)
    codec: Codec = TextCodec() if dest.suffix == ".pbtxt" else BinaryCodec()
    with whole_or_nothing(dest) as place:
        values = place.with_name("values")
        values.mkdir()
        has_values = bool(draft.variables)
        if has_values:
            write_checkpoint(draft, values)
        frozen = frozen_graph(draft, outputs, values / NAME if has_values else None)
        place.write_bytes(codec.dump(frozen))
