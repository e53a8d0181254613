"""By which names a graph knows what is in its checkpoint."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class KeyNames:
    """Names of the keys of a checkpoint: ``renamed`` has the key of each that differs.

    All other keys go by themselves. For ``hidden`` names the checkpoint has nothing, whatever it
    holds: their keys go by another name, or their variables are to begin anew, ``excluded``."""

    renamed: Mapping[str, str] = field(default_factory=dict)
    left: frozenset[str] = frozenset()
    excluded: frozenset[str] = frozenset()

    @property
    def hidden(self) -> frozenset[str]:
        """Names for which the checkpoint has nothing."""
        return self.left | self.excluded

    def key(self, name: str) -> str:
        """Return the key that goes by a name which is not hidden."""
        return self.renamed.get(name, name)

    def by_name(self, values: Mapping[str, T]) -> dict[str, T]:
        """Return what is told by key by the names of the keys, in the same order."""
        hidden = self.hidden
        if not self.renamed and not hidden:
            return dict(values)
        names = {key: name for name, key in self.renamed.items()}
        named = ((names.get(key, key), value) for key, value in values.items())
        return {name: value for name, value in named if name not in hidden}

    def excluding(self, names: Iterable[str]) -> "KeyNames":
        """Return the same, but nothing for these names."""
        return replace(self, excluded=self.excluded | frozenset(names))


def names_of(renamed: Mapping[str, str]) -> KeyNames:
    """Return names by the new name of each key that gets one."""
    moved = {key: name for key, name in renamed.items() if key != name}
    return KeyNames(
        {name: key for key, name in moved.items()}, frozenset(moved.keys() - set(moved.values()))
    )
