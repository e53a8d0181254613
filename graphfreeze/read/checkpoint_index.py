"""The index of a checkpoint of format V2, read without TensorFlow.

It is a table (``tensorflow/core/util/tensor_bundle/tensor_bundle.cc``): key ``""`` has a
BundleHeaderProto, each tensor a BundleEntryProto, and so has each slice of a partitioned one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from graphfreeze.errors import LoadError
from graphfreeze.read.slices import SLICE, Shape, parse_shape
from graphfreeze.read.table import DAMAGE, open_table
from graphfreeze.schema import BundleEntryProto, BundleHeaderProto

_MOST_SHARDS = 99_999  # the names have five digits for them


@dataclass(frozen=True)
class CheckpointIndex:
    """The shape of every key, and the data files, each of which is there and long enough.

    ``entries`` has the keys of slices too, and says with ``header`` where in the files what is."""

    shapes: Mapping[str, Shape]
    shards: tuple[Path, ...]
    header: BundleHeaderProto
    entries: Mapping[bytes, BundleEntryProto]


def read_index(prefix: Path) -> CheckpointIndex:
    """Read ``prefix.index``; raises LoadError, also if a data file is missing or cut off."""
    path = Path(f"{prefix}.index")
    try:
        values = dict(open_table(path).entries())
        header = BundleHeaderProto.FromString(values.pop(b""))
        entries = {key: BundleEntryProto.FromString(value) for key, value in values.items()}
        whole = {key.decode(): e for key, e in entries.items() if not key.startswith(SLICE)}
        shapes = {key: parse_shape(entry.shape) for key, entry in whole.items()}
        ends = _ends(entries)
    except OSError as error:
        raise LoadError.unreadable(path, error.strerror or str(error)) from error
    except DAMAGE as error:
        raise LoadError.bad_checkpoint(prefix, f"{path.name} is damaged or no index") from error
    total = int(header.num_shards)
    if not max(ends, default=-1) < total <= _MOST_SHARDS:
        raise LoadError.bad_checkpoint(prefix, f"{path.name} tells of too many data files")
    shards = tuple(_shards(prefix, total, ends))
    return CheckpointIndex(shapes, shards, header, entries)


def shard_path(prefix: Path, number: int, total: int) -> Path:
    """Return the name of a data file."""
    return Path(f"{prefix}.data-{number:05}-of-{total:05}")


def _ends(entries: Mapping[bytes, BundleEntryProto]) -> dict[int, int]:
    """Return how long each data file has to be; raises ValueError."""
    ends: dict[int, int] = {}
    for entry in entries.values():
        if min(entry.shard_id, entry.offset, entry.size) < 0:
            raise ValueError("a place before a file's beginning")
        end = entry.offset + entry.size
        ends[entry.shard_id] = max(ends.get(entry.shard_id, 0), end)
    return ends


def _shards(prefix: Path, total: int, ends: Mapping[int, int]) -> Iterator[Path]:
    """Yield the data files; one of which the index needs no byte may be missing."""
    for number in range(total):
        shard, end = shard_path(prefix, number, total), ends.get(number, 0)
        if shard.is_file():
            size = shard.stat().st_size
            if size < end:
                raise LoadError.short_shard(prefix, shard.name, size=size, needed=end)
            yield shard
        elif end:
            raise LoadError.no_shard(prefix, shard.name)
