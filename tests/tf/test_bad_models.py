"""What only TensorFlow can find wrong with a model is one line of error, and nothing is left."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import graphfreeze
from graphfreeze.api import FrozenModel, add_train_op, complete, freeze, load, save
from graphfreeze.errors import LoadError, RewriteError, TrainError
from graphfreeze.model.sketch import sketch_meta_graph
from graphfreeze.rewrite.edits import AddFunction
from graphfreeze.schema import FunctionDef, MetaGraphDef, NodeDef
from graphfreeze.selection.plan import FreezePlan

MODELS = Path(__file__).parents[2] / "testdata" / "models"
W = """
w = VariableV2() {shape: [4, 2]}
w/read = Identity(w)
v = VariableV2() {shape: [4, 2]}
v/read = Identity(v)
x = Placeholder() {shape: [4, 2]}
n = Const() {dtype: int32, value: 3}
away = L2Loss(x)
stopped = StopGradient(w/read)
"""


def frozen(text: str, folder: Path, plan: FreezePlan | None = None) -> FrozenModel:
    (folder / "in.meta").write_bytes(sketch_meta_graph(W + text).SerializeToString())
    return freeze(load(folder / "in.meta"), plan or FreezePlan(freeze=("v",)), keep=["loss"])


# sketch, --loss, what the error says
UNTRAINABLE = {
    "the loss reaches nothing": ("", "away", "loss 'away:0' reaches no trainable variable"),
    "the loss reaches what is frozen": (
        "loss = L2Loss(v/read)",
        "loss:0",
        "loss 'loss:0' reaches no trainable variable; choose --loss or freeze less",
    ),
    "the loss is behind a stop": ("loss = L2Loss(stopped)", "loss", "reaches no trainable"),
    "unknown loss": ("", "los", "no tensor 'los'"),
    "a loss of integers": ("", "n", "'n' (op Const, int32) is no floating tensor"),
    "one unknown op": ("b = Zebra(x)", "w/read", "lacks ops of this graph: Zebra;"),
    "two unknown ops": (
        "b = Zebra(x)\na = Ape(x)\nagain = Zebra(a)",
        "w/read",
        "lacks ops of this graph: Ape, Zebra; load them with --op-library FILE.so, or use --no-t",
    ),
    "ops of others": (
        "b = GatherTree(n, n, n, n) {T: int32}\na = HorovodAllreduce(x)",
        "w/read",
        "graph: GatherTree (tf.contrib.seq2seq), HorovodAllreduce (horovod); load them",
    ),
    "an op without a gradient": (
        "q = VariableV2() {shape: [1, 2, 2, 1]}\nq/read = Identity(q)\n"
        "size = Const() {value: [1, 1]}\ntop/Area = ResizeArea(q/read, size)\n"
        "loss = L2Loss(top/Area)",
        "loss",
        "node 'top/Area' (op ResizeArea) has no gradient; choose another --loss, stop it before",
    ),
    "a global step that is a float": (
        "global_step = VariableV2() {shape: []}\nloss = L2Loss(w/read)",
        "loss",
        "'global_step' cannot count the steps (Existing \"global_step\" does not have integer type",
    ),
    "a global step that is fed": (
        "global_step = Placeholder() {dtype: int64, shape: []}\nloss = L2Loss(w/read)",
        "loss",
        "'global_step' cannot count the steps (it is an op Placeholder); it has to be",
    ),
    "TensorFlow refuses the graph": (
        "axis = Const() {value: [9]}\nloss = Sum(w/read, axis)",
        "loss",
        "refuses to import the graph",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "loss", "message"), UNTRAINABLE.values(), ids=UNTRAINABLE)
def test_no_train_op(text: str, loss: str, message: str, tmp_path: Path) -> None:
    result = frozen(text, tmp_path)
    nodes = dict(result.draft.graph.nodes)
    with pytest.raises(TrainError) as caught:
        add_train_op(result, loss=[loss], optimizer="sgd", learning_rate=0.1)
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert result.train is None
    assert result.draft.graph.nodes == nodes


def test_unknown_op_in_a_function(tmp_path: Path) -> None:
    result = frozen("loss = L2Loss(w/read)", tmp_path)
    body = FunctionDef(node_def=[NodeDef(name="a", op="Ape")])
    body.signature.name = "f"
    result.draft.apply(AddFunction(body))
    with pytest.raises(TrainError, match="lacks ops of this graph: Ape; load"):
        add_train_op(result, loss=["loss"], optimizer="sgd", learning_rate=0.1)


class Refusing:
    """An optimizer that does not take what it is given."""

    def apply_gradients(
        self, grads_and_vars: Sequence[tuple[Any, Any]], global_step: object = None
    ) -> object:
        raise ValueError("no complex\ngradients")


def test_an_optimizer_that_refuses(tmp_path: Path) -> None:
    result = frozen("loss = L2Loss(w/read)", tmp_path)
    with pytest.raises(TrainError, match="refuses to build the train_op: no complex gradients;"):
        add_train_op(result, loss=["loss"], optimizer=Refusing())


@pytest.mark.parametrize("settings", [{"learning_rate": 0.1}, {"arguments": {"beta1": 0.5}}])
def test_an_optimizer_object_with_settings(settings: dict[str, Any], tmp_path: Path) -> None:
    result = frozen("loss = L2Loss(w/read)", tmp_path)
    with pytest.raises(TrainError, match="an optimizer object has its own learning rate"):
        add_train_op(result, loss=["loss"], optimizer=Refusing(), **settings)


def test_a_graph_that_cannot_be_imported_is_rewritten_all_the_same(tmp_path: Path) -> None:
    result = frozen("b = Zebra(v/read)\n", tmp_path)
    save(result, tmp_path / "out.meta")
    nodes = load(tmp_path / "out.meta").graph.nodes
    assert list(nodes["b"].input) == ["v/read/graphfreeze/stop"]


def test_a_second_train_op_is_refused(tmp_path: Path) -> None:
    result = frozen("loss = L2Loss(w/read)", tmp_path)
    add_train_op(result, loss=["loss"], optimizer="sgd", learning_rate=0.1)
    with pytest.raises(TrainError):
        add_train_op(result, loss=["loss"], optimizer="sgd", learning_rate=0.1)


class Amsgrad:
    """An optimizer whose op has no form for rows, and none for a copy of the variable."""

    def apply_gradients(
        self, grads_and_vars: Sequence[tuple[Any, Any]], global_step: object = None
    ) -> object:
        ((gradient, variable),) = grads_and_vars
        zeros = tf.zeros([4, 2])
        slot = tf.get_variable("slot", initializer=zeros, trainable=False, use_resource=True)
        slots = dict.fromkeys(("m", "v", "vhat"), slot.handle)
        rates = dict.fromkeys(
            ("beta1_power", "beta2_power", "lr", "beta1", "beta2", "epsilon"), 0.1
        )
        return tf.raw_ops.ResourceApplyAdamWithAmsgrad(
            var=variable.handle, **slots, **rates, grad=gradient
        )


def test_an_optimizer_that_cannot_be_guarded_leaves_the_model_as_it_was(tmp_path: Path) -> None:
    text = (
        "r = VarHandleOp() {shape: [4, 2]} @ /job:ps/task:0\n"
        "r/read = ReadVariableOp(r)\nloss = L2Loss(r/read)"
    )
    result = frozen(text, tmp_path, FreezePlan(freeze_rows={"r": "1"}))
    nodes = dict(result.draft.graph.nodes)
    told = r"\(op ResourceApplyAdamWithAmsgrad\) writes 'r': frozen entries could only be put back"
    with pytest.raises(RewriteError, match=told):
        add_train_op(result, loss=["loss"], optimizer=Amsgrad())
    assert result.draft.graph.nodes == nodes
    add_train_op(result, loss=["loss"], optimizer="sgd", learning_rate=0.1)
    assert graphfreeze.report(result).train_op == "graphfreeze/train_op"
    assert "slot" not in result.draft.graph


@pytest.mark.parametrize(("loss", "notes"), [("w/read", 1), ("loss", 0)])
def test_a_loss_that_is_no_scalar_is_noted(loss: str, notes: int, tmp_path: Path) -> None:
    result = frozen("loss = L2Loss(w/read)", tmp_path)
    add_train_op(result, loss=[loss], optimizer="sgd", learning_rate=0.1)
    told = [each for each in graphfreeze.report(result).notes if "sum of its elements" in each]
    assert len(told) == notes


def test_unknown_argument_of_an_optimizer(tmp_path: Path) -> None:
    result = frozen("loss = L2Loss(w/read)", tmp_path)
    with pytest.raises(TrainError, match="takes no argument 'beta'; did you mean beta"):
        add_train_op(result, loss=["loss"], optimizer="adam", arguments={"beta": 0.5})


def write_checkpoint(prefix: Path, values: dict[str, np.ndarray]) -> None:
    """Write another checkpoint in place of the model's own."""
    with tf.Graph().as_default(), tf.Session() as session:
        save = tf.raw_ops.SaveV2(
            prefix=str(prefix),
            tensor_names=list(values),
            shape_and_slices=[""] * len(values),
            tensors=list(values.values()),
        )
        session.run(save)


