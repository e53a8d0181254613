"""Write the index of a checkpoint, a table that ``graphfreeze.read.table`` describes and reads."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from graphfreeze.model.wire import to_varint
from graphfreeze.read.checkpoint_index import CheckpointIndex
from graphfreeze.read.kind import TABLE_END
from graphfreeze.read.slices import slice_key

_FOOTER = 40  # bytes of the two handles, padded
_POLYNOMIAL, _MASK, _BITS = 0x82F63B78, 0xA282EAD8, 0xFFFFFFFF


def write_index(index: CheckpointIndex, path: Path, without: Collection[str]) -> None:
    """Write an index without some keys, and without their slices."""
    gone = {key.encode() for key in without}
    for key in without:
        slices = index.entries[key.encode()].slices
        gone |= {slice_key(key, part) for part in slices}
    kept = {key: e.SerializeToString() for key, e in index.entries.items() if key not in gone}
    write_table(path, {b"": index.header.SerializeToString(), **kept})


def write_table(path: Path, values: Mapping[bytes, bytes]) -> None:
    """Write keys and values as one block without compression, in the order of keys."""
    blocks = [_block(sorted(values.items())), _block([])]
    handles, at = [], 0
    for block in blocks:
        handles.append(to_varint(at) + to_varint(len(block)))
        at += len(block) + 5
    last = max(values, default=b"")
    blocks.append(_block([(last, handles[0])]))
    handles.append(to_varint(at) + to_varint(len(blocks[-1])))
    footer = (handles[1] + handles[2]).ljust(_FOOTER, b"\0") + TABLE_END
    path.write_bytes(b"".join(map(_sealed, blocks)) + footer)


def _block(entries: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return entries that share no bytes, so that each is a restart point."""
    out, restarts = bytearray(), []
    for key, value in entries:
        restarts.append(len(out))
        out += to_varint(0) + to_varint(len(key)) + to_varint(len(value)) + key + value
    for number in [*(restarts or [0]), len(restarts) or 1]:
        out += number.to_bytes(4, "little")
    return bytes(out)


def _sealed(block: bytes) -> bytes:
    """Return a block with its compression, none, and its checksum."""
    raw = block + b"\0"
    checksum = crc32c(raw)
    rotated = (checksum >> 15 | checksum << 17) & _BITS
    return raw + ((rotated + _MASK) & _BITS).to_bytes(4, "little")


def crc32c(data: bytes) -> int:
    """Return the checksum of Castagnoli (RFC 3720, B.4)."""
    checksum = _BITS
    for byte in data:
        checksum = _TABLE[(checksum ^ byte) & 0xFF] ^ checksum >> 8
    return checksum ^ _BITS


def _entry(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
    return byte


_TABLE = tuple(map(_entry, range(256)))
