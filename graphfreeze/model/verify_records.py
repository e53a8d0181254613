"""What is told of a check: JSON records of ``verify``."""

import msgspec

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


class SectionRecord(msgspec.Struct, frozen=True):
    """One part of a check: static, forward, steps, round trip or values.

    ``status`` is passed, failed, or skipped, which ``notes`` give the reason for. A failure is a
    sentence that says what and where."""

    name: str
    status: str
    failures: list[str] = []
    notes: list[str] = []


class FeedRecord(msgspec.Struct, frozen=True):
    """What a placeholder was fed with; ``source`` says which option or which consumer decided."""

    name: str
    dtype: str
    shape: list[int]
    values: str
    source: str


class OutputRecord(msgspec.Struct, frozen=True):
    """A tensor that both graphs compute: how many of its ``elements`` differ in some bit.

    ``largest`` is the largest difference, None where it is no number."""

    name: str
    dtype: str
    elements: int
    different: int
    largest: float | None = None


class ChangeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a variable, or of its entries of one ``state``: frozen or trainable.

    ``moved`` of ``elements`` entries hold other bits, the first at ``first`` (indices), ``rows``
    counts the rows they lie in. ``largest`` is the largest change, None where it is no number.
    ``gradient`` is that of a trainable variable over all steps: given, none, zero, not finite, or
    None where it is not known."""

    name: str
    state: str
    elements: int
    moved: int
    rows: int | None = None
    first: list[int] | None = None
    largest: float | None = 0.0
    gradient: str | None = None


class VerifyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A whole check: its sections in their order, and every figure.

    ``passed`` holds if no section failed."""

    original: str
    out: str
    passed: bool
    sections: list[SectionRecord]
    feeds: list[FeedRecord] = []
    outputs: list[OutputRecord] = []
    steps: int = 0
    seed: int | None = None
    changes: list[ChangeRecord] = []