def read_checkpoint(prefix: Path) -> dict[str, np.ndarray]:
    reader = tf.train.load_checkpoint(str(prefix))
    return {key: reader.get_tensor(key) for key in sorted(reader.get_variable_to_shape_map())}


DAMAGE = {
    "a key is missing": (
        lambda values: values.pop("hidden/kernel"),
        "it lacks 1 key: 'hidden/kernel'; give --rename OLD=NEW",
    ),
    "another shape": (
        lambda values: values.update({"hidden/bias": np.zeros(3, np.float32)}),
        "it has 'hidden/bias' as float32 [3], not float32 [16]",
    ),
}


TRAINS = {"train_op": True, "no train_op": False}


@pytest.mark.parametrize("trains", TRAINS.values(), ids=TRAINS)
@pytest.mark.parametrize(("damage", "message"), DAMAGE.values(), ids=DAMAGE)
def test_checkpoint_of_another_model(
    damage: object, message: str, trains: bool, tmp_path: Path
) -> None:
    model = Path(shutil.copytree(MODELS / "resource_mlp", tmp_path / "in"))
    values = read_checkpoint(model / "model.ckpt")
    damage(values)
    write_checkpoint(model / "model.ckpt", values)
    result = freeze(load(model), FreezePlan(freeze=("output",)))
    if trains:
        add_train_op(result, optimizer="adam")
    for act in (complete, save):
        with pytest.raises(LoadError) as caught:
            act(result, tmp_path / "out")
        assert message in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


