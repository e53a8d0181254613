"""Which constants are weights, told by what takes them."""

import pytest

from graphfreeze.model.weights import Weights
from graphfreeze.read.sketch import parse_sketch

INPUT = """
x = Placeholder() {shape: [?, 2]}
k = Const() {shape: [2, 2], value: [1.0, 2.0, 3.0, 4.0]}
y = MatMul(x, k)
"""
V = "{value: [1.0, 2.0]}"
IMAGE = """
x = Placeholder() {shape: [?, 4, 4, 2]}
k = Const() {shape: [1, 1, 2, 2], value: [1.0, 2.0, 3.0, 4.0]}
y = Conv2D(x, k)
"""
FUSED = f"""
g = Const() {V}
b = Const() {V}
m = Const() {V}
v = Const() {V}
n = FusedBatchNorm(y, g, b, m, v) {{is_training: false}}
"""
PLAIN = f"""
g = Const() {V}
b = Const() {V}
m = Const() {V}
v = Const() {V}
e = Const() {{value: 0.5}}
add = Add(v, e)
root = Rsqrt(add)
"""
LOOP = f"""
w = Const() {V}
w/read = Identity(w)
begin = Const() {V}
state/Enter = Enter(begin) {{frame_name: "f"}}
w/Enter = Enter(w/read) {{frame_name: "f", is_constant: true}}
y/Enter = Enter(y) {{frame_name: "f", is_constant: true}}
state = Merge(state/Enter, state/Next)
go = Less(state, y/Enter)
end = LoopCond(go)
turn = Switch(state, end)
body = Identity(turn:1)
inner = Const(^body) {V}
scaled = Mul(body, w/Enter)
added = Add(scaled, inner)
met = Mul(added, y/Enter)
state/Next = NextIteration(met)
out = Exit(turn)
"""

CASES = {
    "a matrix": ("", {"k": "MatMul y"}),
    "a kernel behind FakeQuant": (
        f"{INPUT}c = Const() {{shape: [2, 2]}}\nq = FakeQuantWithMinMaxArgs(c)\nz = MatMul(y, q)",
        {"k": "MatMul y", "c": "MatMul z"},
    ),
    "a bias, and one that is added plainly": (
        f"b = Const() {V}\nz = BiasAdd(y, b)\na = Const() {V}\nu = Add(a, z)",
        {"k": "MatMul y", "b": "BiasAdd z", "a": "Add u"},
    ),
    "a scale, a divisor": (
        f"s = Const() {V}\nz = Mul(y, s)\nd = Const() {V}\nu = RealDiv(z, d)",
        {"k": "MatMul y", "s": "Mul z", "d": "RealDiv u"},
    ),
    "what is divided": (f"d = Const() {V}\nu = RealDiv(d, y)", {"k": "MatMul y"}),
    "a table, its ids and axis": (
        "t = Const() {shape: [5, 2]}\ni = Placeholder() {dtype: int32}\nn = Const() {value: 0}\n"
        "z = GatherV2(t, i, n)",
        {"k": "MatMul y", "t": "GatherV2 z"},
    ),
    "shape, axes, perm, threshold, rate": (
        "s = Const() {value: [-1, 2]}\nz = Reshape(y, s)\na = Const() {value: [0, 1]}\n"
        f"u = Sum(z, a)\np = Const() {{value: [1, 0]}}\nt = Transpose(z, p)\nl = Const() {V}\n"
        "o = Greater(z, l)\nr = Const() {value: 0.5}\nd = Mul(z, r)",
        {"k": "MatMul y"},
    ),
    "preprocessing": (
        f"a = Const() {V}\nc = Sub(x, a)\nd = Const() {V}\ne = RealDiv(c, d)\nz = MatMul(e, k)",
        {"k": "MatMul y"},
    ),
    "a bias without a read, where others have reads": (
        f"w = Const() {{shape: [2, 2]}}\nw/read = Identity(w)\nz = MatMul(y, w/read)\n"
        f"b = Const() {V}\nu = Add(z, b)\nc = Const() {V}\nc/read = Identity(c)\n"
        "v = Add(u, c/read)",
        {"k": "MatMul y", "w": "MatMul z", "c": "Add v"},
    ),
    "a mask of two axes": ("m = Const() {shape: [2, 2]}\nz = Add(y, m)", {"k": "MatMul y"}),
    "a bias of one number": (
        "b = Const() {shape: [1]}\nb/read = Identity(b)\nz = BiasAdd(y, b/read)\n"
        "n = Const() {shape: [1]}\nu = BiasAdd(z, n)",
        {"k": "MatMul y", "b": "BiasAdd z"},
    ),
    "one of several readers": (
        f"b = Const() {V}\nz = Maximum(y, b)\nu = BiasAdd(z, b)",
        {"k": "MatMul y", "b": "BiasAdd u"},
    ),
    "nothing takes it, a function does": (
        f"b = Const() {V}\nc = Const() {V}\nz = PartitionedCall(y, c)",
        {"k": "MatMul y"},
    ),
    "behind Switch and Merge": (
        f"p = Placeholder() {{dtype: bool}}\na = Const() {V}\nc = Const() {V}\nsa = Switch(a, p)\n"
        "sc = Switch(c, p)\nm = Merge(sa:1, sc)\nz = BiasAdd(y, m)",
        {"k": "MatMul y", "a": "BiasAdd z", "c": "BiasAdd z"},
    ),
    "computed of constants": (
        "g = Const() {shape: [2, 2]}\nh = Const() {shape: [2, 2]}\nw = Mul(g, h)\nz = MatMul(y, w)",
        {"k": "MatMul y", "g": "MatMul z", "h": "MatMul z"},
    ),
    "a loop": (LOOP, {"k": "MatMul y", "w": "Mul scaled"}),
    "what a ref is taken of, whatever it holds": (
        "c = Const() {value: [1, 2]}\ni = Placeholder() {dtype: int32}\ns = ScatterUpdate(c, i, i)",
        {"k": "MatMul y", "c": "ScatterUpdate s *"},
    ),
    "a fused batch norm": (
        IMAGE + FUSED,
        {
            "k": "Conv2D y",
            "g": "FusedBatchNorm n",
            "b": "FusedBatchNorm n",
            "m": "FusedBatchNorm n *",
            "v": "FusedBatchNorm n *",
        },
    ),
    "one without gamma": (
        IMAGE + FUSED.replace("[1.0, 2.0]", "[1.0, 1.0]", 1),
        {
            "k": "Conv2D y",
            "b": "FusedBatchNorm n",
            "m": "FusedBatchNorm n *",
            "v": "FusedBatchNorm n *",
        },
    ),
    "one that is not fused": (
        PLAIN + "i = Mul(root, g)\nz = Mul(y, i)\nmi = Mul(m, i)\no = Sub(b, mi)\nu = Add(z, o)",
        {"k": "MatMul y", "g": "Mul z", "b": "Add u", "m": "Add u *", "v": "Mul z *"},
    ),
    "one that takes its mean first": (
        PLAIN + "c = Sub(y, m)\nz = Mul(c, root)\nt = Mul(z, g)\nu = Add(t, b)",
        {"k": "MatMul y", "g": "Mul t", "b": "Add u", "m": "Sub c *", "v": "Mul z *"},
    ),
    "a global batch norm": (
        IMAGE
        + FUSED.partition("n =")[0]
        + "n = BatchNormWithGlobalNormalization(y, m, v, b, g) "
        + "{variance_epsilon: 0.5, scale_after_normalization: true}",
        {
            "k": "Conv2D y",
            "g": "BatchNormWithGlobalNormalization n",
            "b": "BatchNormWithGlobalNormalization n",
            "m": "BatchNormWithGlobalNormalization n *",
            "v": "BatchNormWithGlobalNormalization n *",
        },
    ),
}


