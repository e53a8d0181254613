"""Batch norms are known by what they compute, and their averages by what moves them."""

import pytest

from graphfreeze.model.averages import find_averages
from graphfreeze.model.batch_norms import find_batch_norms
from graphfreeze.model.origins import Values
from graphfreeze.read.sketch import parse_sketch

BASE = """
x = Placeholder()
p = Placeholder() {dtype: bool}
gamma = VariableV2() {shape: [3]}
gamma/read = Identity(gamma)
beta = VariableV2() {shape: [3]}
beta/read = Identity(beta)
mean = VariableV2() {shape: [3]}
mean/read = Identity(mean)
var = VariableV2() {shape: [3]}
var/read = Identity(var)
rate = Const() {value: 0.1}
none = Const() {value: 0.0, shape: [0]}
axes = Const() {value: [0]}
eps = Const() {value: 0.001}
trainable_variables: gamma, beta
variables: gamma, beta, mean, var
"""
MOVE = """
mean/d = Sub(mean/read, {0})
mean/m = Mul(mean/d, rate)
mean/move = AssignSub(mean, mean/m)
var/d = Sub(var/read, {1})
var/m = Mul(var/d, rate)
var/move = AssignSub(var, var/m)
"""
FUSED = "bn = FusedBatchNormV3(x, gamma/read, beta/read, none, none) {is_training: true}\n"
MOMENTS = """
m = Mean(x, axes)
sd = SquaredDifference(x, m)
v = Mean(sd, axes)
"""
APPLY = """
add = AddV2({1}, eps)
inv = Rsqrt(add)
scaled = Mul(inv, gamma/read)
xs = Mul(x, scaled)
ms = Mul({0}, scaled)
shift = Sub(beta/read, ms)
y = AddV2(xs, shift)
"""
BY_HAND = """
add = Add(v, eps)
root = Sqrt(add)
c = Sub(x, m)
q = RealDiv(c, root)
g = Mul(q, gamma/read)
y = Add(g, beta/read)
"""
CHOICE = """
b0 = Switch({0}, p)
a0 = Switch({1}/read, p)
{1}/chosen = Merge(a0, b0:1)
"""
CHOSEN = CHOICE.format("m", "mean") + CHOICE.replace("0 =", "1 =").replace(
    "a0, b0", "a1, b1"
).format("v", "var")
FUSED_COND = """
s = Switch(x, p)
bn = FusedBatchNormV3(s:1, gamma/read, beta/read, none, none) {is_training: true}
ma = Switch(mean/read, p)
va = Switch(var/read, p)
old = FusedBatchNormV3(s, gamma/read, beta/read, ma, va) {is_training: false}
i = Identity(bn)
y = Merge(old, i)
"""
VIEWS = "shape = Const() {value: [1, 3]}\nm2 = Reshape(m, shape)\nv2 = Reshape(v, shape)\n"
ALL = (("mean", "var"), ("gamma", "beta"))

