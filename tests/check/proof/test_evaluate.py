"""Small parts of a graph, computed: what holds for ids that nobody knows yet."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphfreeze.check.proof.evaluate import Evaluator
from graphfreeze.check.proof.per_id import FLAT, OWN, PerId
from graphfreeze.model.names import TensorRef, parse_ref
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.builder import Builder
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.row_nodes import is_among_rows, row_ids, row_range
from graphfreeze.schema import types_pb2
from graphfreeze.selection.rows import RowSet

INT32, INT64 = types_pb2.DT_INT32, types_pb2.DT_INT64


@st.composite
def row_sets(draw: st.DrawFn) -> RowSet:
    """Draw rows of a table, in all forms that they are kept in."""
    mask = np.array(draw(st.lists(st.booleans(), min_size=1, max_size=120)))
    few = draw(st.sampled_from(["any", "interval", "head", "tail"]))
    ends = sorted(draw(st.tuples(st.integers(0, mask.size - 1), st.integers(0, mask.size - 1))))
    if few != "any":
        mask[:] = False
        mask[ends[0] if few != "head" else 0 : None if few == "tail" else ends[1] + 1] = True
    mask[draw(st.integers(0, mask.size - 1))] = True  # a set without a row is never built
    return RowSet.from_mask(mask)


def built(build: Builder) -> Evaluator:
    draft = Draft(parse_sketch("ids = Placeholder() {dtype: int32}"))
    for edit in build.edits:
        draft.apply(edit)
    return Evaluator(draft.graph)


@given(rows=row_sets(), dtype=st.sampled_from([INT32, INT64]), form=st.sampled_from([OWN, FLAT]))
def test_tests_of_ids_agree_with_sets(rows: RowSet, dtype: int, form: str) -> None:
    build, ids = Builder("w"), TensorRef("ids")
    test = is_among_rows(build, rows, ids, dtype)
    every = np.arange(rows.height)
    found = built(build).with_given({ids: PerId(every, form)}).find(test)
    assert isinstance(found, PerId)
    assert found.form == form
    assert found.values.tolist() == rows.mask().tolist()
    drawn = np.random.default_rng(0).integers(0, rows.height, (3, 5))
    flat = built(build).with_given({ids: drawn}).find(test)
    assert np.array_equal(flat, rows.mask()[drawn])  # type: ignore[arg-type]


@given(rows=row_sets(), step=st.integers(1, 5))
def test_ids_of_rows_agree_with_sets(rows: RowSet, step: int) -> None:
    build = Builder("w")
    some, every = row_ids(build, rows), row_range(build.within("all"), 0, rows.height, step)
    evaluator = built(build)
    assert np.array_equal(evaluator.find(some), np.flatnonzero(rows.mask()))  # type: ignore[arg-type]
    assert np.array_equal(evaluator.find(every), np.arange(0, rows.height, step))  # type: ignore[arg-type]


# what is computed of ids 0..3, and what comes of it; None where ids are mixed or nothing is known
BY_ID = {
    "a sum": ("y = Add(ids, two)", [2, 3, 4, 5]),
    "a sum with itself": ("y = Add(ids, ids)", [0, 2, 4, 6]),
    "a table": ("y = Gather(table, ids)", [5, 6, 7, 8]),
    "rows of a table": ("y = Gather(square, ids)", [[0, 1], [2, 3], [4, 5], [6, 7]]),
    "there and back": ("s = Shape(ids)\nr = Reshape(ids, row)\ny = Reshape(r, s)", [0, 1, 2, 3]),
    "an axis more": ("y = ExpandDims(ids, last)", [[0], [1], [2], [3]]),
    "an axis in front": ("zero = Const() {value: 0}\ny = ExpandDims(ids, zero)", None),
    "a row and its ids": ("r = Reshape(ids, row)\ny = Add(r, ids)", None),
    "one for each place": ("y = Add(ids, table)", None),
    "a table that is too short": ("y = Gather(short, ids)", None),
    "an id before the table": ("m = Sub(ids, two)\ny = Gather(table, m)", None),
    "another shape": ("pairs = Const() {value: [2, 2]}\ny = Reshape(ids, pairs)", None),
    "as many as there are": ("y = Size(ids)", None),
    "the places": ("b = Less(ids, two)\ny = Where(b)", None),
    "another tensor": ("z = Placeholder() {dtype: int32}\ny = Add(ids, z)", None),
    "a range without a step": ("n = Sub(two, two)\ny = Range(n, two, n)", None),
    "an op that is not known": ("y = Neg(ids)", None),
}
GIVEN = """
ids = Placeholder() {dtype: int32}
two = Const() {value: 2}
last = Const() {value: -1}
row = Const() {value: [1, -1]}
table = Const() {value: [5, 6, 7, 8]}
short = Const() {value: [5, 6, 7]}
square = Const() {value: [[0, 1], [2, 3], [4, 5], [6, 7]]}
"""


@pytest.mark.parametrize(("text", "values"), BY_ID.values(), ids=BY_ID)
def test_by_id(text: str, values: list[object] | None) -> None:
    evaluator = Evaluator(parse_sketch(GIVEN + text).graph)
    found = evaluator.with_given({TensorRef("ids"): PerId(np.arange(4), OWN)}).find(parse_ref("y"))
    if values is None:
        assert found is None
    else:
        assert isinstance(found, PerId)
        assert (found.values.tolist(), found.form) == (values, OWN)


# a constant part of a graph, and its value
CONSTANT = {
    "the last value stands for more": ("y = Const() {shape: [3], value: 7}", [7, 7, 7]),
    "no values": ("y = Const() {dtype: int64, shape: [0], value: []}", []),
    "a range": ("a = Const() {value: 1}\nb = Const() {value: 8}\nc = Const() {value: 3}\n"
                "y = Range(a, b, c)", [1, 4, 7]),
    "a strided slice": (
        "x = Const() {value: [[1, 2, 3], [4, 5, 6]]}\na = Const() {value: [1, 0]}\n"
        "b = Const() {value: [2, 0]}\nc = Const() {value: [1, 2]}\n"
        "y = StridedSlice(x, a, b, c) {shrink_axis_mask: 1, end_mask: 2}",
        [4, 6],
    ),
    "a gather in batches": (
        "x = Const() {value: [[1, 2], [3, 4]]}\ni = Const() {value: [[1, 1], [0, 1]]}\n"
        "a = Const() {value: 1}\ny = GatherV2(x, i, a) {batch_dims: 1}",
        [[2, 2], [3, 4]],
    ),
    "text": ('y = Const() {value: "x"}', None),
    "an input": ("y = Placeholder()", None),
    "shapes that do not fit": (
        "x = Const() {value: [1, 2]}\nz = Const() {value: [1, 2, 3]}\ny = Add(x, z)", None
    ),
    "a loop": ("y = Identity(z)\nz = Identity(y)", None),
}  # fmt: skip


@pytest.mark.parametrize(("text", "value"), CONSTANT.values(), ids=CONSTANT)
def test_constants(text: str, value: list[object] | None) -> None:
    found = Evaluator(parse_sketch(text).graph).find(parse_ref("y"))
    assert (found if found is None else found.tolist()) == value  # type: ignore[union-attr]
