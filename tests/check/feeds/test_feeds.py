"""What placeholders are fed with: their shapes, their values, and who is told to have decided."""

from pathlib import Path

import numpy as np
import pytest

from graphfreeze.check.feeds.chosen_feeds import ChosenFeeds
from graphfreeze.check.feeds.feed_values import draw_feeds, feed_records
from graphfreeze.check.feeds.inferred_feeds import placeholders
from graphfreeze.errors import CheckError
from graphfreeze.model.sketch import sketch_meta_graph
from graphfreeze.model.verify_records import FeedRecord
from graphfreeze.read.document import parse_document
from graphfreeze.read.sketch import parse_sketch

W = "w = VariableV2() {shape: [50, 4]}\nr = Identity(w)\n"
IDS = "x = Placeholder() {dtype: int32, shape: [?, 6]}\n"
VECTOR = "x = Placeholder() {dtype: int32, shape: [?]}\n"
ZERO = "zero = Const() {value: 0}\n"
K = "k = VariableV2() {shape: [4, 7]}\nkr = Identity(k)\nh = Placeholder() {shape: [?, 4]}\n"
SCALAR = "x = Placeholder() {shape: []}\n"
DRAW = "s = Const() {value: [2, 2]}\ndraw = RandomUniform(s)\none = Const() {value: 1.0}\n"
OF_W = "ids of w (50 rows)"
NO_RANGE = "no consumer tells a range"

