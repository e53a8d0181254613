"""What a function does with the handles that it takes."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from graphfreeze.schema import NodeDef


@dataclass(frozen=True)
class Handled:
    """Which nodes of a body take a handle, and at which inputs, and what is given back.

    Both by the arguments' names; a node that only passes a handle on is none of the ``users``,
    ``returned`` are places among the outputs."""

    users: Mapping[str, Sequence[tuple[NodeDef, int]]]
    returned: Mapping[str, Set[int]]


NOTHING = Handled({}, {})
