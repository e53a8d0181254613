"""The text of a graph before, and of what is different in it once a table has three more rows."""

import pytest

from graphfreeze.errors import GrowError
from graphfreeze.model.attrs import shape_proto, tensor_proto
from graphfreeze.model.model import Model
from graphfreeze.model.sketch import format_node
from graphfreeze.prepare.grow_tables import GrowTables
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import Appended, SetValue
from graphfreeze.rewrite.run import run
from graphfreeze.schema import types_pb2

T = "w = VariableV2() {shape: [8, 2]}\nw/read = Identity(w)\n"
H = "w = VarHandleOp() {shape: [8, 2]}\nw/read = ReadVariableOp(w)\n"
IDS = "ids = Placeholder() {dtype: int32, shape: [?]}\nzero = Const() {value: 0}\n"
X = "x = Placeholder() {shape: [?, 2]}\n"
TIED = T + X + "logits = MatMul(x, w/read) {transpose_b: true}\n"
LOOKUP = T + IDS + "rows = GatherV2(w/read, ids, zero)\n"
BIAS = "b = VariableV2() {shape: [8]}\nb/read = Identity(b)\n"
LABELS = "labels = Placeholder() {dtype: int32, shape: [?]}\n"
ON = "on = Const() {value: 1.0}\noff = Const() {value: 0.0}\ndepth = Const() {value: 8}\n"
HOT = ON + LABELS + "hot = OneHot(labels, depth, on, off)\n"
SAMPLED = (
    "true = Placeholder() {dtype: int64, shape: [?, 1]}\nzero = Const() {value: 0}\n"
    "s = LogUniformCandidateSampler(true) "
    "{num_sampled: 2, num_true: 1, range_max: 8, unique: true}\n"
    "flat = Const() {value: [-1]}\nids = Reshape(true, flat)\nboth = ConcatV2(ids, s, zero)\n"
    "rows = GatherV2(w/read, both, zero)\n"
)
GROWN = "w = VariableV2() {dtype: float32, shape: [11, 2]}"
GROWN_BIAS = "b = VariableV2() {dtype: float32, shape: [11]}"
NEW_DEPTH = "depth = Const() {value: 11}"