# sketch, then the node, the averages, what is learned, and where mean and variance are taken
CASES = {
    "fused": (BASE + FUSED + MOVE.format("bn:1", "bn:2"), "bn", *ALL, "bn:3 bn:4"),
    "fused, training if nothing is said": (
        BASE + FUSED.replace(" {is_training: true}", "") + MOVE.format("bn:1", "bn:2"),
        "bn", *ALL, "bn:3 bn:4"),
    "fused, without gamma": (
        BASE + FUSED.replace("gamma/read", "none") + MOVE.format("bn:1", "bn:2"),
        "bn", ("mean", "var"), ("beta",), "bn:3 bn:4"),
    "fused, in another shape": (
        BASE + FUSED + "shape = Const() {value: [3]}\nbm = Reshape(bn:1, shape)\n"
        "bv = Squeeze(bn:2)\n" + MOVE.format("bm", "bv"), "bn", *ALL, "bn:3 bn:4"),
    "fused, one branch of two": (BASE + FUSED_COND, "bn", *ALL, "bn:3 bn:4"),
    "composed": (BASE + MOMENTS + APPLY.format("m", "v") + MOVE.format("m", "v"),
                 "inv", *ALL, "ms:0 add:0"),
    "composed, in another shape": (
        BASE + MOMENTS + VIEWS + APPLY.format("m2", "v2") + MOVE.format("m", "v"),
        "inv", *ALL, "m2:0 v2:0"),
    "composed, passed on": (
        BASE + MOMENTS + "mi = Identity(m, ^mean/move)\n" + APPLY.format("mi", "v")
        + MOVE.format("m", "v"), "inv", *ALL, "ms:0 add:0"),
    "composed, without gamma and beta": (
        BASE + MOMENTS + "add = AddV2(v, eps)\ninv = Rsqrt(add)\nxs = Mul(x, inv)\nn = Neg(m)\n"
        "ms = Mul(n, inv)\ny = AddV2(xs, ms)\n" + MOVE.format("m", "v"),
        "inv", ("mean", "var"), (), "n:0 add:0"),
    "by hand": (BASE + MOMENTS + BY_HAND + MOVE.format("m", "v"), "root", *ALL, "c:1 add:0"),
    "chosen by a cond, averages move": (
        BASE + MOMENTS + CHOSEN + APPLY.format("mean/chosen", "var/chosen") + MOVE.format("m", "v"),
        "inv", *ALL, "ms:0 add:0"),
    "chosen by a cond, nothing moves": (
        BASE + MOMENTS + CHOSEN + APPLY.format("mean/chosen", "var/chosen"),
        "inv", *ALL, "ms:0 add:0"),
}  # fmt: skip
PROBLEMS = {
    "fused, no average": (BASE + FUSED, "its moving averages were not found"),
    "only a variance": (
        BASE + MOMENTS + APPLY.format("x", "v") + MOVE.format("m", "v"),
        "its moving averages were not found",
    ),
    "another type": (
        BASE.replace("mean = VariableV2() {", "mean = VariableV2() {dtype: float64, ")
        .replace("var = VariableV2() {", "var = VariableV2() {dtype: float64, ")
        .replace("Const() {value: 0.1}", "Const() {value: 0.1, dtype: float64}")
        + FUSED + "bm = Cast(bn:1) {DstT: float64}\nbv = Cast(bn:2) {DstT: float64}\n"
        + MOVE.format("bm", "bv"),
        "it takes float32, its moving averages are float64",
    ),
    "in a loop": (
        BASE + FUSED.replace("(x,", "(e,") + MOVE.format("bn:1", "bn:2")
        + 'e = Enter(x) {frame_name: "f"}',
        "it runs in a loop",
    ),
}  # fmt: skip
NONE = {
    "fused, inferring": BASE + FUSED.replace("true", "false").replace("none, none", "mean, var"),
    "composed, inferring": BASE + APPLY.format("mean/read", "var/read"),
    "composed, inferring beside one that trains": BASE
    + MOMENTS + APPLY.format("mean/read", "var/read") + CHOSEN + MOVE.format("mean/chosen", "v"),
    "a layer norm": BASE + MOMENTS + APPLY.format("m", "v"),
    "a root of something else": BASE + "inv = Rsqrt(x)",
}  # fmt: skip


def find(text: str) -> list:
    model = parse_sketch(text)
    values = Values(model.graph, model.variables)
    return find_batch_norms(values, find_averages(values))


@pytest.mark.parametrize(
    ("text", "node", "averages", "learned", "edges"), CASES.values(), ids=CASES
)
def test_batch_norm(text: str, node: str, averages: tuple, learned: tuple, edges: str) -> None:
    (norm,) = find(text)
    assert (norm.node, norm.problem) == (node, "")
    assert (norm.mean.name, norm.variance.name) == averages
    assert tuple(v.name for v in norm.learned) == learned
    assert " ".join(f"{e.consumer}:{e.slot}" for e in norm.edges) == edges


@pytest.mark.parametrize(("text", "problem"), PROBLEMS.values(), ids=PROBLEMS)
def test_problem(text: str, problem: str) -> None:
    assert [norm.problem for norm in find(text)] == [problem]


@pytest.mark.parametrize("text", NONE.values(), ids=NONE)
def test_no_batch_norm(text: str) -> None:
    assert find(text) == []
