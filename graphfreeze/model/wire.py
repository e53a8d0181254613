"""A message as it was written: split into raw slices that can be joined again to the byte.

Protobuf maps do not keep their order through parse and serialize, so what must stay byte for byte
is never parsed and serialized: it is cut out and put back.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

from google.protobuf.message import DecodeError, Message

M = TypeVar("M", bound=Message)
MOST_BYTES = (1 << 31) - 1
"""How long a message may be: protobuf, and so TensorFlow, reads and writes no longer one."""
Buffer = bytes | memoryview
VARINT, LENGTH_DELIMITED = 0, 2
_LONGEST_VARINT = 70  # bits, in ten bytes


@dataclass(frozen=True, slots=True)
class Piece:
    """One field of a message, with what surrounds it in the file (tag and length, or its name)."""

    field: str
    raw: bytes


class Codec(Protocol):
    """Split, read and write pieces; one codec for binary files, one for text."""

    def split(self, raw: bytes, owner: type[Message]) -> list[Piece]:
        """Cut a message of type ``owner`` into its fields, in the order of the file."""

    def body(self, piece: Piece) -> bytes:
        """Return what is inside a piece that holds a submessage."""

    def parse(self, body: bytes, kind: type[M]) -> M:
        """Read a message."""

    def dump(self, message: Message) -> bytes:
        """Write a message."""

    def wrap(self, field: str, body: bytes, owner: type[Message]) -> Piece:
        """Make a piece of ``owner`` from a dumped submessage."""

    def refill(self, piece: Piece, body: bytes) -> Piece:
        """Return the piece with another inside."""


def read_varint(raw: Buffer, at: int) -> tuple[int, int]:
    """Return the varint at ``at`` and the place behind it."""
    value = shift = 0
    while shift < _LONGEST_VARINT:
        byte = raw[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise DecodeError(f"no number ends before byte {at}")


def to_varint(value: int) -> bytes:
    """Return a number as a varint."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _skip(raw: Buffer, at: int, wire_type: int) -> int:
    """Return the place behind a field's value."""
    match wire_type:
        case 0:
            return read_varint(raw, at)[1]
        case 1:
            return at + 8
        case 2:
            size, at = read_varint(raw, at)
            return at + size
        case 5:
            return at + 4
    raise DecodeError(f"wire type {wire_type} at byte {at}")


def _fields(raw: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield each field's number, start and end."""
    at = 0
    while at < len(raw):
        start = at
        try:
            tag, at = read_varint(raw, at)
            at = _skip(raw, at, tag & 7)
        except IndexError:
            at = len(raw) + 1
        if at > len(raw) or tag >> 3 == 0:
            raise DecodeError(f"the field at byte {start} is cut off or is none")
        yield tag >> 3, start, at


@dataclass(frozen=True, slots=True)
class BegunField:
    """A field of bytes that may be no message: its payload, or as much of it as there is."""

    number: int
    wire_type: int
    body: memoryview
    is_whole: bool


def begun_fields(raw: Buffer) -> Iterator[BegunField]:
    """Yield the fields of what may be cut off or no message, as far as they make sense."""
    view, at = memoryview(raw), 0
    while at < len(view):
        try:
            tag, start = read_varint(view, at)
            at = _skip(view, start, tag & 7)
            if tag & 7 == LENGTH_DELIMITED:
                start = read_varint(view, start)[1]
        except (IndexError, DecodeError):
            return
        if tag >> 3 == 0:
            return
        yield BegunField(tag >> 3, tag & 7, view[start:at], at <= len(view))


class BinaryCodec:
    """The wire format."""

    def split(self, raw: bytes, owner: type[Message]) -> list[Piece]:
        """Cut a message into its fields; a field that the schema lacks has no name."""
        names = {n: f.name for n, f in owner.DESCRIPTOR.fields_by_number.items()}
        return [Piece(names.get(n, ""), raw[start:end]) for n, start, end in _fields(raw)]

    def body(self, piece: Piece) -> bytes:
        """Return a length-delimited field's payload."""
        tag, at = read_varint(piece.raw, 0)
        if tag & 7 != LENGTH_DELIMITED:
            raise DecodeError(f"{piece.field} is no message")
        return piece.raw[read_varint(piece.raw, at)[1] :]

    def parse(self, body: bytes, kind: type[M]) -> M:
        """Read a message; raises DecodeError."""
        return kind.FromString(body)

    def dump(self, message: Message) -> bytes:
        """Write a message, maps in the order of their keys."""
        return message.SerializeToString(deterministic=True)

    def wrap(self, field: str, body: bytes, owner: type[Message]) -> Piece:
        """Put tag and length before a payload."""
        number = owner.DESCRIPTOR.fields_by_name[field].number
        return Piece(field, _tagged(number, body))

    def refill(self, piece: Piece, body: bytes) -> Piece:
        """Put the same tag and a new length before another payload."""
        return Piece(piece.field, _tagged(read_varint(piece.raw, 0)[0] >> 3, body))


def _tagged(number: int, body: bytes) -> bytes:
    return to_varint(number << 3 | LENGTH_DELIMITED) + to_varint(len(body)) + body
