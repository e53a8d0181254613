"""The variables of a checkpoint of format V1: one file or shards, each of them a table.

Follows ``tensorflow/core/util/tensor_slice_writer.cc``: key ``""`` has the names, types, shapes
and slices of all variables, the key of a slice has its numbers.
"""

import glob
from collections.abc import Iterator
from functools import lru_cache, partial
from math import prod
from pathlib import Path
from typing import Protocol

from graphfreeze.errors import LoadError
from graphfreeze.read.number_types import Array, find_number_type
from graphfreeze.read.pieces import Piece, Stored, as_rows, as_start
from graphfreeze.read.saved_slice import parse_numbers
from graphfreeze.read.slices import Shape, parse_shape, parse_slice, slice_key
from graphfreeze.read.table import DAMAGE, Table, open_table
from graphfreeze.schema import SavedTensorSlices

_MOST_NUMBERS = 32  # for a byte of a file: Snappy makes 64 bytes of three


class _ReadWhole(Protocol):
    def __call__(self, table: Table, key: bytes, shape: Shape, dtype: int) -> Array: ...


def read_v1(prefix: Path) -> dict[str, Stored]:
    """Return all variables, their pieces unread; raises LoadError.

    The piece that was read last is kept, whole, for the rows that come next."""
    read: _ReadWhole = lru_cache(maxsize=1)(partial(_read_whole, prefix))
    found: dict[str, Stored] = {}
    for path in _files(prefix):
        try:
            for name, stored in _variables(open_table(path), read):
                found[name] = _joined(found.get(name), stored)
        except OSError as error:
            raise LoadError.unreadable(path, error.strerror or str(error)) from error
        except DAMAGE as error:
            reason = f"{path.name} is damaged or of no format that is known"
            raise LoadError.bad_checkpoint(prefix, reason) from error
    return found


def _files(prefix: Path) -> list[Path]:
    """Return the only file, or all shards; raises LoadError."""
    if prefix.is_file():
        return [prefix]
    shards = sorted(prefix.parent.glob(f"{glob.escape(prefix.name)}-?????-of-?????"))
    if not shards:
        raise LoadError.no_checkpoint(prefix)
    total = shards[0].name.rpartition("-")[2]
    count = int(total) if total.isdecimal() else 0
    for number in range(count):
        wanted = Path(f"{prefix}-{number:05}-of-{total}")
        if wanted not in shards:
            raise LoadError.no_shard(prefix, wanted.name)
    if len(shards) != count:
        raise LoadError.bad_checkpoint(prefix, "files of several checkpoints have its name")
    return shards


def _variables(table: Table, read: _ReadWhole) -> Iterator[tuple[str, Stored]]:
    """Yield what one file has of each variable; raises OSError and what is in DAMAGE."""
    content = SavedTensorSlices.FromString(table.find(b"") or b"")
    if not content.HasField("meta"):
        raise ValueError("no list of variables")
    for each in content.meta.tensor:
        shape, dtype, pieces = parse_shape(each.shape), int(each.type), []
        for part in each.slice if find_number_type(dtype) is not None else ():
            start, size = parse_slice(part, shape)
            if prod(size) > _MOST_NUMBERS * table.path.stat().st_size:
                raise ValueError("more numbers than the file can hold")
            key = slice_key(each.name, part)
            rows = partial(_read, read, table, key, as_rows(size), dtype)
            pieces.append(Piece(as_start(start), as_rows(size), rows))
        yield each.name, Stored(shape, dtype, tuple(pieces))


def _joined(first: Stored | None, second: Stored) -> Stored:
    """Add the pieces that another file has of a variable; raises ValueError."""
    if first is None:
        return second
    if (first.shape, first.dtype) != (second.shape, second.dtype):
        raise ValueError("files that speak of different variables")
    return Stored(first.shape, first.dtype, first.pieces + second.pieces)


def _read(
    read: _ReadWhole, table: Table, key: bytes, shape: Shape, dtype: int, start: int, stop: int
) -> Array:
    """Return rows of a piece, as an array of their own; raises LoadError."""
    return read(table, key, shape, dtype)[start:stop].copy()


def _read_whole(prefix: Path, table: Table, key: bytes, shape: Shape, dtype: int) -> Array:
    """Return a piece; raises LoadError."""
    try:
        raw = table.find(key)
        if raw is None:
            raise KeyError(key)
        return parse_numbers(raw, dtype).reshape(shape)
    except OSError as error:
        raise LoadError.unreadable(table.path, error.strerror or str(error)) from error
    except DAMAGE as error:
        raise LoadError.bad_checkpoint(
            prefix, f"values in {table.path.name} are damaged"
        ) from error
