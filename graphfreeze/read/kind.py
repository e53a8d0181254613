"""Tell by its content what a file is."""

import re
from dataclasses import dataclass

from google.protobuf.message import DecodeError, Message

from graphfreeze.model.wire import BinaryCodec, Codec
from graphfreeze.model.wire_text import TextCodec
from graphfreeze.schema import GraphDef, MetaGraphDef, NodeDef, SavedModel

# Annotated, because the wheel's classes have no types.
_SAVED_MODEL: type[Message] = SavedModel
_META_GRAPH: type[Message] = MetaGraphDef
_GRAPH: type[Message] = GraphDef
_OWNERS = (_SAVED_MODEL, _META_GRAPH, _GRAPH)
_FIRST_WORD = re.compile(rb"(?:\s+|#[^\n]*\n)*(\w+)\s*[:{<]")
_NODE_NAME = re.compile(r"[\w.][\w.\\/>-]*", re.ASCII)
_OP_NAME = re.compile(r"[A-Za-z_][\w>]*", re.ASCII)
MODULE = "tfhub_module.pb"  # beside a SavedModel, which is a module of TF-Hub then
TABLE_END = bytes.fromhex("57fb808b247547db")  # of a checkpoint's index, and of a V1 checkpoint
_OTHERS = {
    b"\x89HDF": "a Keras H5 file; load it with Keras and save a MetaGraphDef",
    b"TFL3": "a TFLite model, whose variables are gone; take the model that it was made from",
    b"PK\x03\x04": "a zip archive; unpack it first",
    b"\x1f\x8b": "gzip data; unpack it first",
}


@dataclass(frozen=True, slots=True)
class Kind:
    """What a file holds: the type of its message, and how that is written."""

    owner: type[Message]
    codec: Codec

    @property
    def label(self) -> str:
        """Name it for people."""
        encoding = "text" if isinstance(self.codec, TextCodec) else "binary"
        return f"{self.owner.DESCRIPTOR.name} ({encoding})"


class NotAGraphError(ValueError):
    """Content that is no graph; the message says why."""


def find_kind(raw: bytes) -> Kind:
    """Return what a file's content is; raises NotAGraphError."""
    for magic, name in _OTHERS.items():
        if magic in (raw[: len(magic)], raw[4 : 4 + len(magic)]):
            raise NotAGraphError(f"it is {name}")
    if raw.endswith(TABLE_END):
        raise NotAGraphError("it is part of a checkpoint; give the checkpoint's prefix")
    if not raw.strip():
        raise NotAGraphError("it is empty")
    owner = _owner_by_word(raw)
    if owner is not None:
        return Kind(owner, TextCodec())
    return Kind(_owner_by_fields(raw), BinaryCodec())


def _owner_by_word(raw: bytes) -> type[Message] | None:
    """Return the message whose field a text begins with."""
    match = _FIRST_WORD.match(raw)
    if match is None:
        return None
    word = match.group(1).decode()
    return next((o for o in _OWNERS if word in o.DESCRIPTOR.fields_by_name), None)


def _owner_by_fields(raw: bytes) -> type[Message]:
    """Return the binary message whose first field fits; its end may be cut off."""
    codec = BinaryCodec()
    if raw[0] == 0x08:
        return _SAVED_MODEL
    try:
        first = codec.first(raw)
        if first is None:
            return _owner_of_stump(raw)
        if _is_node(codec.body(first)):
            return _GRAPH
        if raw[0] == 0x0A:
            MetaGraphDef.FromString(first.raw)
            return _META_GRAPH
        if raw[0] == 0x12:
            return _owner_of_second(codec.body(first))
        if raw[0] in (0x18, 0x22):
            GraphDef.FromString(first.raw)
            return _GRAPH
    except (DecodeError, IndexError):
        pass
    raise NotAGraphError("its first bytes begin no protobuf message of a graph")


def _owner_of_second(body: bytes) -> type[Message]:
    """Return the message whose field 2 comes first: a library, a GraphDef, or a MetaGraphDef."""
    inner = BinaryCodec().first(body)
    if inner is not None and _is_node(BinaryCodec().body(inner)):
        return _META_GRAPH
    return _SAVED_MODEL if _owner_by_fields(body) is _META_GRAPH else _GRAPH


def _owner_of_stump(raw: bytes) -> type[Message]:
    """Return what a file may have been that ends in its first field."""
    if raw[0] == 0x0A and re.search(rb"\A\n[\x80-\xff]*[\x00-\x7f]\n[\x01-\x7f][\w./-]*", raw):
        return _GRAPH
    if re.match(rb"[\n\x12][\x80-\xff]*[\x00-\x7f]([\n\x12\x22\x2a]|\Z)", raw):
        return _META_GRAPH
    raise NotAGraphError("its first bytes begin no protobuf message of a graph")


def _is_node(body: bytes) -> bool:
    try:
        node = NodeDef.FromString(body)
    except DecodeError:
        return False
    return bool(_NODE_NAME.fullmatch(node.name) and _OP_NAME.fullmatch(node.op))