BROKEN = {
    "a shard is missing": ("model.ckpt.data-00000-of-00001", None),
    "a shard is cut off": ("model.ckpt.data-00000-of-00001", b"short"),
    "the index is cut off": ("model.ckpt.index", b"short"),
}


@pytest.mark.parametrize("trains", TRAINS.values(), ids=TRAINS)
@pytest.mark.parametrize(("name", "content"), BROKEN.values(), ids=BROKEN)
def test_broken_checkpoint(name: str, content: bytes | None, trains: bool, tmp_path: Path) -> None:
    model = Path(shutil.copytree(MODELS / "bare_graph", tmp_path / "in"))
    (model / name).unlink()
    if content is not None:
        (model / name).write_bytes(content)
    result = freeze(load(model / "graph.pb"), FreezePlan(freeze=("output",)), keep=["loss:0"])
    if trains:
        add_train_op(result, loss=["loss:0"], optimizer="adam")
    for act in (complete, save):
        with pytest.raises(LoadError) as caught:
            act(result, tmp_path / "out")
        assert len(str(caught.value).splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize("trains", TRAINS.values(), ids=TRAINS)
def test_second_shard_is_missing(trains: bool, tmp_path: Path) -> None:
    model = Path(shutil.copytree(MODELS / "resource_mlp", tmp_path / "in"))
    (model / "model.ckpt.data-00000-of-00001").rename(model / "model.ckpt.data-00000-of-00002")
    result = freeze(load(model), FreezePlan(freeze=("output",)))
    if trains:
        add_train_op(result, optimizer="adam")
    with pytest.raises(LoadError, match=r"data file model\.ckpt\.data-00000-of-00001 is"):
        save(result, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_report_of_a_variable_that_the_loss_does_not_reach(tmp_path: Path) -> None:
    result = frozen("loss = L2Loss(w/read)\n", tmp_path, FreezePlan(stop_gradient=("x",)))
    add_train_op(result, loss=["loss"], optimizer="adam")
    states = {each.name: each.state for each in graphfreeze.report(result).variables}
    assert states["w"] == "trainable"
    assert states["v"] == "not reached"
    assert json.dumps(graphfreeze.report(result).keys_added).count("v/") == 0


def test_a_loop_whose_nodes_do_not_tell_it(tmp_path: Path) -> None:
    meta = MetaGraphDef.FromString((MODELS / "loop_lookup" / "model.ckpt.meta").read_bytes())
    del meta.collection_def["while_context"]
    enters = [node for node in meta.graph_def.node if node.op == "Enter"]
    frame = enters[-1].attr["frame_name"].s.decode()
    assert enters[-1].attr["is_constant"].b
    enters[-1].attr["frame_name"].s = b"another"
    (tmp_path / "in.meta").write_bytes(meta.SerializeToString())
    result = freeze(load(tmp_path / "in.meta"), FreezePlan(freeze=("kernel",)))
    assert f"the loop {frame} has no context" in "\n".join(graphfreeze.report(result).notes)
    with pytest.raises(TrainError, match=f"{frame}|another"):
        add_train_op(result, optimizer="sgd", learning_rate=0.1)
    assert result.train is None


FLIPPED = {
    "a shard of format V1": ("old_format", "model.ckpt-00000-of-00001", 0.5),
    "an index": ("text_classifier", "model.ckpt.index", 0.4),
}


@pytest.mark.parametrize(("name", "file", "place"), FLIPPED.values(), ids=FLIPPED)
def test_a_byte_of_the_checkpoint_is_another(
    name: str, file: str, place: float, tmp_path: Path
) -> None:
    model = Path(shutil.copytree(MODELS / name, tmp_path / "in"))
    raw = bytearray((model / file).read_bytes())
    raw[int(len(raw) * place)] ^= 0xFF
    (model / file).write_bytes(raw)
    result = freeze(load(model), FreezePlan(freeze=("hidden",)))
    add_train_op(result, optimizer="adam")
    with pytest.raises(LoadError, match="the checkpoint cannot be read"):
        save(result, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
