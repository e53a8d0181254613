"""The variables of a checkpoint of format V2: an index, and data files with bare numbers.

Follows ``tensorflow/core/util/tensor_bundle/tensor_bundle.cc``. Files are read by place, not
mapped, so that one which shrinks meanwhile is an error and not the end of the process.
"""

from functools import partial
from math import prod
from pathlib import Path

import numpy as np

from graphfreeze.errors import LoadError
from graphfreeze.read.checkpoint_index import CheckpointIndex, read_index, shard_path
from graphfreeze.read.number_types import Array, find_number_type
from graphfreeze.read.pieces import Piece, Stored, as_rows, as_start
from graphfreeze.read.slices import Shape, parse_shape, parse_slice, slice_key
from graphfreeze.schema import BundleEntryProto, BundleHeaderProto


def read_v2(prefix: Path) -> dict[str, Stored]:
    """Return all variables, their pieces unread; raises LoadError."""
    index = read_index(prefix)
    if index.header.endianness != BundleHeaderProto.LITTLE:
        raise LoadError.bad_checkpoint(prefix, "its numbers are big-endian; write it anew")
    return {key: _variable(prefix, index, key) for key in index.shapes}


def _variable(prefix: Path, index: CheckpointIndex, key: str) -> Stored:
    entry, shape = index.entries[key.encode()], index.shapes[key]
    if find_number_type(entry.dtype) is None:
        return Stored(shape, entry.dtype, ())
    try:
        if not entry.slices:
            boxes = [((0,) * len(shape), shape, entry)]
        else:
            parts = [(each, index.entries[slice_key(key, each)]) for each in entry.slices]
            boxes = [(*parse_slice(each, shape), part) for each, part in parts]
        total = int(index.header.num_shards)
        pieces = [_piece(prefix, total, part, start, size) for start, size, part in boxes]
    except (ValueError, KeyError) as error:
        reason = f"what its index says of {key!r} makes no sense"
        raise LoadError.bad_checkpoint(prefix, reason) from error
    return Stored(shape, entry.dtype, tuple(pieces))


def _piece(prefix: Path, total: int, entry: BundleEntryProto, start: Shape, shape: Shape) -> Piece:
    """Return a piece of the shape that it should have; raises ValueError if it has not."""
    dtype = find_number_type(entry.dtype)
    if (
        dtype is None
        or entry.size != prod(shape) * dtype.itemsize
        or parse_shape(entry.shape) != shape
    ):
        raise ValueError("another type, shape or size")
    shard = shard_path(prefix, entry.shard_id, total)
    rows = as_rows(shape)
    return Piece(
        as_start(start), rows, partial(_read, prefix, shard, int(entry.offset), rows, dtype)
    )


def _read(
    prefix: Path,
    shard: Path,
    offset: int,
    shape: Shape,
    dtype: np.dtype[np.generic],
    start: int,
    stop: int,
) -> Array:
    """Return rows of an array that begins at ``offset``; raises LoadError."""
    row = prod(shape[1:])
    place = offset + start * row * dtype.itemsize
    wanted = (stop - start) * row
    try:
        found = np.fromfile(shard, dtype, wanted, offset=place)
    except OSError as error:
        raise LoadError.unreadable(shard, error.strerror or str(error)) from error
    if found.size < wanted:
        size, needed = shard.stat().st_size, place + wanted * dtype.itemsize
        raise LoadError.short_shard(prefix, shard.name, size=size, needed=needed)
    return found.reshape(stop - start, *shape[1:])
