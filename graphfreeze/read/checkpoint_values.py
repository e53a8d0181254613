"""The values of a checkpoint of format V2 or V1, a few rows at a time, without TensorFlow.

Checksums are not looked at: there is no fast CRC-32C at hand. TensorFlow verifies them when it
restores the checkpoint.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
import numpy.typing as npt

from graphfreeze.errors import LoadError
from graphfreeze.model.key_names import KeyNames
from graphfreeze.model.model import Source
from graphfreeze.read.checkpoint_v1 import read_v1
from graphfreeze.read.checkpoint_v2 import read_v2
from graphfreeze.read.number_types import Array, find_number_type, type_name
from graphfreeze.read.pieces import Stored, as_rows, is_tiled, read_piecewise
from graphfreeze.read.slices import Shape

_CHUNK = 1 << 22  # bytes; four times as many are read half as fast
_GAP = 1 << 16  # bytes; reading over fewer is faster than reading twice
_MOST_DIMENSIONS = 32  # of an array, in any numpy


@dataclass(frozen=True)
class CheckpointValues:
    """What a checkpoint holds; keys of partitioned variables stand for the whole.

    ``shapes`` has the shape of each key, ``dtypes`` its type as in types_pb2.DataType. Arrays are
    of these types; bfloat16 comes as uint16, its bits."""

    prefix: Path
    shapes: Mapping[str, Shape]
    dtypes: Mapping[str, int]
    stored: Mapping[str, Stored]

    @property
    def keys(self) -> tuple[str, ...]:
        """Name all variables, in the order of the checkpoint."""
        return tuple(self.shapes)

    def read_chunks(self, key: str, *, start: int = 0, stop: int | None = None) -> Iterator[Array]:
        """Yield rows [start, stop) along axis 0 of the whole variable, at most 4 MiB at once.

        Bounds are as in a slice of a list. A row is never cut, even where it alone is larger; a
        scalar is one array. Of format V1 a whole piece is in memory. Raises LoadError."""
        stored, dtype = self._get(key)
        shape = as_rows(stored.shape)
        first, last, _ = slice(start, stop).indices(shape[0]) if stored.shape else (0, 1, 1)
        step = max(1, _CHUNK // max(1, prod(shape[1:]) * dtype.itemsize))
        for at in range(first, last, step):
            chunk = read_piecewise(stored, at, min(at + step, last), dtype)
            yield chunk if stored.shape else chunk.reshape(())

    def read_rows(self, key: str, rows: npt.NDArray[np.int64]) -> Array:
        """Return the rows at these places, in that order, duplicates too; ``rows`` is a vector.

        Raises LoadError; IndexError if a place is none."""
        stored, dtype = self._get(key)
        shape = stored.shape or (0,)
        if rows.size and not 0 <= rows.min() <= rows.max() < shape[0]:
            raise IndexError(f"{key!r} has {shape[0]:,} rows")
        out: Array = np.empty((rows.size, *shape[1:]), dtype)
        order = np.argsort(rows, kind="stable")
        wanted = rows[order]
        gap = _GAP // max(1, prod(shape[1:]) * dtype.itemsize) + 1
        for run in np.split(wanted, np.flatnonzero(np.diff(wanted) > gap) + 1) if rows.size else ():
            at = int(run[0])
            for chunk in self.read_chunks(key, start=at, stop=int(run[-1]) + 1):
                here = slice(*np.searchsorted(wanted, [at, at + len(chunk)]))
                out[order[here]] = chunk[wanted[here] - at]
                at += len(chunk)
        return out

    def _get(self, key: str) -> tuple[Stored, np.dtype[np.generic]]:
        if key not in self.stored:
            raise LoadError.no_such_key(key, self.shapes, prefix=self.prefix)
        stored = self.stored[key]
        dtype = find_number_type(stored.dtype)
        if dtype is None:
            reason = f"{type_name(stored.dtype)} is no type of numbers"
        elif len(stored.shape) > _MOST_DIMENSIONS:
            reason = f"it has {len(stored.shape)} dimensions"
        elif not is_tiled(stored):
            reason = "its slices leave gaps or overlap"
        else:
            return stored, dtype
        raise LoadError.unreadable_values(key, reason, prefix=self.prefix)


def find_values(source: Source) -> CheckpointValues | None:
    """Open the checkpoint of a model, its keys by the names of the graph; None if it has none.

    Raises LoadError."""
    return None if source.checkpoint is None else open_values(source.checkpoint, source.names)


def open_values(prefix: Path, names: KeyNames | None = None) -> CheckpointValues:
    """Open a checkpoint by its prefix; raises LoadError. With ``names`` keys go by these.

    For one of format V1 that is the name of its file, or of its shards without their numbers."""
    is_v2 = Path(f"{prefix}.index").is_file()
    stored = read_v2(prefix) if is_v2 else read_v1(prefix)
    stored = stored if names is None else names.by_name(stored)
    shapes = {key: each.shape for key, each in stored.items()}
    dtypes = {key: each.dtype for key, each in stored.items()}
    return CheckpointValues(prefix, shapes, dtypes, stored)
