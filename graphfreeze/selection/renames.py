r"""Give the keys of a checkpoint the names that a graph knows them by.

| rename                       | key                   | name                         |
| ---------------------------- | --------------------- | ---------------------------- |
| ``bert=model/bert``          | ``bert/w``            | ``model/bert/w``             |
| ``a/w=b/v``                  | ``a/w``, ``a/w/Adam`` | ``b/v``, ``b/v/Adam``        |
| ``layer_*=stack/layer_*``    | ``layer_10/w``        | ``stack/layer_10/w``         |
| ``**/weights=**/kernel``     | ``a/b/weights``       | ``a/b/kernel``               |
| ``=module``, ``module=``     | ``w``, ``module/w``   | ``module/w``, ``w``          |
| ``re:(.*)/gamma_(\d)=\1/\2`` | ``bn/gamma_3``        | ``bn/3``                     |

OLD is a pattern of ``graphfreeze.selection.pattern``; what its ``*`` and ``**`` match stands for
those of NEW in their order, and what lies below a scope stays. Of several renames that match a key
the last holds.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import chain

from graphfreeze.errors import LoadError
from graphfreeze.selection.pattern import parse_pattern

_WILD = re.compile(r"\*+")
_IN_BRACES = re.compile(r"\{[^}]*\*")
_NO_NAME = re.compile(r"[?\[\]{}]")


@dataclass(frozen=True)
class Rename:
    """One rename as it was written, and the regular expression of the keys that it is for."""

    old: str
    new: str
    regex: re.Pattern[str]

    def find_name(self, key: str) -> str | None:
        """Return the new name of a key, None if the rename is not for it."""
        match = self.regex.fullmatch(key)
        if match is None:
            return None
        if self.old.startswith("re:"):
            return self._expanded(match)
        *wild, below = match.groups()
        head = self.new.strip("/") + "/" if self.new.strip("/") else ""
        texts = _WILD.split(head.replace("**/", "**"))
        name = "".join(chain(*zip(texts, [*wild, below], strict=True)))
        return name.removesuffix("/") or None

    def _expanded(self, match: re.Match[str]) -> str:
        try:
            return match.expand(self.new)
        except (re.error, IndexError) as error:
            raise LoadError.bad_rename(str(self), f"NEW: {error}") from error

    def __str__(self) -> str:
        return f"{self.old}={self.new}"


def parse_rename(old: str, new: str) -> Rename:
    """Return the rename that two texts spell; raises LoadError if they spell none."""
    if not old and not new:
        raise LoadError.bad_rename("=", "OLD and NEW are both empty")
    if not old:
        return Rename("", new, re.compile(r"(.+)", re.DOTALL))
    regex = parse_pattern(old).regex
    if not old.startswith("re:"):
        reason = _misfit(old, new)
        if reason is not None:
            raise LoadError.bad_rename(f"{old}={new}", reason)
    return Rename(old, new, regex)


def _misfit(old: str, new: str) -> str | None:
    """Return why a path cannot stand for another, None if it can."""
    if _IN_BRACES.search(old):
        return "a '*' within braces; write a rename for each of the choices"
    if _NO_NAME.search(new):
        return "NEW is a name, in which only '*' and '**' stand for something"
    if _WILD.findall(old) != _WILD.findall(new):
        return "NEW must have the '*' and '**' of OLD, in their order"
    if "**/**" in old or "//" in new:
        return "a segment is empty, or '**' follows itself"
    return None


def find_names(renames: Mapping[str, str], keys: Collection[str]) -> dict[str, str]:
    """Return the name of each key that a rename is for, OLD to NEW.

    Raises LoadError where a rename matches no key, or two keys would go by one name."""
    names: dict[str, str] = {}
    for rename in (parse_rename(old, new) for old, new in renames.items()):
        found = {key: name for key in keys if (name := rename.find_name(key)) is not None}
        if not found:
            raise LoadError.rename_matches_nothing(str(rename), rename.old, keys)
        names |= found
    owners: dict[str, str] = {}
    for key in keys:
        name = names.get(key, key)
        if owners.setdefault(name, key) != key:
            raise LoadError.rename_collides(name, [owners[name], key])
    return names
