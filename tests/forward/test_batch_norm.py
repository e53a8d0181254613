"""Batch norms of frozen scopes take their moving averages; nothing else changes."""

import pytest

from graphfreeze.forward.batch_norm import InferBatchNorms
from graphfreeze.forward.stop_gradient import StopGradient
from graphfreeze.guard.gate_writers import GateWriters
from graphfreeze.model.sketch import format_node
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import ReplaceNode, Reroute
from graphfreeze.rewrite.run import run
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.selection.resolve import Selection, resolve

BASE = """
x = Placeholder()
p = Placeholder() {dtype: bool}
w = VariableV2() {shape: [3]}
bn/gamma = VariableV2() {shape: [3]}
bn/gamma/read = Identity(bn/gamma)
bn/beta = VariableV2() {shape: [3]}
bn/beta/read = Identity(bn/beta)
bn/mean = VariableV2() {shape: [3]}
bn/mean/read = Identity(bn/mean)
bn/var = VariableV2() {shape: [3]}
bn/var/read = Identity(bn/var)
rate = Const() {value: 0.1}
none = Const() {value: 0.0, shape: [0]}
axes = Const() {value: [0]}
eps = Const() {value: 0.001}
trainable_variables: bn/gamma, bn/beta, w
variables: bn/gamma, bn/beta, bn/mean, bn/var, w
"""
RESOURCE = BASE.replace("bn/mean = VariableV2()", "bn/mean = VarHandleOp()").replace(
    "bn/mean/read = Identity", "bn/mean/read = ReadVariableOp"
)
MOVE = """
mean/d = Sub(bn/mean/read, {0})
mean/m = Mul(mean/d, rate)
mean/move = AssignSub(bn/mean, mean/m)
var/d = Sub(bn/var/read, {1})
var/m = Mul(var/d, rate)
var/move = AssignSub(bn/var, var/m)
update_ops: mean/move, var/move
"""
RESOURCE_MOVE = MOVE.replace("AssignSub(bn/mean", "AssignSubVariableOp(bn/mean")
FUSED = "y = FusedBatchNormV3(x, bn/gamma/read, bn/beta/read, none, none, ^rate) {epsilon: 0.01}\n"
COND = """
s = Switch(x, p)
g = Switch(bn/gamma/read, p)
b = Switch(bn/beta/read, p)
y = FusedBatchNormV3(s:1, g:1, b:1, none, none)
bm = Merge(s, y:1)
bv = Merge(s, y:2)
"""
MOMENTS = "m = Mean(x, axes)\nsd = SquaredDifference(x, m)\nv = Mean(sd, axes)\n"
APPLY = """
add = AddV2({1}, eps)
inv = Rsqrt(add)
scaled = Mul(inv, bn/gamma/read)
xs = Mul(x, scaled)
ms = Mul({0}, scaled)
shift = Sub(bn/beta/read, ms)
y = AddV2(xs, shift)
"""
CHOSEN = """
b0 = Switch(m, p)
a0 = Switch(bn/mean/read, p)
cm = Merge(a0, b0:1)
b1 = Switch(v, p)
a1 = Switch(bn/var/read, p)
cv = Merge(a1, b1:1)
"""
INFERRING = (
    "y = FusedBatchNormV3(x, bn/gamma/read, bn/beta/read, bn/mean/read, bn/var/read, ^rate) "
    "{epsilon: 0.01, is_training: false}"
)

# sketch, then what some nodes are afterwards
CASES = {
    "fused": (BASE + FUSED + MOVE.format("y:1", "y:2"), {"y": INFERRING}),
    "fused, of version 1": (
        BASE + FUSED.replace("V3", "") + MOVE.format("y:1", "y:2"),
        {"y": INFERRING.replace("V3", "")}),
    "fused, in a branch": (BASE + COND + MOVE.format("bm", "bv"), {
        "y": "y = FusedBatchNormV3(s:1, g:1, b:1, bn/mean/read, bn/var/read) {is_training: false}",
        "bm": "bm = Merge(s, y:1)"}),
    "a resource gets a read of its own": (RESOURCE + FUSED + RESOURCE_MOVE.format("y:1", "y:2"), {
        "y": INFERRING.replace("bn/mean/read", "bn/mean/graphfreeze/read"),
        "bn/mean/graphfreeze/read":
            "bn/mean/graphfreeze/read = ReadVariableOp(bn/mean) {dtype: float32}"}),
    "a ref without one too": (
        (BASE + FUSED + MOVE.format("y:1", "y:2")).replace("bn/var/read = Identity(bn/var)\n", "")
        .replace("bn/var/read", "bn/var"), {
        "y": INFERRING.replace("bn/var/read", "bn/var/graphfreeze/read"),
        "bn/var/graphfreeze/read": "bn/var/graphfreeze/read = Identity(bn/var)"}),
    "composed": (BASE + MOMENTS + APPLY.format("m", "v") + MOVE.format("m", "v"), {
        "ms": "ms = Mul(bn/mean/read, scaled)", "add": "add = AddV2(bn/var/read, eps)",
        "var/d": "var/d = Sub(bn/var/read, v)", "sd": "sd = SquaredDifference(x, m)"}),
    "composed, chosen by a cond": (
        BASE + MOMENTS + CHOSEN + APPLY.format("cm", "cv") + MOVE.format("cm", "cv"), {
        "ms": "ms = Mul(bn/mean/read, scaled)", "add": "add = AddV2(bn/var/read, eps)",
        "cm": "cm = Merge(a0, b0:1)"}),
}  # fmt: skip


