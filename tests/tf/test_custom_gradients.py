"""Gradients that were Python functions: named, given anew, or left out; what each then learns."""

import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import graphfreeze
from graphfreeze.api import FrozenModel
from graphfreeze.errors import TrainError
from graphfreeze.model.sketch import sketch_meta_graph

# Guided backpropagation: Relu lets back only what is positive.
MODEL = """
x = Placeholder() {shape: [3, 4]}
w = VariableV2() {shape: [4, 2]}
w/zeros = Const() {value: 0.0, shape: [4, 2]}
w/Assign = Assign(w, w/zeros)
w/read = Identity(w)
v = VariableV2() {shape: [2]}
v/zeros = Const() {value: 0.0, shape: [2]}
v/Assign = Assign(v, v/zeros)
v/read = Identity(v)
y = MatMul(x, w/read)
relu = Relu(y) {_gradient_op_type: "GuidedRelu"}
z = Mul(relu, v/read)
loss = Sum(z, axes)
axes = Const() {value: [0, 1]}
side = Relu(x) {_gradient_op_type: "Elsewhere"}
variables: w, v
trainable_variables: w, v
losses: loss:0
"""
MODULE = """
import tensorflow.compat.v1 as tf

def guided(op, grad):
    return tf.where(grad > 0, grad, tf.zeros_like(grad)) * tf.cast(op.inputs[0] > 0, grad.dtype)

half = 0.5
"""
X = np.arange(-6, 6, dtype=np.float32).reshape(3, 4)
W = np.array([[1, -1], [0.5, 1], [-1, 0.25], [1, 1]], np.float32)
V = np.array([1, -1], np.float32)


def frozen(folder: Path, text: str = MODEL) -> FrozenModel:
    meta = sketch_meta_graph(text)
    (folder / "in.meta").write_bytes(meta.SerializeToString())
    plan = graphfreeze.FreezePlan(freeze=("v",))
    return graphfreeze.freeze(graphfreeze.load(folder / "in.meta"), plan)


def step(done: FrozenModel, folder: Path) -> np.ndarray:
    """Return how far a step of rate 1 moves ``w``."""
    graphfreeze.save(done, folder / "out.meta")
    with tf.Graph().as_default() as graph, tf.Session() as session:
        tf.train.import_meta_graph(str(folder / "out.meta"))
        given = {"w": W, "v": V}
        for name, value in given.items():
            tensor = graph.get_tensor_by_name(f"{name}:0")
            session.run(tf.raw_ops.Assign(ref=tensor, value=value))
        session.run(tf.variables_initializer([v for v in tf.global_variables()
                                              if v.op.name not in given]))  # fmt: skip
        session.run(tf.get_collection("train_op")[0], {"x:0": X})
        return W - session.run("w:0")


def guided(op: tf.Operation, grad: tf.Tensor) -> tf.Tensor:
    return tf.nn.relu(grad) * tf.cast(op.inputs[0] > 0, grad.dtype)


GATE = (X @ W > 0).astype(np.float32)
# With the gradient of v's sign stopped at zero, or as Relu has it.
GUIDED, OWN = X.T @ (GATE * np.maximum(V, 0)), X.T @ (GATE * V)
GIVEN = {
    "a function": ({"gradients": {"GuidedRelu": guided}}, GUIDED),
    "a module here": ({"gradients": {"GuidedRelu": "guiding:guided"}}, GUIDED),
    "ignored": ({"custom_gradients": "ignore"}, OWN),
}


@pytest.mark.parametrize(("settings", "moved"), GIVEN.values(), ids=GIVEN)
def test_what_is_learnt(
    settings: dict[str, object], moved: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "guiding.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "guiding", raising=False)
    path = list(sys.path)
    done = graphfreeze.add_train_op(
        frozen(tmp_path), optimizer="sgd", learning_rate=1.0, **settings
    )  # type: ignore[arg-type]
    assert sys.path == path
    assert not np.array_equal(GUIDED, OWN)
    np.testing.assert_array_equal(step(done, tmp_path), moved)
    node = done.draft.graph.nodes["relu"]
    assert node == done.draft.base.graph.nodes["relu"]  # what is written keeps the name
    with pytest.raises(LookupError):
        _lookup("GuidedRelu")


def _lookup(name: str) -> object:
    from tensorflow.python.framework import ops

    return ops.gradient_registry.lookup(name)


def test_report(tmp_path: Path) -> None:
    settings = {"optimizer": "sgd", "learning_rate": 1.0}
    done = graphfreeze.add_train_op(frozen(tmp_path), gradients={"GuidedRelu": guided}, **settings)  # type: ignore[arg-type]
    told = graphfreeze.report(done)
    assert told.gradients == {"GuidedRelu": f"{__name__}:guided"}
    assert f"--gradient: that of GuidedRelu is {__name__}:guided" in told.notes
    done = graphfreeze.add_train_op(frozen(tmp_path), custom_gradients="ignore", **settings)  # type: ignore[arg-type]
    told = graphfreeze.report(done)
    assert told.gradients_ignored == {"relu": "GuidedRelu"}
    note = "--custom-gradients ignore: their ops' own gradients stand in at relu (GuidedRelu)"
    assert note in told.notes


REFUSED = {
    "a lost gradient": ({}, "gradients of relu (GuidedRelu) were Python functions, which no"),
    "no such name": ({"gradients": {"GiudedRelu": guided}}, "did you mean GuidedRelu?"),
    "no module": ({"gradients": {"GuidedRelu": "gone:guided"}}, "No module named 'gone'"),
    "no function": ({"gradients": {"GuidedRelu": "numpy:guided"}}, "numpy has no function 'gui"),
    "no place": ({"gradients": {"GuidedRelu": "guided"}}, "write it as module:function"),
    "no such treatment": ({"custom_gradients": "leave"}, "choose from error, ignore"),
}


@pytest.mark.parametrize(("settings", "told"), REFUSED.values(), ids=REFUSED)
def test_refused(settings: dict[str, object], told: str, tmp_path: Path) -> None:
    model = frozen(tmp_path)
    with pytest.raises(TrainError) as caught:
        graphfreeze.add_train_op(model, **settings)  # type: ignore[arg-type]
    assert told in str(caught.value)
    assert model.train is None


def test_a_gradient_that_is_registered_is_taken_and_stays(tmp_path: Path) -> None:
    @tf.RegisterGradient("Elsewhere")
    def elsewhere(op: tf.Operation, grad: tf.Tensor) -> tf.Tensor:
        return guided(op, grad)

    settings = {"optimizer": "sgd", "learning_rate": 1.0}
    twice = {"Elsewhere": lambda op, grad: grad, "GuidedRelu": guided}
    graphfreeze.add_train_op(frozen(tmp_path), gradients=twice, **settings)  # type: ignore[arg-type]
    assert _lookup("Elsewhere") is elsewhere


def test_a_numbered_name_is_of_another_process(tmp_path: Path) -> None:
    tf.RegisterGradient("CustomGradient-7")(lambda op, grad: 0 * grad)
    text = MODEL.replace('"GuidedRelu"', '"CustomGradient-7"')
    with pytest.raises(TrainError, match=r"gradients of relu \(CustomGradient-7\) were Python"):
        graphfreeze.add_train_op(frozen(tmp_path, text))
    given = {"CustomGradient-7": guided}
    done = graphfreeze.add_train_op(
        frozen(tmp_path, text), gradients=given, optimizer="sgd", learning_rate=1.0
    )
    np.testing.assert_array_equal(step(done, tmp_path), GUIDED)
