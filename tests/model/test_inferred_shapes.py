"""Shapes that follow from ops above a tensor."""

import pytest

from graphfreeze.model.attrs import shape_proto
from graphfreeze.model.inferred_shapes import infer_shape
from graphfreeze.model.names import parse_ref
from graphfreeze.read.sketch import parse_sketch

X = "x = Placeholder() {shape: [-1, 28, 27, 3]}\n"
K = "k = Const() {value: %s}\n"
F = "f = VariableV2() {shape: [5, 4, 3, 8]}\n"
SAME = '{strides: [1, 2, 2, 1], padding: "SAME"}'
VALID = '{strides: [1, 2, 2, 1], padding: "VALID"}'
POOL = '{ksize: [1, 3, 3, 1], strides: [1, 3, 3, 1], padding: "%s"}'
LAST = '{ksize: [1, 1, 2, 2], strides: [1, 1, 2, 2], padding: "SAME", data_format: "NCHW"}'
WIDE = '{strides: [1, 1, 1, 1], dilations: [1, 2, 2, 1], padding: "VALID"}'
ROWS = "m = Placeholder() {shape: [-1, 6]}\n"
SHAPE = "s = Shape(x)\nzero = Const() {value: [0]}\none = Const() {value: [1]}\n"
FIRST = SHAPE + "b = StridedSlice(s, zero, one, one) {shrink_axis_mask: 1}\n"
REST = "all = Const() {value: -1}\n"
PER_PIXEL = "p = Const() {value: [[1.0, 2.0, 3.0]]}\n"
LOOP = """
enter = Enter(x) {frame_name: "f"}
merge = Merge(enter, next)
on = Placeholder() {dtype: bool, shape: []}
go = LoopCond(on)
switch = Switch(merge, go)
next = NextIteration(switch:1)
y = Exit(switch)
"""
CASES = {
    "a convolution": (X + F + f"y = Conv2D(x, f) {SAME}", [None, 14, 14, 8]),
    "valid": (X + F + f"y = Conv2D(x, f) {VALID}", [None, 12, 12, 8]),
    "dilated": (X + F + f"y = Conv2D(x, f) {WIDE}", [None, 20, 21, 8]),
    "by depth": (X + F + f"y = DepthwiseConv2dNative(x, f) {SAME}", [None, 14, 14, 24]),
    "a convolution by who knows": (
        X + "f = Placeholder()\n" + f"y = Conv2D(x, f) {SAME}",
        [None, 14, 14, None],
    ),
    "a pool": (X + f"y = MaxPool(x) {POOL % 'SAME'}", [None, 10, 9, 3]),
    "a valid pool": (X + f"y = AvgPool(x) {POOL % 'VALID'}", [None, 9, 9, 3]),
    "channels first": (X + f"y = AvgPool(x) {LAST}", [None, 28, 14, 2]),
    "a mean": (X + K % "[1, 2]" + "y = Mean(x, k)", [None, 3]),
    "a mean that keeps axes": (
        X + K % "[-3, 2]" + "y = Mean(x, k) {keep_dims: true}",
        [None, 1, 1, 3],
    ),
    "a mean over who knows": (X + "k = Placeholder() {dtype: int32}\ny = Mean(x, k)", None),
    "joined": (X + K % "3" + "y = ConcatV2(x, x, k)", [None, 28, 27, 6]),
    "joined, as long ago": (X + K % "-1" + "y = Concat(k, x, x)", [None, 28, 27, 6]),
    "joined batches": (X + K % "0" + "y = ConcatV2(x, x, k)", [None, 28, 27, 3]),
    "a product": (ROWS + "w = VariableV2() {shape: [6, 5]}\ny = MatMul(m, w)", [None, 5]),
    "transposed": (
        ROWS + "w = VariableV2() {shape: [5, 6]}\ny = MatMul(m, w) {transpose_b: true}",
        [None, 5],
    ),
    "of a resource": (
        ROWS + "w = VarHandleOp() {shape: [6, 5]}\nr = ReadVariableOp(w)\ny = MatMul(m, r)",
        [None, 5],
    ),
    "one by one": (X + "a = Relu6(x)\nb = Elu(a)\ny = Tanh(b)", [None, 28, 27, 3]),
    "broadcast": (X + PER_PIXEL + "y = AddV2(x, p)", [None, 28, 27, 3]),
    "broadcast from below": (PER_PIXEL + X + "y = Mul(p, x)", [None, 28, 27, 3]),
    "squeezed": (
        "x = Placeholder() {shape: [-1, 1, 1, 3]}\ny = Squeeze(x) {squeeze_dims: [1, 2]}",
        [None, 3],
    ),
    "squeezed by itself": ("x = Placeholder() {shape: [2, 1, 3]}\ny = Squeeze(x)", [2, 3]),
    "squeezed, who knows": ("x = Placeholder() {shape: [-1, 1, 3]}\ny = Squeeze(x)", None),
    "expanded": (ROWS + K % "-1" + "y = ExpandDims(m, k)", [None, 6, 1]),
    "padded": (ROWS + K % "[[0, 0], [2, 1]]" + "y = Pad(m, k)", [None, 9]),
    "turned": (X + K % "[0, 3, 1, 2]" + "y = Transpose(x, k)", [None, 3, 28, 27]),
    "looked up": (
        "w = VariableV2() {shape: [9, 4]}\ni = Placeholder() {shape: [-1, 7], "
        "dtype: int32}\ny = Gather(w, i)",
        [None, 7, 4],
    ),
    "normalized": (X + K % "[1.0]" + "y = FusedBatchNorm(x, k, k, k, k)", [None, 28, 27, 3]),
    "reshaped": (X + K % "[-1, 2268]" + "y = Reshape(x, k)", [None, 2268]),
    "reshaped, unknown before": (
        "x = Placeholder()\n" + K % "[-1, 7]" + "y = Reshape(x, k)",
        [None, 7],
    ),
    "reshaped, all known": (
        "x = Placeholder() {shape: [2, 6]}\n" + K % "[3, -1]" + "y = Reshape(x, k)",
        [3, 4],
    ),
    "flattened": (X + FIRST + REST + "k = Pack(b, all)\ny = Reshape(x, k)", [None, 2268]),
    "flattened by its count": (
        X + FIRST + "n = Placeholder() {shape: [], dtype: int32}\n"
        "k = Pack(b, n)\ny = Reshape(x, k)",
        [None, 2268],
    ),
    "flattened by another's batch": (
        X
        + "z = Placeholder() {shape: [-1, 2]}\n"
        + FIRST.replace("Shape(x)", "Shape(z)")
        + REST
        + "k = Pack(b, all)\ny = Reshape(x, k)",
        [None, None],
    ),
    "flattened behind a pool": (
        X
        + f"h = AvgPool(x) {POOL % 'SAME'}\n"
        + FIRST.replace("Shape(x)", "Shape(h)")
        + REST
        + "k = Pack(b, all)\ny = Reshape(h, k)",
        [None, 270],
    ),
    "two sizes open": (
        X + "n = Placeholder() {shape: [], dtype: int32}\nk = Pack(n, n)\ny = Reshape(x, k)",
        [None, None],
    ),
    "a loop": (X + LOOP, [None, 28, 27, 3]),
    "branches that agree in part": (
        X + "z = Placeholder() {shape: [-1, 28, 5, 3]}\ny = Merge(x, z)",
        [None, 28, None, 3],
    ),
    "a branch of which nothing is known": (X + "z = Placeholder()\ny = Merge(x, z)", None),
    "nothing tells": ("x = Placeholder()\ny = Relu(x)", None),
}


@pytest.mark.parametrize(("text", "shape"), CASES.values(), ids=CASES)
def test_shape(text: str, shape: list[int | None] | None) -> None:
    found = infer_shape(parse_sketch(text).graph, parse_ref("y"))
    assert found == (None if shape is None else tuple(shape))


def test_a_deep_graph() -> None:
    lines = [f"y{i} = Add(y{i - 1}, y{i - 1})" for i in range(1, 3000)]
    graph = parse_sketch("y0 = Placeholder() {shape: [-1, 4]}\n" + "\n".join(lines)).graph
    assert infer_shape(graph, parse_ref("y2999")) == (None, 4)


def test_a_hint_holds() -> None:
    graph = parse_sketch("x = Placeholder()\ny = Relu(x)").graph
    hint = graph.nodes["x"].attr["_output_shapes"].list.shape.add()
    hint.CopyFrom(shape_proto([None, 4]))
    assert infer_shape(graph, parse_ref("y")) == (None, 4)
