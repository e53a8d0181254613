"""Schedules of the learning rate, as they are asked for; ``rates`` builds them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType

from graphfreeze.errors import TrainError
from graphfreeze.train.ranges import FROM_ZERO, POSITIVE, single

_MOST_STEPS = 2**63 - 1  # that an int64 counts
_FLAGS = MappingProxyType({"true": True, "false": False})
_WANTED: Mapping[str, str] = MappingProxyType(
    {
        "steps": "a whole number of steps from 1 on (as int64)",
        "warmup": "a whole number of steps from 0 on (as int64)",
        "end": "a learning rate from 0 on (as float32)",
        "power": POSITIVE.text,
        "rate": POSITIVE.text,
        "alpha": "a number from 0 to 1",
        "cycle": "true or false",
        "staircase": "true or false",
    }
)
_PIECE = _WANTED["end"]
# The keys of each kind, with what holds where one is left out; None has to be given.
KINDS: Mapping[str, Mapping[str, float | bool | None]] = MappingProxyType(
    {
        "constant": {},
        "polynomial": {"steps": None, "end": 0.0, "power": 1.0, "cycle": False},
        "exponential": {"steps": None, "rate": None, "staircase": False},
        "cosine": {"steps": None, "alpha": 0.0},
        "piecewise": {},
    }
)


@dataclass(frozen=True)
class Schedule:
    """How the learning rate goes with the global step.

    ===========  ==============================================================================
    constant     as it is
    polynomial   to ``end`` in ``steps``, by the ``power``; anew after them if ``cycle``
    exponential  times ``rate`` every ``steps``, at once if ``staircase``
    cosine       to ``alpha`` times itself in ``steps``
    piecewise    ``pieces``: from each step on, the rate that stands beside it
    ===========  ==============================================================================

    In the first ``warmup`` steps it rises in a line from 0 instead, as BERT's does: after them it
    is what it would be without. Raises TrainError."""

    kind: str = "constant"
    steps: int | None = None
    end: float | None = None
    power: float | None = None
    cycle: bool | None = None
    rate: float | None = None
    staircase: bool | None = None
    alpha: float | None = None
    pieces: tuple[tuple[int, float], ...] = ()
    warmup: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise TrainError.unknown_schedule(self.kind, KINDS)
        for key, value in self._given().items():
            if key not in {*KINDS[self.kind], "warmup"}:
                raise TrainError.unknown_schedule_key(self.kind, key, _keys(self.kind))
            if not _is_good(key, value):
                raise TrainError.bad_schedule_value(self.kind, key, value, wanted=_WANTED[key])
        for key, otherwise in KINDS[self.kind].items():
            if getattr(self, key) is None and otherwise is None:
                raise TrainError.missing_schedule_key(self.kind, key)
        self._check_pieces()

    def __getitem__(self, key: str) -> float | bool:
        """Return a value, or what holds where it was left out."""
        value: float | bool | None = getattr(self, key)
        chosen = KINDS[self.kind][key] if value is None else value
        assert chosen is not None, key
        return chosen

    def __str__(self) -> str:
        """Return the text that ``parse_schedule`` takes, with every key."""
        pairs: dict[str, float | bool] = {str(step): rate for step, rate in self.pieces}
        pairs |= {key: self[key] for key in KINDS[self.kind]}
        pairs |= {"warmup": self.warmup} if self.warmup else {}
        told = ",".join(f"{key}={_text(value)}" for key, value in pairs.items())
        return f"{self.kind}:{told}" if told else self.kind

    @property
    def leads_to_zero(self) -> str | None:
        """The key by which the learning rate is 0 at some step, None if it never is."""
        last = {"polynomial": "end", "cosine": "alpha"}.get(self.kind)
        keys = {"warmup": not self.warmup, **({last: self[last]} if last else {})}
        keys |= {str(step): rate for step, rate in self.pieces}
        return next((key for key, value in keys.items() if single(value) == 0), None)

    def _given(self) -> dict[str, float | bool]:
        found = {f.name: getattr(self, f.name) for f in fields(self) if f.name in _WANTED}
        return {k: v for k, v in found.items() if v is not None and (k, v) != ("warmup", 0)}

    def _check_pieces(self) -> None:
        if self.pieces and self.kind != "piecewise":
            first = str(self.pieces[0][0])
            raise TrainError.unknown_schedule_key(self.kind, first, _keys(self.kind))
        if self.kind == "piecewise" and not self.pieces:
            raise TrainError.missing_schedule_key(self.kind, "1000")
        for step, rate in self.pieces:
            if not _is_good("end", rate):
                raise TrainError.bad_schedule_value(self.kind, str(step), rate, wanted=_PIECE)
        steps = [step for step, _ in self.pieces]
        if any(not 0 <= s <= _MOST_STEPS for s in steps) or sorted(set(steps)) != steps:
            wanted = "steps from 0 on that rise (as int64)"
            told = ", ".join(map(str, steps))
            raise TrainError.bad_schedule_value(self.kind, "the steps", told, wanted=wanted)


def parse_schedule(text: str) -> Schedule:
    """Return the schedule that ``KIND:key=value,...`` spells; raises TrainError."""
    kind, _, rest = text.partition(":")
    if kind not in KINDS:
        raise TrainError.unknown_schedule(kind, KINDS)
    values: dict[str, float | bool] = {}
    pieces: list[tuple[int, float]] = []
    for part in filter(None, rest.split(",")):
        key, _, value = part.partition("=")
        if kind == "piecewise" and key.isdecimal():
            pieces.append((int(key), _number(kind, key, value, _PIECE)))
        elif key not in _keys(kind):
            raise TrainError.unknown_schedule_key(kind, key, _keys(kind))
        elif key in values:
            raise TrainError.bad_schedule_value(kind, key, value, wanted="given once")
        else:
            values[key] = _value(kind, key, value)
    return Schedule(kind, pieces=tuple(pieces), **values)  # type: ignore[arg-type]


def _value(kind: str, key: str, text: str) -> float | bool:
    if key in ("cycle", "staircase"):
        if text not in _FLAGS:
            raise TrainError.bad_schedule_value(kind, key, text, wanted=_WANTED[key])
        return _FLAGS[text]
    if key in ("steps", "warmup") and text.isdecimal():
        return int(text)
    return _number(kind, key, text, _WANTED[key])


def _number(kind: str, key: str, text: str, wanted: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise TrainError.bad_schedule_value(kind, key, text, wanted=wanted) from None


def _is_good(key: str, value: object) -> bool:
    """Tell whether a value is what ``_WANTED`` says."""
    if key in ("cycle", "staircase"):
        return isinstance(value, bool)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return False
    if key in ("steps", "warmup"):
        return isinstance(value, int) and (key == "steps") <= value <= _MOST_STEPS
    if key in ("power", "rate"):
        return POSITIVE.holds(value)
    return FROM_ZERO.holds(value) and (key != "alpha" or value <= 1)


def _keys(kind: str) -> list[str]:
    return [*KINDS[kind], "warmup"]


def _text(value: float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:.12g}"
