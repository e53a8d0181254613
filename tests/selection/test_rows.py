"""Check row sets against numpy's boolean arrays."""

import contextlib
import re

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphfreeze.errors import SelectionError
from graphfreeze.selection.rows import RowSet, parse_rows

Mask = npt.NDArray[np.bool_]

CASES = {
    "one row": ("7", [[7, 8]]),
    "last row": ("-1", [[9, 10]]),
    "first row, from behind": ("-10", [[0, 1]]),
    "range": ("2:5", [[2, 5]]),
    "to the end": ("-3:", [[7, 10]]),
    "from the start": (":3", [[0, 3]]),
    "all": (":", [[0, 10]]),
    "up to the height": ("8:10", [[8, 10]]),
    "from the height below": ("-10:2", [[0, 2]]),
    "several": ("0:2,5,-2:", [[0, 2], [5, 6], [8, 10]]),
    "any order": ("-2:,5,0:2", [[0, 2], [5, 6], [8, 10]]),
    "neighbours merge": ("0:2,2:4,4", [[0, 5]]),
    "overlaps merge": ("0:6,2:4,3,5:7", [[0, 7]]),
    "step": ("1::4", [[1, 2], [5, 6], [9, 10]]),
    "step over a bound": ("0:5:2", [[0, 1], [2, 3], [4, 5]]),
    "step of one": ("1:3:1", [[1, 3]]),
    "steps that interlock": ("::2,1::2", [[0, 10]]),
    "backwards": ("5:1:-1", [[2, 6]]),
    "backwards in steps": ("::-4", [[1, 2], [5, 6], [9, 10]]),
    "spaces": (" 0 : 2 ,\t5 , -2 : ", [[0, 2], [5, 6], [8, 10]]),
}


@pytest.mark.parametrize(("text", "intervals"), CASES.values(), ids=CASES)
def test_text_picks_rows(text: str, intervals: list[list[int]]) -> None:
    assert parse_rows(text, 10, variable="table").intervals.tolist() == intervals


MALFORMED = {
    "empty": ("", "bad rows '' for 'table': it is empty"),
    "blank": ("  ", "it is empty"),
    "missing piece": ("1,,2", "a row or range is missing"),
    "trailing comma": ("1,", "a row or range is missing"),
    "word": ("1,two", "bad rows 'two' for 'table': no row"),
    "two numbers": ("1 2", "bad rows '1 2' for 'table': no row"),
    "split sign": ("- 1", "bad rows '- 1' for 'table': no row"),
    "four numbers": ("1:2:3:4", "bad rows '1:2:3:4' for 'table': no row"),
    "fraction": ("1.5", "bad rows '1.5' for 'table': no row"),
    "foreign digits": ("٣", "for 'table': no row"),
    "no step": ("1:5:0", "its step is 0"),
    "row past the end": ("3,10", "rows '10' lie outside 'table', which has 10 rows"),
    "row before the start": ("-11", "rows '-11' lie outside 'table', which has 10 rows"),
    "start past the end": ("11:", "rows '11:' lie outside"),
    "stop past the end": ("0:2,5:11", "rows '5:11' lie outside"),
    "stop before the start": (":-11:-1", "rows ':-11:-1' lie outside"),
    "enormous": ("9" * 18, "lie outside"),
    "empty range": ("5:5", "rows '5:5' select none of 'table', which has 10 rows"),
    "range runs backwards": ("1,7:3", "rows '7:3' select none of"),
    "range crosses itself": ("-2:-5", "rows '-2:-5' select none of"),
    "range behind the last row": ("10:", "rows '10:' select none of"),
    "step against the range": ("1:5:-1", "rows '1:5:-1' select none of"),
}


@pytest.mark.parametrize(("text", "message"), MALFORMED.values(), ids=MALFORMED)
def test_malformed_rows_say_why(text: str, message: str) -> None:
    with pytest.raises(SelectionError, match=re.escape(message)) as caught:
        parse_rows(text, 10, variable="table")
    assert len(str(caught.value).splitlines()) == 1


def test_table_without_rows() -> None:
    with pytest.raises(SelectionError, match="select none of"):
        parse_rows(":", 0, variable="table")
    rows = RowSet.empty(0)
    assert (rows.is_empty, rows.is_full, rows.mask().size) == (True, True, 0)
    assert rows == rows.complement() == RowSet.full(0)


def test_wrong_arrays_are_refused() -> None:
    with pytest.raises(ValueError, match=re.escape("not int64 [2]")):
        RowSet.from_mask(np.array([0, 1]))
    with pytest.raises(ValueError, match=re.escape("not bool [1, 2]")):
        RowSet.from_mask(np.zeros((1, 2), np.bool_))


