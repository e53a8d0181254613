"""Take back what was done."""

from importlib.metadata import version
from pathlib import Path

from graphfreeze.emit.bundle import write_original
from graphfreeze.emit.place import FILE_SUFFIXES
from graphfreeze.errors import UndoError
from graphfreeze.model.manifest import UndoRecord, path_text
from graphfreeze.model.model import Model
from graphfreeze.read.mark import read_mark
from graphfreeze.read.undo import get_manifest, original_bytes, written_graph
from graphfreeze.report.undo_text import checkpoint_notes


def undo(model: Model, out: str | Path, *, force: bool = False) -> UndoRecord:
    """Write the file that a bundle or a .meta of graphfreeze's was made of, to the byte.

    ``out`` is a file with the suffix of the original. ``force`` replaces a file that is there.
    TensorFlow is not started. Raises UndoError, EmitError.
    """
    written, place = written_graph(model), Path(out)
    manifest = get_manifest(written)
    wanted = Path(manifest.name).suffix
    if wanted in FILE_SUFFIXES and place.suffix != wanted:
        raise UndoError.other_suffix(place, manifest.name, manifest.format)
    write_original(original_bytes(written), written.source, place, force=force)
    return UndoRecord(
        graphfreeze=version("graphfreeze"),
        source=path_text(written.source.path),
        out=path_text(place),
        name=manifest.name,
        format=manifest.format,
        size=manifest.size,
        sha256=manifest.original_sha256,
        checkpoint=manifest.checkpoint,
        notes=list(checkpoint_notes(read_mark(written))),
    )