CASES = {
    "floats": ("x = Placeholder() {shape: [?, 3]}", [8, 3], "normal", "its type"),
    "floats under a logarithm": (
        "x = Placeholder() {shape: [?]}\ny = Log(x)", [8], "0.05 to 1", "y takes it"),
    "every open dimension is as long": ("x = Placeholder() {shape: [?, ?, 3]}", [8, 8, 3],
        "normal", "its type"),
    "ids of a lookup": (W + IDS + ZERO + "y = GatherV2(r, x, zero)", [8, 6], "0 to 49", OF_W),
    "ids of a handle": (
        "w = VarHandleOp() {shape: [50, 4]}\n" + IDS + "y = ResourceGather(w, x)",
        [8, 6], "0 to 49", OF_W),
    "ids of another axis": (
        W + VECTOR + "one = Const() {value: 1}\ny = GatherV2(r, x, one)", [8], "0 to 3",
        "ids of w (4 rows)"),
    "ids past what passes them": (
        W + IDS + ZERO + "flat = Const() {value: [-1]}\na = Cast(x) {DstT: int64}\n"
        "b = Reshape(a, flat)\nc = ExpandDims(b, zero)\ny = GatherV2(r, c, zero)",
        [8, 6], "0 to 49", OF_W),
    "ids that come as floats": (
        W + ZERO + "x = Placeholder() {shape: [?, 6]}\nc = Cast(x) {DstT: int32}\n"
        "y = GatherV2(r, c, zero)", [8, 6], "0 to 49", OF_W),
    "floats that are cast and compared": (
        ZERO + "x = Placeholder() {shape: [?]}\nc = Cast(x) {DstT: int32}\ny = Less(c, zero)",
        [8], "normal", "its type"),
    "ids joined with others": (
        W + VECTOR + ZERO + "more = Const() {value: [1, 2]}\nall = ConcatV2(x, more, zero)\n"
        "y = GatherV2(r, all, zero)", [8], "0 to 49", OF_W),
    "ids in a loop": (
        W + IDS + 'in = Enter(x) {frame_name: "f"}\nt = Enter(r) {frame_name: "f"}\n'
        "y = Gather(t, in)", [8, 6], "0 to 49", OF_W),
    "ids of two tables, the smaller counts": (
        W + "v = VariableV2() {shape: [9, 4]}\n" + IDS + "a = Gather(r, x)\nb = Gather(v, x)",
        [8, 6], "0 to 8", "ids of v (9 rows)"),
    "what is computed from ids asks for nothing": (
        W + VECTOR + "two = Const() {value: 2}\nhalf = FloorDiv(x, two)\ny = Gather(r, half)",
        [8], "0 to 1", NO_RANGE),
    "points of a table": (
        W + "x = Placeholder() {dtype: int32, shape: [?, 2]}\ny = GatherNd(r, x)", [8, 2],
        "0 to 3", "ids of w (4 rows)"),
    "labels": (
        K + VECTOR + "logits = MatMul(h, kr)\ny = SparseSoftmaxCrossEntropyWithLogits(logits, x)",
        [8], "0 to 6", "classes of y"),
    "labels of logits with a bias": (
        K + VECTOR + "b = VariableV2() {shape: [7]}\nbr = Identity(b)\nm = MatMul(h, kr)\n"
        "logits = BiasAdd(m, br)\ny = SparseSoftmaxCrossEntropyWithLogits(logits, x)",
        [8], "0 to 6", "classes of y"),
    "labels as Keras has them": (
        K + "x = Placeholder() {shape: [?, ?]}\nc = Cast(x) {DstT: int64}\n"
        "flat = Const() {value: [-1]}\nl = Reshape(c, flat)\nlogits = MatMul(h, kr)\n"
        "y = SparseSoftmaxCrossEntropyWithLogits(logits, l)", [8, 1], "0 to 6", "classes of y"),
    "labels of each step": (
        K + "x = Placeholder() {dtype: int32, shape: [?, ?]}\nflat = Const() {value: [-1]}\n"
        "h3 = Placeholder() {shape: [?, ?, 4]}\nlogits = BatchMatMulV2(h3, kr)\n"
        "rows = Const() {value: [-1, 7]}\nf = Reshape(logits, rows)\nl = Reshape(x, flat)\n"
        "y = SparseSoftmaxCrossEntropyWithLogits(f, l)", [8, 8], "0 to 6", "classes of y"),
    "labels of a tied softmax": (
        W + VECTOR + "h = Placeholder() {shape: [?, 4]}\nl = MatMul(h, r) {transpose_b: true}\n"
        "y = SparseSoftmaxCrossEntropyWithLogits(l, x)", [8], "0 to 49", "classes of y"),
    "labels beside a prediction": (
        K + "x = Placeholder() {dtype: int64, shape: [?]}\nlogits = MatMul(h, kr)\n"
        "at = Const() {value: 1}\nbest = ArgMax(logits, at) {output_type: int64}\n"
        "y = Equal(best, x)", [8], "0 to 6", "classes of y"),
    "one-hot": (
        VECTOR + "n = Const() {value: 5}\non = Const() {value: 1.0}\noff = Const() {value: 0.0}\n"
        "y = OneHot(x, n, on, off)", [8], "0 to 4", "depth of y"),
    "classes that are sampled": (
        "x = Placeholder() {dtype: int64, shape: [?, 1]}\ny = LogUniformCandidateSampler(x) "
        "{num_sampled: 2, num_true: 1, range_max: 30, unique: true}", [8, 1], "0 to 29",
        "classes of y"),
    "in the top k": (
        K + VECTOR + "logits = MatMul(h, kr)\ny = InTopK(logits, x) {k: 1}", [8], "0 to 6",
        "classes of y"),
    "lengths end with the time": (
        "t = Placeholder() {shape: [?, 12, 4]}\nx = Placeholder() {dtype: int64, shape: [?]}\n"
        "y = ReverseSequence(t, x) {seq_dim: 1}", [8], "1 to 12", "lengths for y"),
    "lengths that make a mask": (
        VECTOR + "a = Const() {value: 0}\nb = Const() {value: 9}\nc = Const() {value: 1}\n"
        "places = Range(a, b, c)\ne = ExpandDims(x, c)\ny = Less(places, e)", [8], "1 to 8",
        "lengths for y"),
    "segments": (
        VECTOR + "n = Const() {value: 3}\nv = Placeholder() {shape: [?]}\n"
        "y = UnsortedSegmentSum(v, x, n)", [8], "0 to 2", "segments of y"),
    "a mask of whole numbers": (IDS + "y = Cast(x) {DstT: float32}", [8, 6], "0 to 1", NO_RANGE),
    "a switch": ("x = Placeholder() {dtype: bool, shape: []}", [], "true",
                 "a training; false in the second step"),
    "switches": ("x = Placeholder() {dtype: bool, shape: [?]}", [8], "true or false", "its type"),
    "text": ("x = Placeholder() {dtype: string, shape: [?]}", [8], "empty", "its type"),
    "what dropout keeps, added to a draw": (
        DRAW + SCALAR + "y = Add(x, draw)", [], "1.0", "dropout is off at 1"),
    "what dropout keeps, turned to a rate": (
        DRAW + SCALAR + "rate = Sub(one, x)\ny = GreaterEqual(draw, rate)", [], "1.0",
        "dropout is off at 1"),
    "what dropout drops": (
        DRAW + SCALAR + "y = GreaterEqual(draw, x)", [], "0.0", "dropout is off at 0"),
    "one number": (SCALAR + "y = Tanh(x)", [], "0.5", "one number"),
    "a learning rate": ("learning_rate = Placeholder() {shape: []}", [], "0.01",
        "a learning rate by its name"),
    "a size": (
        "x = Placeholder() {dtype: int32, shape: []}\nw = Const() {value: 4}\n"
        "s = Pack(x, w)\nv = Const() {value: 0.0}\ny = Fill(s, v)", [], "8", "a size, as --batch"),
}  # fmt: skip


