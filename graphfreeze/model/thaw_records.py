"""What is told of a thaw: JSON records."""

import msgspec


class ThawedRecord(msgspec.Struct, frozen=True):
    """A constant that became a variable, and how many ``bytes`` its values take.

    ``taken_by`` is the op and the node by which it was known for a weight, '' if nothing takes
    it. ``is_trainable`` is false for moving averages, for integers, and for what an op writes."""

    name: str
    dtype: str
    shape: list[int]
    bytes: int
    taken_by: str
    is_trainable: bool


class LeftRecord(msgspec.Struct, frozen=True):
    """The constants that stay constants for one reason."""

    reason: str
    constants: list[str]


class ThawRecord(msgspec.Struct, frozen=True):
    """What a thaw did: ``kind`` is ref or resource, ``patterns`` are those that were given.

    ``in_functions`` counts floating arrays among the constants of function bodies: these stay."""

    kind: str
    patterns: list[str]
    thawed: list[ThawedRecord]
    left: list[LeftRecord]
    in_functions: int = 0
