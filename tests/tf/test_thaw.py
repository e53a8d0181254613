"""Thawed graphs in TensorFlow 2: the same bits, also when TensorFlow freezes them again."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from thaw_runs import MODELS, OWN, WORLD, check_same, make_trainable, run_all

import graphfreeze
from graphfreeze.cli import main
from graphfreeze.model.attrs import tensor_proto
from graphfreeze.schema import GraphDef, MetaGraphDef, SavedModel, types_pb2

CLASSIFIER = MODELS / "frozen_classifier" / "graph.pb"
Values = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> Values:
    """Return what TensorFlow 2 computed with each graph."""
    return run_all(sys.executable, tmp_path_factory.mktemp("thawed"))


@pytest.mark.parametrize("name", [*OWN, *WORLD])
def test_thawed_and_frozen_again(name: str, values: Values) -> None:
    check_same(name, values)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a bundle of a thawed classifier whose first layer is frozen."""
    return make_trainable(tmp_path_factory.mktemp("trained"), "frozen_classifier")


def test_a_bundle_of_a_thawed_graph(bundle: Path) -> None:
    record = graphfreeze.verify(
        graphfreeze.load(bundle.parent / "thawed"), graphfreeze.load(bundle), steps=2
    )
    assert [each.status for each in record.sections] == ["passed"] * 4
    states = {each["name"]: each["state"] for each in _told(bundle)["variables"]}
    assert states["conv1/kernel"] == "frozen"
    assert states["bn1/gamma"] == "trainable"
    assert states["bn1/moving_mean"] == states["bn2/moving_variance"] == "not trainable"


def test_a_thawed_graph_computes_what_the_frozen_one_does(bundle: Path) -> None:
    thawed = bundle.parent / "thawed"
    record = graphfreeze.verify(graphfreeze.load(CLASSIFIER), graphfreeze.load(thawed))
    assert record.passed
    assert [(each.name, each.different) for each in record.outputs] == [("predictions:0", 0)]


def _told(folder: Path) -> dict:
    return json.loads((folder / "graphfreeze.json").read_text())


def held(folder: Path) -> Values:
    reader = tf.train.load_checkpoint(str(folder / "model"))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def test_command(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["thaw", str(CLASSIFIER), str(out)]) == 0
    assert not capfd.readouterr().err
    files = {"checkpoint", "graphfreeze.json", "model.meta", "model.index"}
    assert {each.name for each in out.iterdir()} == files | {"model.data-00000-of-00001"}
    assert main(["thaw", str(CLASSIFIER), str(out)]) == 2
    again = ["thaw", str(CLASSIFIER), str(out), "--force", "--constants", "conv2"]
    assert main([*again, "--variables", "resource"]) == 0
    assert held(out).keys() == {"conv2/kernel", "conv2/bias"}
    assert _told(out)["thaw"]["kind"] == "resource"
    capfd.readouterr()
    assert main(["show", str(out), "--json"]) == 0
    shown = json.loads(capfd.readouterr().out)
    assert {(v["kind"], v["state"]) for v in shown["variables"]} == {("resource", "trainable")}
    assert main(["undo", str(out), str(tmp_path / "back.pb")]) == 2
    assert f"out: was thawed, which leaves nothing to undo: {CLASSIFIER}" in capfd.readouterr().err
    assert main(["freeze", str(out), "--freeze", "conv2/kernel", "--dry-run", "--refreeze"]) == 2


KINDS = {
    "float16": (types_pb2.DT_HALF, [0.5, -2.0]),
    "bfloat16": (types_pb2.DT_BFLOAT16, [0.5, -2.0]),
    "float64": (types_pb2.DT_DOUBLE, [1 / 3, -0.0]),
    "int64": (types_pb2.DT_INT64, [2**40, -1]),
    "bool": (types_pb2.DT_BOOL, [True, False]),
}


@pytest.mark.parametrize(("dtype", "numbers"), KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("kind", ["ref", "resource"])
def test_types(dtype: int, numbers: list[float], kind: str, tmp_path: Path) -> None:
    graph = GraphDef()
    node = graph.node.add(name="w", op="Const")
    node.attr["dtype"].type = dtype
    node.attr["value"].tensor.CopyFrom(tensor_proto(numbers, dtype))
    graph.node.add(name="y", op="Identity", input=["w"]).attr["T"].type = dtype
    (tmp_path / "graph.pb").write_bytes(graph.SerializeToString())
    thawed = graphfreeze.thaw(graphfreeze.load(tmp_path / "graph.pb"), ["w"], kind)
    graphfreeze.save(thawed, tmp_path / "out")
    with tf.Graph().as_default(), tf.Session() as session:
        saver = tf.train.import_meta_graph(str(tmp_path / "out" / "model.meta"))
        saver.restore(session, str(tmp_path / "out" / "model"))
        value = session.run("y:0")
    expected = np.array(numbers, tf.as_dtype(dtype).as_numpy_dtype)
    assert value.tobytes() == expected.tobytes()


def test_variables_that_are_left(tmp_path: Path) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, 3], name="x")
        kernel = tf.get_variable("kernel", [3, 2], use_resource=False)
        bias = tf.constant([0.5, -1.0], name="bias")
        y = tf.nn.bias_add(tf.matmul(x, kernel), bias, name="y")
        init = tf.global_variables_initializer()
        session.run(init)
        tf.train.Saver().save(session, str(tmp_path / "model"))
        before = session.run(y, {x: np.ones([1, 3])})
    source = tmp_path / "model.meta"
    graphfreeze.save(graphfreeze.thaw(graphfreeze.load(source)), tmp_path / "out")
    assert held(tmp_path / "out").keys() == {"kernel", "bias"}
    with tf.Graph().as_default() as graph, tf.Session() as session:
        saver = tf.train.import_meta_graph(str(tmp_path / "out" / "model.meta"))
        session.run(init.name)  # restores nothing, for it has no file
        saver.restore(session, str(tmp_path / "out" / "model"))
        assert session.run("y:0", {"x:0": np.ones([1, 3])}).tobytes() == before.tobytes()
        assert [v.name for v in tf.trainable_variables()] == ["kernel:0", "bias:0"]
        assert len(graph.get_collection("variables")) == 2


def test_a_saved_model(tmp_path: Path) -> None:
    graph = GraphDef.FromString(CLASSIFIER.read_bytes())
    saved = SavedModel(saved_model_schema_version=1)
    meta = saved.meta_graphs.add(graph_def=graph)
    meta.meta_info_def.tags.append("serve")
    signature = meta.signature_def["serving_default"]
    signature.inputs["images"].name = "images:0"
    signature.outputs["predictions"].name = "predictions:0"
    (tmp_path / "saved_model.pb").write_bytes(saved.SerializeToString())
    graphfreeze.save(graphfreeze.thaw(graphfreeze.load(tmp_path)), tmp_path.with_suffix(".out"))
    written = MetaGraphDef.FromString((tmp_path.with_suffix(".out") / "model.meta").read_bytes())
    assert written.signature_def["serving_default"] == signature
    assert len(held(tmp_path.with_suffix(".out"))) == 18
