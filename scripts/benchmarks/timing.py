"""Step times of things that run in turn, so that what else the machine does hits them alike."""

from collections.abc import Mapping

import numpy as np

from benchmarks.model import BATCH
from benchmarks.trial import Trial
from benchmarks.variants import ALL, Frozen

MOST_STEPS, LEAST_SECONDS = 20, 0.01  # of a round, for each variant
LEAST_ROUNDS, ENOUGH_SECONDS = 5, 4.0  # what is slow takes part in no more rounds then


def measure(trials: Mapping[str, Trial], height: int, frozen: Frozen, rounds: int) -> dict:
    """Return a record of each variant.

    ``ms`` is the milliseconds of a step: the median of the rounds, between its ``quartiles_ms``;
    ``ratios`` are those to other variants: each the median of the ratios within a round."""
    for name, trial in trials.items():
        _check(name, trial.moved(), height, frozen)
    times = _rounds(trials, height, rounds)
    return {name: _record(name, times) for name in trials}


def _rounds(trials: Mapping[str, Trial], height: int, rounds: int) -> dict[str, list[float]]:
    """Return by variant the milliseconds that a step typically took in each round."""
    draw = np.random.default_rng(height)
    pool = [draw.integers(height, size=BATCH, dtype=np.int32) for _ in range(MOST_STEPS)]
    typical = {name: trial.seconds(pool[:1]) for name, trial in trials.items()}
    times: dict[str, list[float]] = {name: [] for name in trials}
    for number in range(rounds):
        for name, trial in trials.items():
            steps = int(np.clip(LEAST_SECONDS / typical[name], 1, MOST_STEPS))
            if number < LEAST_ROUNDS or number * steps * typical[name] < ENOUGH_SECONDS:
                if steps > 1:
                    trial.seconds(pool[:1])  # the variant before it took the caches
                times[name].append(1000 * trial.seconds(pool[:steps]))
    return times


def _record(name: str, times: Mapping[str, list[float]]) -> dict[str, object]:
    own = times[name]
    low, middle, high = (round(float(ms), 4) for ms in np.percentile(own, [25, 50, 75]))
    ratios = {
        other: float(np.median([mine / its for mine, its in zip(own, each, strict=False)]))
        for other, each in times.items()
        if other != name
    }
    return {"ms": middle, "quartiles_ms": [low, high], "rounds": len(own), "ratios": ratios}


def _check(name: str, moved: np.ndarray, height: int, frozen: Frozen) -> None:
    """Refuse to time what does not freeze, or does not train."""
    wanted = [name == ALL or not frozen.is_frozen(row, height) for row in range(BATCH)]
    if moved.tolist() != wanted:
        raise SystemExit(f"{name}: of the first {BATCH} rows other ones moved than are to learn")