def planned(text: str, **more: object) -> tuple[Draft, Selection]:
    draft = Draft(parse_sketch(text))
    plan = FreezePlan(freeze=("bn/gamma", "bn/beta"), **{"batch_norm": "inference", **more})  # type: ignore[arg-type]
    return draft, resolve(plan, draft.variables, draft.graph)


@pytest.mark.parametrize(("text", "after"), CASES.values(), ids=CASES)
def test_infers(text: str, after: dict[str, str]) -> None:
    draft, selection = planned(text)
    run(draft, [InferBatchNorms(selection)])
    assert {name: format_node(draft.graph.nodes[name]) for name in after} == after
    assert list(InferBatchNorms(selection).plan(draft)) == []


@pytest.mark.parametrize("option", ["statistics", "keep"])
def test_nothing_changes_unless_asked(option: str) -> None:
    draft, selection = planned(CASES["fused"][0], batch_norm=option)
    run(draft, [InferBatchNorms(selection)])
    assert not draft.touched


def test_of_two_that_share_averages_both_infer() -> None:
    again = FUSED.replace("y =", "z =").replace("(x", "(y")
    text = BASE + FUSED + again + MOVE.format("y:1", "y:2")
    text += "zm = Sub(bn/mean/read, z:1)\nzmm = Mul(zm, rate)\nz/move = AssignSub(bn/mean, zmm)\n"
    text += "zv = Sub(bn/var/read, z:2)\nzvm = Mul(zv, rate)\nz/move_1 = AssignSub(bn/var, zvm)\n"
    draft, selection = planned(text)
    run(draft, [InferBatchNorms(selection)])
    assert selection.batch_norms == ("y", "z")
    assert [draft.graph.nodes[n].attr["is_training"].b for n in "yz"] == [False, False]


def test_reads_are_stopped_and_updates_gated() -> None:
    draft, selection = planned(CASES["fused"][0])
    run(draft, [InferBatchNorms(selection), StopGradient(selection), GateWriters(selection)])
    taken = draft.graph.data_inputs("y")[1:]
    assert {draft.graph.op(ref.node) for ref in taken} == {"StopGradient"}
    assert [draft.graph.op(n) for n in ("mean/move", "var/move")] == ["RefIdentity"] * 2


def test_verify_sees_one_that_trains_again() -> None:
    draft, selection = planned(CASES["fused"][0])
    base = draft.graph.nodes["y"]
    run(draft, [InferBatchNorms(selection)])
    draft.apply(ReplaceNode(base))
    wrong = InferBatchNorms(selection).verify(draft.base, draft)
    assert wrong == "y still uses the statistics of its batch"


@pytest.mark.parametrize("slot", [3, 4])
def test_verify_sees_one_that_takes_something_else(slot: int) -> None:
    draft, selection = planned(CASES["fused"][0])
    run(draft, [InferBatchNorms(selection)])
    edge = next(e for e in draft.graph.edges_from("bn/mean/read") if e.consumer == "y")
    draft.apply(Reroute(edge.__class__("y", slot), draft.graph.inputs("y")[0]))
    wrong = InferBatchNorms(selection).verify(draft.base, draft)
    assert wrong == "y does not take its moving averages at y"


def test_verify_sees_a_composed_one_that_takes_its_batch() -> None:
    draft, selection = planned(CASES["composed"][0])
    edge = next(e for e in draft.graph.edges_from("m") if e.consumer == "ms")
    batch = draft.graph.ref_at(edge)
    run(draft, [InferBatchNorms(selection)])
    draft.apply(Reroute(edge, batch))
    wrong = InferBatchNorms(selection).verify(draft.base, draft)
    assert wrong == "inv does not take its moving averages at ms"
