"""Put things together that are to be in memory at once."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def grouped(items: Iterable[T], size: Callable[[T], int], most: int) -> Iterator[list[T]]:
    """Yield items in their order, in groups of at most that size; a larger item is by itself."""
    group: list[T] = []
    held = 0
    for item in items:
        more = size(item)
        if group and held + more > most:
            yield group
            group, held = [], 0
        group.append(item)
        held += more
    if group:
        yield group
