"""What writes a variable, and by which path a train_op gets there."""

from pathlib import Path

import pytest

from graphfreeze.check.explain.explain_writers import explain_writers
from graphfreeze.errors import CheckError
from graphfreeze.model.records import VariableRecord
from graphfreeze.read import load
from graphfreeze.read.sketch import parse_sketch

W = """\
w = VariableV2() {shape: [4, 2]}
w/read = Identity(w)
x = Placeholder()
ids = Placeholder() {dtype: int32}
c = Const() {value: 0.1}
"""
H = "w = VarHandleOp() {shape: [4, 2]}\nx = Placeholder()\nc = Const() {value: 0.1}\n"
FILE = 'f = Const() {value: "f"}\nr = RestoreV2(f, f, f) {dtypes: [float32]}\n'
GRADIENT = """\
loss = Mul(w/read, x)
shape = Const() {value: [4, 2]}
one = Const() {value: 1.0}
ones = Fill(shape, one)
grad = Mul(ones, x)
"""


# sketch, then the kind of each writer
KINDS = {
    "an initializer": (W + "a = Assign(w, c)", {"a": "initializer"}),
    "a restore op": (W + FILE + "a = Assign(w, r)", {"a": "restore"}),
    "a resource's restore op": (
        H + FILE + "i = Identity(r)\na = AssignVariableOp(w, i)", {"a": "restore"}
    ),
    "an optimizer": (W + "a = ApplyGradientDescent(w, c, x)", {"a": "optimizer update"}),
    "a sparse optimizer": (
        H + "ids = Placeholder() {dtype: int32}\na = ResourceSparseApplyAdagrad(w, w, c, x, ids)",
        {"a": "optimizer update"},
    ),
    "a gradient that is assigned": (
        W + GRADIENT + "a = ScatterSub(w, ids, grad)", {"a": "optimizer update"}
    ),
    "a moving average": (
        W + "d = Sub(w/read, x)\nm = Mul(d, c)\na = AssignSub(w, m)", {"a": "moving average"}
    ),
    "a resource's moving average": (
        H + "r = ReadVariableOp(w) {dtype: float32}\nd = Sub(r, x)\nm = Mul(d, c)\n"
        "a = AssignSubVariableOp(w, m)",
        {"a": "moving average"},
    ),
    "an average that is assigned": (
        W + "d = Mul(w/read, c)\nm = Mul(x, c)\ns = Add(d, m)\na = Assign(w, s)",
        {"a": "moving average"},
    ),
    "a counter": (W + "a = AssignAdd(w, c)", {"a": "counter"}),
    "other values": (
        W + "v = VariableV2() {shape: [4, 2]}\nv/read = Identity(v)\na = Assign(w, v/read)",
        {"a": "assign"},
    ),
    "rows of other values": (
        W + "v = VariableV2() {shape: [4, 2]}\nv/read = Identity(v)\n"
        "a = ScatterUpdate(w, ids, v/read)",
        {"a": "row update"},
    ),
    "in a branch": (
        W + "p = Placeholder() {dtype: bool}\ns = RefSwitch(w, p)\na = Assign(s:1, c)",
        {"a": "initializer"},
    ),
    "an op that nobody knows": (W + "a = Odd(w)", {"a": "unknown op"}),
    "a chain of refs": (
        W + "a = Assign(w, c)\nb = AssignAdd(a, c)", {"a": "initializer", "b": "counter"}
    ),
    "a saver does not write": (W + 'f = Const() {value: "f"}\ns = SaveV2(f, f, f, w)', {}),
}  # fmt: skip


@pytest.mark.parametrize(("text", "kinds"), KINDS.values(), ids=KINDS)
def test_kind(text: str, kinds: dict[str, str]) -> None:
    record = explain_writers(parse_sketch(text), "w")
    assert {writer.name: writer.kind for writer in record.writers} == kinds
    assert not record.moves
    assert record.notes == ["the graph lists no train_op; name one with --train-op"]


STEP = (
    W
    + """\
a = ApplyGradientDescent(w, c, x)
i = Assign(w, c)
late = NoOp(^a)
train = NoOp(^late)
short = NoOp(^a, ^late)
init = NoOp(^i)
"""
)


def paths(text: str, **options: str) -> dict[str, dict[str, str]]:
    """Return for each writer, and each train op that runs it, the path."""
    record = explain_writers(parse_sketch(text), "w", **options)
    assert record.moves == any(writer.reached for writer in record.writers)
    return {
        w.name: {r.train_op: " ".join(step.name for step in r.path) for r in w.reached}
        for w in record.writers
    }


