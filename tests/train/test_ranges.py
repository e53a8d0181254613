import math

import pytest

from graphfreeze.train.ranges import FROM_ZERO, POSITIVE, SHARE, TO_ZERO, Range, single

# a range, and which numbers it takes
RANGES: dict[str, tuple[Range, dict[float | bool, bool]]] = {
    "share": (SHARE, {0.0: True, 0.999: True, 0.99999999: False, -0.1: False, math.nan: False}),
    "positive": (POSITIVE, {1e-30: True, 0.0: False, 1e-50: False, 1e39: False, math.inf: False}),
    "from zero": (FROM_ZERO, {0.0: True, -1e-3: False, 1e39: False, True: False}),
    "up to zero": (TO_ZERO, {0.0: True, -0.5: True, 1e-3: False, -1e39: False, -math.inf: False}),
}


@pytest.mark.parametrize(("wanted", "numbers"), RANGES.values(), ids=RANGES)
def test_range(wanted: Range, numbers: dict[float | bool, bool]) -> None:
    assert {number: wanted.holds(number) for number in numbers} == numbers


def test_single_is_what_float32_keeps() -> None:
    assert [single(0.5), single(1e39), single(-1e39), single(1e-50)] == [
        0.5,
        math.inf,
        -math.inf,
        0,
    ]
