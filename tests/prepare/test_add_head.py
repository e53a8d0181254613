"""A head is laid on a tensor: what is added, what stays, and where it cannot be."""

import pytest

from graphfreeze.errors import GraphfreezeError, HeadError
from graphfreeze.model.collected import node_entries, variable_entries
from graphfreeze.model.heads import Head, HeadRecord
from graphfreeze.model.op_registry import load_shipped
from graphfreeze.model.sketch import format_node
from graphfreeze.prepare.add_head import AddHead
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import FromCheckpoint, FromInitializer, SetValue
from graphfreeze.rewrite.run import run

POOL = "pool = Placeholder() {shape: [-1, 4]}\n"
TALL = "pool = Placeholder() {shape: [-1, 2, 4]}\n"
SOFTMAX = Head("softmax", "pool", 3)


def add_head(text: str, head: Head = SOFTMAX, **trained: str) -> tuple[Draft, HeadRecord]:
    draft, added = Draft(parse_sketch(text)), AddHead(head, trained)
    run(draft, [added])
    assert added.record is not None
    return draft, added.record


def told(draft: Draft, but: str = "/kernel /bias") -> list[str]:
    nodes = [draft.graph.nodes[name] for name in draft.added_nodes()]
    return [format_node(n) for n in nodes if not any(part in n.name for part in but.split())]


KERNEL = """
head/kernel/initial/shape = Const() {value: [8, 3]}
head/kernel/initial/uniform = RandomUniform(head/kernel/initial/shape) {dtype: float32}
head/kernel/initial/width = Const() {value: 1.4770979}
head/kernel/initial/wide = Mul(head/kernel/initial/uniform, head/kernel/initial/width)
head/kernel/initial/low = Const() {value: -0.73854893}
head/kernel/initial/value = Add(head/kernel/initial/wide, head/kernel/initial/low)
head/kernel = VariableV2() {dtype: float32, shape: [8, 3]}
head/kernel/read = Identity(head/kernel) {_class: ["loc:@head/kernel"]}
head/kernel/Assign = Assign(head/kernel, head/kernel/initial/value) {_class: ["loc:@head/kernel"]}
"""
OF_CLASSES = """
head/flat/shape = Const() {value: [-1, 8]}
head/flat = Reshape(pool, head/flat/shape)
head/features = PlaceholderWithDefault(head/flat) {shape: [?, 8]}
head/product = MatMul(head/features, head/kernel/read)
head/logits = BiasAdd(head/product, head/bias/read)
head/probabilities = Softmax(head/logits)
head/labels = Placeholder() {dtype: int64, shape: [?]}
head/cross_entropy = SparseSoftmaxCrossEntropyWithLogits(head/logits, head/labels)
head/best/axis = Const() {value: 1}
head/best = ArgMax(head/probabilities, head/best/axis)
head/right = Equal(head/best, head/labels)
head/counted = Cast(head/right) {DstT: float32}
head/loss/axes = Const() {value: [0]}
head/loss = Mean(head/cross_entropy, head/loss/axes)
head/accuracy/axes = Const() {value: [0]}
head/accuracy = Mean(head/counted, head/accuracy/axes)
"""
OF_CHANCES = """
head/cast = Cast(pool) {DstT: float32}
head/features = PlaceholderWithDefault(head/cast) {shape: [?, 4]}
head/product = MatMul(head/features, head/kernel/read)
head/logits = BiasAdd(head/product, head/bias/read)
head/probabilities = Sigmoid(head/logits)
head/labels = Placeholder() {dtype: float32, shape: [?, 2]}
head/cross_entropy/zeros = ZerosLike(head/logits)
head/cross_entropy/positive = GreaterEqual(head/logits, head/cross_entropy/zeros)
head/cross_entropy/above = Select(head/cross_entropy/positive, head/logits, \
head/cross_entropy/zeros)
head/cross_entropy/minus = Neg(head/logits)
head/cross_entropy/below = Select(head/cross_entropy/positive, head/cross_entropy/minus, \
head/logits)
head/cross_entropy/meant = Mul(head/logits, head/labels)
head/cross_entropy/linear = Sub(head/cross_entropy/above, head/cross_entropy/meant)
head/cross_entropy/exp = Exp(head/cross_entropy/below)
head/cross_entropy/log = Log1p(head/cross_entropy/exp)
head/cross_entropy/value = Add(head/cross_entropy/linear, head/cross_entropy/log)
head/half = Const() {value: 0.5}
head/chosen = Greater(head/probabilities, head/half)
head/meant = Greater(head/labels, head/half)
head/right = Equal(head/chosen, head/meant)
head/counted = Cast(head/right) {DstT: float32}
head/loss/axes = Const() {value: [0, 1]}
head/loss = Mean(head/cross_entropy/value, head/loss/axes)
head/accuracy/axes = Const() {value: [0, 1]}
head/accuracy = Mean(head/counted, head/accuracy/axes)
"""
OF_NUMBERS = """
price/features = PlaceholderWithDefault(pool) {shape: [?, 4]}
price/product = MatMul(price/features, price/kernel/read)
price/predictions = BiasAdd(price/product, price/bias/read)
price/labels = Placeholder() {dtype: float64, shape: [?, 1]}
price/squares = SquaredDifference(price/predictions, price/labels)
price/apart = Sub(price/predictions, price/labels)
price/distances = Abs(price/apart)
price/loss/axes = Const() {value: [0, 1]}
price/loss = Mean(price/squares, price/loss/axes)
price/error/axes = Const() {value: [0, 1]}
price/error = Mean(price/distances, price/error/axes)
"""
HALF = "pool = Placeholder() {shape: [-1, 4], dtype: float16}"
DOUBLE = "pool = Placeholder() {shape: [-1, 4], dtype: float64}"
CASES = {
    "softmax, flattened": (TALL, SOFTMAX, OF_CLASSES),
    "sigmoid, cast": (HALF, Head("sigmoid", "pool:0", 2), OF_CHANCES),
    "regression, double": (DOUBLE, Head("regression", "pool", name="price"), OF_NUMBERS),
}


