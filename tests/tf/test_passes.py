"""Forward values stay the same to the bit; gradients end where the selection says.

A table is read at two places at most: the sum of three gradients may differ in its last bit, for
a mask changes the order in which they are added.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow.compat.v1 as tf

from graphfreeze.api import add_train_op, freeze, load, save
from graphfreeze.selection.plan import FreezePlan

HEIGHT, WIDTH = 12, 4
IDS = np.array([[0, 3, 3], [11, 7, 5]])
Array = npt.NDArray[np.generic]
Build = Callable[[], None]


def values(*shape: int, seed: int = 1) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def variable(name: str, *shape: int) -> tf.Variable:
    """Make a variable of the kind that the test asks for."""
    return tf.get_variable(name, initializer=values(*shape))


def ids(dtype: type = np.int32) -> tf.Tensor:
    return tf.placeholder_with_default(IDS.astype(dtype), [None, None], name="ids")


def project(x: tf.Tensor) -> tf.Tensor:
    return tf.matmul(tf.reshape(x, [-1, WIDTH]), variable("kernel", WIDTH, 3))


def finish(x: tf.Tensor) -> None:
    tf.reduce_mean(tf.square(project(x)), name="loss")


def dense() -> None:
    finish(tf.tanh(variable("table", HEIGHT, WIDTH)))


def lookup() -> None:
    finish(tf.nn.embedding_lookup(variable("table", HEIGHT, WIDTH), ids()))


def lookup_by_int64() -> None:
    finish(tf.nn.embedding_lookup(variable("table", HEIGHT, WIDTH), ids(np.int64)))


def gather() -> None:
    finish(tf.gather(variable("table", HEIGHT, WIDTH), ids()))


def gather_along_another_axis() -> None:
    rows = tf.gather(variable("table", HEIGHT, WIDTH), [2, 0, 1, 3], axis=1)
    finish(tf.sin(rows))


def gather_entries() -> None:
    table = variable("table", HEIGHT, WIDTH)
    finish(tf.gather_nd(tf.identity(table), [[[0], [3], [11]]]))


def two_lookups() -> None:
    table = variable("table", HEIGHT, WIDTH)
    more = tf.nn.embedding_lookup(table, [1, 3, 3, 8, 0, 2])
    finish(tf.reshape(tf.nn.embedding_lookup(table, ids()), [-1, WIDTH]) * more)


def both() -> None:
    table = variable("table", HEIGHT, WIDTH)
    rows = tf.reshape(tf.nn.embedding_lookup(table, ids()), [-1, WIDTH])
    logits = tf.matmul(rows, table, transpose_b=True)  # as in a tied softmax
    finish(tf.matmul(logits, values(HEIGHT, WIDTH, seed=2)))


def vector() -> None:
    bias = variable("table", HEIGHT)
    finish(tf.nn.embedding_lookup(bias, ids())[..., None] * values(WIDTH, seed=2))


def three_axes() -> None:
    finish(tf.nn.embedding_lookup(variable("table", HEIGHT, 2, WIDTH), ids()))


def float64() -> None:
    table = tf.get_variable("table", initializer=values(HEIGHT, WIDTH).astype(np.float64))
    finish(tf.cast(tf.nn.embedding_lookup(table, ids()) * 3, tf.float32))


def lookup_in_a_branch() -> None:
    table = variable("table", HEIGHT, WIDTH)
    is_on = tf.placeholder_with_default(True, [], name="is_on")
    branches = (lambda: tf.nn.embedding_lookup(table, ids()), lambda: tf.zeros([2, 3, WIDTH]))
    finish(tf.cond(is_on, *branches))


def table_in_a_loop() -> None:
    table = tf.identity(variable("table", HEIGHT, WIDTH))
    step = lambda i, x: (i + 1, tf.tanh(x + tf.gather(table, i * 3)))  # noqa: E731
    _, x = tf.while_loop(lambda i, _: i < 4, step, (0, tf.zeros([WIDTH])))
    finish(x)


BUILDS = {
    each.__name__.replace("_", " "): each
    for each in (
        dense, lookup, lookup_by_int64, gather, gather_along_another_axis, gather_entries,
        two_lookups, both, vector, three_axes, float64, lookup_in_a_branch, table_in_a_loop,
    )
}  # fmt: skip
KINDS = {"ref": False, "resource": True}
WHOLLY = FreezePlan(freeze=("table",))
SCATTERED = FreezePlan(freeze_rows={"table": "::2,11"})
PLANS = {f"{name}, wholly": (build, WHOLLY) for name, build in BUILDS.items()}
PLANS |= {f"{name}, scattered rows": (build, SCATTERED) for name, build in BUILDS.items()}
PLANS |= {
    f"{name}, rows {rows}": (BUILDS[name], FreezePlan(freeze_rows={"table": rows}))
    for name in ("both", "lookup by int64")
    for rows in (":4", "4:", "3:8")
}


def write_model(build: Build, folder: Path, *, is_resource: bool, has_values: bool = False) -> Path:
    """Write a small graph as a TensorFlow 1 script would, with control flow of version 1."""
    with tf.Graph().as_default():
        tf.disable_control_flow_v2()
        try:
            with tf.variable_scope("", use_resource=is_resource):
                build()
            start = tf.global_variables_initializer()
            tf.train.export_meta_graph(str(folder / "in.meta"))
            if has_values:
                with tf.Session() as session:
                    session.run(start)
                    tf.train.Saver().save(session, str(folder / "in"))
        finally:
            tf.enable_control_flow_v2()
    return folder / "in.meta"


def evaluate(path: Path) -> tuple[Array, dict[str, Array | None]]:
    """Return the loss, and its dense gradients by the names of variables."""
    with tf.Graph().as_default() as graph, tf.Session() as session:
        tf.disable_control_flow_v2()
        tf.train.import_meta_graph(str(path))
        tf.enable_control_flow_v2()
        loss = graph.get_tensor_by_name("loss:0")
        every = tf.global_variables()
        gradients = tf.gradients(loss, every)
        found = {
            v.op.name: None if g is None else tf.convert_to_tensor(g)
            for v, g in zip(every, gradients, strict=True)
        }
        session.run(tf.global_variables_initializer())
        reached = {name: g for name, g in found.items() if g is not None}
        value, reached = session.run((loss, reached))
        return value, {name: reached.get(name) for name in found}


@pytest.mark.parametrize("is_resource", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize(("build", "plan"), PLANS.values(), ids=PLANS)
def test_value_and_gradients(
    build: Build, plan: FreezePlan, is_resource: bool, tmp_path: Path
) -> None:
    source = write_model(build, tmp_path, is_resource=is_resource)
    frozen = freeze(load(source), plan, keep=["loss:0"])
    save(frozen, tmp_path / "out.meta")
    (before, old), (after, new) = evaluate(source), evaluate(tmp_path / "out.meta")
    assert after.tobytes() == before.tobytes()
    assert new["kernel"].tobytes() == old["kernel"].tobytes()
    if plan.freeze:
        assert new["table"] is None
        return
    (rows,) = (rows.mask() for rows in frozen.selection.partly.values())
    assert not np.any(new["table"][rows])
    assert new["table"][~rows].tobytes() == old["table"][~rows].tobytes()
    assert np.any(new["table"][~rows])


def test_gradient_stops_at_a_tensor(tmp_path: Path) -> None:
    def build() -> None:
        hidden = tf.identity(variable("below", HEIGHT, WIDTH) * 2, name="hidden")
        finish(hidden + variable("beside", HEIGHT, WIDTH))

    source = write_model(build, tmp_path, is_resource=False)
    plan = FreezePlan(stop_gradient=("hidden",))
    save(freeze(load(source), plan, keep=["loss:0"]), tmp_path / "out.meta")
    (before, old), (after, new) = evaluate(source), evaluate(tmp_path / "out.meta")
    assert after.tobytes() == before.tobytes()
    assert new["below"] is None
    assert new["beside"].tobytes() == old["beside"].tobytes()


SPECIAL = {"negative zero": -0.0, "huge": -3.4e38, "tiny": 1.2e-38}


@pytest.mark.parametrize("number", SPECIAL.values(), ids=SPECIAL)
def test_mask_gives_back_special_numbers(number: float, tmp_path: Path) -> None:
    def build() -> None:
        table = tf.get_variable("table", initializer=np.full((HEIGHT, WIDTH), number, np.float32))
        tf.identity(tf.nn.embedding_lookup(table, ids()), name="loss")

    source = write_model(build, tmp_path, is_resource=True)
    plan = FreezePlan(freeze_rows={"table": "::2"})
    save(freeze(load(source), plan, keep=["loss:0"]), tmp_path / "out.meta")
    before, after = evaluate(source)[0], evaluate(tmp_path / "out.meta")[0]
    assert after.tobytes() == before.tobytes()


@pytest.mark.parametrize("is_resource", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("build", [table_in_a_loop, lookup_in_a_branch])
def test_train_op_through_control_flow(build: Build, is_resource: bool, tmp_path: Path) -> None:
    """Train rows that a loop or a branch reads: contexts of gradients are in the bundle too."""
    source = write_model(build, tmp_path, is_resource=is_resource, has_values=True)
    frozen = freeze(load(source), SCATTERED, keep=["loss:0"])
    add_train_op(frozen, loss=["loss:0"], optimizer="adam", learning_rate=0.1)
    save(frozen, tmp_path / "out")
    with tf.Graph().as_default() as graph, tf.Session() as session:
        saver = tf.train.import_meta_graph(str(tmp_path / "out" / "model.meta"))
        saver.restore(session, str(tmp_path / "out" / "model"))
        table = next(v for v in tf.global_variables() if v.op.name == "table")
        before = session.run(table)
        for _ in range(3):
            session.run(graph.get_operation_by_name("graphfreeze/train_op"))
        after = session.run(table)
    (rows,) = (rows.mask() for rows in frozen.selection.partly.values())
    assert after[rows].tobytes() == before[rows].tobytes()
    assert np.any(after[~rows] != before[~rows])


@pytest.mark.parametrize("resource", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_variables_learn_or_are_frozen_whole(
    tmp_path: Path, dtype: str, *, resource: bool
) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        w, v = (
            tf.get_variable(n, initializer=values(3).astype(dtype) + 1j, use_resource=resource)
            for n in "wv"
        )
        tf.reduce_sum(tf.abs(w * v), name="loss")
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, str(tmp_path / "m"))
    frozen = freeze(load(tmp_path / "m.meta"), FreezePlan(freeze=("w",)), keep=["loss:0"])
    add_train_op(frozen, loss=("loss:0",), optimizer="sgd", learning_rate=0.1)
    save(frozen, tmp_path / "out")
    with tf.Graph().as_default(), tf.Session() as session:
        saver = tf.train.import_meta_graph(str(tmp_path / "out" / "model.meta"))
        saver.restore(session, str(tmp_path / "out" / "model"))
        variables = [v for v in tf.global_variables() if v.op.name in ("w", "v")]
        before = session.run(variables)
        session.run(tf.get_collection("train_op")[0])
        after = session.run(variables)
    assert [a.tobytes() == b.tobytes() for a, b in zip(before, after, strict=True)] == [True, False]
