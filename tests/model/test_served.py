"""What is fed and what comes out of a model, where no signature says so."""

from collections.abc import Callable

import pytest

from graphfreeze.errors import ExportError, SelectionError
from graphfreeze.model.collected import Collections
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.served import find_inputs, find_outputs
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.schema import CollectionDef, SignatureDef, TensorInfo
from graphfreeze.selection.served import Asked, choose_outputs, choose_served

MODEL = """\
x = Placeholder() {dtype: float32, shape: [?, 2]}
labels = Placeholder() {dtype: float32, shape: [?, 3]}
w = VariableV2() {shape: [2, 3]}
w/read = Identity(w)
dense/MatMul = MatMul(x, w/read)
rate = Placeholder() {dtype: float32}
loss = Sub(dense/MatMul, labels)
"""
OUT = "probabilities = Softmax(dense/MatMul)\n"
LOSSES = {"losses": CollectionDef(node_list=CollectionDef.NodeList(value=["loss:0"]))}
# what is added to the graph, its outputs, and whether they leave no doubt
CASES = {
    "by its name": (OUT, ["probabilities"], True),
    "of several by their names": (f"{OUT}top = Relu(dense/MatMul)\n", ["probabilities"], True),
    "by the name of its scope": ("outputs/Relu = Relu(dense/MatMul)\n", ["outputs/Relu"], True),
    "made unique": ("softmax_1 = Softmax(dense/MatMul)\n", ["softmax_1"], True),
    "the only one": ("top = Relu(dense/MatMul)\n", ["top"], True),
    "two with names that say nothing": (
        "top = Relu(dense/MatMul)\nlow = Neg(dense/MatMul)\n", ["top", "low"], False),
    "what labels decide is none": (
        f"{OUT}accuracy = Sub(probabilities, labels)\nerror = Neg(accuracy)\n",
        ["probabilities"], True),
    "a shape is none": (f"{OUT}output/Shape = Shape(probabilities)\n", [], False),
    "what the loss takes, for want of others": ("output = Const() {value: 1.0}\n",
        ["dense/MatMul"], True),
}  # fmt: skip


def model(added: str = "") -> tuple[Graph, Collections]:
    return parse_sketch(MODEL + added).graph, LOSSES


@pytest.mark.parametrize(("added", "outputs", "is_sure"), CASES.values(), ids=CASES)
def test_outputs(added: str, outputs: list[str], is_sure: bool) -> None:
    assert find_outputs(*model(added)) == ([TensorRef(name) for name in outputs], is_sure)


def test_inputs_are_what_outputs_need_and_nobody_gave() -> None:
    graph, _ = model()
    loss, x, labels = map(TensorRef, ("loss", "x", "labels"))
    assert find_inputs(graph, [loss]) == [x, labels]
    assert find_inputs(graph, [loss], given=[x]) == [labels]
    assert find_inputs(graph, [loss], given=[TensorRef("dense/MatMul")]) == [labels]


def test_doubt_is_an_error_that_names_candidates() -> None:
    graph, collections = model("top = Relu(dense/MatMul)\nlow = Neg(dense/MatMul)\n")
    with pytest.raises(ExportError, match=r"name them with --output; candidates: top:0, low:0"):
        choose_outputs(Asked(), graph, collections, {})


def test_a_signature_is_made_of_what_is_asked() -> None:
    graph, collections = model(OUT)
    served = choose_served(Asked("mine", (), ("chances=probabilities:0", "dense/MatMul")), graph,
                           collections, {})  # fmt: skip
    assert served is not None
    assert (served.name, served.is_guessed) == ("mine", False)
    assert served.inputs == {"x": TensorRef("x")}
    made = {"chances": TensorRef("probabilities"), "MatMul": TensorRef("dense/MatMul")}
    assert served.outputs == made


def test_inputs_that_are_left_out_are_told() -> None:
    graph, collections = model(OUT)
    with pytest.raises(ExportError, match="loss:0 needs labels:0, which is no input"):
        choose_served(Asked(None, ("x:0",), ("loss",)), graph, collections, {})
    with pytest.raises(ExportError, match=r"has no tensor 'probabilites:0'; did you mean prob"):
        choose_served(Asked(None, (), ("probabilites:0",)), graph, collections, {})


@pytest.mark.parametrize("choose", [choose_outputs, choose_served])
def test_a_signature_of_what_is_not_there(choose: Callable[..., object]) -> None:
    graph, collections = model(OUT)
    signatures = {"mine": SignatureDef(outputs={"y": TensorInfo(name="nowhere:0")})}
    with pytest.raises(ExportError, match="signature 'mine' names 'nowhere:0', which the graph"):
        choose(Asked(), graph, collections, signatures)


def test_a_bare_text_is_no_list() -> None:
    with pytest.raises(SelectionError, match="outputs='y:0' is one text where a list is needed"):
        Asked(None, (), "y:0")


PIPELINE = """\
it = IteratorV2()
next = IteratorGetNext(it) {output_types: [float32, float32]}
next_1 = IteratorGetNext(it) {output_types: [float32]}
w = VariableV2() {shape: [2, 3]}
w/read = Identity(w)
dense/MatMul = MatMul(next, w/read)
predictions = Softmax(dense/MatMul)
loss = Sub(dense/MatMul, next:1)
"""


def test_features_and_labels_of_one_iterator() -> None:
    graph = parse_sketch(PIPELINE).graph
    assert find_outputs(graph, LOSSES) == ([TensorRef("predictions")], True)


def test_inputs_that_would_have_one_name() -> None:
    graph = parse_sketch(PIPELINE + "y = AddN(next:1, next_1) {N: 2}").graph
    served = choose_served(Asked(None, (), ("y",)), graph, LOSSES, {})
    assert served is not None
    refs = [TensorRef("next", 1), TensorRef("next_1")]
    assert served.inputs == dict(zip(("next_1", "next_1_1"), refs, strict=True))
