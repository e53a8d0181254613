"""What is told of a patch: JSON records."""

import msgspec


class WriterRecord(msgspec.Struct, frozen=True):
    """A node that writes a variable, and its op before the patch."""

    writer: str
    op: str
    variable: str


class PatchRecord(msgspec.Struct, frozen=True):
    """What a patch did to the training that a graph has.

    ``steps`` are the nodes that run a training step; ``is_named`` says that they were asked for,
    otherwise they are all that there are. ``stopped`` no longer write, ``kept_to_entries`` write
    what learns of a partly frozen variable alone. ``slots_stopped`` served nothing but what is
    frozen now. ``norms`` counts by the node of a global norm the gradients that it no longer
    counts, or no longer in full. ``needless`` counts the nodes that a step need not compute any
    more. ``still_writing`` are writers of frozen variables that go on although they are neither
    initializers nor of a restore: they store values that come from outside, or belong to steps
    that were not asked for."""

    steps: list[str]
    is_named: bool
    stopped: list[WriterRecord]
    kept_to_entries: list[WriterRecord]
    slots_stopped: list[str]
    norms: dict[str, int]
    needless: int
    still_writing: list[WriterRecord]