def infer(text: str, *given: str) -> dict[str, FeedRecord]:
    model = parse_sketch(text)
    chosen = ChosenFeeds((model,), given, batch=8, seed=0)
    specs = chosen.infer(placeholders(model.graph, model.graph.nodes)).specs
    return {each.name: each for each in feed_records(specs)}


@pytest.mark.parametrize(("text", "shape", "values", "source"), CASES.values(), ids=CASES)
def test_inferred(text: str, shape: list[int], values: str, source: str) -> None:
    found = infer(text)
    feed = found.get("x:0") or found["learning_rate:0"]
    assert (feed.shape, feed.values, feed.source) == (shape, values, source)


LOOKS_UP = """h = _Arg() {T: resource}
ids = _Arg() {T: int32}
row = _Arg() {T: int32}
zero = Const() {value: 0}
some = GatherV2(ids, row, zero)
l = ResourceGather(h, some) {dtype: float32}
return:l = _Retval(l)"""
CALLS = """row = _Arg() {T: int32}
h = _Arg() {T: resource}
ids = _Arg() {T: int32}
c = looks_up(h, ids, row)
return:c = _Retval(c)"""


def test_ids_that_a_function_looks_up() -> None:
    text = "w = VarHandleOp() {shape: [50, 4]}\nrow = Const() {value: 1}\n" + IDS
    model = parse_sketch(
        text + "y = StatefulPartitionedCall(row, w, x) {Tout: [float32], f: calls}",
        functions={"looks_up": LOOKS_UP, "calls": CALLS},
    )
    feeds = ChosenFeeds((model,), (), 8, 0).infer(["x"])
    assert feed_records(feeds.specs) == [FeedRecord("x:0", "int32", [8, 6], "0 to 49", OF_W)]


def test_what_chooses_a_branch() -> None:
    text = "w = VarHandleOp() {shape: [5]}\nx = Placeholder() {dtype: int32, shape: []}\n"
    read = "h = _Arg() {T: resource}\nv = ReadVariableOp(h)\nreturn:v = _Retval(v)"
    model = parse_sketch(
        text + "y = Case(x, w) {Tin: [resource], Tout: [float32], branches: [a, b, c]}",
        functions=dict.fromkeys("abc", read),
    )
    feeds = ChosenFeeds((model,), (), 8, 0).infer(["x"])
    assert feed_records(feeds.specs) == [FeedRecord("x:0", "int32", [], "0 to 2", "branches of y")]


