"""Dropouts are known by their structure: what is scaled, and by which mask."""

import pytest

from graphfreeze.model.dropouts import find_dropouts
from graphfreeze.read.sketch import parse_sketch

DRAW = """
x = Placeholder()
shape = Const() {value: [2, 3]}
u = RandomUniform(shape) {dtype: float32}
rate = Const() {value: 0.25}
keep = Const() {value: 0.75}
scale = Const() {value: 1.3333334}
one = Const() {value: 1.0}
zero = Const() {value: 0.0}
fed = Placeholder()
"""
FLOOR = "kept = Add({0}, u)\nmask = Floor(kept)\n"
TEST = "test = GreaterEqual(u, {0})\nmask = Cast(test) {{DstT: float32}}\n"
OLD = FLOOR + "s = RealDiv(x, {0})\ny = Mul(s, mask)"
NEW = TEST.format("rate") + "s = Mul(x, scale)\ny = Mul(s, mask)"
HALF = """
x = Placeholder() {dtype: float16}
shape = Const() {value: [2, 3]}
u = RandomUniform(shape) {dtype: float16}
rate = Const() {value: 0.25, dtype: float16}
scale = Const() {value: 1.333, dtype: float16}
"""
RANGE = "low = Mul(u, one)\nv = Add(low, zero)\n"
COND = """
p = Placeholder() {dtype: bool}
in = Switch(x, p)
test = GreaterEqual(u, rate)
mask = Cast(test) {DstT: float32}
s = Mul(in:1, scale)
y = Mul(s, mask)
z = Merge(in, y)
"""
LOOP = """
enter = Enter(u) {frame_name: "f", is_constant: true}
start = Enter(x) {frame_name: "f"}
kept = Add(keep, enter)
mask = Floor(kept)
s = RealDiv(start, keep)
y = Mul(s, mask)
"""

# sketch, then what is dropped from
CASES = {
    "1.4": (DRAW + OLD.format("keep"), "x"),
    "1.4, fed": (DRAW + OLD.format("fed"), "x"),
    "Div": (DRAW + OLD.format("keep").replace("RealDiv", "Div"), "x"),
    "1.15": (DRAW + NEW, "x"),
    "1.15, the scale computed": (
        DRAW + TEST.format("rate") + "k = Sub(one, rate)\nf = RealDiv(one, k)\ns = Mul(x, f)\n"
        "y = Mul(s, mask)", "x"),
    "1.15, fed": (
        DRAW + TEST.format("fed") + "k = Sub(one, fed)\nf = RealDiv(one, k)\ns = Mul(x, f)\n"
        "y = Mul(s, mask)", "x"),
    "1.15, fed by keep_prob": (
        DRAW + "r = Sub(one, fed)\n" + TEST.format("r") + "k = Sub(one, r)\nf = RealDiv(one, k)\n"
        "s = Mul(x, f)\ny = Mul(s, mask)", "x"),
    "the mask first": (DRAW + NEW.replace("Mul(s, mask)", "Mul(mask, s)"), "x"),
    "the scale first": (DRAW + NEW.replace("Mul(x, scale)", "Mul(scale, x)"), "x"),
    "a range for the noise": (DRAW + RANGE + NEW.replace("(u,", "(v,"), "x"),
    "2.x": (
        DRAW + "test = GreaterEqual(u, rate)\ns = Mul(x, scale)\ny = SelectV2(test, s, zero)", "x"),
    "2.x, fed": (
        DRAW + "test = GreaterEqual(u, fed)\nk = Sub(one, fed)\ns = RealDiv(x, k)\n"
        "y = SelectV2(test, s, zero)", "x"),
    "Bernoulli": (
        DRAW + "test = Less(u, keep)\nmask = Cast(test) {DstT: float32}\ns = RealDiv(x, keep)\n"
        "y = Mul(s, mask)", "x"),
    "chosen by hand from zeros of its shape": (
        DRAW + "test = Less(u, keep)\ns = RealDiv(x, keep)\nzeros = ZerosLike(x)\n"
        "y = Select(test, s, zeros)", "x"),
    "the test turned round": (
        DRAW + "test = Less(rate, u)\nmask = Cast(test) {DstT: float32}\ns = Mul(x, scale)\n"
        "y = Mul(s, mask)", "x"),
    "half": (HALF + NEW.replace("float32", "float16"), "x"),
    "in a branch": (DRAW + COND, "in:1"),
    "in a loop, the noise from outside": (DRAW + LOOP, "start"),
    "stateless": (
        DRAW.replace("u = RandomUniform(shape)", "u = StatelessRandomUniform(shape, seed)")
        + "seed = Const() {value: [1, 2]}\n" + NEW, "x"),
}  # fmt: skip
NONE = {
    "no noise": DRAW + NEW.replace("(u,", "(fed,"),
    "not scaled": DRAW + TEST.format("rate") + "y = Mul(x, mask)",
    "scaled by something else": DRAW + NEW.replace("Mul(x, scale)", "Mul(x, rate)"),
    "scaled by another tensor": DRAW + NEW.replace("scale)", "fed)"),
    "divided by the rate": DRAW + OLD.format("keep").replace("(x, keep)", "(x, rate)"),
    "what is not kept has a value": (
        DRAW + "test = GreaterEqual(u, rate)\ns = Mul(x, scale)\ny = SelectV2(test, s, one)"
    ),
    "normal noise": DRAW.replace("RandomUniform", "RandomStandardNormal") + NEW,
    "a product": DRAW + "y = Mul(x, fed)",
}


def dropouts(text: str) -> list[tuple[str, str, str]]:
    found = find_dropouts(parse_sketch(text).graph)
    return [(each.node, str(each.input), each.drawn) for each in found]


@pytest.mark.parametrize(("text", "given"), CASES.values(), ids=CASES)
def test_dropout(text: str, given: str) -> None:
    assert dropouts(text) == [("y", given, "u")]


@pytest.mark.parametrize("text", NONE.values(), ids=NONE)
def test_no_dropout(text: str) -> None:
    assert dropouts(text) == []
