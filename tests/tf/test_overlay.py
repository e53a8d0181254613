"""Rows laid over a table: the same values, the same learning, and a table that nothing writes."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow.compat.v1 as tf

from graphfreeze.api import add_train_op, freeze, load, report, save, show
from graphfreeze.errors import EmitError
from graphfreeze.rewrite.overlay import rows_name
from graphfreeze.selection.plan import FreezePlan

MODELS = Path(__file__).parents[2] / "testdata" / "models"
HEIGHT, WIDTH, STEPS = 12, 4, 10
BATCH = [[0, 3, 3], [11, 7, 5]]
LIVE = "1:4,5,9:"
LEARNING = [1, 2, 3, 5, 9, 10, 11]
FROZEN = [0, 4, 6, 7, 8]
Values = dict[str, npt.NDArray[np.generic]]
Build = Callable[[], tf.Tensor]


def values(*shape: int, seed: int = 1) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def table(*shape: int) -> tf.Variable:
    """Make a table, some of whose rows hold what arithmetic does not give back."""
    start = values(*(shape or (HEIGHT, WIDTH)))
    start[0] = -0.0
    start[4] = 1e-45
    start[9] = -0.0
    return tf.get_variable("table", initializer=start)


def ids(batch: npt.ArrayLike = BATCH, dtype: type = np.int32) -> tf.Tensor:
    given = np.array(batch, dtype)
    return tf.placeholder_with_default(given, [None] * given.ndim, name="ids")


def look_up(dtype: type = np.int32) -> tf.Tensor:
    return tf.nn.embedding_lookup(table(), ids(dtype=dtype))


def one_id() -> tf.Tensor:
    return tf.nn.embedding_lookup(table(), ids(3))


def three_axes_of_ids() -> tf.Tensor:
    return tf.nn.embedding_lookup(table(), ids([BATCH, BATCH], np.int64))


def dense() -> tf.Tensor:
    return tf.tanh(table())


def both() -> tf.Tensor:
    whole = table()
    rows = tf.reshape(tf.nn.embedding_lookup(whole, ids()), [-1, WIDTH])
    return tf.matmul(rows, whole, transpose_b=True)  # as in a tied softmax


def norm() -> tf.Tensor:
    return tf.reshape(tf.nn.l2_loss(table()), [1, 1])


def two_lookups() -> tf.Tensor:
    whole = table()
    more = tf.nn.embedding_lookup(whole, [1, 3, 3, 8, 0, 2])
    return tf.reshape(tf.nn.embedding_lookup(whole, ids()), [-1, WIDTH]) * more


def vector() -> tf.Tensor:
    return tf.nn.embedding_lookup(table(HEIGHT), ids())


def three_axes() -> tf.Tensor:
    return tf.nn.embedding_lookup(table(HEIGHT, 2, 3), ids())


def another_axis() -> tf.Tensor:
    return tf.gather(table(), [2, 0, 1, 3], axis=1)


def in_batches() -> tf.Tensor:
    batches = tf.reshape(table(), [3, 4, WIDTH])
    return tf.gather(batches, [[0, 3], [1, 1], [2, 0]], batch_dims=1)


def entries() -> tf.Tensor:
    return tf.gather_nd(table(), [[0], [3], [11]])


def a_slice() -> tf.Tensor:
    return tf.sin(table()[2:10:3])


def through_a_cast() -> tf.Tensor:
    half = tf.cast(table(), tf.float16)
    return tf.cast(tf.nn.embedding_lookup(half, ids()), tf.float32)


def in_a_branch() -> tf.Tensor:
    whole, is_on = table(), tf.placeholder_with_default(True, [], name="is_on")
    branches = (
        lambda: tf.nn.embedding_lookup(whole, ids()),
        lambda: tf.ones([2, 3, WIDTH]) * tf.reduce_sum(whole),
    )
    return tf.cond(is_on, *branches)


def in_a_loop() -> tf.Tensor:
    whole, given = table(), ids()

    def step(i: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        row = tf.nn.embedding_lookup(whole, tf.reshape(given, [-1])[i])
        odd = lambda: x + tf.nn.embedding_lookup(whole, i)  # noqa: E731
        return i + 1, tf.tanh(row + tf.cond(tf.equal(i % 2, 1), odd, lambda: x * 0.5))

    return tf.while_loop(lambda i, _: i < 6, step, (0, tf.zeros([WIDTH])))[1]


def whole_in_a_loop() -> tf.Tensor:
    whole = table()
    step = lambda i, x: (i + 1, tf.tanh(x + tf.reduce_sum(whole, 0)))  # noqa: E731
    return tf.while_loop(lambda i, _: i < 3, step, (0, tf.zeros([WIDTH])))[1]


BUILDS: dict[str, Build] = {
    each.__name__.replace("_", " "): each
    for each in (
        look_up, one_id, three_axes_of_ids, dense, both, norm, two_lookups, vector, three_axes,
        another_axis, in_batches, entries, a_slice, through_a_cast, in_a_branch, in_a_loop,
        whole_in_a_loop,
    )
}  # fmt: skip
BUILDS["look up by int64"] = lambda: look_up(np.int64)
KINDS = {"ref": False, "resource": True}


@contextmanager
def session() -> Iterator[tf.Session]:
    with tf.Graph().as_default(), tf.Session() as opened:
        yield opened


def write_model(build: Build, folder: Path, *, is_resource: bool) -> Path:
    """Write a small model and its checkpoint, with control flow of version 1."""
    with session() as opened:
        tf.disable_control_flow_v2()
        try:
            with tf.variable_scope("", use_resource=is_resource):
                bias = tf.get_variable("bias", initializer=0.5)
                result = tf.identity(build(), name="result")
                tf.losses.add_loss(tf.reduce_mean(tf.square(result - bias), name="loss"))
            opened.run(tf.global_variables_initializer())
            tf.train.Saver().save(opened, str(folder / "in"))
        finally:
            tf.enable_control_flow_v2()
    return folder / "in"


@dataclass
class Trained:
    """What came of a bundle: the value before, variables before, after steps and after a merge."""

    value: bytes = b""
    before: Values = field(default_factory=dict)
    after: Values = field(default_factory=dict)
    merged: Values = field(default_factory=dict)
    saved: Values = field(default_factory=dict)


def train(
    model: Path, rows: dict[str, str], folder: Path, *, strategy: str = "overlay", **options: object
) -> Trained:
    """Freeze, run steps, merge, save, and read what was saved."""
    feeds = options.pop("feeds", {})
    steps, value = options.pop("steps", STEPS), options.pop("value", "result:0")
    options = {"optimizer": "sgd", "learning_rate": 0.1, **options}
    frozen = freeze(load(model), FreezePlan(train_rows=rows, row_strategy=strategy))
    add_train_op(frozen, **options)
    save(frozen, folder)
    done = Trained()
    with session() as opened:
        saver = tf.train.import_meta_graph(str(folder / "model.meta"))
        saver.restore(opened, str(folder / "model"))
        done.value = opened.run(value, feeds).tobytes()
        done.before = read(opened)
        for _ in range(steps):
            opened.run(tf.get_collection("train_op")[0], feeds)
        done.after = read(opened)
        opened.run(tf.get_collection("graphfreeze_merge"))
        done.merged = read(opened)
        prefix = saver.save(opened, str(folder / "merged"))
        saved = tf.train.load_checkpoint(prefix)
        done.saved = {name: saved.get_tensor(name) for name in rows}
    return done


def read(opened: tf.Session) -> Values:
    return {v.op.name: opened.run(v.value()) for v in tf.global_variables()}


def bits(value: npt.NDArray[np.generic]) -> bytes:
    return value.tobytes()


def original(model: Path, value: str = "result:0", feeds: object = None) -> bytes:
    with session() as opened:
        saver = tf.train.import_meta_graph(f"{model}.meta")
        saver.restore(opened, str(model))
        return opened.run(value, feeds).tobytes()


def bits_kept(done: Trained, name: str, live: npt.ArrayLike) -> None:
    """Check that a table never moves, that its rows do, and that a merge writes those alone."""
    rows = f"{name}/graphfreeze/rows"
    still = np.delete(np.arange(len(done.before[name])), live)
    assert bits(done.after[name]) == bits(done.before[name])
    assert bits(done.before[rows]) == bits(done.before[name][live])
    assert bits(done.merged[rows]) == bits(done.after[rows])
    assert bits(done.merged[name][live]) == bits(done.after[rows])
    assert bits(done.merged[name][still]) == bits(done.before[name][still])


@pytest.mark.parametrize("is_resource", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("build", BUILDS.values(), ids=BUILDS)
def test_value_and_learning_are_those_of_a_mask(
    build: Build, is_resource: bool, tmp_path: Path
) -> None:
    model = write_model(build, tmp_path, is_resource=is_resource)
    overlaid = train(model, {"table": LIVE}, tmp_path / "overlay")
    masked = train(model, {"table": LIVE}, tmp_path / "mask", strategy="mask")
    assert overlaid.value == original(model)
    bits_kept(overlaid, "table", LEARNING)
    assert bits(overlaid.merged["table"]) == bits(masked.after["table"])
    assert bits(overlaid.after["bias"]) == bits(masked.after["bias"])
    assert bits(overlaid.saved["table"]) == bits(overlaid.merged["table"])
    assert np.any(overlaid.after["table/graphfreeze/rows"] != overlaid.before["table"][LEARNING])


ROWS = {
    "from the start": (":5", range(5)),
    "to the end": ("5:", range(5, HEIGHT)),
    "one": ("3", [3]),
    "each other": ("::2", range(0, HEIGHT, 2)),
    "all but one": ("0:7,8:", [*range(7), *range(8, HEIGHT)]),
}


@pytest.mark.parametrize("is_resource", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize(("text", "live"), ROWS.values(), ids=ROWS)
def test_sets_of_rows(text: str, live: npt.ArrayLike, is_resource: bool, tmp_path: Path) -> None:
    model = write_model(both, tmp_path, is_resource=is_resource)
    overlaid = train(model, {"table": text}, tmp_path / "overlay")
    masked = train(model, {"table": text}, tmp_path / "mask", strategy="mask")
    assert overlaid.value == original(model)
    bits_kept(overlaid, "table", list(live))
    assert bits(overlaid.merged["table"]) == bits(masked.after["table"])


BATCHES = {
    "none that learns": [0, 7, 4],
    "none at all": np.zeros([0], np.int32),
    "those that learn alone": [1, 9, 9, 11],
    "one many times": [5] * 7,
}


@pytest.mark.parametrize("is_resource", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES)
def test_batches(batch: npt.ArrayLike, is_resource: bool, tmp_path: Path) -> None:
    def build() -> tf.Tensor:
        return tf.reshape(tf.reduce_sum(tf.nn.embedding_lookup(table(), ids(batch)), 0), [-1])

    model = write_model(build, tmp_path, is_resource=is_resource)
    done = train(model, {"table": LIVE}, tmp_path / "overlay")
    assert done.value == original(model)
    bits_kept(done, "table", LEARNING)
    moved = np.any(done.after["table/graphfreeze/rows"] != done.before["table"][LEARNING], 1)
    assert moved.tolist() == np.isin(LEARNING, batch).tolist()


OPTIMIZERS = ["adam", "momentum", "ftrl", "adagrad", "rmsprop", "proximal_adagrad"]


@pytest.mark.parametrize("is_resource", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("build", [look_up, both])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_slots_are_those_of_the_rows(
    optimizer: str, build: Build, is_resource: bool, tmp_path: Path
) -> None:
    model = write_model(build, tmp_path, is_resource=is_resource)
    done = train(model, {"table": LIVE}, tmp_path / "out", optimizer=optimizer)
    bits_kept(done, "table", LEARNING)
    slots = [name for name in done.before if name.startswith("table/graphfreeze/rows/")]
    assert slots
    assert {done.before[name].shape for name in slots} == {(len(LEARNING), WIDTH)}
    assert not [name for name in done.before if name.startswith("table/graphfreeze_")]
    read_rows = np.isin(LEARNING, BATCH) | (build is both)
    moved = np.any(done.after["table/graphfreeze/rows"] != done.before["table"][LEARNING], 1)
    assert np.all(moved[read_rows])


@pytest.mark.parametrize("is_resource", KINDS.values(), ids=KINDS)
def test_gradient_of_a_lookup_is_that_of_the_trainable_ids(
    is_resource: bool, tmp_path: Path
) -> None:
    model = write_model(look_up, tmp_path, is_resource=is_resource)
    plan = FreezePlan(train_rows={"table": LIVE}, row_strategy="overlay")
    save(freeze(load(model), plan), tmp_path / "out")
    with session() as opened:
        saver = tf.train.import_meta_graph(str(tmp_path / "out" / "model.meta"))
        saver.restore(opened, str(tmp_path / "out" / "model"))
        rows, bias = sorted(tf.trainable_variables(), key=lambda v: v.op.name, reverse=True)
        assert [rows.op.name, bias.op.name] == ["table/graphfreeze/rows", "bias"]
        gradient = tf.gradients(opened.graph.get_tensor_by_name("loss:0"), rows)[0]
        assert isinstance(gradient, tf.IndexedSlices)
        found = opened.run(gradient)
    assert [LEARNING[local] for local in found.indices] == [3, 3, 11, 5]
    assert found.values.shape == (4, WIDTH)


@pytest.mark.parametrize("is_resource", KINDS.values(), ids=KINDS)
def test_initializers_of_table_and_rows_agree(is_resource: bool, tmp_path: Path) -> None:
    def build() -> tf.Tensor:
        whole = tf.get_variable("table", [HEIGHT, WIDTH])  # its values are drawn anew
        return tf.nn.embedding_lookup(whole, ids())

    model = write_model(build, tmp_path, is_resource=is_resource)
    plan = FreezePlan(train_rows={"table": LIVE}, row_strategy="overlay")
    save(freeze(load(model), plan), tmp_path / "out")
    with session() as opened:
        tf.train.import_meta_graph(str(tmp_path / "out" / "model.meta"))
        opened.run(tf.global_variables_initializer())
        found = read(opened)
    assert bits(found["table/graphfreeze/rows"]) == bits(found["table"][LEARNING])


JOBS = {
    "tied_softmax": {"embedding": "5:30,100,200:260"},
    "nce": {"embeddings": "::3", "nce_weights": "0:100,499"},
    "partitioned_mod": {"table": "3:40,77"},
    "partitioned_div": {"table": "3:40,77"},
    "loop_lookup": {"table": "3:40", "resource_table": "0:3,7,20:"},
    "resource_mlp": {"embedding": "100:"},
    "bare_graph": {"table": "3:7,9"},
}


@pytest.mark.parametrize("name", JOBS)
def test_models_of_tensorflow_1(name: str, tmp_path: Path) -> None:
    source = MODELS / name / ("graph.pb" if name == "bare_graph" else "model.ckpt")
    document = json.loads((MODELS / name / "feeds.json").read_text())
    feeds = {
        key: np.array(each["values"], each["dtype"]).reshape(each["shape"])
        for key, each in document["feeds"].items()
    }
    loss = document["loss"]
    options = {"feeds": feeds, "value": loss, "optimizer": "momentum", "learning_rate": 0.1}
    if name == "bare_graph":
        options["loss"] = [loss]
    done = train(source, JOBS[name], tmp_path / "overlay", **options)
    masked = train(source, JOBS[name], tmp_path / "mask", strategy="mask", **options)
    assert done.value == masked.value
    if name != "bare_graph":
        assert done.value == original(source, loss, feeds)
    plan = FreezePlan(train_rows=JOBS[name], row_strategy="overlay")
    frozen = freeze(load(source), plan, keep=[loss])
    for variable, rows in frozen.selection.overlaid.items():
        bits_kept(done, variable.name, np.flatnonzero(rows.complement().mask()))
    for key in JOBS[name]:
        assert done.saved[key].shape[0] == masked.saved[key].shape[0]
        np.testing.assert_allclose(done.saved[key], masked.saved[key], rtol=1e-5, atol=1e-6)
        assert bits(done.saved[key]) != bits(
            tf.train.load_checkpoint(source_prefix(name)).get_tensor(key)
        )


def source_prefix(name: str) -> str:
    return str(MODELS / name / "model.ckpt")


@pytest.mark.parametrize("suffix", [".pb", ".pbtxt", ".meta"])
def test_graph_file_cannot_hold_the_rows(suffix: str, tmp_path: Path) -> None:
    model = write_model(look_up, tmp_path, is_resource=False)
    frozen = freeze(load(model), FreezePlan(train_rows={"table": LIVE}, row_strategy="overlay"))
    with pytest.raises(
        EmitError, match="no checkpoint for the values of table/graphfreeze/rows; write a bundle"
    ):
        save(frozen, tmp_path / f"out{suffix}")
    assert not list(tmp_path.glob("out*"))


def test_record_names_the_merge(tmp_path: Path) -> None:
    model = write_model(look_up, tmp_path, is_resource=True)
    plans = {s: FreezePlan(train_rows={"table": LIVE}, row_strategy=s) for s in ("overlay", "mask")}
    frozen = {strategy: freeze(load(model), plan) for strategy, plan in plans.items()}
    assert report(frozen["overlay"]).merge_op == "graphfreeze/merge"
    assert report(frozen["mask"]).merge_op is None
    save(frozen["overlay"], tmp_path / "out")
    shown = {each.name: each.state for each in show(load(tmp_path / "out")).variables}
    (table_,) = frozen["overlay"].selection.overlaid
    assert shown == {"bias": "trainable", "table": "partly frozen", rows_name(table_): "trainable"}


def test_no_update_races_a_gradient_that_reads_the_same_variable(tmp_path: Path) -> None:
    """One factor's update has to wait for the gradient of the other, which reads its buffer."""

    def build() -> tf.Tensor:
        factor = tf.get_variable("factor", initializer=values(WIDTH, WIDTH))
        return tf.matmul(table(), factor)

    model = write_model(build, tmp_path, is_resource=False)
    frozen = freeze(load(model), FreezePlan(train_rows={"table": LIVE}, row_strategy="overlay"))
    add_train_op(frozen, optimizer="sgd", learning_rate=0.1)
    graph = frozen.draft.graph
    writer = next(n for n in graph.nodes if "update_factor/Apply" in n)
    readers = [n for n in graph.consumers("factor/read") if n.startswith("graphfreeze/gradients")]
    assert readers
    assert set(readers) <= graph.ancestors([writer])