def test_a_range_that_another_model_tells() -> None:
    first = parse_sketch(W + IDS + "o = Odd(r)\ny = Gather(o, x)")
    second = parse_sketch(W + IDS + "y = Gather(r, x)")
    for models, values in (((first,), "0 to 1"), ((first, second), "0 to 49")):
        feeds = ChosenFeeds(models, (), 8, 0).infer(["x"])
        assert [each.values for each in feed_records(feeds.specs)] == [values]


UNKNOWN = {
    "of a product": (
        "k = VariableV2() {shape: [5, 7]}\nx = Placeholder() {}\ny = MatMul(x, k)", [8, 5]),
    "of pictures": (
        "k = VariableV2() {shape: [3, 3, 2, 7]}\nx = Placeholder() {}\n"
        'y = Conv2D(x, k) {strides: [1, 1, 1, 1], padding: "SAME"}', [8, 32, 32, 2]),
    "of a switch": ("x = Placeholder() {dtype: bool}", []),
    "of anything else": ("x = Placeholder() {}\ny = Tanh(x)", [8]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "shape"), UNKNOWN.values(), ids=UNKNOWN)
def test_unknown_rank_is_guessed_and_said(text: str, shape: list[int]) -> None:
    meta = sketch_meta_graph(text)
    for node in meta.graph_def.node:
        if node.op == "Placeholder":
            node.attr["shape"].shape.unknown_rank = True
    model = parse_document(meta.SerializeToString(), Path("m"), None)
    (spec,) = ChosenFeeds((model,), (), 8, 0).infer(["x"]).specs
    assert list(spec.shape) == shape
    assert spec.source.endswith("; shape guessed")


SPARSE = (
    "t/indices = Placeholder() {dtype: int64, shape: [?, 2]}\n"
    "t/values = Placeholder() {dtype: int64, shape: [?]}\n"
    "t/shape = Placeholder() {dtype: int64, shape: [2]}\n"
)


def test_sparse_tensor_is_consistent() -> None:
    model = parse_sketch(W + SPARSE + "ids = Unique(t/values)\ny = Gather(r, ids)")
    chosen = ChosenFeeds((model,), (), batch=3, seed=0)
    arrays = chosen.infer(["t/indices", "t/values", "t/shape"]).arrays(model.graph)
    indices, values = arrays["t/indices:0"], arrays["t/values:0"]
    assert arrays["t/shape:0"].tolist() == [3, 4]
    assert indices.shape == (len(values), 2)
    assert indices.tolist() == sorted(indices.tolist())
    assert set(indices[:, 0]) == {0, 1, 2}
    assert values.max() < 50


GIVEN = {
    "a range": ("x=int:10:20", [8, 6], "10 to 19"),
    "a range of its own shape": ("x=int:10:20:2x3", [2, 3], "10 to 19"),
    "by the tensor's name": ("x:0=int:0:2", [8, 6], "0 to 1"),
    "one number": ("x=7", [8, 6], "7"),
}


@pytest.mark.parametrize(("text", "shape", "values"), GIVEN.values(), ids=GIVEN)
def test_given(text: str, shape: list[int], values: str) -> None:
    feed = infer(W + IDS + "y = Gather(r, x)", text)["x:0"]
    assert (feed.shape, feed.values, feed.source) == (shape, values, "--feed")


def test_given_tensor_that_is_no_placeholder() -> None:
    text = IDS + "y = Identity(x)"
    assert infer(text, "y=int:0:3:2x6")["y:0"].shape == [2, 6]


def test_given_file(tmp_path: Path) -> None:
    np.save(tmp_path / "ids.npy", np.array([[3, 1]], np.int64))
    model = parse_sketch(IDS)
    chosen = ChosenFeeds((model,), (f"x=@{tmp_path / 'ids.npy'}",), 8, 0)
    value = chosen.arrays(model.graph)["x:0"]
    assert (value.dtype, value.tolist()) == (np.int32, [[3, 1]])


