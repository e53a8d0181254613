import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphfreeze.model.partitions import (
    DIV,
    MOD,
    find_strategies,
    has_parts_of_rows,
    stored_rows,
)
from graphfreeze.model.tables import Part, Table
from graphfreeze.read.sketch import parse_sketch

IDS = "ids = Placeholder() {dtype: int64}\nn = Const() {dtype: int64, value: 2}\n"
TABLES = {
    "ref": "w = VariableV2() {shape: [2, 2]}\nw/read = Identity(w)\n",
    "resource": "w = VarHandleOp() {shape: [2, 2]}\nw/read = ReadVariableOp(w)\n",
}
MOD_IDS = (
    "p = FloorMod(ids, n)\nq = FloorDiv(ids, n)\nd = DynamicPartition(q, p) {num_partitions: 2}\n"
)
DIV_IDS = MOD_IDS.replace("FloorMod", "Maximum")
# kind of table, graph, then the strategy of each lookup
WIRINGS = {
    "mod": ("ref", f"{MOD_IDS}l = Gather(w/read, d)", {"l": MOD}),
    "div": ("ref", f"{DIV_IDS}l = Gather(w/read, d)", {"l": DIV}),
    "an old Mod": ("ref", f"{MOD_IDS}l = Gather(w/read, d)".replace("FloorMod", "Mod"), {"l": MOD}),
    "the second part": ("ref", f"{MOD_IDS}l = Gather(w/read, d:1)", {"l": MOD}),
    "of a handle": ("resource", f"{DIV_IDS}l = ResourceGather(w, d)", {"l": DIV}),
    "parts as other integers": (
        "ref",
        "p = FloorMod(ids, n)\nc = Cast(p) {DstT: int32}\nr = Identity(c)\n"
        "d = DynamicPartition(ids, r) {num_partitions: 2}\ni = Identity(d)\n"
        "l = Gather(w/read, i)",
        {"l": MOD},
    ),
    "behind a cast of the table": (
        "ref",
        f"{MOD_IDS}c = Cast(w/read) {{DstT: float16}}\nl = Gather(c, d)",
        {"l": MOD},
    ),
    "in a branch": (
        "ref",
        f"{MOD_IDS}b = Placeholder() {{dtype: bool}}\ns = Switch(w/read, b)\nl = Gather(s:1, d)",
        {"l": MOD},
    ),
    "in a loop": (
        "resource",
        f'{MOD_IDS}e = Enter(w) {{frame_name: "f"}}\nl = ResourceGather(e, d)',
        {"l": MOD},
    ),
    "lookups that disagree": (
        "ref",
        f"{MOD_IDS}l = Gather(w/read, d)\no = Maximum(ids, n)\n"
        "f = DynamicPartition(ids, o) {num_partitions: 2}\nk = Gather(w/read, f)",
        {"l": MOD, "k": DIV},
    ),
    "ids of no partition": ("ref", "l = Gather(w/read, ids)", {"l": ""}),
    "a partition by something else": (
        "ref", f"{MOD_IDS.replace('FloorMod', 'Add')}l = Gather(w/read, d)", {"l": ""}
    ),
    "the table as ids": ("ref", "c = Cast(w/read) {DstT: int32}\nl = Gather(ids, c)", {}),
    "no lookup": ("ref", "l = L2Loss(w/read)", {}),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "found"), WIRINGS.values(), ids=WIRINGS)
def test_strategy_by_wiring(kind: str, text: str, found: dict[str, str]) -> None:
    model = parse_sketch(TABLES[kind] + IDS + text)
    (variable,) = model.variables
    table = Table("t", (4, 2), (Part(variable, (0, 0)), Part(variable, (2, 0))))
    assert find_strategies(model.graph, table) == found


def table_of(shape: tuple[int, int], count: int, *, axis: int) -> Table:
    """Return a table in parts as TensorFlow makes them: the first ones have one more."""
    (variable,) = parse_sketch("w = VariableV2() {shape: [1, 1]}").variables
    size, more = divmod(shape[axis], count)
    starts = [i * size + min(i, more) for i in range(count)]
    parts = [Part(variable, (at, 0) if axis == 0 else (0, at)) for at in starts]
    return Table("t", shape, tuple(parts))


@given(st.integers(1, 6), st.integers(0, 20))
def test_each_id_has_a_row_of_its_own(count: int, more: int) -> None:
    table = table_of((count + more, 3), count, axis=0)
    ids = np.arange(count + more)
    starts = [part.offset[0] for part in table.parts]
    by_mod = stored_rows(table, ids, MOD)
    assert sorted(by_mod) == ids.tolist()
    assert [np.searchsorted(starts, row, "right") - 1 for row in by_mod] == (ids % count).tolist()
    assert stored_rows(table, ids, DIV).tolist() == ids.tolist()


@pytest.mark.parametrize("strategy", [MOD, DIV])
def test_parts_of_columns_have_all_rows(strategy: str) -> None:
    table = table_of((5, 7), 3, axis=1)
    assert not has_parts_of_rows(table)
    assert stored_rows(table, np.arange(5), strategy).tolist() == [0, 1, 2, 3, 4]
