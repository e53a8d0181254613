"""A table as of LevelDB: the index of a checkpoint of format V2, each file of one of format V1.

Follows ``tensorflow/core/lib/io/table_builder.cc`` and ``format.cc``:

======  ================================================================================
file    data blocks, a block of their handles, a footer of 48 bytes
footer  two handles (of no use; of the block of handles), padding to 40 bytes, a magic
handle  offset and size of a block, as varints
block   entries, restart points (uint32), their number (uint32); then a byte for its
        compression, 0 for none or 1 for Snappy, and a checksum, which is not looked at
entry   three varints: bytes shared with the key before, own bytes, bytes of the value;
        then own bytes of the key, and the value
======  ================================================================================
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.message import DecodeError

from graphfreeze.model.wire import read_varint
from graphfreeze.read.kind import TABLE_END
from graphfreeze.read.snappy import decompress

DAMAGE = (ValueError, DecodeError, IndexError, KeyError)  # what comes of reading a damaged table
_FOOTER, _TRAILER, _UINT32 = 48, 5, 4
_PLAIN, _SNAPPY = 0, 1


@dataclass(frozen=True, eq=False)
class Table:
    """The blocks of a table, each read when it is asked for.

    ``last_keys`` has for each block a key at or after its last and before the next block's first.
    """

    path: Path
    last_keys: tuple[bytes, ...]
    handles: tuple[tuple[int, int], ...]

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield keys and values in the order of keys; raises OSError and what is in DAMAGE."""
        for handle in self.handles:
            yield from _entries(_block(self.path, *handle))

    def find(self, key: bytes) -> bytes | None:
        """Return the value of a key from its block; raises OSError and what is in DAMAGE."""
        at = bisect_left(self.last_keys, key)
        if at == len(self.handles):
            return None
        entries = _entries(_block(self.path, *self.handles[at]))
        return next((value for found, value in entries if found == key), None)


def open_table(path: Path) -> Table:
    """Read where the blocks of a table lie; raises OSError and what is in DAMAGE."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _FOOTER))
        footer = file.read()
    if len(footer) < _FOOTER or not footer.endswith(TABLE_END):
        raise ValueError("no footer")
    _, at = _handle(footer, 0)
    handles, _ = _handle(footer, at)
    blocks = [(key, _handle(value, 0)[0]) for key, value in _entries(_block(path, *handles))]
    return Table(path, tuple(key for key, _ in blocks), tuple(handle for _, handle in blocks))


def _handle(raw: bytes, at: int) -> tuple[tuple[int, int], int]:
    """Return offset and size of a block, and the place behind the handle."""
    offset, at = read_varint(raw, at)
    size, at = read_varint(raw, at)
    return (offset, size), at


def _block(path: Path, offset: int, size: int) -> bytes:
    """Return the entries of a block, without its restart points."""
    if offset + size + _TRAILER > path.stat().st_size - _FOOTER:
        raise ValueError("a block that is cut off")
    with path.open("rb") as file:
        file.seek(offset)
        raw = file.read(size)
        compression = file.read(1)[0]
    if compression not in (_PLAIN, _SNAPPY):
        raise ValueError("a block of an unknown compression")
    body = raw if compression == _PLAIN else decompress(raw)
    restarts = int.from_bytes(body[-_UINT32:], "little")
    if _UINT32 * (restarts + 1) > len(body):
        raise ValueError("more restart points than bytes")
    return body[: -_UINT32 * (restarts + 1)]


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and values of a block; each key takes its beginning from the one before."""
    at, key = 0, b""
    while at < len(block):
        shared, at = read_varint(block, at)
        own, at = read_varint(block, at)
        length, at = read_varint(block, at)
        if shared > len(key) or at + own + length > len(block):
            raise ValueError("an entry that is cut off")
        key = key[:shared] + block[at : at + own]
        at += own
        yield key, block[at : at + length]
        at += length
