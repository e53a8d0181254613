"""Find the graph file and the checkpoint that a path stands for.

============================  =====================================  ==========================
path                          graph file                             checkpoint
============================  =====================================  ==========================
``x.meta``                    that file                              ``x``, if it is there
``model.ckpt-7`` (a prefix)   ``model.ckpt-7.meta``                  that prefix
folder with ``checkpoint``    of the latest checkpoint (a bundle;    the latest
                              else ``model.meta`` of the bundle)
folder with saved_model.pb    saved_model.pb, saved_model.pbtxt      ``variables/variables``
any other file                that file                              the only one beside it
============================  =====================================  ==========================
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from graphfreeze.errors import LoadError
from graphfreeze.model.model import Model
from graphfreeze.model.records import NAME, RECORD
from graphfreeze.read.document import read_document
from graphfreeze.read.kind import MODULE
from graphfreeze.read.prefixes import (
    as_prefix,
    has_checkpoint,
    is_table,
    is_there,
    latest_checkpoint,
    other_checkpoints,
)
from graphfreeze.read.tags import Tags, parse_tags
from graphfreeze.schema import SavedModel

_SAVED_MODELS = ("saved_model.pb", "saved_model.pbtxt")


def load(
    path: str | Path, *, checkpoint: str | Path | None = None, tags: Tags | None = None
) -> Model:
    """Read a saved model.

    ``path`` is a .meta, the prefix of a checkpoint with its .meta beside it, a folder with a
    ``checkpoint`` file (a bundle is one) or a SavedModel, or a GraphDef, binary or text.
    ``checkpoint`` is the prefix of the values to use instead of those found beside the graph.
    ``tags`` choose the graph of a SavedModel that has several: all tags of it, in any order, as a
    sequence or joined by commas; ``""`` for the one that has none.
    Raises LoadError. TensorFlow is not started.
    """
    place = as_prefix(path)
    try:
        found, beside = _locate(place)
    except OSError as error:
        raise LoadError.unreadable(place, error.strerror or str(error)) from error
    prefix = beside if checkpoint is None else as_prefix(checkpoint)
    if checkpoint is not None and not has_checkpoint(as_prefix(checkpoint)):
        raise LoadError.no_checkpoint(checkpoint)
    model = read_document(found, prefix, tags=parse_tags(tags))
    source = replace(model.source, given=place, is_chosen=checkpoint is not None)
    if model.root.owner is SavedModel and (found.parent / MODULE).is_file():
        source = replace(source, format=f"TF-Hub module, {source.format}")
    return replace(model, source=source)


def _locate(place: Path) -> tuple[Path, Path | None]:
    if place.is_dir():
        return _locate_in(place)
    # A V1 checkpoint in one file has the name of its prefix.
    if place.is_file() and not (is_table(place) and Path(f"{place}.meta").is_file()):
        return place, _checkpoint_beside(place)
    if place.exists() and not place.is_file():
        raise LoadError.unreadable(place, "it is a device or a pipe")
    return _locate_prefix(place)


def _locate_prefix(place: Path) -> tuple[Path, Path | None]:
    meta = Path(f"{place}.meta")
    if meta.is_file():
        return meta, place if has_checkpoint(place) else None
    if has_checkpoint(place):
        raise LoadError.no_meta(place)
    parent = place.parent
    names = sorted(each.name for each in parent.iterdir()) if parent.is_dir() else []
    raise LoadError.no_such_file(place, beside=names)


def _locate_in(folder: Path) -> tuple[Path, Path | None]:
    for name in _SAVED_MODELS:
        if (folder / name).is_file():
            prefix = folder / "variables" / "variables"
            return folder / name, prefix if has_checkpoint(prefix) else None
    state = folder / "checkpoint"
    if not state.is_file():
        raise LoadError.no_checkpoint_state(folder, near=list(_folders_near(folder)))
    latest = latest_checkpoint(state)
    if latest is None:
        raise LoadError.bad_checkpoint_state(state)
    own = folder / f"{NAME}.meta"
    if not Path(f"{latest}.meta").is_file() and (folder / RECORD).is_file() and own.is_file():
        return own, latest if has_checkpoint(latest) else None
    if not is_there(latest):
        raise LoadError.checkpoint_gone(state, latest, others=other_checkpoints(state))
    return _locate_prefix(latest)


def _folders_near(folder: Path) -> Iterator[Path]:
    """Yield folders of models inside a folder, as the versions of a served one, or around it."""
    inside = sorted(path for path in folder.iterdir() if path.is_dir())
    for each in (*inside, folder.parent):
        if any((each / name).is_file() for name in (*_SAVED_MODELS, "checkpoint")):
            yield each


def _checkpoint_beside(file: Path) -> Path | None:
    """Return the checkpoint that belongs to a graph file, None if there is none or doubt."""
    if file.name in _SAVED_MODELS:
        own = [file.parent / "variables" / "variables"]
    else:
        own = [file.with_suffix("")] if file.suffix == ".meta" else _prefixes(file.parent)
    present = [prefix for prefix in own if has_checkpoint(prefix)]
    return present[0] if len(present) == 1 else None


def _prefixes(folder: Path) -> list[Path]:
    return [each.with_suffix("") for each in sorted(folder.glob("*.index"))]
