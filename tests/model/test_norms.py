"""Global norms are found by what they compute."""

import pytest

from graphfreeze.model.names import parse_ref
from graphfreeze.model.norms import find_clipped, find_norms
from graphfreeze.read.sketch import parse_sketch

MODEL = """
a = Placeholder() {shape: [4]}
b = Placeholder() {shape: [4, 2]}
two = Const() {value: 2.0}
axis = Const() {value: [0]}
half_a = L2Loss(a)
half_b = L2Loss(b)
"""
SQUARES = "sq_a = Square(a)\nsum_a = Sum(sq_a, axis)\nsq_b = Mul(b, b)\nsum_b = Sum(sq_b, axis)\n"

# more nodes, then the places where squares stand in the sum of the norm n, and the tensors
NORMS = {
    "tf.global_norm": (
        "p = Pack(half_a, half_b)\ns = Sum(p, axis)\ntwice = Mul(s, two)\nn = Sqrt(twice)",
        "p:0=a p:1=b",
    ),
    "colocated by identities": (
        "ia = Identity(half_a)\np = Pack(ia, half_b)\ns = Sum(p, axis)\nt = Mul(two, s)\n"
        "n = Sqrt(t)",
        "p:0=a p:1=b",
    ),
    "of one gradient": ("p = Pack(half_a)\ns = Sum(p, axis)\nt = Mul(s, two)\n"
                        "n = Sqrt(t)", "p:0=a"),
    "sums of squares, added": (SQUARES + "s = AddN(sum_a, sum_b)\nn = Sqrt(s)", "s:0=a s:1=b"),
    "added one by one": (SQUARES + "s = Add(sum_a, sum_b)\nt = AddV2(s, half_a)\nn = Sqrt(t)",
                         "s:0=a s:1=b t:1=a"),
    "a norm of norms": (
        "p = Pack(half_a, half_b)\ns = Sum(p, axis)\nq = Pack(s, half_a)\nt = Sum(q, axis)\n"
        "n = Sqrt(t)",
        "q:1=a p:0=a p:1=b",
    ),
    "a root of something else": ("n = Sqrt(b)", ""),
    "a deviation": ("s = Add(b, two)\nn = Sqrt(s)", ""),
    "one tensor's own norm": (SQUARES + "n = Sqrt(sum_a)", ""),
}  # fmt: skip


@pytest.mark.parametrize(("text", "terms"), NORMS.values(), ids=NORMS)
def test_terms(text: str, terms: str) -> None:
    found = list(find_norms(parse_sketch(MODEL + text).graph))
    told = [f"{t.edge.consumer}:{t.edge.slot}={t.gradient}" for norm in found for t in norm.terms]
    assert sorted(told) == sorted(terms.split())
    assert [norm.node for norm in found] == (["n"] if terms else [])


def test_what_is_clipped() -> None:
    clip = """
    p = Pack(half_a, half_b)
    s = Sum(p, axis)
    n = Sqrt(s)
    scale = RealDiv(two, n)
    clipped = Mul(a, scale)
    other = Mul(a, two)
    divided = RealDiv(b, n)
    """
    graph = parse_sketch(MODEL + clip).graph
    (norm,) = find_norms(graph)
    behind = graph.descendants([norm.node], data_only=True)
    found = {t.gradient: find_clipped(graph, behind, t) for t in norm.terms}
    assert found == {parse_ref("a"): ["clipped"], parse_ref("b"): ["divided"]}