EDGES = {
    "odd": [1],
    "falling": [3, 1],
    "empty interval": [2, 2],
    "not merged": [0, 2, 2, 4],
    "past the height": [3, 11],
    "negative": [-1, 2],
}


@pytest.mark.parametrize("edges", EDGES.values(), ids=EDGES)
def test_edges_must_rise(edges: list[int]) -> None:
    with pytest.raises(ValueError, match=re.escape("rise within 0..10")):
        RowSet(10, np.array(edges, np.int64).tobytes())


def test_heights_must_agree() -> None:
    for combine in (RowSet.union, RowSet.intersection):
        with pytest.raises(ValueError, match="of 3 and 4 rows"):
            combine(RowSet.full(3), RowSet.full(4))


def test_row_set_is_a_small_value() -> None:
    rows = parse_rows("0:1000,1012,-5:", 2_000_000, variable="table")
    assert rows == RowSet.from_mask(rows.mask())
    assert len({rows, RowSet.from_mask(rows.mask())}) == 1
    assert rows != rows.complement() != RowSet.full(2_000_000)
    assert rows != parse_rows("0:1000,1012,-5:", 2_000_000 - 1, variable="table")
    assert (rows.count, len(rows.edges)) == (1006, 48)
    assert repr(rows) == "RowSet(0:1000, 1012:1013, 1999995:2000000 of 2000000)"
    assert repr(parse_rows("::2", 20, variable="t")).endswith("14:15, ... of 20)")
    with pytest.raises(ValueError, match="read-only"):
        rows.intervals[0, 0] = 1


def test_scattered_rows_of_a_large_table() -> None:
    mask = np.random.default_rng(0).random(2_000_000) < 0.5
    rows = RowSet.from_mask(mask)
    assert rows.count == mask.sum()
    np.testing.assert_array_equal(rows.complement().mask(), ~mask)
    assert rows.union(rows.complement()).is_full
    assert rows.intersection(rows.complement()).is_empty


HEIGHT = 12
MASKS = st.lists(st.booleans(), min_size=HEIGHT, max_size=HEIGHT).map(
    lambda rows: np.array(rows, np.bool_)
)
BOUNDS = st.none() | st.integers(-HEIGHT, HEIGHT)
SLICES = st.builds(slice, BOUNDS, BOUNDS, st.none() | st.integers(-5, 5).filter(bool))


@given(MASKS, MASKS)
def test_sets_agree_with_masks(one: Mask, two: Mask) -> None:
    a, b = RowSet.from_mask(one), RowSet.from_mask(two)
    np.testing.assert_array_equal(a.mask(), one)
    np.testing.assert_array_equal(a.complement().mask(), ~one)
    np.testing.assert_array_equal(a.union(b).mask(), one | two)
    np.testing.assert_array_equal(a.intersection(b).mask(), one & two)
    assert (a == b) == np.array_equal(one, two)
    assert a.complement().complement() == a


@given(MASKS)
def test_figures_agree_with_mask(mask: Mask) -> None:
    rows = RowSet.from_mask(mask)
    assert (rows.count, rows.is_empty, rows.is_full) == (
        int(mask.sum()),
        not mask.any(),
        bool(mask.all()),
    )
    assert [row for row in range(-2, HEIGHT + 2) if row in rows] == np.flatnonzero(mask).tolist()


def _spell(part: slice) -> str:
    start, stop, step = ("" if n is None else str(n) for n in (part.start, part.stop, part.step))
    return f"{start}:{stop}:{step}" if step else f"{start}:{stop}"


@given(st.lists(SLICES, min_size=1, max_size=4))
def test_ranges_agree_with_numpy(parts: list[slice]) -> None:
    picked = [np.arange(HEIGHT)[part] for part in parts]
    text = ",".join(map(_spell, parts))
    if all(ids.size for ids in picked):
        rows = parse_rows(text, HEIGHT, variable="table")
        assert np.flatnonzero(rows.mask()).tolist() == np.unique(np.concatenate(picked)).tolist()
    else:
        with pytest.raises(SelectionError, match="select none of"):
            parse_rows(text, HEIGHT, variable="table")


@given(st.text("0123456789:-, x", max_size=10))
def test_any_text_is_rows_or_a_selection_error(text: str) -> None:
    with contextlib.suppress(SelectionError):
        assert not parse_rows(text, HEIGHT, variable="table").is_empty