# The graph before, and its nodes that are changed or new besides the table itself
CASES = {
    "a lookup": (LOOKUP, ()),
    "a resource variable": (
        H + IDS + "rows = ResourceGather(w, ids)\nshape = VariableShape(w)\n", ()),
    "lookups in a loop": (
        T + 'in = Enter(w/read) {frame_name: "f"}\n' + IDS + "rows = Gather(in, ids)\n", ()),
    "random initializer": (
        T + "shape = Const() {value: [8, 2]}\ndraw = RandomUniform(shape)\n"
        "by = Const() {value: 2.0}\nvalue = Mul(draw, by)\nw/Assign = Assign(w, value)\n",
        ("shape = Const() {value: [11, 2]}",)),
    "initializer of one value": (
        T + "value = Const() {shape: [8, 2], value: 0.5}\nw/Assign = Assign(w, value)\n",
        ("value = Const() {shape: [11, 2], value: 0.5}",)),
    "initializer's shape taken by another": (
        T + "shape = Const() {value: [8, 2]}\nvalue = RandomUniform(shape)\n"
        "w/Assign = Assign(w, value)\nother = RandomUniform(shape)\n",
        ("value = RandomUniform(value/graphfreeze/input_0) {dtype: float32}",
         "value/graphfreeze/input_0 = Const() {value: [11, 2]}")),
    "initializer of full value": (
        T + "value = Const() {value: [[1.0, 2.0], [3.0, 4.0], [1.0, 2.0], [3.0, 4.0], [1.0, 2.0], "
        "[3.0, 4.0], [1.0, 2.0], [3.0, 4.0]]}\nw/Assign = Assign(w, value)\n",
        ("w/Assign = Assign(w, w/Assign/graphfreeze/all_rows)",
         "w/Assign/graphfreeze/new_shape = Const() {value: [3, 2]}",
         "w/Assign/graphfreeze/zero = Const() {value: 0.0}",
         "w/Assign/graphfreeze/new_rows = Fill(w/Assign/graphfreeze/new_shape, "
         "w/Assign/graphfreeze/zero)",
         "w/Assign/graphfreeze/axis = Const() {value: 0}",
         "w/Assign/graphfreeze/all_rows = ConcatV2(value, w/Assign/graphfreeze/new_rows, "
         "w/Assign/graphfreeze/axis)")),
    "softmax bias": (TIED + BIAS + "y = BiasAdd(logits, b/read)\n", (GROWN_BIAS,)),
    "bias of a row of its own": (
        TIED + BIAS + "first = Const() {value: 0}\nrow = ExpandDims(b/read, first)\n"
        "y = Add(logits, row)\n", (GROWN_BIAS,)),
    "bias in its own shape": (
        TIED + BIAS + "shape = Const() {value: [1, 8]}\nrow = Reshape(b/read, shape)\n"
        "y = Add(row, logits)\n", (GROWN_BIAS, "shape = Const() {value: [1, 11]}")),
    "bias that is a constant of one value": (
        TIED + "b = Const() {shape: [8], value: 0.5}\ny = Add(logits, b)\nz = Neg(b)\n",
        ("y = Add(logits, y/graphfreeze/input_1)",
         "y/graphfreeze/input_1 = Const() {shape: [11], value: 0.5}")),
    "what is broadcast stays": (
        TIED + "one = Const() {value: 1.0}\ncolumn = Placeholder() {shape: [?, 1]}\n"
        "y = Mul(logits, one)\nz = Add(y, column)\n", ()),
    "labels that are ids": (
        TIED + LABELS + "y = SparseSoftmaxCrossEntropyWithLogits(logits, labels)\n", ()),
    "one-hot labels": (
        TIED + HOT + "y = SoftmaxCrossEntropyWithLogits(logits, hot)\n", (NEW_DEPTH,)),
    "one-hot labels, smoothed": (
        TIED + HOT + "z = Mul(hot, on)\nsmooth = Add(z, off)\n"
        "y = SoftmaxCrossEntropyWithLogits(logits, smooth)\n", (NEW_DEPTH,)),
    "lookup by one-hot product": (T + HOT + "rows = MatMul(hot, w/read)\n", (NEW_DEPTH,)),
    "labels that are fed": (
        TIED + "p = Placeholder() {shape: [?, 8]}\ny = SoftmaxCrossEntropyWithLogits(logits, p)\n",
        ("p = Placeholder() {dtype: float32, shape: [?, 11]}",)),
    "transposed": (
        T + X + "perm = Const() {value: [1, 0]}\nt = Transpose(w/read, perm)\n"
        "logits = MatMul(x, t)\n" + BIAS + "y = BiasAdd(logits, b/read)\n", (GROWN_BIAS,)),
    "logits in another shape": (
        TIED + "shape = Const() {value: [-1, 4, 8]}\ny = Reshape(logits, shape)\n",
        ("shape = Const() {value: [-1, 4, 11]}",)),
    "shape put together": (
        TIED + "n = Placeholder() {dtype: int32, shape: []}\nv = Const() {value: 8}\n"
        "shape = Pack(n, v)\ny = Reshape(logits, shape)\n", ("v = Const() {value: 11}",)),
    "shape taken from the logits": (
        TIED + "s = Shape(logits)\ny = Reshape(logits, flat)\n"
        "at = Const() {value: [1]}\nend = Const() {value: [2]}\nlast = StridedSlice(s, at, end, at)"
        "\nminus = Const() {value: [-1]}\nzero = Const() {value: 0}\n"
        "flat = ConcatV2(minus, last, zero)\nz = Add(y, b/read)\n" + BIAS, (GROWN_BIAS,)),
    "table by its middle axis": (
        T + "shape = Const() {value: [1, 8, 2]}\ny = Reshape(w/read, shape)\n",
        ("shape = Const() {value: [1, 11, 2]}",)),
    "reductions": (
        TIED + "last = Const() {value: -1}\nfirst = Const() {value: 0}\nm = Max(logits, last)\n"
        "per_word = Sum(logits, first)\nbest = ArgMax(logits, last)\nall = L2Loss(w/read)\n" + BIAS
        + "z = Add(per_word, b/read)\n", (GROWN_BIAS,)),
    "rows from the second on, behind a row of zeros": (
        T + IDS + "begin = Const() {value: [1, 0]}\nend = Const() {value: [0, 0]}\n"
        "step = Const() {value: [1, 1]}\nrest = StridedSlice(w/read, begin, end, step) "
        "{begin_mask: 2, end_mask: 3}\nnull = Const() {shape: [1, 2], value: 0.0}\n"
        "all = ConcatV2(null, rest, zero)\nrows = GatherV2(all, ids, zero)\n", ()),
    "moving average": (
        T + "m = VariableV2() {shape: [8, 2]}\nm/read = Identity(m)\nd = Sub(m/read, w/read)\n"
        "up = AssignSub(m, d)\n", ("m = VariableV2() {dtype: float32, shape: [11, 2]}",)),
    "table that the same ids pick rows of": (
        LOOKUP + "v = VariableV2() {shape: [8, 1]}\nv/read = Identity(v)\n"
        "first = GatherV2(v/read, ids, zero)\n",
        ("v = VariableV2() {dtype: float32, shape: [11, 1]}",)),
    "sampler": (
        T + SAMPLED + BIAS + "biases = GatherV2(b/read, both, zero)\n",
        (GROWN_BIAS, "s = LogUniformCandidateSampler(true) {num_sampled: 2, num_true: 1, "
         "range_max: 11, unique: true}")),
    "ids that are checked": (
        LOOKUP + "v = Const() {value: 8}\nok = Less(ids, v)\nlast = Const() {value: 7}\n"
        "cut = Minimum(ids, last)\nr = GatherV2(w/read, cut, zero)\n",
        ("v = Const() {value: 11}", "last = Const() {value: 10}")),
    "a saver and a summary": (
        T + 'f = Const() {value: "f"}\nkeys = Const() {value: ["w"]}\nwhole = Const() {value: [""]}'
        "\nsave = SaveV2(f, keys, whole, w)\nvalues = RestoreV2(f, keys, whole)\n"
        "restore = Assign(w, values)\nh = HistogramSummary(f, w/read)\n", ()),
}  # fmt: skip


