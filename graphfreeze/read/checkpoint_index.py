"""The index of a checkpoint of format V2, read without TensorFlow.

It is a table as of LevelDB (``tensorflow/core/lib/io/table_builder.cc``, ``tensor_bundle.cc``):

======  ================================================================================
file    data blocks, a block of their handles, a footer of 48 bytes
footer  two handles (of no use; of the block of handles), padding to 40 bytes, a magic
handle  offset and size of a block, as varints
block   entries, restart points (uint32), their number (uint32); then a byte for its
        compression, 0 for none or 1 for Snappy, and a checksum
entry   three varints: bytes shared with the key before, own bytes, bytes of the value;
        then own bytes of the key, and the value
======  ================================================================================

Key ``""`` has a BundleHeaderProto, each tensor a BundleEntryProto; keys of slices begin with a 0.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.message import DecodeError

from graphfreeze.errors import LoadError
from graphfreeze.model.wire import read_varint
from graphfreeze.read.kind import TABLE_END
from graphfreeze.read.snappy import decompress
from graphfreeze.schema import BundleEntryProto, BundleHeaderProto

_FOOTER, _TRAILER, _UINT32 = 48, 5, 4
_PLAIN, _SNAPPY = 0, 1
_SLICE = b"\0"


@dataclass(frozen=True)
class CheckpointIndex:
    """The shape of every key, and the data files, each of which is there and long enough."""

    shapes: Mapping[str, tuple[int, ...]]
    shards: tuple[Path, ...]


def read_index(prefix: Path) -> CheckpointIndex:
    """Read ``prefix.index``; raises LoadError, also if a data file is missing or cut off."""
    path = Path(f"{prefix}.index")
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise LoadError.unreadable(path, error.strerror or str(error)) from error
    try:
        values = dict(_table(raw))
        header = BundleHeaderProto.FromString(values.pop(b""))
        entries = {key: BundleEntryProto.FromString(value) for key, value in values.items()}
        whole = {key.decode(): e for key, e in entries.items() if not key.startswith(_SLICE)}
    except (ValueError, DecodeError, IndexError, KeyError) as error:
        raise LoadError.bad_checkpoint(prefix, f"{path.name} is damaged or no index") from error
    shapes = {key: tuple(dim.size for dim in e.shape.dim) for key, e in whole.items()}
    ends = [0] * int(header.num_shards)
    for entry in entries.values():
        if entry.shard_id >= len(ends):
            raise LoadError.bad_checkpoint(prefix, f"{path.name} tells of too many data files")
        ends[entry.shard_id] = max(ends[entry.shard_id], entry.offset + entry.size)
    return CheckpointIndex(shapes, tuple(_shards(prefix, ends)))


def _shards(prefix: Path, ends: list[int]) -> Iterator[Path]:
    """Yield the data files; one of which the index needs no byte may be missing."""
    for number, end in enumerate(ends):
        shard = Path(f"{prefix}.data-{number:05}-of-{len(ends):05}")
        if shard.is_file():
            size = shard.stat().st_size
            if size < end:
                raise LoadError.short_shard(prefix, shard.name, size=size, needed=end)
            yield shard
        elif end:
            raise LoadError.no_shard(prefix, shard.name)


def _table(raw: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and values of a table; raises ValueError, DecodeError, IndexError."""
    if len(raw) < _FOOTER or not raw.endswith(TABLE_END):
        raise ValueError("no footer")
    _, at = _handle(raw, len(raw) - _FOOTER)
    handles, _ = _handle(raw, at)
    for _, value in _entries(_block(raw, *handles)):
        handle, _ = _handle(value, 0)
        yield from _entries(_block(raw, *handle))


def _handle(raw: bytes, at: int) -> tuple[tuple[int, int], int]:
    """Return offset and size of a block, and the place behind the handle."""
    offset, at = read_varint(raw, at)
    size, at = read_varint(raw, at)
    return (offset, size), at


def _block(raw: bytes, offset: int, size: int) -> bytes:
    """Return the entries of a block, without its restart points."""
    end = offset + size
    if end + _TRAILER > len(raw) - _FOOTER or raw[end] not in (_PLAIN, _SNAPPY):
        raise ValueError("a block that is cut off, or of an unknown compression")
    body = raw[offset:end] if raw[end] == _PLAIN else decompress(raw[offset:end])
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
