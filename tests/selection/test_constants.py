"""Which constants are chosen: by what they are, or by patterns."""

import pytest

from graphfreeze.errors import SelectionError, ThawError
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.selection.constants import NAMED, UNNAMED, choose_constants

GRAPH = """
x = Placeholder() {shape: [?, 2]}
a/w = Const() {shape: [2, 2]}
a/shape = Const() {value: [-1, 2]}
a/rate = Const() {value: 0.5}
a/y = MatMul(x, a/w)
a/z = Reshape(a/y, a/shape)
a/u = Mul(a/z, a/rate)
b/w = Const() {shape: [2, 2]}
b/y = MatMul(a/u, b/w)
b/text = Const() {value: "t"}
b/mask = Const() {shape: [2, 2]}
b/z = Add(b/y, b/mask)
"""
CASES = {
    "none": ((), ["a/w", "b/w"]),
    "a scope": (("a",), ["a/w"]),
    "anywhere": (("**/w",), ["a/w", "b/w"]),
    "as a tensor": (("b/w:0",), ["b/w"]),
    "what was not proposed": (("b/mask", "a/w"), ["a/w", "b/mask"]),
    "whole numbers, named in full": (("a/shape",), ["a/shape"]),
    "one number, named in full": (("a/rate",), ["a/rate"]),
}


@pytest.mark.parametrize(("patterns", "names"), CASES.values(), ids=CASES)
def test_chosen(patterns: tuple[str, ...], names: list[str]) -> None:
    chosen = choose_constants(parse_sketch(GRAPH), patterns, "ref")
    assert [each.constant.name for each in chosen.weights] == names
    rest = {each.constant.name for each in chosen.left}
    assert not rest & {*names}
    assert len(rest) + len(names) == 6


def test_what_does_not_learn() -> None:
    chosen = choose_constants(parse_sketch(GRAPH), ["a/shape", "a/rate"], "ref")
    assert [each.is_trainable for each in chosen.weights] == [False, True]
    assert [each.why for each in chosen.weights] == ["Reshape a/z", "Mul a/u"]


def test_a_weight_that_no_pattern_names() -> None:
    chosen = choose_constants(parse_sketch(GRAPH), ["a"], "ref")
    reasons = {each.constant.name: each.reason for each in chosen.left}
    assert reasons["b/w"] == UNNAMED
    assert reasons["a/shape"] == "hold no floating numbers"


def test_a_resource_that_is_asked_for_by_name() -> None:
    chosen = choose_constants(parse_sketch(f"{GRAPH}outputs: b/w:0"), (), "resource")
    assert [each.constant.name for each in chosen.weights] == ["a/w"]
    assert (NAMED, "b/w") in [(each.reason, each.constant.name) for each in chosen.left]


BRANCH = """
p = Placeholder() {dtype: bool}
s = Switch(a/u, p)
t = Identity(s:1)
c = Const(^t) {value: [1.0, 2.0]}
v = Add(t, c)
"""
WRITTEN = "i = Placeholder() {dtype: int32}\ns = ScatterAdd(a/w, i, x)\n"
ERRORS = {
    "no such constant": ("", ["a/v"], "ref", "'a/v' matches no constant; did you mean a/w?"),
    "text": ("", ["b/text"], "ref", "constant 'b/text' is of type string, no number"),
    "inside a branch": (BRANCH, ["c"], "ref", "constant 'c' is made inside a loop or a branch"),
    "written": (
        WRITTEN,
        ["a/w"],
        "resource",
        "'a/w' is written by ScatterAdd s, which takes a ref",
    ),
    "quantized": (
        "q = Placeholder() {dtype: quint8}\nr = QuantizedRelu(q, a/rate, a/rate)",
        [],
        "ref",
        r"quantized weights \(QuantizedRelu\)",
    ),
}


@pytest.mark.parametrize(("more", "patterns", "kind", "told"), ERRORS.values(), ids=ERRORS)
def test_refused(more: str, patterns: list[str], kind: str, told: str) -> None:
    with pytest.raises(ThawError, match=told):
        choose_constants(parse_sketch(GRAPH + more), patterns, kind)


def test_no_pattern() -> None:
    with pytest.raises(SelectionError, match="it is empty"):
        choose_constants(parse_sketch(GRAPH), [""], "ref")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("w = VariableV2() {shape: [2]}\nc = Const()", r"variables already \(1 variable\); choose"),
        ("c = Const() {value: [0.5, 2.0]}\ni = Const() {value: [1, 2]}", "--constants, from c$"),
        ("i = Const() {value: [1, 2]}", "nothing to thaw, it has no variables and no floating"),
    ],
    ids=["variables", "a floating constant", "neither"],
)
def test_nothing_that_looks_like_a_weight(text: str, told: str) -> None:
    with pytest.raises(ThawError, match=told):
        choose_constants(parse_sketch(text), (), "ref")


def test_a_bare_text_is_no_list() -> None:
    with pytest.raises(SelectionError, match="constants='a/w' is one text where a list is needed"):
        choose_constants(parse_sketch(GRAPH), "a/w", "ref")
