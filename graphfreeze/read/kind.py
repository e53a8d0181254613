"""Tell by its content what a file is."""

import re
from dataclasses import dataclass

from google.protobuf.message import Message

from graphfreeze.model.wire import BinaryCodec, Codec
from graphfreeze.model.wire_text import TextCodec
from graphfreeze.read.owner import GRAPH, LIBRARY, META_GRAPH, SAVED_MODEL, find_owner
from graphfreeze.read.strangers import find_stranger

_OWNERS = (SAVED_MODEL, META_GRAPH, GRAPH)
_FIRST_WORD = re.compile(rb"(?:\s+|#[^\n]*\n)*(\w+)\s*[:{<]")
MODULE = "tfhub_module.pb"  # beside a SavedModel, which is a module of TF-Hub then
TABLE_END = bytes.fromhex("57fb808b247547db")  # of a checkpoint's index, and of a V1 checkpoint


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


class StrangerError(NotAGraphError):
    """Content that is known for something else; the message says what, and what to do."""


def find_kind(raw: bytes) -> Kind:
    """Return what a file's content is; raises NotAGraphError."""
    told = find_stranger(raw)
    if told is not None:
        raise StrangerError(told)
    if raw.endswith(TABLE_END):
        raise StrangerError("part of a checkpoint; give the checkpoint's prefix")
    if not raw.strip():
        raise NotAGraphError("it is empty")
    owner = _owner_by_word(raw)
    if owner is not None:
        return Kind(owner, TextCodec())
    owner = find_owner(raw)
    if owner is LIBRARY:
        raise StrangerError("a library of functions; give the graph that calls them")
    if owner is None:
        raise NotAGraphError("its first bytes begin no protobuf message of a graph")
    return Kind(owner, BinaryCodec())


def _owner_by_word(raw: bytes) -> type[Message] | None:
    """Return the message whose field a text begins with."""
    match = _FIRST_WORD.match(raw)
    if match is None:
        return None
    word = match.group(1).decode()
    return next((o for o in _OWNERS if word in o.DESCRIPTOR.fields_by_name), None)
