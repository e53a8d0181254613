import numpy as np
import pytest

from graphfreeze.model.attrs import read_numbers
from graphfreeze.rewrite.builder import Builder
from graphfreeze.rewrite.row_nodes import row_ids
from graphfreeze.selection.rows import RowSet, parse_rows

# rows of 100, then the op that gives their ids and the largest constant that it takes
FORMS = {
    "an interval": ("3:7", "Range", 1),
    "few scattered rows": ("3,50,70", "Const", 3),
    "many scattered rows": ("::2", "Reshape", 100),
}


@pytest.mark.parametrize(("rows", "op", "most"), FORMS.values(), ids=FORMS)
def test_ids_of_rows(rows: str, op: str, most: int) -> None:
    build = Builder("w")
    chosen = parse_rows(rows, 100, variable="w")
    found = row_ids(build, chosen)
    nodes = {edit.name: edit for edit in build.edits}
    assert nodes[found.node].op == op
    consts = [edit for edit in build.edits if edit.op == "Const"]
    assert max(read_numbers(each.attrs["value"].tensor).size for each in consts) == most


def test_few_ids_are_the_rows() -> None:
    build = Builder("w")
    row_ids(build, RowSet.from_mask(np.isin(np.arange(100), [3, 50])))
    (const,) = build.edits
    assert read_numbers(const.attrs["value"].tensor).tolist() == [3, 50]
