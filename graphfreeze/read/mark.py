"""What a graph that graphfreeze wrote says of itself."""

from filecmp import cmp
from pathlib import Path

import msgspec

from graphfreeze.errors import UndoError
from graphfreeze.model.heads import HeadRecord
from graphfreeze.model.manifest import Manifest, digest
from graphfreeze.model.model import Model
from graphfreeze.model.records import NAME, RECORD, RESERVE, RowsInitialised, VariableRecord
from graphfreeze.rewrite.builder import MARK


class Mark(msgspec.Struct, frozen=True):
    """The entry of the ``graphfreeze`` collection: a record, or the file and hash of one.

    Of records of any kind these are the fields that tell how what was done is taken back, and what
    it goes on with; ``variables`` are JSON."""

    graphfreeze: str = ""
    record: str = ""
    sha256: str = ""
    manifest: Manifest | None = None
    variables: msgspec.Raw = msgspec.Raw(b"[]")
    keys_dropped: list[str] = []
    merge_op: str | None = None
    rows_initialised: list[RowsInitialised] = []
    losses: list[str] = []
    optimizer: str | None = None
    learning_rate: float | None = None
    patch: dict[str, object] | None = None
    head: HeadRecord | None = None


class _Thawed(msgspec.Struct, frozen=True):
    """What tells in a record that constants were thawed."""

    source: str = ""
    thaw: dict[str, object] | None = None


def is_marked(model: Model) -> bool:
    """Tell whether graphfreeze wrote a model."""
    return MARK in model.collections


def read_mark(model: Model) -> Mark:
    """Return what a graph says of itself, of a bundle what its record says; raises UndoError."""
    path = model.source.path
    if not is_marked(model):
        file = path.with_name(RECORD)
        if (source := _find_thawed(file)) is not None:
            raise UndoError.was_thawed(path.parent, source)
        raise UndoError.nothing_to_undo(path, path.parent if file.is_file() else None)
    mark = _decode(path, _entry(model))
    if mark.record != RECORD:
        return mark
    file = path.with_name(RECORD)
    try:
        told = file.read_bytes()
    except OSError:
        raise UndoError.no_record(path, file) from None
    if digest(told) != mark.sha256:
        raise UndoError.record_changed(file)
    return _decode(file, told)


def read_variables(model: Model) -> tuple[VariableRecord, ...]:
    """Return the variables that a record tells of; raises UndoError."""
    try:
        return msgspec.json.decode(read_mark(model).variables, type=tuple[VariableRecord, ...])
    except msgspec.DecodeError as error:
        raise UndoError.bad_mark(model.source.path, str(error)) from error


def find_bundle_graph(folder: Path) -> Path | None:
    """Return the graph file that graphfreeze wrote to a folder, None if it is no bundle.

    Where TensorFlow wrote over it, that is the other file of the same bytes."""
    own, reserve = folder / f"{NAME}.meta", folder / RESERVE
    if not (folder / RECORD).is_file():
        return None
    if reserve.is_file() and not (own.is_file() and cmp(own, reserve, shallow=False)):
        return reserve
    return own if own.is_file() else None


def _find_thawed(record: Path) -> str | None:
    """Return what a folder was thawed from, None if it was not."""
    try:
        told = msgspec.json.decode(record.read_bytes(), type=_Thawed)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    return told.source if told.thaw is not None else None


def _entry(model: Model) -> bytes:
    """Return the JSON; TensorFlow puts an import_scope before it."""
    entries = list(model.collections[MARK].bytes_list.value)
    if len(entries) != 1:
        raise UndoError.bad_mark(model.source.path, f"it has {len(entries)} entries")
    _, brace, rest = bytes(entries[0]).partition(b"{")
    return brace + rest


def _decode(path: Path, raw: bytes) -> Mark:
    try:
        return msgspec.json.decode(raw, type=Mark)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UndoError.bad_mark(path, str(error)) from error