@pytest.mark.parametrize(("text", "head", "nodes"), CASES.values(), ids=CASES)
def test_what_is_added(text: str, head: Head, nodes: str) -> None:
    assert told(add_head(text, head)[0]) == nodes.strip().splitlines()


def test_the_kernel_is_drawn_as_of_a_dense_layer() -> None:
    lines = told(add_head(TALL)[0], but="none")
    assert [line for line in lines if line.startswith("head/kernel")] == KERNEL.strip().splitlines()


@pytest.mark.parametrize("kind", ["softmax", "sigmoid", "regression"])
def test_ops_and_attributes_are_old(kind: str) -> None:
    """All were there in TensorFlow 1.4, and no attribute that came later is written."""
    draft, _ = add_head(TALL, Head(kind, "pool", 3))
    later = {"output_type", "incompatible_shape_error", "Truncate", "grad_a", "grad_b"}
    for name in draft.added_nodes():
        node = draft.graph.nodes[name]
        assert node.op in load_shipped().tf1.ops
        assert node.op not in load_shipped().since_1_4
        assert not later & set(node.attr)


def test_record_and_collections() -> None:
    other = "old = Placeholder()\nw = VariableV2() {shape: [2]}\n"
    listed = "losses: old:0\nvariables: w\ntrainable_variables: w\n"
    draft, record = add_head(POOL + other + listed)
    names = ("features", "logits", "probabilities", "labels", "loss", "accuracy")
    assert record == HeadRecord(
        kind="softmax",
        at="pool:0",
        classes=3,
        features=4,
        name="head",
        tensors={name: f"head/{name}:0" for name in names},
        variables=["head/kernel", "head/bias"],
        losses_before=["old:0"],
    )
    assert set(record.tensors.values()) == {f"head/{name}:0" for name in names}
    assert node_entries(draft.collections, "losses") == ["head/loss:0"]
    assert node_entries(draft.collections, "graphfreeze_old_losses") == ["old:0"]
    for key in ("variables", "trainable_variables"):
        found = [d.variable_name for d in variable_entries(draft.collections, key)]
        assert found == ["w:0", "head/kernel:0", "head/bias:0"]
    assert draft.changed_nodes() == draft.removed_nodes() == []


KINDS = {
    "none": ("", "ref"),
    "refs": ("w = VariableV2() {shape: [2]}", "ref"),
    "resources": ("w = VarHandleOp() {shape: [2]}", "resource"),
    "both": ("w = VarHandleOp() {shape: [2]}\nv = VariableV2() {shape: [2]}", "ref"),
}


@pytest.mark.parametrize(("text", "kind"), KINDS.values(), ids=KINDS)
def test_variables_are_like_those_of_the_model(text: str, kind: str) -> None:
    draft, _ = add_head(POOL + text)
    assert {v.kind for v in draft.variables if v.name.startswith("head/")} == {kind}


def test_devices() -> None:
    text = "pool = Placeholder() {shape: [-1, 4]} @ /job:worker\nw = VariableV2() {shape: [2]} @ "
    draft, _ = add_head(text + "/job:ps")
    devices = {name: draft.graph.nodes[name].device for name in draft.added_nodes()}
    at_home = {name for name in devices if name.startswith(("head/kernel", "head/bias"))}
    assert {devices[name] for name in at_home} == {"/job:ps"}
    assert {devices[name] for name in devices.keys() - at_home} == {"/job:worker"}


def test_what_was_trained_goes_on() -> None:
    draft, _ = add_head(POOL, **{"head/kernel": "head/kernel", "head/bias": "other"})
    assert draft.value_edits == [
        SetValue("head/kernel", FromInitializer("head/kernel"), if_missing=True),
        SetValue("head/bias", FromCheckpoint("other")),
    ]
    new, _ = add_head(POOL)
    assert new.value_edits[0] == SetValue("head/kernel", FromInitializer("head/kernel"))


def test_a_record_puts_its_head_on_again() -> None:
    draft, record = add_head(TALL, Head("sigmoid", "pool:0", 2, name="tags"))
    assert told(add_head(TALL, record.head)[0], "none") == told(draft, "none")