def grow(model: Model, **rows: int) -> tuple[Draft, GrowTables]:
    draft, grow_tables = Draft(model), GrowTables(rows or {"w": 3})
    run(draft, [grow_tables])
    return draft, grow_tables


@pytest.mark.parametrize(("text", "changed"), CASES.values(), ids=CASES)
def test_what_grows(text: str, changed: tuple[str, ...]) -> None:
    draft, _ = grow(parse_sketch(text))
    nodes = [draft.graph.nodes[name] for name in draft.graph.nodes if name in draft.touched]
    lines = [format_node(node) for node in nodes]
    grown = GROWN if "VariableV2() {shape: [8, 2]}\nw/read" in text else lines[0]
    assert sorted(lines) == sorted([grown, *changed])
    assert "shape: [11, 2]" in lines[0]


FULL = ", ".join(f"{n}.0" for n in range(8))
CUT = "zero = Const() {value: [0, 0]}\nsize = Const() {value: [8, 2]}\n"
ERRORS = {
    "no such table": ("v = VariableV2() {shape: [8, 2]}\n", "'w', which is to get more rows, is"),
    "a scalar": ("w = VariableV2() {shape: []}\n", "'w' cannot get more rows, its shape is []"),
    "unknown shape": ("w = VariableV2() {shape: unknown}\n", "its shape is unknown"),
    "op without a rule": (
        T + "y = MatrixInverse(w/read)\n", "node 'y' takes 'w' by its height with op Matrix"),
    "an optimizer": (
        T + "r = Const() {value: 0.1}\ns = ApplyGradientDescent(w, r, w/read)\n",
        "node 's' takes 'w' by its height with op ApplyGradientDescent"),
    "unknown op": (T + "y = MyOp(w/read)\n", "with op MyOp"),
    "a function": (
        H + 'y = PartitionedCall(w) {f: body, Tout: [float32]}\n',
        "node 'y' takes 'w' by its height into a function"),
    "constant of several values": (
        TIED + f"b = Const() {{value: [{FULL}]}}\ny = Add(logits, b)\n",
        "node 'b', op Const, is used with 'w' and has 8 entries"),
    "bias along another axis of a variable": (
        TIED + "b = VariableV2() {shape: [1, 8]}\nb/read = Identity(b)\ny = Add(logits, b/read)\n",
        "node 'b', op VariableV2, is used with 'w'"),
    "a slice up to the last row": (T + CUT + "y = Slice(w/read, zero, size)\n", "up to its last"),
    "rows behind the table": (
        T + IDS + "null = Const() {shape: [1, 2], value: 0.0}\n"
        "all = ConcatV2(w/read, null, zero)\n", "node 'all', op ConcatV2, takes 'w' up to its"),
    "a table by itself": (
        T + "y = MatMul(w/read, w/read) {transpose_b: true}\n", "at node 'y' the heights"),
    "all in one row": (T + "one = Const() {value: [-1]}\ny = Reshape(w/read, one)\n", "op Reshape"),
    "a shape used elsewhere": (
        TIED + "n = Placeholder() {dtype: int32, shape: []}\nv = Const() {value: 8}\n"
        "shape = Pack(n, v)\ny = Reshape(logits, shape)\nother = Reshape(x, shape)\n",
        "node 'shape' makes a shape with the height of 'w', and 'other' takes it too"),
    "axes that are fed": (
        TIED + "axis = Placeholder() {dtype: int32, shape: []}\ny = Sum(logits, axis)\n",
        "node 'y', op Sum: the graph does not say how the height of 'w' goes"),
    "a saver of slices": (
        T + 'f = Const() {value: "f"}\nkeys = Const() {value: ["whole"]}\n'
        'part = Const() {value: ["16 2 0,8:0,2"]}\nsave/SaveV2 = SaveV2(f, keys, part, w)\n'
        "save/control_dependency = Identity(f, ^save/SaveV2)\nsave/restore_all = NoOp()\n"
        "save/Const = Const() {value: \"f\"}\nsaver: save\n", "'whole' is saved in parts"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "told"), ERRORS.values(), ids=ERRORS)
