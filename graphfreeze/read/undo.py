"""Take back what a freeze or a patch wrote: the original, to the byte."""

from dataclasses import replace

from graphfreeze.errors import UndoError
from graphfreeze.model.layout import Changes, write_block
from graphfreeze.model.manifest import BadManifestError, Manifest, digest, join_pieces
from graphfreeze.model.model import Model, Origin
from graphfreeze.read.document import parse_document, read_document
from graphfreeze.read.mark import find_bundle_graph, read_mark
from graphfreeze.rewrite.builder import MARK


def written_graph(model: Model) -> Model:
    """Return the graph that graphfreeze wrote to the folder that a model was loaded from.

    That of its latest checkpoint, which ``load`` takes, is TensorFlow's own export of it. What was
    loaded from a file is that file. Raises LoadError."""
    given = model.source.given
    own = find_bundle_graph(given) if given is not None and given.is_dir() else None
    if own is None or model.source.path.samefile(own):
        return model
    written = read_document(own, model.source.checkpoint)
    return replace(written, source=replace(model.source, path=own, format=written.source.format))


def get_manifest(model: Model) -> Manifest:
    """Return how a model is undone; raises UndoError if nothing tells."""
    mark = read_mark(model)
    if mark.manifest is None:
        raise UndoError.no_manifest(model.source.path, mark.graphfreeze)
    return mark.manifest


def original_bytes(model: Model) -> bytes:
    """Return the file that a model was made of.

    Raises UndoError for a model that graphfreeze did not write, or that was written anew since."""
    manifest, path = get_manifest(model), model.source.path
    result = _without_mark(model)
    if digest(result) != manifest.result_sha256:
        own = find_bundle_graph(path.parent)
        raise UndoError.written_anew(path, own if own != path else None)
    try:
        return join_pieces(manifest, result)
    except BadManifestError as error:
        raise UndoError.bad_manifest(path, str(error)) from error


def _without_mark(model: Model) -> bytes:
    """Return the file of a model without what the model says of itself.

    Other MetaGraphs of a SavedModel may say so too: these stay as they are."""
    codec, unmarked = model.codec, Changes({("collection_def", MARK): None})
    body = write_block(codec, model.part, unmarked)
    if model.part.piece is None:
        return body
    own = codec.refill(model.part.piece, body).raw
    pieces = [(part is model.part, part.piece) for part in model.root.parts]
    return b"".join(own if is_own else piece.raw for is_own, piece in pieces if piece is not None)


def original_model(model: Model) -> Model:
    """Return the model that a model was made of, with the same checkpoint; raises UndoError.

    Its source is the file that it lies in now."""
    manifest = get_manifest(model)
    raw, (path, prefix) = original_bytes(model), (model.source.path, model.source.checkpoint)
    original = parse_document(raw, path, prefix, tags=manifest.tags)
    origin = Origin(manifest.name, manifest.checkpoint)
    source = replace(model.source, format=manifest.format, origin=origin)
    return replace(original, source=source)
