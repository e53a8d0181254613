"""Training graphs as people write them: the old training goes, and frozen bits stay."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from graphfreeze.api import add_train_op, freeze, load, report, save
from graphfreeze.model.model import Model
from graphfreeze.model.reads import is_write
from graphfreeze.runtime import building
from graphfreeze.selection.plan import FreezePlan

MODELS = Path(__file__).parents[2] / "testdata/models"
FEEDS = {"ids:0": np.array([0, 3, 3, 5], np.int32), "y:0": np.ones((4, 2), np.float32)}
Tensor = tf.Tensor


def forward(*, resource: bool = False, norm: bool = False) -> Tensor:
    """Build a lookup, a dense layer and a loss; return the loss."""
    ids = tf.placeholder(tf.int32, [None], "ids")
    y = tf.placeholder(tf.float32, [None, 2], "y")
    start = tf.random_uniform_initializer(0.5, 1.0, seed=3)
    emb = tf.get_variable("emb", [6, 3], initializer=start, use_resource=resource)
    hidden = tf.nn.embedding_lookup(emb, ids)
    if norm:
        mean = tf.get_variable(
            "bn/mean", [3], initializer=start, use_resource=resource, trainable=False
        )
        moved = tf.assign_sub(mean, 0.1 * (mean - tf.reduce_mean(hidden, 0)))
        tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, moved.op)
        hidden -= mean
    w = tf.get_variable("w", [3, 2], initializer=start, use_resource=resource)
    return tf.reduce_mean((tf.matmul(hidden, w) - y) ** 2, name="loss")


def adam(resource: bool) -> None:
    tf.train.AdamOptimizer(0.1).minimize(
        forward(resource=resource), tf.train.get_or_create_global_step()
    )


def only_a_table() -> None:
    ids = tf.placeholder(tf.int32, [None], "ids")
    tf.placeholder(tf.float32, [None, 2], "y")
    tf.get_variable("w", [2])
    emb = tf.get_variable("emb", [6, 3], use_resource=True)
    loss = tf.reduce_mean(tf.nn.embedding_lookup(emb, ids) ** 2, name="loss")
    tf.train.AdamOptimizer(0.1).minimize(loss)


def average_in_update_ops() -> None:
    step = tf.train.MomentumOptimizer(0.1, 0.9).minimize(forward())
    average = tf.train.ExponentialMovingAverage(0.5)
    with tf.control_dependencies([step]):
        tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, average.apply(tf.trainable_variables()))


def under_another_key() -> None:
    tf.add_to_collection("optimizer", tf.train.AdamOptimizer(0.1).minimize(forward()))


def by_hand() -> None:
    loss, step = forward(), tf.train.get_or_create_global_step()
    writes = []
    for variable in tf.trainable_variables():
        (gradient,) = tf.gradients(loss, variable)
        name = f"{variable.op.name}/m"
        m = tf.get_variable(name, variable.shape, initializer=tf.zeros_initializer, trainable=False)
        next_m = 0.9 * m + 0.1 * tf.convert_to_tensor(gradient)
        writes += [m.assign(next_m), variable.assign(variable - 0.1 * next_m - 0.01 * variable)]
    tf.group(*writes, step.assign(step + 1), name="train")


def accumulated() -> None:
    loss = forward()
    variables = tf.trainable_variables()
    sums = [tf.Variable(tf.zeros(v.shape), trainable=False, name="sum") for v in variables]
    gradients = map(tf.convert_to_tensor, tf.gradients(loss, variables))
    tf.group(*[tf.assign_add(s, g) for s, g in zip(sums, gradients, strict=True)], name="add")
    tf.group(*[tf.assign(s, tf.zeros_like(s)) for s in sums], name="clear")
    tf.train.AdamOptimizer(0.1).apply_gradients(zip(sums, variables, strict=True))


def loss_that_waits(resource: bool) -> None:
    loss = forward(resource=resource, norm=True)
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        loss = tf.identity(loss, "total")
    tf.losses.add_loss(loss)
    tf.train.AdamOptimizer(0.1).minimize(loss)


def a_bound_that_the_loss_waits_for() -> None:
    loss = forward()
    (emb,) = (v for v in tf.trainable_variables() if v.op.name == "emb")
    with tf.control_dependencies([emb.assign(tf.clip_by_norm(emb, 0.1, [1]))]):
        tf.losses.add_loss(tf.identity(loss, "total"))


GRAPHS: dict[str, tuple[Callable[[], None], FreezePlan, str]] = {
    "Adam": (lambda: adam(False), FreezePlan(freeze=("w",)), "loss"),
    "Adam, resources": (lambda: adam(True), FreezePlan(freeze_rows={"emb": "0:4"}), "loss"),
    "Adam, a table alone": (only_a_table, FreezePlan(freeze_rows={"emb": "0:4"}), "loss"),
    "average in update_ops": (average_in_update_ops, FreezePlan(freeze=("w",)), "loss"),
    "under another key": (under_another_key, FreezePlan(freeze_rows={"emb": "0:4"}), "loss"),
    "by hand": (by_hand, FreezePlan(freeze=("w",)), "loss"),
    "accumulated": (accumulated, FreezePlan(freeze=("w",)), "loss"),
    "loss that waits": (lambda: loss_that_waits(False), FreezePlan(freeze=("bn",)), "total"),
    "loss that waits, resources": (
        lambda: loss_that_waits(True),
        FreezePlan(freeze=("bn",)),
        "total",
    ),
    "a bound that the loss waits for": (
        a_bound_that_the_loss_waits_for,
        FreezePlan(freeze_rows={"emb": "0:4"}),
        "total",
    ),
}


def saved(build: Callable[[], None], prefix: Path) -> Model:
    with building(), tf.Session() as session:
        build()
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, str(prefix))
    return load(prefix)


@pytest.mark.parametrize(("build", "plan", "loss"), GRAPHS.values(), ids=GRAPHS)
def test_rebuilt(build: Callable[[], None], plan: FreezePlan, loss: str, tmp_path: Path) -> None:
    model = saved(build, tmp_path / "m")
    frozen = freeze(model, plan, keep=[loss])
    kept = {name for name in frozen.draft.graph.nodes if is_write(frozen.draft.graph, name)}
    assert not [name for name in kept if "Apply" in frozen.draft.graph.op(name)]
    add_train_op(frozen, loss=[loss], optimizer="momentum", learning_rate=0.1)
    save(frozen, tmp_path / "out")
    record = {v.name: v for v in report(frozen).variables}
    assert not [name for name in record if "Adam" in name or "Momentum" in name]
    before, after = trained(tmp_path / "out", loss)
    for name, variable in record.items():
        rows = [row for ends in variable.frozen_ranges or [] for row in range(*ends)]
        is_frozen = variable.state == "frozen"
        whole = slice(None) if is_frozen else rows
        assert before[name][whole].tobytes() == after[name][whole].tobytes(), name
        if variable.state in ("trainable", "partly frozen"):
            assert before[name].tobytes() != after[name].tobytes(), name
        if "ExponentialMovingAverage" in name and "emb" in name:
            assert before[name].tobytes() != after[name].tobytes(), name


def trained(bundle: Path, loss: str) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Train as loops do: the loss is fetched with the train_op."""
    with tf.Graph().as_default(), tf.Session() as session:
        saver = tf.train.import_meta_graph(str(bundle / "model.meta"))
        saver.restore(session, str(bundle / "model"))
        values = {v.op.name: v for v in tf.global_variables()}
        before = {n: np.atleast_1d(v) for n, v in session.run(values).items()}
        for _ in range(3):
            session.run([tf.get_collection("train_op")[0], f"{loss}:0"], FEEDS)
        return before, {n: np.atleast_1d(v) for n, v in session.run(values).items()}