PATHS = {
    "the graph's own": (
        STEP + "train_op: train", {}, {"a": {"train": "train late a"}, "i": {}}
    ),
    "each of several": (
        STEP + "train_op: train, short:0, init",
        {},
        {"a": {"train": "train late a", "short": "short a"}, "i": {"init": "init i"}},
    ),
    "a named one": (
        STEP + "train_op: train", {"train_op": "short"}, {"a": {"short": "short a"}, "i": {}}
    ),
    "the writer itself": (STEP, {"train_op": "a"}, {"a": {"a": "a"}, "i": {}}),
    "by data": (
        STEP + "y = Identity(a)\nz = Exp(y)\nlosses: z:0",
        {"train_op": "z:0"},
        {"a": {"z": "z y a"}, "i": {}},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "options", "found"), PATHS.values(), ids=PATHS)
def test_path(text: str, options: dict[str, str], found: dict[str, dict[str, str]]) -> None:
    assert paths(text, **options) == found


def test_what_else_runs_a_writer() -> None:
    text = STEP + "u = AssignAdd(w, c)\nupdate_ops: u\ntrain_op: train"
    record = explain_writers(parse_sketch(text), "w")
    others = {writer.name: writer.others for writer in record.writers}
    assert others == {"a": ["short"], "i": ["init"], "u": ["u (in update_ops)"]}


def test_what_is_reached_comes_first() -> None:
    record = explain_writers(parse_sketch(STEP), "w", train_op="init")
    assert [writer.name for writer in record.writers] == ["i", "a"]


def test_guarded_writer() -> None:
    rows = "a/graphfreeze/rows = Const() {dtype: int32, value: [0, 3]}\n"
    text = W + rows + "a = ScatterSub(w, a/graphfreeze/rows, x)\ntrain_op: a"
    former = VariableRecord(
        name="w", kind="ref", dtype="float32", shape=[4, 2], parameters=8, rows=4, frozen_rows=2,
        state="partly frozen", rule="--freeze-rows w", frozen_ranges=[[1, 3]],
    )  # fmt: skip
    record = explain_writers(parse_sketch(text), "w", former=former)
    assert [writer.guarded for writer in record.writers] == [True]
    assert (record.state, record.rule) == ("partly frozen", "--freeze-rows w")
    for other in (text.replace("[0, 3]", "[0, 2]"), text.replace("ScatterSub(", "Mystery(")):
        record = explain_writers(parse_sketch(other), "w", former=former)
        assert [writer.guarded for writer in record.writers] == [False]


def test_unknown_train_op() -> None:
    with pytest.raises(CheckError, match=r"no op 'trian' .*; did you mean train\?"):
        explain_writers(parse_sketch(STEP), "w", train_op="trian")


def test_a_shadow_begins_with_its_variable() -> None:
    model = load(Path(__file__).parents[3] / "testdata" / "models" / "batch_norms")
    shadow = "fused/conv/kernel/ExponentialMovingAverage"
    kinds = {writer.op: writer.kind for writer in explain_writers(model, shadow).writers[:2]}
    assert kinds == {"Assign": "initializer", "AssignSub": "moving average"}


ADDS = """h = _Arg() {T: resource}
v = _Arg()
r = ReadVariableOp(h) {dtype: float32}
m = Mul(r, v)
a = AssignAddVariableOp(h, v)
b = AssignVariableOp(h, m)
k = Const() {value: 1.0}
c = AssignSubVariableOp(h, k)
u = ResourceApplyGradientDescent(h, k, v)
return:v = _Retval(v)"""
CALLS = "h = _Arg() {T: resource}\nv = _Arg()\nd = adds(h, v)\nreturn:v = _Retval(d)"


def test_writers_in_functions() -> None:
    text = H + "s = calls(w, x)\nt = NoOp(^s)\nsave = AssignVariableOp(w, x)\ntrain_op: t"
    told = explain_writers(parse_sketch(text, functions={"adds": ADDS, "calls": CALLS}), "w")
    assert {writer.name: writer.kind for writer in told.writers} == {
        "s > d > a": "counter",
        "s > d > b": "assign",
        "s > d > c": "counter",
        "s > d > u": "optimizer update",
        "save": "initializer",
    }
    (reach,) = told.writers[0].reached
    assert [(step.name, step.op) for step in reach.path] == [
        ("t", "NoOp"),
        ("s", "calls"),
        ("s > d", "adds"),
        ("s > d > a", "AssignAddVariableOp"),
    ]
    assert (told.writers[-1].name, told.writers[-1].reached) == ("save", [])


def test_a_handle_that_changes_places() -> None:
    swap = "v = _Arg() {T: resource}\nh = _Arg() {T: resource}\nreturn:v = _Retval(h)\n"
    swap += "return:h = _Retval(v)"
    done = "v = _Arg() {T: resource}\nh = _Arg() {T: resource}\nt = Const() {value: true}\n"
    done += "return:t = _Retval(t)"
    text = H.replace("x =", "v = VarHandleOp() {shape: [4, 2]}\nx =")
    text += "l = While(v, w) {cond: done, body: swap}\nt = NoOp(^l)\ntrain_op: t"
    told = explain_writers(parse_sketch(text, functions={"swap": swap, "done": done}), "w")
    assert {(writer.name, writer.op, writer.kind) for writer in told.writers} == {
        ("l", "While", "function call")
    }
