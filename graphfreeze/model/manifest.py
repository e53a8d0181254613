"""What it takes to give back a file from the one that was made of it."""

import base64
import hashlib
import os
import zlib
from collections.abc import Iterable, Iterator

import msgspec

Piece = tuple[int | None, int]
"""Start and length of a range of the result; without a start it is the next of the literals."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The file that a result was made of: in pieces of the result, and literals.

    The result is the ``.meta`` that was written, without its ``graphfreeze`` collection: that one
    may hold the hash of what holds this. ``name``, ``format`` and ``checkpoint`` tell of the
    original file what it was called, what it is, and the prefix of its values; ``size`` is in
    bytes. ``pieces`` are told as ``10+90`` (of the result, from byte 10 on), ``+7`` (literals), in
    the order of the original; ``literals`` are base64 of one zlib stream. ``index_sha256`` is of
    the index of the checkpoint that was written along, '' if none was. ``tags`` are those of the
    graph that was chosen of a SavedModel, None for another file.
    """

    name: str
    format: str
    checkpoint: str | None
    size: int
    original_sha256: str
    result_sha256: str
    pieces: str
    literals: str
    index_sha256: str = ""
    tags: list[str] | None = None


class UndoRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What was undone: from which file, to which, and what that is again.

    ``name`` is what it was called, ``size`` in bytes, ``checkpoint`` the prefix of its values, None
    if it had none. ``notes`` are sentences for whoever uses it."""

    graphfreeze: str
    source: str
    out: str
    name: str
    format: str
    size: int
    sha256: str
    checkpoint: str | None
    notes: list[str] = []


class BadManifestError(ValueError):
    """A manifest that fits no result; the message says why."""


def digest(raw: bytes) -> str:
    """Return the hash by which bytes are known again."""
    return hashlib.sha256(raw).hexdigest()


def path_text(path: str | os.PathLike[str]) -> str:
    """Write a path; JSON takes no bytes that are not UTF-8."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def pack(raw: bytes) -> str:
    """Return bytes as ASCII."""
    return base64.b64encode(zlib.compress(raw, 9)).decode("ascii")


def unpack(text: str, most: int) -> bytes:
    """Return the bytes of a text, at most so many; raises BadManifestError."""
    try:
        return zlib.decompressobj().decompress(base64.b64decode(text, validate=True), most + 1)
    except (ValueError, OverflowError, zlib.error) as error:
        raise BadManifestError(str(error)) from error


def tell_pieces(pieces: Iterable[Piece]) -> str:
    """Return pieces as text; those that follow each other are told as one."""
    told: list[Piece] = []
    for start, length in pieces:
        last, size = told[-1] if told else (None, 0)
        is_next = start == (None if last is None else last + size)
        if told and is_next and (start is None) == (last is None):
            told[-1] = (last, size + length)
        else:
            told.append((start, length))
    return " ".join(f"{'' if start is None else start}+{length}" for start, length in told)


def parse_pieces(text: str) -> Iterator[Piece]:
    """Yield the pieces of a text; raises BadManifestError."""
    for each in text.split():
        start, _, length = each.partition("+")
        if not (length.isdecimal() and (start.isdecimal() or not start)):
            raise BadManifestError(f"{each!r} is no piece")
        yield (int(start) if start else None), int(length)


def join_pieces(manifest: Manifest, result: bytes) -> bytes:
    """Return the original of a result; raises BadManifestError if it is not the original."""
    literals = unpack(manifest.literals, manifest.size)
    out, used = bytearray(), 0
    for start, length in parse_pieces(manifest.pieces):
        source, at = (literals, used) if start is None else (result, start)
        used += length if start is None else 0
        if at + length > len(source) or len(out) + length > manifest.size:
            raise BadManifestError("a piece of it lies outside of the file")
        out += source[at : at + length]
    original = bytes(out)
    if digest(original) != manifest.original_sha256:
        raise BadManifestError("its pieces are not those of the original")
    return original
