import pytest

from graphfreeze.errors import RewriteError
from graphfreeze.model.saver import saved_variable
from graphfreeze.model.sketch import format_sketch
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import DropKey, RemoveNode
from graphfreeze.rewrite.fresh_saver import fresh_saver
from graphfreeze.rewrite.saver_edits import NewEntry, drop_from_savers, extend_saver

VARIABLES = """\
a = VariableV2() {shape: [2]}
s = VariableV2() {dtype: float64, shape: [2]}
h = VarHandleOp() {dtype: int64, shape: [3]}
h/Read/ReadVariableOp = ReadVariableOp(h)
"""
HEAD = """\
save/Const = Const() {value: "model"}
save/names = Const() {value: ["a", "s", "h"]}
save/slices = Const() {value: ["", "", ""]}
save/SaveV2 = SaveV2(save/Const, save/names, save/slices, a, s, h/Read/ReadVariableOp)
save/control_dependency = Identity(save/Const, ^save/SaveV2)
"""
ONE = """\
save/r/names = Const() {value: ["a", "s", "h"]}
save/r/slices = Const() {value: ["", "", ""]}
save/r = RestoreV2(save/Const, save/r/names, save/r/slices) {dtypes: [float32, float64, int64]}
save/a = Assign(a, save/r)
save/s = Assign(s, save/r:1)
save/h = AssignVariableOp(h, save/r:2)
save/restore_all = NoOp(^save/a, ^save/s, ^save/h)
"""
ONE_LESS = """\
save/r/names = Const() {value: ["a", "h"]}
save/r/slices = Const() {value: ["", ""]}
save/r = RestoreV2(save/Const, save/r/names, save/r/slices) {dtypes: [float32, int64]}
save/a = Assign(a, save/r)
save/h = AssignVariableOp(h, save/r:1)
save/restore_all = NoOp(^save/a, ^save/h)
"""
EACH = """\
save/1/name = Const() {value: ["a"]}
save/1/slice = Const() {value: [""]}
save/1 = RestoreV2(save/Const, save/1/name, save/1/slice)
save/a = Assign(a, save/1)
save/2/name = Const() {value: ["s"]}
save/2/slice = Const() {value: [""]}
save/2 = RestoreV2(save/Const, save/2/name, save/2/slice) {dtypes: [float64]}
save/s = Assign(s, save/2)
save/3/name = Const() {value: ["h"]}
save/3/slice = Const() {value: [""]}
save/3 = RestoreV2(save/Const, save/3/name, save/3/slice) {dtypes: [int64]}
save/h = AssignVariableOp(h, save/3)
save/restore_all = NoOp(^save/a, ^save/s, ^save/h)
"""
LESS = """\
save/Const = Const() {value: "model"}
save/names = Const() {value: ["a", "h"]}
save/slices = Const() {value: ["", ""]}
save/SaveV2 = SaveV2(save/Const, save/names, save/slices, a, h/Read/ReadVariableOp)
save/control_dependency = Identity(save/Const, ^save/SaveV2)
"""
SHARED = ONE.replace("save/r/", "save/").replace(
    ONE[: ONE.index("save/r = ")].replace("/r/", "/"), ""
)
SHARED_LESS = ONE_LESS[ONE_LESS.index("save/r = ") :].replace("save/r/", "save/")
EACH_LESS = "".join(
    line for line in EACH.splitlines(True) if not line.startswith(("save/2", "save/s"))
).replace(" ^save/s,", "")
OWN = {"s", "save/s"}
DROPS = {
    "one restore op": (ONE, OWN, ONE_LESS),
    "one a variable": (EACH, {*OWN, "save/2", "save/2/name", "save/2/slice"}, EACH_LESS),
    "names that both ops share": (SHARED, OWN, SHARED_LESS),
}


def kept_keys(draft: Draft) -> dict[str | None, str]:
    """Return the key of each variable that the saver keeps."""
    assert draft.saver_ops is not None
    return {saved_variable(draft.graph, e.tensor): e.key for e in draft.saver_ops.all_entries()}


@pytest.mark.parametrize(("restore", "gone", "after"), DROPS.values(), ids=DROPS)
def test_drop(restore: str, gone: set[str], after: str) -> None:
    draft = Draft(parse_sketch(VARIABLES + HEAD + restore + "saver: save"))
    for edit in list(drop_from_savers(draft.graph, gone)):
        draft.apply(edit)
    for name in [name for name in draft.graph.nodes if name in gone]:
        draft.apply(RemoveNode(name))
    left = "".join(line for line in VARIABLES.splitlines(True) if not line.startswith("s "))
    assert format_sketch(draft.graph) == left + LESS + after
    assert draft.value_edits == [DropKey("s")]
    assert kept_keys(draft) == {"a": "a", "h": "h"}
    assert list(draft.graph.dangling()) == []


def test_drop_nothing() -> None:
    graph = parse_sketch(VARIABLES + HEAD + ONE + "saver: save").graph
    assert list(drop_from_savers(graph, {"q"})) == []


NEW = "b = VariableV2() {shape: [5]}\nk = VarHandleOp() {dtype: int32, shape: []}\n"
NEW += "k/Read/ReadVariableOp = ReadVariableOp(k)\n"
RESTORES = {
    "one restore op": (ONE, "save/r:3", "save/r:4"),
    "several": (EACH, "save/1:1", "save/1:2"),
}


@pytest.mark.parametrize(("restore", "b", "k"), RESTORES.values(), ids=RESTORES)
def test_extend(restore: str, b: str, k: str) -> None:
    draft = Draft(parse_sketch(VARIABLES + NEW + HEAD + restore + "saver: save"))
    variables = {v.name: v for v in draft.variables}
    assert draft.saver_ops is not None
    new = [NewEntry("scope/b", "9 0,5", variables["b"]), NewEntry("k", "", variables["k"])]
    for edit in list(extend_saver(draft.graph, draft.saver_ops, new)):
        draft.apply(edit)
    saver = draft.saver_ops
    assert [(e.key, e.slice) for e in saver.all_entries()][-2:] == [("scope/b", "9 0,5"), ("k", "")]
    assert kept_keys(draft)["b"] == "scope/b"
    after = format_sketch(draft.graph)
    assert f"b/graphfreeze/restore = Assign(b, {b})" in after
    assert f"k/graphfreeze/restore = AssignVariableOp(k, {k})" in after
    assert "^save/h, ^b/graphfreeze/restore, ^k/graphfreeze/restore)" in after
    assert list(draft.graph.dangling()) == []
    assert format_sketch(parse_sketch(after).graph) == after


def test_fresh() -> None:
    draft = Draft(parse_sketch(VARIABLES))
    new = [NewEntry(f"key/{v.name}", "", v) for v in draft.variables]
    for edit in list(fresh_saver(draft.graph, new)):
        draft.apply(edit)
    saver = draft.saver_ops
    assert saver is not None
    keys = {"a": "key/a", "s": "key/s", "h": "key/h"}
    assert kept_keys(draft) == keys
    assert list(saver.keys.values()) == [tuple(keys.values())]
    after = format_sketch(draft.graph)
    assert "h/graphfreeze/restore = AssignVariableOp(h, graphfreeze/save/RestoreV2:2)" in after
    assert list(draft.graph.dangling()) == []
    with pytest.raises(RewriteError, match="was it frozen before"):
        draft.apply(next(fresh_saver(draft.graph, new)))
