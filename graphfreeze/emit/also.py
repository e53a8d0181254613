"""What a bundle holds besides: its graph alone, and a SavedModel of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from graphfreeze.emit.contents import find_contents
from graphfreeze.emit.graph_file import file_bytes
from graphfreeze.emit.linking import is_linked
from graphfreeze.emit.manifest import make_manifest
from graphfreeze.emit.marking import Record, mark, with_manifest
from graphfreeze.emit.place import is_file
from graphfreeze.emit.savedmodel import saved_model_bytes, tagging_edits, write_saved_model
from graphfreeze.emit.siblings import Shapes, Siblings, find_siblings
from graphfreeze.emit.source import is_v2
from graphfreeze.errors import EmitError
from graphfreeze.model.records import NAME
from graphfreeze.read.checkpoint_index import read_index
from graphfreeze.rewrite.draft import Draft
from graphfreeze.schema import SavedModel

SAVED_MODEL = "savedmodel"
FORMS = (SAVED_MODEL, "pb", "pbtxt")


@dataclass(frozen=True)
class Also:
    """The forms that are written besides, and the op by which a SavedModel trains, if any."""

    forms: tuple[str, ...] = ()
    train_op: str | None = None

    def left_out(self, draft: Draft) -> list[str]:
        """Return the tags of the source's MetaGraphs that a SavedModel cannot keep.

        Raises EmitError, LoadError."""
        if SAVED_MODEL not in self.forms or draft.base.root.owner is not SavedModel:
            return []
        contents = find_contents(draft)
        new = {key: form.shape for key, form in contents.forms.items() if form.shape is not None}
        old = _shapes(contents.held.prefix) if is_linked(draft, contents) else {}
        return [",".join(tags) for tags in self.siblings(draft, {**old, **new}).left_out]

    def siblings(self, draft: Draft, held: Shapes) -> Siblings:
        """Return the MetaGraphs beside the draft; ``held`` is what the checkpoint has."""
        return find_siblings(draft, self.tagged(draft).tags, held)

    def tagged(self, draft: Draft) -> Draft:
        """Return the draft as it stands in a SavedModel."""
        twin = draft.copy()
        for edit in tagging_edits(draft, self.train_op):
            twin.apply(edit)
        return twin


def _shapes(prefix: Path | None) -> Shapes:
    """Return the shape of every key of a checkpoint, which SavedModels have of format V2 alone."""
    return read_index(prefix).shapes if prefix is not None and is_v2(prefix) else {}


def check_also(forms: Sequence[str], out: Path) -> None:
    """Refuse forms that nobody knows, and a place that has no room for them; raises EmitError."""
    for form in forms:
        if form not in FORMS:
            raise EmitError.no_such_form(form, FORMS)
    if forms and is_file(out):
        raise EmitError.also_needs_bundle(out, forms)


def write_also(draft: Draft, record: Record, also: Also, place: Path) -> None:
    """Write to a bundle, whose checkpoint is there, what it holds besides; raises LoadError."""
    for form in also.forms:
        if form == SAVED_MODEL:
            _write_saved_model(draft, record, also, place)
        else:
            (place / f"{NAME}.{form}").write_bytes(file_bytes(draft, f".{form}"))


def _write_saved_model(draft: Draft, record: Record, also: Also, place: Path) -> None:
    """Write the SavedModel, of a freeze with a mark of its own, so that it is undone by itself."""
    checkpoint = place / NAME
    tagged, kept = also.tagged(draft), also.siblings(draft, _shapes(checkpoint)).kept
    raw = saved_model_bytes(tagged, kept)
    if not record.is_thaw:
        index = Path(f"{checkpoint}.index").read_bytes()
        manifest = make_manifest(draft.base, raw, owner=SavedModel, index=index)
        tagged.apply(mark(with_manifest(record, manifest)))
        raw = saved_model_bytes(tagged, kept)
    write_saved_model(raw, draft.base, checkpoint, place / SAVED_MODEL)