def hooked(resource: bool) -> None:
    """Build what a MonitoredTrainingSession adds, and a second saver that keeps slots alone."""
    adam(resource)
    slots = [v for v in tf.global_variables() if "Adam" in v.op.name]
    savers = [tf.train.Saver(), tf.train.Saver(slots, name="slots")]
    for saver in savers:
        tf.add_to_collection(tf.GraphKeys.SAVERS, saver)
    tf.train.Scaffold(saver=savers[0]).finalize()


@pytest.mark.parametrize("resource", [False, True], ids=["ref", "resource"])
def test_hooks_go_on(resource: bool, tmp_path: Path) -> None:
    with building(), tf.Graph().as_default() as graph:
        hooked(resource)
        with tf.Session() as session:
            session.run(tf.get_collection(tf.GraphKeys.INIT_OP))
            tf.get_collection(tf.GraphKeys.SAVERS)[0].save(session, str(tmp_path / "m"))
        assert any(op.type == "VarIsInitializedOp" for op in graph.get_operations()) == resource
    frozen = freeze(load(tmp_path / "m"), FreezePlan(freeze=("w",)), keep=["loss"])
    assert [n for n in frozen.draft.graph.nodes if "Adam" in n or n.startswith("slots/")] == []
    add_train_op(frozen, loss=["loss"], optimizer="momentum", learning_rate=0.1)
    save(frozen, tmp_path / "out")
    with tf.Graph().as_default() as graph:
        tf.train.import_meta_graph(str(tmp_path / "out/model.meta"))
        (train_op,) = tf.get_collection("train_op")
        with tf.Session(graph=graph) as session:
            (ready,) = tf.get_collection(tf.GraphKeys.READY_OP)
            assert sorted(session.run(ready)) == [b"emb", b"global_step", b"w"]
            session.run(tf.get_collection(tf.GraphKeys.INIT_OP))
            assert list(session.run(ready)) == []
            assert list(session.run(tf.report_uninitialized_variables())) == []
        creator = tf.train.ChiefSessionCreator(
            scaffold=tf.train.Scaffold(),  # with what the collections have
            checkpoint_filename_with_path=str(tmp_path / "out/model"),
        )
        with tf.train.MonitoredSession(creator) as monitored:
            for _ in range(3):
                monitored.run([train_op, "loss:0"], FEEDS)


