"""Moving averages are known by what their writers compute, under whatever names."""

import pytest

from graphfreeze.model.averages import find_averages
from graphfreeze.model.origins import Values
from graphfreeze.read.sketch import parse_sketch

REF = """
a = VariableV2() {shape: [4]}
a/read = Identity(a)
w = VariableV2() {shape: [4]}
w/read = Identity(w)
w/Assign = Assign(w, x)
x = Placeholder()
rate = Const() {value: 0.1}
variables: a, w
trainable_variables: w
"""
RESOURCE = """
a = VarHandleOp() {shape: [4]}
a/read = ReadVariableOp(a)
x = Placeholder()
rate = Const() {value: 0.1}
variables: a
"""
SUB = "d = Sub(a/read, x)\nm = Mul(d, rate)\n"
ADD = "d = Sub(x, a/read)\nm = Mul(rate, d)\n"
BIASED = """
b = VariableV2() {shape: [4]}
b/read = Identity(b)
n = VariableV2() {shape: []}
n/read = Identity(n)
d = Sub(b/read, x)
m = Mul(d, rate)
b/move = AssignSub(b, m)
one = Const() {value: 1.0}
n/move = AssignAdd(n, one)
decay = Sub(one, rate)
variables: a, b, n
"""
DEBIASED = "power = Pow(decay, {n})\nshare = Sub(one, power)\nunbiased = RealDiv({b}, share)\n"
FUSED = (
    "s = VariableV2() {shape: [4]}\nf = FusedBatchNormV3(x, s, s, a/read, s) {is_training: true}"
)
COND = """
p = Placeholder() {dtype: bool}
at = RefSwitch(a, p)
now = Switch(a/read, p)
new = Switch(x, p)
d = Sub(now:1, new:1)
m = Mul(d, rate)
move = AssignSub(at:1, m)
"""

# sketch, then the sources of a, and the variables that help it
CASES = {
    "AssignSub": (REF + SUB + "move = AssignSub(a, m)", ("x",), ()),
    "the rate first": (REF + "d = Sub(a/read, x)\nm = Mul(rate, d)\nmove = AssignSub(a, m)",
                       ("x",), ()),
    "the ref itself is read": (REF + "d = Sub(a, x)\nm = Mul(d, rate)\nmove = AssignSub(a, m)",
                               ("x",), ()),
    "a resource": (RESOURCE + SUB + "move = AssignSubVariableOp(a, m)", ("x",), ()),
    "a read in another type": (
        REF + "c = Cast(a/read) {DstT: float32}\nd = Sub(c, x)\nm = Mul(d, rate)\n"
        "move = AssignSub(a, m)", ("x",), ()),
    "AssignAdd": (REF + ADD + "move = AssignAdd(a, m)", ("x",), ()),
    "AssignAdd of a resource": (RESOURCE + ADD + "move = AssignAddVariableOp(a, m)", ("x",), ()),
    "Assign of a sum": (
        RESOURCE + "old = Mul(a/read, rate)\nnew = Mul(x, rate)\nm = Add(new, old)\n"
        "move = AssignVariableOp(a, m)", ("x", "rate"), ()),
    "Assign of a difference": (REF + SUB + "n = Sub(a/read, m)\nmove = Assign(a, n)", ("x",), ()),
    "Assign of a part of the way": (
        REF + ADD + "n = AddV2(m, a/read)\nmove = Assign(a, n)", ("x",), ()),
    "a fused one that averages itself": (REF + FUSED + "\nmove = Assign(a, f:1)", ("f:1",), ()),
    "in a branch": (REF + COND, ("new:1",), ()),
    "zero debias of 1.15": (
        REF + BIASED + DEBIASED.format(n="n/move", b="b/move") + "move = Assign(a, unbiased)",
        ("x",), ("b", "n")),
    "zero debias of 1.4": (
        REF + BIASED + DEBIASED.format(n="n/read", b="b/read")
        + "way = Sub(a/read, unbiased)\nmove = AssignSub(a, way)", ("x",), ("b", "n")),
}  # fmt: skip
NONE = {
    "the other way round": REF + ADD + "move = AssignSub(a, m)",
    "away from it": REF + SUB + "move = AssignAdd(a, m)",
    "an assignment": REF + "move = Assign(a, x)",
    "a counter": REF + "move = AssignAdd(a, rate)",
    "towards another variable's own": REF + "d = Sub(w/read, x)\nm = Mul(d, rate)\n"
    "move = AssignSub(a, m)",
    "a sum without it": REF + "o = Mul(w/read, rate)\nn = Mul(x, rate)\nm = Add(o, n)\n"
    "move = Assign(a, m)",
    "a quotient of no average": REF + "q = RealDiv(x, rate)\nmove = Assign(a, q)",
    "a fused one of another": REF + FUSED.replace("a/read", "w/read") + "\nmove = Assign(a, f:1)",
    "one that learns": REF.replace("trainable_variables: w", "trainable_variables: w, a")
    + SUB + "move = AssignSub(a, m)",
    "integers": REF.replace("a = VariableV2() {", "a = VariableV2() {dtype: int32, ")
    + SUB.replace("x)", "i)") + "i = Placeholder() {dtype: int32}\nmove = AssignSub(a, m)",
    "a local one": REF + "local_variables: a\n" + SUB + "move = AssignSub(a, m)",
}  # fmt: skip


def averages(text: str) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    model = parse_sketch(text)
    found = find_averages(Values(model.graph, model.variables))
    return [
        (each.variable.name, tuple(map(str, each.sources)), tuple(v.name for v in each.companions))
        for each in found
    ]


@pytest.mark.parametrize(("text", "sources", "companions"), CASES.values(), ids=CASES)
def test_average(text: str, sources: tuple[str, ...], companions: tuple[str, ...]) -> None:
    assert averages(text) == [("a", sources, companions)]


@pytest.mark.parametrize("text", NONE.values(), ids=NONE)
def test_no_average(text: str) -> None:
    assert averages(text) == []


def test_without_collections_no_variable_is_known_to_learn() -> None:
    bare = "\n".join(line for line in REF.splitlines() if "variables:" not in line)
    assert averages(bare + "\n" + SUB + "move = AssignSub(a, m)") == [("a", ("x",), ())]
