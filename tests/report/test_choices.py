"""What a record tells of a variable's entries; read back, it is the very same mask."""

import json

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphfreeze.model.frozen_mask import decode_mask, encode_mask, frozen_mask
from graphfreeze.model.records import ScaleRecord, VariableRecord
from graphfreeze.model.tables import Part, Table
from graphfreeze.model.variables import Variable
from graphfreeze.report.choices import choice_records
from graphfreeze.rewrite.mask_kernels import Kernel
from graphfreeze.selection.entries import Entries
from graphfreeze.selection.entry_arrays import Scale
from graphfreeze.selection.resolve import FROZEN, PARTLY, TRAINABLE, Choice, Selection
from graphfreeze.selection.rows import RowSet

FLOAT = 1


def variable(shape: tuple[int, ...], name: str = "table") -> Variable:
    return Variable(name, "ref", FLOAT, shape, None, True, False)


def rows(height: int, *edges: int) -> RowSet:
    return RowSet(height, np.array(edges, np.int64).tobytes())


def record(choice: Choice, **more: object) -> VariableRecord:
    selection = Selection((choice,), (), **more)
    kernels = {choice.variable.name: Kernel("select", "it holds inf values")}
    (told,) = choice_records(selection, kernels, ())
    return told


def partly(entries: Entries) -> VariableRecord:
    return record(Choice(variable(entries.shape), PARTLY, "", entries))


CHESS = np.indices((4, 6)).sum(0) % 2 == 0
ENTRIES = {
    "rows": (
        Entries((6, 3), {0: rows(6, 0, 2, 5, 6)}),
        {"frozen_rows": 3, "rows": 6, "frozen_ranges": [[0, 2], [5, 6]], "frozen_elements": 9},
    ),
    "columns": (
        Entries((6, 3), {1: rows(3, 1, 2)}),
        {"frozen_rows": None, "frozen_along": {1: [[1, 2]]}, "frozen_elements": 6},
    ),
    "rows and columns": (
        Entries((6, 3), {0: rows(6, 0, 2), 1: rows(3, 1, 2)}),
        {"frozen_ranges": [[0, 2]], "frozen_along": {1: [[1, 2]]}, "frozen_elements": 10},
    ),
    "an axis between": (
        Entries((2, 4, 3), {1: rows(4, 3, 4)}),
        {"frozen_along": {1: [[3, 4]]}, "frozen_elements": 6, "element_mask": None},
    ),
    "rank 1": (Entries((5,), {0: rows(5, 1, 3)}), {"frozen_ranges": [[1, 3]], "rows": 5}),
    "elements": (
        Entries((4, 6), {}, CHESS),
        {"frozen_elements": 12, "frozen_rows": None, "frozen_along": None},
    ),
    "elements and rows": (
        Entries((4, 6), {0: rows(4, 0, 1)}, CHESS),
        {"frozen_elements": 15, "frozen_ranges": [[0, 1]]},
    ),
}


@pytest.mark.parametrize(("entries", "told"), ENTRIES.values(), ids=ENTRIES)
def test_entries(entries: Entries, told: dict[str, object]) -> None:
    found = partly(entries)
    assert {name: getattr(found, name) for name in told} == told
    assert (found.element_mask is None) == (entries.elements is None)
    assert (found.strategy, found.kernel) == ("mask", "select")


@pytest.mark.parametrize(("entries", "_told"), ENTRIES.values(), ids=ENTRIES)
def test_the_mask_comes_back_from_json(entries: Entries, _told: object) -> None:
    text = json.dumps(json.loads(msgspec.json.encode(partly(entries))))
    back = msgspec.json.decode(text, type=VariableRecord)
    np.testing.assert_array_equal(frozen_mask(back), entries.mask())


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_any_mask_comes_back(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=3)))
    seed = data.draw(st.integers(0, 999))
    rng, share = np.random.default_rng(seed), data.draw(st.sampled_from([0.1, 0.5, 0.9]))
    along = {
        axis: RowSet.from_mask(rng.random(size) < share)
        for axis, size in enumerate(shape)
        if data.draw(st.booleans())
    }
    elements = rng.random(shape) < share if data.draw(st.booleans()) else None
    entries = Entries(shape, along, elements)
    np.testing.assert_array_equal(frozen_mask(partly(entries)), entries.mask())
    np.testing.assert_array_equal(decode_mask(encode_mask(entries.mask()), shape), entries.mask())


@pytest.mark.parametrize(("state", "is_frozen"), [(FROZEN, True), (TRAINABLE, False)])
def test_a_whole_variable(state: str, is_frozen: bool) -> None:
    found = record(Choice(variable((2, 3)), state))
    assert (frozen_mask(found) == np.full((2, 3), is_frozen)).all()
    assert (found.strategy, found.kernel, found.frozen_elements) == (None, None, None)


DAMAGED = {
    "no base64": ("?", "no mask"),
    "no zlib": ("AAAA", "no mask"),
    "too short": (encode_mask(np.ones((2, 2), np.bool_)), "no mask of 24 entries: it has 8 bits"),
}


@pytest.mark.parametrize(("text", "told"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_mask(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        decode_mask(text, (4, 6))


def test_an_unknown_shape_has_no_mask() -> None:
    found = msgspec.structs.replace(partly(ENTRIES["rows"][0]), shape=[None, 3])
    with pytest.raises(ValueError, match="shape of table is not known"):
        frozen_mask(found)


def test_factors() -> None:
    scale = Scale(np.array([0, 0.25, 1, 0.5]))
    choice = Choice(variable((4, 2)), TRAINABLE, "", None, scale)
    assert record(choice).row_scale == ScaleRecord(2, 0.25, 0.5)
    assert record(choice).strategy == "mask"


def test_an_overlay_has_no_kernel() -> None:
    entries = Entries((6, 3), {0: rows(6, 0, 2)})
    found = record(Choice(variable((6, 3)), PARTLY, "", entries, None, True))
    assert (found.strategy, found.kernel) == ("overlay", None)
    assert found.overlay_rows == "table/graphfreeze/rows"


def test_a_part_tells_its_place() -> None:
    first, second = variable((3, 2), "t/part_0"), variable((2, 2), "t/part_1")
    table = Table("t", (5, 2), (Part(first, (0, 0)), Part(second, (3, 0))))
    found = record(Choice(second, FROZEN), tables=(table,))
    assert (found.partition_of, found.part_offset) == ("t", [3, 0])
    alone = Table("table", (5, 2), (Part(variable((5, 2)), (0, 0)),))
    assert record(Choice(variable((5, 2)), FROZEN), tables=(alone,)).partition_of is None
