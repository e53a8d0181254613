"""Rows of tables take values of their own in the checkpoint."""

import numpy as np
import pytest

from graphfreeze.prepare.set_rows import SetRows
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import SetValue, WithRows
from graphfreeze.rewrite.run import run
from graphfreeze.selection.rows import RowSet

VARIABLES = """
w = VariableV2() {shape: [4, 2]}
p = VariableV2() {shape: [3, 2]}
q = VariableV2() {shape: [2, 2]}
loose = VariableV2() {shape: [4, 2]}
f = Const() {value: "f"}
"""
SAVER = """
keys = Const() {value: ["table", "whole", "whole"]}
slices = Const() {value: ["", "5 2 0,3:0,2", "5 2 3,2:0,2"]}
save/SaveV2 = SaveV2(f, keys, slices, w, p, q)
save/control_dependency = Identity(f, ^save/SaveV2)
save/Const = Const() {value: "f"}
save/restore_all = NoOp()
saver: save
"""
CASES = {
    "a table under another key": (SAVER, "w", "table"),
    "a table that no saver keeps": (SAVER, "loose", "loose"),
    "no saver": ("", "w", "w"),
    "the whole of parts": (SAVER, "whole", "whole"),
}


@pytest.mark.parametrize(("text", "name", "key"), CASES.values(), ids=CASES)
def test_rows_are_set_by_key(text: str, name: str, key: str) -> None:
    rows, values = (
        RowSet.from_mask(np.array([True, False, True, True])),
        np.ones((3, 2)),
    )
    draft = Draft(parse_sketch(VARIABLES + text))
    run(draft, [SetRows({name: (rows, values), "p": (RowSet.empty(3), values)})])
    (edit,) = draft.value_edits
    assert isinstance(edit, SetValue)
    assert isinstance(edit.source, WithRows)
    assert (edit.key, edit.source.rows) == (key, rows)
    assert edit.source.values is values
    assert draft.touched == {}


def test_the_promise_is_checked() -> None:
    draft = Draft(parse_sketch(VARIABLES + SAVER))
    done = SetRows({"w": (RowSet.full(4), np.ones((4, 2)))})
    assert done.verify(draft.base, draft) == "no row of w was set"