# A model that real TensorFlow 1.15 wrote amid its training, and what is frozen.
REAL = {
    "a Scaffold's": ("adam_clipped", FreezePlan(freeze=("hidden",)), "adam"),
    "assignments": ("bert_adamw", FreezePlan(freeze=("bert/encoder/layer_0",)), "adamw"),
    "averages": ("momentum_ema", FreezePlan(freeze_rows={"table": "0:50"}), "momentum"),
    "two train ops": ("gan", FreezePlan(freeze=("shared",)), "adam"),
    "parts": ("partitioned_ps", FreezePlan(freeze_rows={"table": "0:40"}), "adagrad"),
    "canned": ("wide_deep", FreezePlan(freeze=("dnn/hiddenlayer_0",)), "ftrl"),
}


@pytest.mark.parametrize(("name", "plan", "optimizer"), REAL.values(), ids=REAL)
def test_real_models(name: str, plan: FreezePlan, optimizer: str, tmp_path: Path) -> None:
    told = json.loads((MODELS / name / "feeds.json").read_text())
    frozen = freeze(load(MODELS / name / "model.ckpt"), plan, keep=[told["loss"]])
    add_train_op(frozen, loss=[told["loss"]], optimizer=optimizer, learning_rate=0.01)
    save(frozen, tmp_path / "out")
    record = report(frozen)
    assert record.old_training is not None
    assert (record.old_training.kept, record.nodes_removed) == (False, record.old_training.nodes)
    assert [each.name for each in record.variables if each.state == "slot"] == []
    feeds = {
        key: np.array(each["values"], each["dtype"]).reshape(each["shape"])
        for key, each in told["feeds"].items()
    }
    with tf.Graph().as_default(), tf.Session() as session:
        saver = tf.train.import_meta_graph(str(tmp_path / "out/model.meta"), clear_devices=True)
        saver.restore(session, str(tmp_path / "out/model"))
        session.run([tf.get_collection(key) for key in ("table_initializer", "local_init_op")])
        variables = {v.op.name: v for v in tf.global_variables()}
        before = session.run(variables)
        for _ in range(3):
            session.run([tf.get_collection("train_op")[0], told["loss"]], feeds)
        after = session.run(variables)
        assert all(not session.run(op).size for op in tf.get_collection("ready_op"))
    for each in record.variables:
        if each.name in before:
            rows = [row for ends in each.frozen_ranges or [] for row in range(*ends)]
            still = slice(None) if each.state == "frozen" else rows
            first, last = np.atleast_1d(before[each.name]), np.atleast_1d(after[each.name])
            assert first[still].tobytes() == last[still].tobytes(), each.name
            if each.state == "trainable":
                assert first.tobytes() != last.tobytes(), each.name
