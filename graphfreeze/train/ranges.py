"""Which numbers settings take, seen as the float32 in which TensorFlow keeps them."""

import math
from dataclasses import dataclass

import numpy as np


def single(value: float) -> float:
    """Return what float32 makes of a number: 0 of one too small for it, inf of one too large."""
    with np.errstate(over="ignore", under="ignore"):
        return float(np.float32(value))


@dataclass(frozen=True, slots=True)
class Range:
    """Which numbers an argument takes; ``text`` says so. A bool is no number."""

    text: str
    low: float = -math.inf
    high: float = math.inf
    has_low: bool = False

    def holds(self, value: float | bool) -> bool:
        """Tell whether a value lies in the range, also once it is a float32."""
        if isinstance(value, bool):
            return False
        kept = single(value)
        return (self.low < kept or (self.has_low and kept == self.low)) and kept < self.high


SHARE = Range("a number from 0 on and below 1 (as float32)", 0, 1, has_low=True)
POSITIVE = Range("a positive number (as float32)", 0)
FROM_ZERO = Range("a number from 0 on (as float32)", 0, has_low=True)
TO_ZERO = Range("a finite number up to 0 (as float32)", -math.inf, math.nextafter(0, 1))
