import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from graphfreeze.selection.entries import Entries
from graphfreeze.selection.rows import RowSet

SHAPE = (4, 3)
Mask = npt.NDArray[np.bool_]


def mask(*rows: str) -> Mask:
    """Read a mask, x for a frozen entry: ``x.. ...``."""
    return np.array([[letter == "x" for letter in row] for row in rows])


def rows(*chosen: int, height: int = 4) -> RowSet:
    return RowSet.from_mask(np.isin(np.arange(height), chosen))


# mask, then the axes it is kept by and whether it needs single elements
FORMS = {
    "rows": (mask("xxx", "...", "xxx", "..."), {0: [0, 2]}, False),
    "rows, broadcast": (mask("x", ".", "x", "."), {0: [0, 2]}, False),
    "columns": (mask("x.x"), {1: [0, 2]}, False),
    "columns, a vector": (np.array([True, False, True]), {1: [0, 2]}, False),
    "all": (np.array(True), {0: [0, 1, 2, 3]}, False),
    "none": (np.zeros(SHAPE, bool), {}, False),
    "elements": (mask("x..", "...", "..x", "..."), {}, True),
    "a cross": (mask("xxx", ".x.", ".x.", ".x."), {}, True),
}


@pytest.mark.parametrize(("given_mask", "along", "has_elements"), FORMS.values(), ids=FORMS)
def test_smallest_form(given_mask: Mask, along: dict[int, list[int]], has_elements: bool) -> None:
    entries = Entries.of_mask(given_mask, SHAPE)
    found = {a: np.flatnonzero(places.mask()).tolist() for a, places in entries.along.items()}
    assert found == along
    assert (entries.elements is not None) == has_elements
    assert (entries.rows is not None) == (not has_elements and 1 not in along)
    np.testing.assert_array_equal(entries.mask(), np.broadcast_to(given_mask, SHAPE))


UNFIT = {"too long": np.zeros((5, 3), bool), "too many axes": np.zeros((2, 4, 3), bool)}


@pytest.mark.parametrize("unfit", UNFIT.values(), ids=UNFIT)
def test_mask_that_does_not_broadcast(unfit: Mask) -> None:
    with pytest.raises(ValueError, match=r"broadcast|more dimensions"):
        Entries.of_mask(unfit, SHAPE)


def test_rows_and_columns_together() -> None:
    entries = Entries.of_rows(rows(1), SHAPE).union(Entries(SHAPE, {1: rows(0, height=3)}))
    assert entries.rows is None
    assert entries.count == 3 + 3
    np.testing.assert_array_equal(entries.mask(), mask("x..", "xxx", "x..", "x.."))


MASKS = arrays.array_shapes(min_dims=1, max_dims=3, max_side=4).flatmap(
    lambda shape: st.tuples(arrays.arrays(np.bool_, shape), arrays.arrays(np.bool_, shape))
)


@given(MASKS)
def test_algebra_agrees_with_numpy(pair: tuple[Mask, Mask]) -> None:
    one, other = pair
    first, second = (Entries.of_mask(each, one.shape) for each in pair)
    both = first.union(second)
    np.testing.assert_array_equal(both.mask(), one | other)
    assert both.count == np.count_nonzero(one | other)
    assert both.is_full == (one | other).all()
    assert both.is_empty == (not (one | other).any())
    broadcast = [np.broadcast_to(each, one.shape) for each in both.masks()]
    np.testing.assert_array_equal(np.any([np.zeros_like(one), *broadcast], axis=0), one | other)


@given(MASKS, st.data())
def test_part_agrees_with_a_slice(pair: tuple[Mask, Mask], data: st.DataObject) -> None:
    one, other = pair
    entries = Entries.of_mask(one, one.shape).union(Entries.of_mask(other, one.shape))
    starts = tuple(data.draw(st.integers(0, size - 1)) for size in one.shape)
    sizes = tuple(data.draw(st.integers(1, n - s)) for n, s in zip(one.shape, starts, strict=True))
    spans = tuple(slice(s, s + n) for s, n in zip(starts, sizes, strict=True))
    np.testing.assert_array_equal(entries.part(starts, sizes).mask(), (one | other)[spans])
