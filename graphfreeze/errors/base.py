"""The root of all errors, and what their messages are made of."""

import os
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from itertools import accumulate, islice

PathLike = str | os.PathLike[str]


class GraphfreezeError(Exception):
    """Stand at the root of all errors that graphfreeze raises on purpose."""

    def __init__(self, message: str) -> None:
        # Reasons quoted from protobuf or TensorFlow, and file names, may hold line breaks.
        super().__init__(" ".join(message.splitlines()))


def nearest_names(word: str, names: Iterable[str], *, most: int = 3) -> list[str]:
    """Find the names most like ``word``, best first; there may be none."""
    return get_close_matches(word, list(dict.fromkeys(names)), n=most)


def with_hint(word: str, names: Iterable[str], otherwise: str) -> str:
    """Return how a message goes on: the nearest names, else what to do."""
    near = nearest_names(word, names)
    return f"; did you mean {', '.join(near)}?" if near else f"; {otherwise}"


def with_scopes(names: Iterable[str]) -> Iterable[str]:
    """Yield each name after the scopes around it: ``a``, ``a/b``, ``a/b/c``."""
    for name in names:
        yield from accumulate(name.split("/"), "{}/{}".format)


def joined(names: Iterable[str]) -> str:
    """Return all names."""
    return ", ".join(names)


def listed(names: Sequence[str], *, most: int = 8) -> str:
    """Return the first names, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return joined(islice(names, most)) + more


def count_text(count: int, noun: str) -> str:
    """Return ``1 variable``, ``1,200 variables``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def shape_text(shape: Sequence[int | None]) -> str:
    """Return a shape as people write it, with ? for an unknown dimension."""
    return "[" + ", ".join("?" if size is None else str(size) for size in shape) + "]"
