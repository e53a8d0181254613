"""The checkpoint of the source, of format V2 or V1."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from graphfreeze.emit.forms import Form, stored_form
from graphfreeze.model.key_names import KeyNames
from graphfreeze.model.model import Source
from graphfreeze.read.checkpoint_index import CheckpointIndex, read_index
from graphfreeze.read.checkpoint_v1 import read_v1
from graphfreeze.read.slices import slice_key


@dataclass(frozen=True)
class Held:
    """What the checkpoint of a source has, nothing if there is none.

    ``forms`` are by the names of the graph; ``sizes`` count bytes by the keys themselves, and are
    of format V2 alone."""

    prefix: Path | None = None
    names: KeyNames = field(default_factory=KeyNames)
    forms: Mapping[str, Form] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_v2(self) -> bool:
        """Tell whether it is of format V2."""
        return self.prefix is not None and is_v2(self.prefix)

    @property
    def place(self) -> Path:
        """The prefix, where a value is wanted."""
        assert self.prefix is not None, "a value of a checkpoint that is not there"
        return self.prefix


def is_v2(prefix: Path) -> bool:
    """Tell whether a checkpoint is of format V2."""
    return Path(f"{prefix}.index").is_file()


def runtime_prefix(prefix: Path) -> str:
    """Return what TensorFlow reads a checkpoint by; one of format V1 may have shards."""
    is_whole = is_v2(prefix) or prefix.is_file()
    return str(prefix) if is_whole else f"{prefix}-?????-of-?????"


def read_held(source: Source) -> Held:
    """Return what the checkpoint of a source has; raises LoadError."""
    prefix, names = source.checkpoint, source.names
    if prefix is None:
        return Held(names=names)
    sizes: dict[str, int] = {}
    if is_v2(prefix):
        index = read_index(prefix)
        types = ((key, index.entries[key.encode()].dtype, shape) for key, shape in _shapes(index))
        sizes = {key: _size(index, key) for key in index.shapes}
    else:
        types = ((key, each.dtype, each.shape) for key, each in read_v1(prefix).items())
    forms = {key: stored_form(int(dtype), shape) for key, dtype, shape in types}
    return Held(prefix, names, names.by_name(forms), sizes)


def _shapes(index: CheckpointIndex) -> Iterable[tuple[str, tuple[int, ...]]]:
    return index.shapes.items()


def _size(index: CheckpointIndex, key: str) -> int:
    """Return how many bytes a key has in the data files, its slices included."""
    entry = index.entries[key.encode()]
    parts = (index.entries.get(slice_key(key, part)) for part in entry.slices)
    return int(entry.size) + sum(int(part.size) for part in parts if part is not None)


def reason_of(message: str) -> str:
    """Return why an op failed, without the stack of those who made the op.

    ``Graph execution error: ... Node: 'restore'`` comes before it, ``[[{{node restore}}]]`` after.
    """
    _, is_told, rest = message.rpartition("\nNode: ")
    reason = rest.partition("\n")[2] if is_told else message
    return reason.partition("[[")[0].strip() or message