def found(text: str) -> dict[str, str]:
    """Return by constant what takes it; what does not learn has a star."""
    whole = text if text.lstrip().startswith("x =") else INPUT + text
    weights, _ = Weights(parse_sketch(whole).graph).sort()
    return {w.constant.name: w.why + ("" if w.is_trainable else " *") for w in weights}


@pytest.mark.parametrize(("text", "weights"), CASES.values(), ids=CASES)
def test_what_is_a_weight(text: str, weights: dict[str, str]) -> None:
    assert found(text) == weights


REASONS = {
    "s = Const() {value: [-1, 2]}\nz = Reshape(y, s)": "hold no floating numbers",
    "s = Const() {value: 0.5}\nz = Mul(y, s)": "hold one number or none",
    f"s = Const() {V}": "are taken by nothing",
    f"s = Const() {V}\nz = Maximum(y, s)": "are taken by Maximum",
    f"s = Const() {V}\nz = Sub(x, s)": "meet a bare input, as preprocessing does",
    f"s = Const() {V}\nz = PartitionedCall(s)": "are handed to a function",
    "s = Const() {shape: [2, 2]}\nz = Add(y, s)": "are added or multiplied, and may be masks",
    f"k/read = Identity(k)\nu = MatMul(y, k/read)\ns = Const() {V}\nz = Add(u, s)": (
        "are not read by a node of their own, as the other weights are"
    ),
    f"p = Placeholder() {{dtype: bool}}\nt = Switch(y, p)\nu = Identity(t:1)\n"
    f"s = Const(^u) {V}\nz = Add(u, s)": ("are made inside a loop or a branch"),
}


@pytest.mark.parametrize(("text", "reason"), REASONS.items(), ids=REASONS.values())
def test_why_a_constant_stays(text: str, reason: str) -> None:
    _, left = Weights(parse_sketch(INPUT + text).graph).sort()
    assert {each.constant.name: each.reason for each in left}["s"] == reason