SWITCH = "x = Placeholder() {dtype: bool, shape: []}"
PICTURE = "x = Placeholder() {dtype: float32, shape: [8]}"
FAULTS = {
    "no values": (IDS, "x", "it is not NAME=VALUES"),
    "no such tensor": (IDS, "xx=1", "no tensor 'xx' in the graph"),
    "no such output": (IDS, "x:3=1", "no tensor 'x:3' in the graph; placeholders are x"),
    "a range of floats": (IDS, "x=float:0:1", "the tensor is int32"),
    "an empty range": (IDS, "x=int:3:3", "the range is empty"),
    "half a range": (IDS, "x=int:3", "write int:LOW:HIGH"),
    "no number": (IDS, "x=abc", "write int:LOW:HIGH"),
    "a switch that is none": (SWITCH, "x=1", "write true or"),
    "no file": (IDS, "x=@no.npy", "x=@no.npy: no array of numbers to read"),
    "numbers beyond the type": (IDS, "x=int:0:2147483649", "keep within -2,147,483,648 to 2,147"),
    "a range of words": (PICTURE, "x=float:a:b", "could not convert string to float: 'a'; write"),
    "an infinite range": (PICTURE, "x=float:0:inf", "the range is not finite"),
    "a range of bools": (SWITCH, "x=int:0:2", "the tensor is bool; write one value or @FILE.npy"),
    "a variable": (W, "w=1", "w: it is a variable, whose value comes from the checkpoint"),
    "an unknown shape": (IDS + "y = Where(x)", "y=int:0:2", "its shape is not known"),
}


@pytest.mark.parametrize(("text", "given", "told"), FAULTS.values(), ids=FAULTS)
def test_bad_feeds(text: str, given: str, told: str) -> None:
    with pytest.raises(CheckError, match="--feed") as caught:
        infer(text, given)
    assert told in str(caught.value)


UNFIT = {
    "half a number": ("x=@ids.npy", "--feed x:0: the tensor is int32, which cannot hold these"),
    "a number past the type": ("x=99999999999", "--feed x:0: the tensor is int32, which cannot"),
    "more than there is memory": ("x=int:0:2:99999999x99999999", "x:0: no array of shape "),
    "more than numpy can count": ("x=int:0:2:99999999999x99999999999", "x:0: no array of shape "),
}


@pytest.mark.parametrize(("given", "told"), UNFIT.values(), ids=UNFIT)
def test_values_that_do_not_fit(
    given: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("ids.npy", np.array([[0.5]]))
    model = parse_sketch(IDS)
    with pytest.raises(CheckError) as caught:
        ChosenFeeds((model,), (given,), 8, 0).arrays(model.graph)
    assert told in str(caught.value)


def test_complex_numbers_are_not_cut(tmp_path: Path) -> None:
    np.save(tmp_path / "c.npy", np.zeros(8, np.complex64))
    with pytest.raises(CheckError, match="it is complex64, not float32"):
        infer(PICTURE, f"x=@{tmp_path / 'c.npy'}")


def test_examples_to_parse_have_to_be_given() -> None:
    text = "x = Placeholder() {dtype: string, shape: [?]}\ny = DecodeRaw(x) {out_type: float32}"
    with pytest.raises(CheckError, match=r"--feed x=@FILE\.npy"):
        infer(text)


def test_draws_depend_on_seed_and_step_alone() -> None:
    model = parse_sketch(IDS)
    first, again, other = (ChosenFeeds((model,), ("x=int:0:1000",), 8, seed) for seed in (1, 1, 2))
    value = first.arrays(model.graph)["x:0"]
    assert (value == again.arrays(model.graph)["x:0"]).all()
    assert (value != other.arrays(model.graph)["x:0"]).any()
    assert (value != first.arrays(model.graph, step=1)["x:0"]).any()


def test_either_branch_runs_in_the_course_of_steps() -> None:
    model = parse_sketch("x = Placeholder() {dtype: bool, shape: []}")
    specs = ChosenFeeds((model,), (), batch=8, seed=0).infer(["x"]).specs
    told = [bool(draw_feeds(specs, seed=0, step=step)["x:0"]) for step in range(3)]
    assert told == [True, False, True]