def test_what_cannot_grow(text: str, told: str) -> None:
    with pytest.raises(GrowError) as caught:
        grow(parse_sketch(text))
    assert told in str(caught.value)


def test_two_tables_that_meet_grow_alike() -> None:
    text = TIED + BIAS + "y = BiasAdd(logits, b/read)\n"
    with pytest.raises(GrowError, match="heights of 'b' and 'w' meet"):
        grow(parse_sketch(text), w=3, b=2)
    assert grow(parse_sketch(text), w=3, b=3)[1].notes == []


NOTES = {
    "bias": (TIED + BIAS + "y = BiasAdd(logits, b/read)\n",
             "b grows to 11 rows too, used with w"),
    "placeholder": (
        TIED + "p = Placeholder() {shape: [?, 8]}\ny = Sub(logits, p)\n",
        "placeholder p is to be fed with 11 entries now"),
    "sampler": (T + SAMPLED, "s now draws from 11 ids"),
    "sampler by counts": (
        T + SAMPLED.replace("LogUniform", "FixedUnigram"),
        "s counts old ids: new words are never drawn, and are no labels"),
    "hashed ids": (
        T + IDS.replace("ids", "raw") + "v = Const() {value: 8}\nids = FloorMod(raw, v)\n"
        "rows = GatherV2(w/read, ids, zero)\n",
        "ids makes all ids of w below 8: none is a new word"),
    "another of that height": (
        LOOKUP + BIAS, "as high and not grown, so not for the ids of new words: b"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "told"), NOTES.values(), ids=NOTES)
def test_what_a_user_has_to_know(text: str, told: str) -> None:
    assert grow(parse_sketch(text))[1].notes == [told]


CONTENTS = {"one value": ([2.5] * 8, [2.5] * 11), "several values": ([2.5] * 7 + [1.5], None)}


