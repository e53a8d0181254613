"""Ops that TensorFlow does not have, loaded from a library that is built for the test."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import graphfreeze
from graphfreeze.errors import EmitError, LoadError, TrainError
from graphfreeze.model.sketch import sketch_meta_graph
from graphfreeze.rewrite.edits import FromInitializer, SetValue

SOURCE = Path(__file__).with_name("ops") / "double.c"
# A model of an op GfDouble, y = 2 x.
MODEL = """
x = Placeholder() {shape: [3, 4]}
w = VariableV2() {shape: [4, 2]}
w/ones = Const() {value: 0.5, shape: [4, 2]}
w/initial = GfDouble(w/ones)
w/Assign = Assign(w, w/initial)
w/read = Identity(w)
v = VariableV2() {shape: [2]}
v/ones = Const() {value: 0.5, shape: [2]}
v/Assign = Assign(v, v/ones)
v/read = Identity(v)
twice = GfDouble(x)
y = MatMul(twice, w/read)
z = Mul(y, v/read)
loss = L2Loss(z)
variables: w, v
trainable_variables: w, v
losses: loss:0
"""
DOUBLE = """
import sys
import numpy as np
import tensorflow.compat.v1 as tf
tf.disable_v2_behavior()
folder, library = sys.argv[1:]
tf.load_op_library(library)
saver = tf.train.import_meta_graph(folder + "/in.meta")
with tf.Session() as session:
    session.run(tf.global_variables_initializer())
    tf.train.Saver().save(session, folder + "/model.ckpt")
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the library: a tenth of a second, without a header of TensorFlow's."""
    compiler = shutil.which("gcc") or shutil.which("cc") or shutil.which("clang")
    assert compiler is not None, "no C compiler"
    out = tmp_path_factory.mktemp("ops") / "double.so"
    subprocess.run([compiler, "-shared", "-fPIC", SOURCE, "-o", out], check=True)
    return out


def run(*arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "graphfreeze", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


@pytest.fixture(scope="module")
def model(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the model, and a checkpoint of it."""
    folder = tmp_path_factory.mktemp("model")
    (folder / "in.meta").write_bytes(sketch_meta_graph(MODEL).SerializeToString())
    script = [sys.executable, "-c", DOUBLE, str(folder), str(library)]
    subprocess.run(script, check=True, capture_output=True)
    return folder / "model.ckpt"


def test_freeze_and_verify(library: Path, model: Path, tmp_path: Path) -> None:
    options = ["--freeze", "v", "--optimizer", "sgd", "--learning-rate", "0.1"]
    refused = run("freeze", model, "out", *options, folder=tmp_path)
    assert refused.returncode == 2
    assert "lacks ops of this graph: GfDouble; load them with --op-library" in refused.stderr
    assert not (tmp_path / "out").exists()
    given = ["--op-library", library]
    done = run("freeze", model, "out", *options, *given, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    refused = run("verify", model, "out", folder=tmp_path)
    assert (refused.returncode, "GfDouble" in refused.stderr) == (2, True)
    proved = run("verify", model, "out", *given, folder=tmp_path)
    assert proved.returncode == 0, proved.stdout + proved.stderr
    export = ["export", "out", "frozen.pb", "--format", "frozen-pb", "--output", "z:0"]
    refused = run(*export, folder=tmp_path)
    told = "lacks ops that the outputs need: GfDouble; load them with --op-library FILE.so, or use"
    assert (refused.returncode, told in refused.stderr) == (2, True)
    written = run(*export, *given, folder=tmp_path)
    assert written.returncode == 0, written.stderr
    ops = [node.op for node in graphfreeze.load(tmp_path / "frozen.pb").graph.nodes.values()]
    assert {"GfDouble", "Const"} <= set(ops)
    assert "VariableV2" not in ops


def test_initial_values(library: Path, model: Path, tmp_path: Path) -> None:
    frozen = graphfreeze.freeze(graphfreeze.load(model), graphfreeze.FreezePlan(freeze=("v",)))
    frozen.draft.apply(SetValue("w", FromInitializer("w")))
    with pytest.raises(EmitError, match="lacks ops that initialize w: GfDouble; load them with"):
        graphfreeze.save(frozen, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    graphfreeze.save(frozen, tmp_path / "out", op_libraries=[library])
    value = tf.train.load_variable(str(tmp_path / "out" / "model"), "w")
    np.testing.assert_array_equal(value, np.ones([4, 2], np.float32))


def test_a_gradient_for_an_op_of_a_library(library: Path, tmp_path: Path) -> None:
    text = MODEL.replace("GfDouble(x)", "Neg(x)").replace("Mul(y, v/read)", "GfDouble(y)")
    (tmp_path / "in.meta").write_bytes(sketch_meta_graph(text).SerializeToString())
    model = graphfreeze.load(tmp_path / "in.meta")
    frozen = graphfreeze.freeze(model, graphfreeze.FreezePlan(freeze=("v",)))
    settings = {"optimizer": "sgd", "learning_rate": 1.0, "op_libraries": [library]}
    with pytest.raises(TrainError, match=r"or give --gradient GfDouble=module:function"):
        graphfreeze.add_train_op(frozen, **settings)  # type: ignore[arg-type]
    given = {"GfDouble": lambda op, grad: 2 * grad}
    graphfreeze.add_train_op(frozen, gradients=given, **settings)  # type: ignore[arg-type]
    graphfreeze.save(frozen, tmp_path / "out.meta")
    with tf.Graph().as_default(), tf.Session() as session:
        tf.train.import_meta_graph(str(tmp_path / "out.meta"))
        session.run(tf.global_variables_initializer())
        x = np.ones([3, 4], np.float32)
        session.run(tf.get_collection("train_op")[0], {"x:0": x})
        # z = -2 x w, w begins at 1, and its gradient is -2 x^T z
        np.testing.assert_array_equal(session.run("w:0"), 1 - np.full([4, 2], 48.0))


BAD = {
    "no file": ("gone.so", None, "no such file or folder"),
    "no library": ("text.so", b"nothing", "no library of ops that this TensorFlow can load"),
}


@pytest.mark.parametrize(("name", "content", "told"), BAD.values(), ids=BAD)
def test_bad_library(name: str, content: bytes | None, told: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    meta = sketch_meta_graph(MODEL.replace("GfDouble", "Neg"))
    (tmp_path / "in.meta").write_bytes(meta.SerializeToString())
    model = graphfreeze.load(tmp_path / "in.meta")
    frozen = graphfreeze.freeze(model, graphfreeze.FreezePlan(freeze=("v",)))
    with pytest.raises(LoadError, match=told):
        graphfreeze.add_train_op(frozen, op_libraries=[tmp_path / name])
    assert frozen.train is None
    assert np.all([name in frozen.draft.graph for name in ("w", "v")])
