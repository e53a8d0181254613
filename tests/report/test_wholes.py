"""Parts told as one. A part is its offset, its size, and the rows or columns that are frozen."""

import msgspec
import pytest

from graphfreeze.model.records import ScaleRecord, VariableRecord
from graphfreeze.report.lines import entries_text, frozen_count
from graphfreeze.report.wholes import whole_variables

WIDTH, HEIGHT = 4, 10


def part(number: int, offset: list[int], shape: list[int], **more: object) -> VariableRecord:
    return VariableRecord(
        name=f"t/part_{number}",
        kind="ref",
        dtype="float32",
        shape=list(shape),
        parameters=shape[0] * shape[1],
        partition_of="t",
        part_offset=offset,
        **{"state": "trainable", **more},
    )


def rows(*ranges: list[int]) -> dict[str, object]:
    count = sum(stop - start for start, stop in ranges)
    told = {"frozen_rows": count, "rows": 5, "frozen_ranges": list(ranges)}
    return {"state": "partly frozen", "frozen_elements": count * WIDTH, **told}


def columns(*ranges: list[int], height: int = 5) -> dict[str, object]:
    count = sum(stop - start for start, stop in ranges)
    told = {"frozen_along": {1: list(ranges)}, "frozen_elements": count * height}
    return {"state": "partly frozen", **told}


FROZEN: dict[str, object] = {"state": "frozen"}
ELEMENTS = {"state": "partly frozen", "frozen_elements": 7, "element_mask": "x"}
TOP, BOTTOM = ([0, 0], [5, WIDTH]), ([5, 0], [5, WIDTH])
LEFT, RIGHT = ([0, 0], [HEIGHT, 2]), ([0, 2], [HEIGHT, 2])
ONE_ABOVE_THE_OTHER = {
    "rows of both": (rows([0, 2]), rows([1, 3]), "4 of 10 rows", [[0, 2], [6, 8]]),
    "rows that meet": (rows([3, 5]), rows([0, 1]), "3 of 10 rows", [[3, 6]]),
    "one frozen": (FROZEN, {}, "5 of 10 rows", [[0, 5]]),
    "one frozen, one partly": (rows([4, 5]), FROZEN, "6 of 10 rows", [[4, 10]]),
    "columns": (columns([1, 2]), columns([1, 2]), "1 of 4 columns", None),
    "columns, all rows of one": (FROZEN, columns([1, 2]), "25 of 40 elements", None),
    "elements": (ELEMENTS, {}, "7 of 40 elements", None),
}


@pytest.mark.parametrize(
    ("first", "second", "told", "ranges"), ONE_ABOVE_THE_OTHER.values(), ids=ONE_ABOVE_THE_OTHER
)
def test_parts_one_above_the_other(
    first: dict[str, object],
    second: dict[str, object],
    told: str,
    ranges: list[list[int]] | None,
) -> None:
    parts = [part(0, *TOP, **first), part(1, *BOTTOM, **second)]
    (whole,) = whole_variables(parts)
    assert (whole.name, whole.shape, whole.parameters) == ("t", [10, 4], 40)
    assert whole.state == "partly frozen"
    assert entries_text(whole) == told
    assert whole.frozen_ranges == ranges
    assert frozen_count(whole) == sum(map(frozen_count, parts))


def test_parts_side_by_side() -> None:
    half = {**rows([0, 3]), "rows": HEIGHT, "frozen_elements": 6}
    (whole,) = whole_variables([part(0, *LEFT, **half), part(1, *RIGHT, **half)])
    assert (whole.shape, entries_text(whole)) == ([10, 4], "3 of 10 rows")
    assert frozen_count(whole) == 12
    one = columns([1, 2], height=HEIGHT)
    (whole,) = whole_variables([part(0, *LEFT, **FROZEN), part(1, *RIGHT, **one)])
    assert (entries_text(whole), frozen_count(whole)) == ("3 of 4 columns", 30)


@pytest.mark.parametrize("state", ["frozen", "trainable", "not reached", "not trainable"])
def test_parts_that_share_a_state(state: str) -> None:
    (whole,) = whole_variables([part(0, *TOP, state=state), part(1, *BOTTOM, state=state)])
    assert (whole.state, whole.frozen_elements) == (state, None)
    assert frozen_count(whole) == (40 if state == "frozen" else 0)


def test_parts_of_another_fate_stay_apart() -> None:
    parts = [part(0, *TOP, state="not reached"), part(1, *BOTTOM)]
    assert whole_variables(parts) == parts


def test_order_and_others_stay() -> None:
    alone = msgspec.structs.replace(part(7, *TOP), name="w", partition_of=None, part_offset=None)
    parts = [part(0, *TOP, rule="--freeze a"), alone, part(1, *BOTTOM, rule="--freeze b")]
    whole, other = whole_variables(parts)
    assert (whole.name, whole.rule, other) == ("t", "--freeze a --freeze b", alone)


def test_factors_add_up() -> None:
    one, two = ({"row_scale": ScaleRecord(2, low, 0.5)} for low in (0.1, 0.2))
    (whole,) = whole_variables([part(0, *TOP, **one), part(1, *BOTTOM, **two)])
    assert entries_text(whole) == "4 rows scaled by 0.1..0.5"
    (whole,) = whole_variables([part(0, *LEFT, **one), part(1, *RIGHT, **one)])
    assert whole.row_scale == ScaleRecord(2, 0.1, 0.5)