@pytest.mark.parametrize(("given", "grown"), CONTENTS.values(), ids=CONTENTS)
def test_constants_in_packed_bytes(given: list[float], grown: list[float] | None) -> None:
    model = parse_sketch(TIED + "b = Const() {shape: [8], value: 0.0}\ny = Add(logits, b)\n")
    packed = tensor_proto(given, types_pb2.DT_FLOAT)
    model.graph.nodes["b"].attr["value"].tensor.CopyFrom(packed)
    if grown is None:
        with pytest.raises(GrowError, match="8 entries"):
            grow(model)
    else:
        value = grow(model)[0].graph.nodes["b"].attr["value"].tensor
        assert value == tensor_proto(grown, types_pb2.DT_FLOAT)


def test_signatures_that_tell_the_old_shape() -> None:
    model = parse_sketch(TIED)
    model.header.signature_def["serve"].outputs["scores"].name = "logits:0"
    model.header.signature_def["serve"].inputs["x"].name = "x:0"
    assert grow(model)[1].notes == ["signature 'serve' still tells the old shape of logits:0"]


def test_initial_values_that_are_wanted() -> None:
    assert grow(parse_sketch(CASES["initializer of full value"][0]))[1].needs_values == ["w"]
    assert grow(parse_sketch(CASES["random initializer"][0]))[1].needs_values == []


SAVED = """
f = Const() {value: "f"}
keys = Const() {value: ["table", "bias"]}
whole = Const() {value: ["", ""]}
save/SaveV2 = SaveV2(f, keys, whole, w, b)
save/control_dependency = Identity(f, ^save/SaveV2)
save/Const = Const() {value: "f"}
save/restore_all = NoOp()
saver: save
"""


def test_keys_of_the_checkpoint_grow() -> None:
    tied = TIED + BIAS + "y = BiasAdd(logits, b/read)\n"
    draft, done = grow(parse_sketch(tied + SAVED))
    assert done.grown == {"w": 11, "b": 11}
    wanted = [SetValue("table", Appended(11)), SetValue("bias", Appended(11))]
    assert draft.value_edits == wanted
    assert grow(parse_sketch(tied))[0].value_edits == [
        SetValue("w", Appended(11)),
        SetValue("b", Appended(11)),
    ]


def test_hints_of_shapes_are_mended_where_they_lie() -> None:
    text = TIED + "s = Shape(logits)\none = Const() {value: 1.0}\nmore = Fill(s, one)\n"
    model = parse_sketch(text)
    for name, shape in {"w/read": [8, 2], "logits": [None, 8], "s": [2], "more": [4, 8]}.items():
        model.graph.nodes[name].attr["_output_shapes"].list.shape.append(shape_proto(shape))
    nodes = grow(model)[0].graph.nodes
    found = {
        name: [dim.size for dim in node.attr["_output_shapes"].list.shape[0].dim]
        for name, node in nodes.items()
        if "_output_shapes" in node.attr
    }
    assert found == {"w/read": [11, 2], "logits": [-1, 11], "s": [2], "more": [4, -1]}


def test_the_promise_is_checked() -> None:
    draft, done = grow(parse_sketch(TIED + BIAS + "y = BiasAdd(logits, b/read)\n"))
    draft.graph.nodes["b"].attr["shape"].shape.dim[0].size = 8
    draft.apply(SetValue("w", Appended(11)))
    assert done.verify(draft.base, draft) == "b has 8 rows instead of 11"
    text = TIED + "shape = Const() {value: [-1, 4, 8]}\ny = Reshape(logits, shape)\n"
    draft = Draft(parse_sketch(text.replace("[8, 2]", "[11, 2]")))
    assert "node 'y'" in str(GrowTables({}, grown={"w": 11}).verify(draft.base, draft))


def test_to_look_at_a_node_adds_no_attribute_to_it() -> None:
    model = parse_sketch(T + IDS + "rows = Gather(w/read, ids)\nsum = Sum(rows, zero)\n")
    before = {name: set(node.attr) for name, node in model.graph.nodes.items()}
    grow(model, w=3)
    assert {name: set(node.attr) for name, node in model.graph.nodes.items()} == before