LOOP = """
x = Placeholder() {shape: [-1, 4]}
enter = Enter(x) {frame_name: "f"}
merge = Merge(enter, next)
one = Placeholder() {dtype: bool, shape: []}
go = LoopCond(one)
switch = Switch(merge, go)
body = Tanh(switch:1)
next = NextIteration(body)
exit = Exit(switch)
"""
BRANCH = """
x = Placeholder() {shape: [-1, 4]}
p = Placeholder() {dtype: bool, shape: []}
s = Switch(x, p)
a = Tanh(s)
b = Relu(s:1)
out = Merge(a, b)
"""
PLACES = {
    "an Exit": (LOOP, "exit"),
    "a Merge of branches": (BRANCH, "out"),
    "a second output": ("x = Placeholder() {shape: [-1, 4]}\ns = Switch(x, x)", "x:0"),
    "unknown rank, features given": ("x = Placeholder()", "x"),
}


@pytest.mark.parametrize(("text", "at"), PLACES.values(), ids=PLACES)
def test_where_a_head_can_be(text: str, at: str) -> None:
    _, record = add_head(text, Head("softmax", at, 3, features=4))
    assert (record.features, record.tensors["loss"]) == (4, "head/loss:0")


WRONG = {
    "no such node": (
        POOL,
        Head("softmax", "pol", 3),
        "'pol', which is to get a head, is no tensor of the graph; did you mean pool?",
    ),
    "a part of a name": (
        POOL.replace("pool", "MobileNet/Logits/AvgPool_1a"),
        Head("softmax", "pool", 3),
        "is no tensor of the graph; did you mean MobileNet/Logits/AvgPool_1a?",
    ),
    "no such port": (POOL, Head("softmax", "pool:1", 3), "did you mean pool:0?"),
    "a control edge": (POOL, Head("softmax", "^pool", 3), "is no tensor of the graph"),
    "no name": (POOL, Head("softmax", "pool:x", 3), "is no tensor of the graph"),
    "integers": (
        "pool = Placeholder() {shape: [-1, 4], dtype: int32}",
        SOFTMAX,
        "'pool' (op Placeholder) is int32, and a head needs a tensor of floats",
    ),
    "text": ("pool = Placeholder() {shape: [-1, 4], dtype: string}", SOFTMAX, "is string"),
    "complex": ("pool = Placeholder() {shape: [-1, 4], dtype: complex64}", SOFTMAX, "is complex64"),
    "a ref": ("pool = VariableV2() {shape: [2, 4]}", SOFTMAX, "a reference to a variable"),
    "a resource": ("pool = VarHandleOp() {shape: [2, 4]}", SOFTMAX, "a reference to a variable"),
    "a ref that is handed on": (
        "w = VariableV2() {shape: [2, 4]}\npool = RefIdentity(w)",
        SOFTMAX,
        "a reference to a variable",
    ),
    "a vector": ("pool = Placeholder() {shape: [7]}", SOFTMAX, "has shape [7], and a head needs"),
    "a number": ("pool = Const() {value: 1.5}", SOFTMAX, "has shape [], and a head needs"),
    "no shape": (
        "pool = Placeholder()",
        SOFTMAX,
        "its shape is unknown; give their number with --features N",
    ),
    "an open dimension": (
        "pool = Placeholder() {shape: [-1, -1, 4]}",
        SOFTMAX,
        "its shape is [?, ?, 4]",
    ),
    "other features": (POOL, Head("softmax", "pool", 3, features=5), "has 4 features, not 5"),
    "in a loop": (LOOP, Head("softmax", "body", 3), "inside a while loop or on a branch"),
    "in a branch": (BRANCH, Head("softmax", "a", 3), "inside a while loop or on a branch"),
    "the name of a node": (
        POOL + "head = NoOp()",
        SOFTMAX,
        "named 'head' already; give --head-name head_1",
    ),
    "the name of a scope": (
        POOL + "head/x = NoOp()\nhead_1/y/z = NoOp()",
        SOFTMAX,
        "--head-name head_2",
    ),
    "an op that nobody knows": ("pool = NobodyKnows()", SOFTMAX, "'NobodyKnows'"),
}


@pytest.mark.parametrize(("text", "head", "words"), WRONG.values(), ids=WRONG)
def test_where_it_cannot_be(text: str, head: Head, words: str) -> None:
    model = parse_sketch(text) if "Nobody" not in text else _unknown()
    with pytest.raises(GraphfreezeError) as error:
        run(Draft(model), [AddHead(head)])
    assert words in str(error.value)


def _unknown() -> object:
    model = parse_sketch("pool = NoOp()")
    model.graph.nodes["pool"].op = "NobodyKnows"
    return model


def test_a_loss_that_is_gone_breaks_the_promise() -> None:
    draft, added = Draft(parse_sketch(POOL)), AddHead(SOFTMAX)
    run(draft, [added])
    del draft.collections["losses"]
    assert added.verify(draft.base, draft) == "its loss is not the one of the graph"


def test_an_error_of_a_head_is_one_of_rewriting() -> None:
    with pytest.raises(HeadError):
        add_head("pool = Placeholder()")
