"""Tell how a file is put together of the bytes of what was made of it."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from google.protobuf.message import Message

from graphfreeze.model.layout import NESTED
from graphfreeze.model.manifest import Manifest, Piece, digest, pack, path_text, tell_pieces
from graphfreeze.model.model import Model, Origin, Source
from graphfreeze.model.wire import BinaryCodec
from graphfreeze.schema import MetaGraphDef, SavedModel

META_GRAPH: type[Message] = MetaGraphDef  # annotated, because the class has no type
_SHORT = 6  # bytes, such as a head, that a literal tells better than a range


def make_manifest(
    original: Model,
    result: bytes,
    *,
    owner: type[Message] = META_GRAPH,
    index: bytes | None = None,
) -> Manifest:
    """Return what gives back the file of a model from what was made of it.

    ``owner`` is the message that the result is. Of a text, which shares no bytes with it, the whole
    is kept. ``index`` is that of the checkpoint that goes along."""
    is_text, source = not isinstance(original.codec, BinaryCodec), original.source
    slices = (original.raw,) if is_text else raw_slices(original.raw, original.root.owner)
    parts, origin = _Parts(result, owner), source.origin or _origin(source)
    pieces = tell_pieces(parts.find(raw) for raw in slices)
    return Manifest(
        name=origin.name,
        format=source.format,
        checkpoint=origin.checkpoint,
        size=len(original.raw),
        original_sha256=digest(original.raw),
        result_sha256=digest(result),
        pieces=pieces,
        literals=pack(bytes(parts.literals)),
        index_sha256="" if index is None else digest(index),
        tags=list(original.tags) if original.root.owner is SavedModel else None,
    )


def _origin(source: Source) -> Origin:
    prefix = source.checkpoint
    return Origin(path_text(source.path.name), None if prefix is None else path_text(prefix))


def raw_slices(raw: bytes, owner: type[Message]) -> Iterator[bytes]:
    """Yield the fields of a binary file, of what holds fields its head first; together they are it.

    A node, a function, a collection is one field."""
    codec = BinaryCodec()
    for piece in codec.split(raw, owner):
        inner = NESTED.get((owner, piece.field))
        if inner is None:
            yield piece.raw
        else:
            body = codec.body(piece)
            yield piece.raw[: len(piece.raw) - len(body)]
            yield from raw_slices(body, inner)


@dataclass
class _Parts:
    """Where slices lie in a result; ``literals`` collects those that do not, ``at`` is the place
    behind the last one found."""

    result: bytes
    owner: type[Message]
    literals: bytearray = field(default_factory=bytearray)
    at: int = 0
    places: dict[bytes, list[int]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        start = 0
        for raw in raw_slices(self.result, self.owner):
            self.places[raw].append(start)
            start += len(raw)

    def find(self, raw: bytes) -> Piece:
        """Return the piece that a slice of the original is."""
        start = self._place(raw)
        if start is None:
            self.literals += raw
        else:
            self.at = start + len(raw)
        return start, len(raw)

    def _place(self, raw: bytes) -> int | None:
        if self.result.startswith(raw, self.at):
            return self.at
        places = self.places.get(raw, []) if len(raw) > _SHORT else []
        # What was not moved lies further on; what was, anywhere.
        return places[bisect_left(places, self.at) % len(places)] if places else None
