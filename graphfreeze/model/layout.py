"""A file as a tree of raw pieces, and the same file written again with some of them changed."""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from graphfreeze.model.wire import Codec, Piece
from graphfreeze.schema import (
    FunctionDef,
    FunctionDefLibrary,
    GraphDef,
    MetaGraphDef,
    NodeDef,
    SavedModel,
)

NESTED = {
    (SavedModel, "meta_graphs"): MetaGraphDef,
    (MetaGraphDef, "graph_def"): GraphDef,
    (GraphDef, "library"): FunctionDefLibrary,
}
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Leaf:
    """A piece that is kept or replaced as a whole; ``message`` is what it says."""

    piece: Piece
    key: str = ""
    message: Message | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """A message whose pieces are kept or replaced one by one; a whole file has no ``piece``."""

    owner: type[Message]
    piece: Piece | None
    parts: "tuple[Leaf | Block, ...]"

    def leaves(self, name: str) -> Iterator[Leaf]:
        """Yield the leaves of a field, also those of blocks inside, in the order of the file."""
        for part in self.parts:
            if isinstance(part, Block):
                yield from part.leaves(name)
            elif part.piece.field == name:
                yield part

    def find_block(self, owner: type[Message]) -> "Block | None":
        """Return the first block of that type, itself included."""
        if self.owner is owner:
            return self
        inner = (part.find_block(owner) for part in self.parts if isinstance(part, Block))
        return next((block for block in inner if block is not None), None)


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be different: pieces by field and key (None takes one away), and new ones."""

    replaced: Mapping[Key, Message | None] = field(default_factory=dict)
    added: Mapping[str, Sequence[Message]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Tell whether anything changes."""
        return bool(self.replaced) or any(self.added.values())


def open_block(codec: Codec, owner: type[Message], raw: bytes, piece: Piece | None = None) -> Block:
    """Split a message, and the messages inside that hold nodes, functions and collections."""
    parts = tuple(_part(codec, owner, each) for each in codec.split(raw, owner))
    return Block(owner, piece, parts)


def _part(codec: Codec, owner: type[Message], piece: Piece) -> Leaf | Block:
    inner = NESTED.get((owner, piece.field))
    if inner is not None:
        return open_block(codec, inner, codec.body(piece), piece)
    described = owner.DESCRIPTOR.fields_by_name.get(piece.field)
    kind = described.message_type if described is not None else None
    if not isinstance(kind, Descriptor):
        return Leaf(piece)
    message = codec.parse(codec.body(piece), GetMessageClass(kind))
    return Leaf(piece, _key(message), message)


def _key(message: Message) -> str:
    """Return what tells a piece from its siblings."""
    if isinstance(message, NodeDef):
        return str(message.name)
    if isinstance(message, FunctionDef):
        return str(message.signature.name)
    return str(getattr(message, "key", ""))


def write_block(codec: Codec, block: Block, changes: Changes) -> bytes:
    """Write a block's inside: raw pieces as they were, changed and new ones serialized."""
    writer = _Writer(codec, changes.replaced, {k: v for k, v in changes.added.items() if v})
    written = writer.write(block)
    if writer.pending:
        raise ValueError(f"no place for {', '.join(writer.pending)} in a {_name(block.owner)}")
    return written


def _name(owner: type[Message]) -> str:
    return str(owner.DESCRIPTOR.name)


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes blocks; ``pending`` holds the new pieces that no block has taken in so far."""

    codec: Codec
    replaced: Mapping[Key, Message | None]
    pending: dict[str, Sequence[Message]]

    def write(self, block: Block) -> bytes:
        """Write a block; new pieces stand behind the last of their kind."""
        out = [[self._written(block.owner, part)] for part in block.parts]
        last = {part.piece.field: i for i, part in enumerate(block.parts) if part.piece is not None}
        for name in [n for n in self.pending if n in block.owner.DESCRIPTOR.fields_by_name]:
            new = [self._wrap(name, message, block.owner) for message in self.pending.pop(name)]
            if not out:
                out.append([])
            out[last.get(name, len(out) - 1)].extend(new)
        out.extend([new] for new in self._new_blocks(block.owner, last))
        return b"".join(raw for group in out for raw in group)

    def _new_blocks(self, owner: type[Message], present: Container[str]) -> Iterator[bytes]:
        """Yield the blocks that new pieces need and the file lacks, such as a function library."""
        for (outer, name), inner in NESTED.items():
            if outer is owner and name not in present:
                body = self.write(Block(inner, None, ()))
                if body:
                    yield self.codec.wrap(name, body, owner).raw

    def _written(self, owner: type[Message], part: Leaf | Block) -> bytes:
        if isinstance(part, Block):
            assert part.piece is not None
            body = self.write(part)
            same = body == self.codec.body(part.piece)
            return part.piece.raw if same else self.codec.refill(part.piece, body).raw
        key = (part.piece.field, part.key)
        if key not in self.replaced:
            return part.piece.raw
        message = self.replaced[key]
        return b"" if message is None else self._wrap(key[0], message, owner)

    def _wrap(self, name: str, message: Message, owner: type[Message]) -> bytes:
        return self.codec.wrap(name, self.codec.dump(message), owner).raw
