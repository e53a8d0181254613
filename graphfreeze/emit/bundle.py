"""A bundle, a graph file, or a loaded model, written to its place."""

import hashlib
from pathlib import Path

import msgspec

from graphfreeze.emit.also import Also, check_also, write_also
from graphfreeze.emit.assets import write_assets
from graphfreeze.emit.checkpoint import link_or_copy, write_checkpoint
from graphfreeze.emit.graph_file import file_bytes, model_bytes
from graphfreeze.emit.manifest import make_manifest
from graphfreeze.emit.marking import Record, mark, with_manifest
from graphfreeze.emit.place import FILE_SUFFIXES, check_place, is_file, whole_or_nothing
from graphfreeze.model.model import Model, Source
from graphfreeze.model.records import NAME, RECORD, RESERVE
from graphfreeze.rewrite.draft import Draft


def write_model(model: Model, out: Path, *, force: bool = False) -> None:
    """Write a loaded model: the same bytes, or another encoding if the suffix asks for one."""
    check_place(out, model.source, force=force, is_folder=False)
    is_same = out.suffix == model.source.path.suffix or out.suffix not in FILE_SUFFIXES
    data = model_bytes(model) if is_same else file_bytes(Draft(model), out.suffix)
    with whole_or_nothing(out) as place:
        place.write_bytes(data)


def write_original(data: bytes, source: Source, out: Path, *, force: bool = False) -> None:
    """Write the file that a result was made of; ``source`` is that result. Raises EmitError."""
    check_place(out, source, force=force, is_folder=False)
    with whole_or_nothing(out) as place:
        place.write_bytes(data)


def write_draft(
    draft: Draft, record: Record, out: Path, *, force: bool = False, also: Also | None = None
) -> None:
    """Write a graph file, or a bundle if ``out`` has none of the suffixes of graph files.

    A ``.meta`` and a bundle hold the record, and a manifest to undo them by. A bundle has ``also``
    other forms of the same. Nothing is left at ``out`` when it fails, and what was there stays.
    Raises EmitError, LoadError.
    """
    also = also or Also()
    check_also(also.forms, out)
    check_place(out, draft.base.source, force=force)
    with whole_or_nothing(out) as place:
        if is_file(out):
            place.write_bytes(_graph_bytes(draft, record, out.suffix))
        else:
            _write_bundle(draft, record, place, also)


def _write_bundle(draft: Draft, record: Record, place: Path, also: Also) -> None:
    place.mkdir()
    write_checkpoint(draft, place)
    write_assets(draft.base, place)
    write_also(draft, record, also, place)
    if record.is_thaw:
        # What was thawed is no freeze: its graph says nothing of one, and nothing is undone.
        (place / RECORD).write_bytes(_formatted(msgspec.to_builtins(record)))
        (place / f"{NAME}.meta").write_bytes(file_bytes(draft, ".meta"))
        return
    index = (place / f"{NAME}.index").read_bytes()
    manifest = make_manifest(draft.base, file_bytes(draft, ".meta"), index=index)
    told = _formatted(with_manifest(record, manifest))
    (place / RECORD).write_bytes(told)
    digest = hashlib.sha256(told).hexdigest()
    draft.apply(mark({"record": RECORD, "sha256": digest, "graphfreeze": record.graphfreeze}))
    graph = place / f"{NAME}.meta"
    graph.write_bytes(file_bytes(draft, ".meta"))
    # Who saves over OUT/model has TensorFlow's export there, of which nothing can be undone.
    link_or_copy(graph, place / RESERVE)


def _formatted(fields: dict[str, object]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(fields), indent=1)


def _graph_bytes(draft: Draft, record: Record, suffix: str) -> bytes:
    if suffix == ".meta":
        manifest = make_manifest(draft.base, file_bytes(draft, suffix))
        draft.apply(mark(with_manifest(record, manifest)))
    return file_bytes(draft, suffix)
