"""What is told of functions: JSON records."""

import re

import msgspec

_COPY = re.compile(r"(.+)__graphfreeze_\d+")


class FunctionReadRecord(msgspec.Struct, frozen=True):
    """A node in the body of a function that reads a variable, all of it or some of its rows.

    ``node`` is named by the calls that lead to it: ``loop[body] > call > embedding_lookup``."""

    variable: str
    node: str
    op: str


class CopiedRecord(msgspec.Struct, frozen=True):
    """Functions that were copied for calls which are given what is frozen.

    ``functions`` has the original's name by that of each copy; ``operations`` counts by op what the
    copies have besides, stops and masks. ``others`` are new functions that the train_op brought."""

    functions: dict[str, str] = {}
    operations: dict[str, int] = {}
    others: int = 0


def copied_from(name: str) -> str | None:
    """Return the name of the function that one is a copy of, by its own name; None if of none."""
    match = _COPY.fullmatch(name)
    return None if match is None else match.group(1)
