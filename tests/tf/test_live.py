"""Check the helpers for graphs under construction in a running TensorFlow, bit by bit."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from graphfreeze import live
from graphfreeze.errors import GraphfreezeError, RewriteError, SelectionError, TrainError
from graphfreeze.runtime import open_runtime
from graphfreeze.selection.rows import RowSet

Array = npt.NDArray[Any]

tf = open_runtime()
INF = np.inf
KINDS = {"ref": False, "resource": True}


@pytest.fixture(autouse=True)
def session() -> Iterator[Any]:
    """Open a new default graph, and a session on it."""
    with tf.Graph().as_default(), tf.Session() as opened:
        tf.set_random_seed(1)
        yield opened


def bits(array: Array) -> Array:
    return np.ascontiguousarray(array).view(f"u{array.dtype.itemsize}")


def odd_floats(dtype: str = "float32") -> Array:
    """Return [3, 3]: zeros and denormals, NaNs with a payload, a signalling one too, infinities."""
    if dtype == "float32":
        words = [0x80000000, 1, 0x807FFFFF, 0x7FC01234, 0xFFC00001, 0x7F800001]
        rest = np.array([INF, -INF, 0.1], "f4")
        return np.append(np.array(words, "u4").view("f4"), rest).reshape(3, 3)
    few = [-0.0, 5e-324, -3e-310, np.nan, -np.nan, np.nan, INF, -INF, 0.1]
    return np.array(few, "f8").reshape(3, 3).astype(dtype)


def variable(name: str, value: Any, *, resource: bool = False, trainable: bool = True) -> Any:
    return tf.get_variable(
        name, initializer=tf.constant(value), use_resource=resource, trainable=trainable
    )


# The worked example.


@pytest.mark.parametrize("form", ["list", "bool", "float", "tensor"])
def test_worked_example(session: Any, form: str) -> None:
    mask = np.array([1, 0, 1, 1, 0, 0, 1, 1, 0, 1])
    matrix, parm = tf.ones([10, 5]), tf.constant(np.random.default_rng(0).random((5, 1), "f4"))
    given = {
        "list": [[m] for m in mask.tolist()],
        "bool": mask[:, None] == 1,
        "float": mask[:, None].astype("f4"),
        "tensor": tf.expand_dims(tf.constant(mask, tf.float32), 1),
    }
    masked = live.entry_stop_gradients(matrix, given[form])
    loss = tf.reduce_sum(masked @ parm)
    by_input, by_masked = tf.gradients(loss, [matrix, masked])
    value, by_input, by_masked, parm = session.run([masked, by_input, by_masked, parm])
    assert np.array_equal(value, np.ones((10, 5)))
    assert np.array_equal(by_input, mask[:, None] * parm.T)
    assert np.array_equal(by_masked, np.repeat(parm.T, 10, axis=0))


# entry_stop_gradients: the forward value and the gradient.

ENTRIES = np.array([[1.5, -0.0, 0.0, -2.0], [3e38, -1.2e-38, 0.1, 7.0]], "f4")
FORWARD = {
    "bool": (odd_floats(), np.eye(3) == 1),
    "all": (odd_floats(), True),
    "none": (odd_floats(), False),
    "0 and 1 as int": (odd_floats(), [[1, 0, 1]]),
    "0 and 1 as float": (odd_floats(), [[1.0], [0.0], [1.0]]),
    "double": (odd_floats("float64"), [[1.0], [0.0], [1.0]]),
    "fractions": (ENTRIES, [[0.25, 0.5, 1.0, 0.0]]),
    "fractions of a half": (ENTRIES[:1].astype("f2"), [[0.25, 0.5, 1.0, 0.0]]),
    "one fraction": (ENTRIES, 0.3),
}
FED = {  # what the run only knows to be 0 and 1 has to be taken for fractions
    "bool": (odd_floats(), np.eye(3) == 1),
    "one bool": (odd_floats(), False),
    "int": (ENTRIES, [[1, 0, 1, 0]]),
    "float": (ENTRIES, [[1.0], [0.0]]),
    "fractions": (ENTRIES, [[0.25, 0.5, 1.0, 0.0]]),
}


def check_entries(session: Any, target: Array, mask: Array, given: Any) -> None:
    """Compare the value bit by bit, and the gradient with the mask."""
    x = tf.placeholder(target.dtype, target.shape)
    y = live.entry_stop_gradients(x, given)
    upstream = np.arange(1, target.size + 1).reshape(target.shape).astype(target.dtype)
    (gradient,) = tf.gradients(y, x, upstream)
    feeds = {x: target, given: mask} if tf.is_tensor(given) else {x: target}
    value, gradient = session.run([y, gradient], feeds)
    assert value.dtype == target.dtype
    assert np.array_equal(bits(value), bits(target))
    assert np.array_equal(gradient, upstream * mask.astype(target.dtype))


@pytest.mark.parametrize(("target", "mask"), FORWARD.values(), ids=FORWARD)
def test_value_is_kept_to_the_bit(session: Any, target: Array, mask: Any) -> None:
    check_entries(session, target, np.asarray(mask), mask)


@pytest.mark.parametrize(("target", "mask"), FED.values(), ids=FED)
def test_value_is_kept_with_a_mask_that_is_fed(session: Any, target: Array, mask: Any) -> None:
    mask = np.asarray(mask)
    check_entries(session, target, mask, tf.placeholder(mask.dtype, [None] * mask.ndim))


@pytest.mark.parametrize("resource", KINDS.values(), ids=KINDS)
def test_target_may_be_a_variable(session: Any, resource: bool) -> None:
    w = variable("scope/w", odd_floats(), resource=resource)
    y = live.entry_stop_gradients(w, np.array([[True], [False], [True]]))
    (gradient,) = tf.gradients(y, w)
    session.run(tf.global_variables_initializer())
    value, gradient = session.run([y, gradient])
    assert np.array_equal(bits(value), bits(odd_floats()))
    assert gradient.tolist() == [[1] * 3, [0] * 3, [1] * 3]
    assert "/graphfreeze/" in y.name


def test_mask_gets_no_gradient() -> None:
    x, mask = tf.ones([2, 2]), tf.ones([2, 2])
    assert tf.gradients(live.entry_stop_gradients(x, mask), [mask]) == [None]


def test_unknown_shape_is_checked_by_the_run(session: Any) -> None:
    x = tf.placeholder(tf.float32, [None, 2])
    y = live.entry_stop_gradients(x, np.array([[True], [False]]))
    assert y.shape.as_list() == [2, 2]
    with pytest.raises(tf.errors.InvalidArgumentError):
        session.run(y, {x: np.ones((1, 2))})


BAD_MASKS: dict[str, tuple[list[int], Any, str]] = {
    "of the rows": (
        [10, 5],
        [True] * 10,
        "[10] does not fit 'x:0' of [10, 5]; reshape it to [10, 1]",
    ),
    "of the first axis": ([4, 3, 2], [True] * 4, "reshape it to [4, 1, 1]"),
    "of neither axis": (
        [10, 5],
        [True] * 7,
        "[7] does not fit 'x:0' of [10, 5]; give a shape that",
    ),
    "larger": ([1, 5], np.ones((10, 5), bool), "[10, 5] does not fit 'x:0' of [1, 5]"),
    "of higher rank": ([5], np.ones((1, 5), bool), "[1, 5] does not fit 'x:0' of [5]"),
    "above 1": ([2], [0.5, 1.5], "not 1.5"),
    "below 0": ([2], [-1, 1], "not -1"),
    "not a number": ([2], [np.nan, 1.0], "not nan"),
    "text": ([2], ["a", "b"], "bool or numbers"),
}


@pytest.mark.parametrize(("shape", "mask", "message"), BAD_MASKS.values(), ids=BAD_MASKS)
def test_bad_mask_is_told(shape: list[int], mask: Any, message: str) -> None:
    x = tf.placeholder(tf.float32, shape, name="x")
    with pytest.raises(GraphfreezeError) as error:
        live.entry_stop_gradients(x, mask)
    assert message in str(error.value)


def test_bad_target_is_told() -> None:
    with pytest.raises(GraphfreezeError, match="a tensor of int32 has no entries that can learn"):
        live.entry_stop_gradients(tf.constant([1, 2]), True)
    slices = tf.IndexedSlices(tf.ones([1, 2]), tf.constant([0]))
    with pytest.raises(GraphfreezeError, match="IndexedSlices has no entries"):
        live.entry_stop_gradients(slices, True)


# trainable_variables.

EXCLUDED = {
    "nothing": ([], ["a/layer_1/w", "a/layer_10/w", "b"]),
    "scope": (["a/layer_1"], ["a/layer_10/w", "b"]),
    "wildcard": (["**/w"], ["b"]),
    "several": (["b", "a/layer_10"], ["a/layer_1/w"]),
    "all": (["**"], []),
}


@pytest.mark.parametrize(("excluding", "left"), EXCLUDED.values(), ids=EXCLUDED)
def test_scopes_are_excluded(excluding: list[str], left: list[str]) -> None:
    for i, name in enumerate(["a/layer_1/w", "a/layer_10/w", "b"]):
        variable(name, 1.0, resource=i % 2 == 0)
    variable("c", 1.0, trainable=False)
    assert [v.op.name for v in live.trainable_variables(excluding=excluding)] == left


def test_pattern_without_a_variable_is_told() -> None:
    variable("encoder/w", 1.0)
    with pytest.raises(SelectionError, match="did you mean encoder"):
        live.trainable_variables(excluding=["encodr"])
    with pytest.raises(SelectionError, match="one text where a list is needed"):
        live.trainable_variables(excluding="encoder")


def test_rows_of_a_name_that_is_a_scope_too() -> None:
    w = variable("w", np.ones((2, 2), "f4"))
    variable("w/bias", 1.0)
    live.minimize(tf.reduce_sum(w), tf.train.GradientDescentOptimizer(0.5), rows={"w": "0"})


# minimize: frozen rows under each optimizer.


class Decay(tf.train.GradientDescentOptimizer):  # type: ignore[misc]
    """Shrink the whole variable with each step, as objects we do not know may."""

    def apply_gradients(self, grads_and_vars: Any, global_step: Any = None) -> Any:
        pairs = list(grads_and_vars)
        applied = super().apply_gradients(pairs, global_step)
        with tf.control_dependencies([applied]):
            return tf.group(*(tf.assign(v, 0.9 * v.read_value()) for _, v in pairs))


OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "sgd": lambda _: tf.train.GradientDescentOptimizer(0.1),
    "momentum": lambda _: tf.train.MomentumOptimizer(0.1, 0.9),
    "nesterov": lambda _: tf.train.MomentumOptimizer(0.1, 0.9, use_nesterov=True),
    "adam": lambda _: tf.train.AdamOptimizer(0.1),
    "adagrad": lambda _: tf.train.AdagradOptimizer(0.1),
    "adadelta": lambda _: tf.train.AdadeltaOptimizer(0.1),
    "rmsprop": lambda _: tf.train.RMSPropOptimizer(0.1, momentum=0.5),
    "centered_rmsprop": lambda _: tf.train.RMSPropOptimizer(0.1, centered=True),
    "ftrl": lambda _: tf.train.FtrlOptimizer(
        0.1, l1_regularization_strength=0.01, l2_regularization_strength=0.1
    ),
    "proximal_adagrad": lambda _: tf.train.ProximalAdagradOptimizer(
        0.1, l2_regularization_strength=0.1
    ),
    "proximal_sgd": lambda _: tf.train.ProximalGradientDescentOptimizer(
        0.1, l2_regularization_strength=0.1
    ),
    "adagrad_da": lambda step: tf.train.AdagradDAOptimizer(
        0.1, step, l2_regularization_strength=0.1
    ),
    "unknown": lambda _: Decay(0.1),
}
HEIGHT, FROZEN = 8, [0, 1, 3, 7]
FEEDS = [[2, 4, 5, 6], [0, 2, 2, 4], [0, 1, 3, 7], [6, 5, 7, 7], [1, 2, 4, 6]]


def table_value(dtype: str = "float32") -> Array:
    value = np.random.default_rng(0).normal(size=(HEIGHT, 3)).astype(dtype)
    value[FROZEN[:3]] = odd_floats(dtype)
    return value


def loss_of(table: Any, ids: Any, access: str) -> Any:
    """Return a loss whose gradient by the table is finite, but for frozen rows if it is dense."""
    weights = tf.constant([[0.5, -1.0, 2.0]], table.dtype.base_dtype)
    if access == "lookup":
        return tf.reduce_sum(tf.nn.embedding_lookup(table, ids) * weights)
    scales = np.linspace(0.5, 1.5, HEIGHT)
    scales[1] = INF
    return tf.reduce_sum(tf.matmul(tf.constant(scales[None], weights.dtype), table) * weights)


def five_steps(session: Any, table: Any, ids: Any, train_op: Any) -> tuple[Array, Array]:
    session.run(tf.global_variables_initializer())
    before = session.run(table)
    for feed in FEEDS:
        session.run(train_op, {ids: feed})
    return bits(before), bits(session.run(table))


@pytest.mark.parametrize("access", ["lookup", "dense"])
@pytest.mark.parametrize("resource", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_frozen_rows_keep_every_bit(
    session: Any, optimizer: str, resource: bool, access: str
) -> None:
    table = variable("table", table_value(), resource=resource)
    ids = tf.placeholder(tf.int32, [4])
    step = tf.train.create_global_step()
    made = OPTIMIZERS[optimizer](step)
    train_op = live.minimize(
        loss_of(table, ids, access), made, rows={"table": "0:2,3,-1"}, global_step=step
    )
    before, after = five_steps(session, table, ids, train_op)
    assert np.array_equal(before[FROZEN], bits(table_value())[FROZEN])
    assert np.array_equal(after[FROZEN], before[FROZEN])
    assert (np.delete(after, FROZEN, 0) != np.delete(before, FROZEN, 0)).all()
    assert session.run(step) == len(FEEDS)


@pytest.mark.parametrize("access", ["lookup", "dense"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "momentum"])
@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_other_types_keep_every_bit(session: Any, dtype: str, optimizer: str, access: str) -> None:
    table = variable("table", table_value(dtype), resource=True)
    ids = tf.placeholder(tf.int64, [4])
    made = OPTIMIZERS[optimizer](None)
    train_op = live.minimize(loss_of(table, ids, access), made, rows={table: "0:2,3,-1"})
    before, after = five_steps(session, table, ids, train_op)
    assert np.array_equal(after[FROZEN], before[FROZEN])
    assert (np.delete(after, FROZEN, 0) != np.delete(before, FROZEN, 0)).all()


@pytest.mark.parametrize("access", ["lookup", "dense"])
@pytest.mark.parametrize("resource", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("optimizer", [name for name in OPTIMIZERS if name != "unknown"])
def test_rows_that_learn_learn_as_without_a_guard(
    session: Any, optimizer: str, resource: bool, access: str
) -> None:
    value = np.random.default_rng(0).normal(size=(HEIGHT, 3)).astype("f4")
    tables = [variable(name, value, resource=resource) for name in ("plain", "guarded")]
    ids = tf.placeholder(tf.int32, [4])
    steps = []
    for table, rows in zip(tables, ({}, {"guarded": "0:2,3,-1"}), strict=True):
        step = tf.get_variable(f"{table.op.name}_step", [], tf.int64, tf.zeros_initializer())
        made = OPTIMIZERS[optimizer](step)
        loss = loss_of(table, ids, access)
        freeze = [other.op.name for other in tables if other is not table]
        steps.append(live.minimize(loss, made, freeze=freeze, rows=rows, global_step=step))
    five_steps(session, tables[0], ids, steps)
    plain, guarded = (np.delete(v, FROZEN, 0) for v in session.run(tables))
    np.testing.assert_allclose(guarded, plain, rtol=1e-5)


@pytest.mark.parametrize("resource", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("access", ["lookup", "dense"])
@pytest.mark.parametrize("optimizer", ["adam", "momentum"])
def test_slots_from_another_training_move_no_frozen_row(
    session: Any, optimizer: str, access: str, resource: bool
) -> None:
    table = variable("table", table_value(), resource=resource)
    ids = tf.placeholder(tf.int32, [4])
    made = OPTIMIZERS[optimizer](None)
    train_op = live.minimize(loss_of(table, ids, access), made, rows={"table": "0:2,3,-1"})
    session.run(tf.global_variables_initializer())
    for name in made.get_slot_names():
        session.run(tf.assign(made.get_slot(table, name), np.ones((HEIGHT, 3))))
    before = session.run(table)
    session.run(train_op, {ids: FEEDS[0]})
    assert np.array_equal(bits(session.run(table))[FROZEN], bits(before)[FROZEN])


def test_frozen_rows_fill_no_slot(session: Any) -> None:
    for access in ("lookup", "dense"):
        table = variable(access, table_value())
        ids = tf.constant([0, 2])
        made = tf.train.AdamOptimizer(0.1)
        step = live.minimize(
            loss_of(table, ids, access), made, rows={access: [True] * 2 + [False] * 6}
        )
        session.run(tf.global_variables_initializer())
        session.run(step)
        m, v = session.run([made.get_slot(table, "m"), made.get_slot(table, "v")])
        assert not m[:2].any()
        assert not v[:2].any()
        assert m[2].all()


def test_many_rows_are_held_as_bounds(session: Any) -> None:
    table = variable("table", np.ones((1000, 2), "f4"))
    ids = tf.constant([[0, 9, 10, 499], [500, 999, 10, 9]])
    loss = tf.reduce_sum(tf.nn.embedding_lookup(table, ids))
    frozen = RowSet.from_mask(np.arange(1000) // 10 % 50 != 0)  # 10:500 and 510:1000
    train_op = live.minimize(loss, tf.train.GradientDescentOptimizer(0.5), rows={table: frozen})
    assert any(op.type == "UpperBound" for op in tf.get_default_graph().get_operations())
    session.run(tf.global_variables_initializer())
    session.run(train_op)
    moved = dict.fromkeys([0, 500], 0.5) | {9: 0.0}
    expected = np.ones((1000, 2), "f4")
    for row, value in moved.items():
        expected[row] = value
    assert np.array_equal(session.run(table), expected)


# minimize: which variables.


def two_layers(*, resource: bool = False) -> Any:
    """Return a loss of encoder/w, decoder/w; nothing reads spare."""
    w, v = (
        variable(f"{s}/w", np.ones((2, 2), "f4"), resource=resource) for s in ("encoder", "decoder")
    )
    variable("spare", 1.0, resource=resource)
    return tf.reduce_sum(tf.matmul(tf.matmul(tf.ones([1, 2]), w), v), name="loss")


CHOICES: dict[str, tuple[list[str], dict[str, Any], set[str]]] = {
    "all": ([], {}, {"encoder/w", "decoder/w"}),
    "scope": (["encoder"], {}, {"decoder/w"}),
    "rows override": (["encoder", "decoder"], {"encoder/w": "0"}, {"encoder/w"}),
    "all rows": ([], {"encoder/w": ":"}, {"decoder/w"}),
    "no row": ([], {"encoder/w": [False, False]}, {"encoder/w", "decoder/w"}),
    "by scope": ([], {"encoder": "1"}, {"encoder/w", "decoder/w"}),
}


@pytest.mark.parametrize("resource", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize(("freeze", "rows", "moving"), CHOICES.values(), ids=CHOICES)
def test_what_is_left_learns(
    session: Any, freeze: list[str], rows: dict[str, Any], moving: set[str], resource: bool
) -> None:
    loss = two_layers(resource=resource)
    train_op = live.minimize(loss, tf.train.MomentumOptimizer(0.1, 0.9), freeze=freeze, rows=rows)
    session.run(tf.global_variables_initializer())
    found = tf.trainable_variables()
    before = session.run(found)
    session.run(train_op)
    after = session.run(found)
    moved = {v.op.name for v, a, b in zip(found, before, after, strict=True) if (a != b).any()}
    assert moved == moving
    slots = {v.op.name for v in tf.global_variables()} - {v.op.name for v in found}
    assert slots == {f"{name}/Momentum" for name in moving}
    assert tf.get_collection("train_op") == []


@pytest.mark.parametrize("several", [list, tuple])
def test_several_losses_are_summed(session: Any, several: type) -> None:
    w = variable("w", [1.0, 1.0])
    losses = several([tf.reduce_sum(w), 2.0 * tf.reduce_sum(w)])
    train_op = live.minimize(losses, tf.train.GradientDescentOptimizer(0.5), rows={w: "0"})
    session.run(tf.global_variables_initializer())
    session.run(train_op)
    assert session.run(w).tolist() == [1.0, -0.5]
    with pytest.raises(TrainError, match="reaches no trainable variable"):
        live.minimize(losses, tf.train.GradientDescentOptimizer(0.5), freeze=["w"])


@pytest.mark.parametrize("resource", KINDS.values(), ids=KINDS)
def test_complex_variables_are_frozen_whole(session: Any, resource: bool) -> None:
    w, v, u = (
        variable(n, np.array([1 + 2j, 3 - 1j], "c8"), resource=resource, trainable=n != "u")
        for n in "wvu"
    )
    loss = tf.reduce_sum(tf.abs(w * v * u))
    optimizer = tf.train.GradientDescentOptimizer(0.5)
    train_op = live.minimize(loss, optimizer, freeze=["w", "u"])
    session.run(tf.global_variables_initializer())
    before = session.run([w, v, u])
    session.run(train_op)
    moved = [(a != b).any() for a, b in zip(before, session.run([w, v, u]), strict=True)]
    assert moved == [False, True, False]
    with pytest.raises(SelectionError, match="rows of 'w', which is complex64, cannot be chosen"):
        live.minimize(loss, optimizer, rows={w: "0"})


def test_nothing_left_is_told() -> None:
    loss = two_layers()
    for freeze in (["**"], ["encoder", "decoder"]):
        with pytest.raises(TrainError, match="loss 'loss:0' reaches no trainable variable"):
            live.minimize(loss, tf.train.AdamOptimizer(), freeze=freeze)


BAD_ROWS: dict[str, tuple[dict[str, Any], str]] = {
    "no such table": ({"encodr/w": "0"}, "did you mean encoder/w"),
    "several tables": ({"**/w": "0"}, "matches 2 variables"),
    "out of range": ({"encoder/w": "2"}, "rows '2' lie outside 'encoder/w'"),
    "another height": ({"encoder/w": [True] * 3}, "they are of 3 rows, the table has 2"),
    "a set of another height": ({"encoder/w": RowSet.full(3)}, "they are of 3 rows"),
    "not bool": ({"encoder/w": [1, 0]}, "a row mask is bool [height]"),
    "no table": ({"spare": "0"}, "no table of rows"),
    "never learns": ({"mean": "0"}, "is not trainable"),
    "twice": ({"encoder": "0", "encoder/w": "1"}, "are given twice"),
}


@pytest.mark.parametrize(("rows", "message"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_bad_rows_are_told(rows: dict[str, Any], message: str) -> None:
    loss = two_layers()
    variable("mean", [1.0, 2.0], trainable=False)
    with pytest.raises(SelectionError) as error:
        live.minimize(loss, tf.train.AdamOptimizer(), rows=rows)
    assert message in str(error.value)


def test_rows_of_a_part_are_refused() -> None:
    parts = tf.get_variable("table", [4, 2], partitioner=tf.fixed_size_partitioner(2))
    loss = tf.reduce_sum(tf.nn.embedding_lookup(parts, [0, 1]))
    with pytest.raises(SelectionError, match="one part of the partitioned variable 'table'"):
        live.minimize(loss, tf.train.AdamOptimizer(), rows={"table/part_0": "0"})


# minimize: UPDATE_OPS.


def moving_mean(name: str, *, resource: bool, value: Any = 0.5) -> Any:
    """Add a moving average to UPDATE_OPS, as batch normalization has it."""
    mean = variable(name, [1.0, 1.0], resource=resource, trainable=False)
    update = tf.assign_sub(mean, (mean - value) * 0.1)
    tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, update)
    return update


def means_after_a_step(session: Any, train_op: Any) -> dict[str, bool]:
    """Run a step and return which of the moving averages moved."""
    session.run(tf.global_variables_initializer())
    session.run(train_op)
    means = [v for v in tf.global_variables() if v.op.name.endswith("mean")]
    return {v.op.name: bool((session.run(v) != 1).any()) for v in means}


@pytest.mark.parametrize("resource", KINDS.values(), ids=KINDS)
def test_updates_of_frozen_variables_are_left_out(session: Any, resource: bool) -> None:
    loss = two_layers(resource=resource)
    for scope in ("encoder", "decoder"):
        moving_mean(f"{scope}/mean", resource=resource)
    train_op = live.minimize(loss, tf.train.AdamOptimizer(0.1), freeze=["encoder"])
    assert means_after_a_step(session, train_op) == {"encoder/mean": False, "decoder/mean": True}


def test_a_frozen_average_alone_is_left_out(session: Any) -> None:
    loss = two_layers()
    moving_mean("encoder/mean", resource=False)
    train_op = live.minimize(loss, tf.train.AdamOptimizer(0.1), freeze=["**/mean"])
    assert means_after_a_step(session, train_op) == {"encoder/mean": False}


def test_of_a_group_the_others_are_kept(session: Any) -> None:
    loss = two_layers()
    group = tf.group(*(moving_mean(f"{s}/mean", resource=True) for s in ("encoder", "decoder")))
    tf.get_collection_ref(tf.GraphKeys.UPDATE_OPS)[:] = [group]
    train_op = live.minimize(loss, tf.train.AdamOptimizer(0.1), freeze=["encoder"])
    assert means_after_a_step(session, train_op) == {"encoder/mean": False, "decoder/mean": True}


@pytest.fixture(params=[False, True], ids=["control flow v1", "control flow v2"])
def control_flow(request: pytest.FixtureRequest) -> Iterator[None]:
    switches = {True: tf.enable_control_flow_v2, False: tf.disable_control_flow_v2}
    was_v2 = tf.control_flow_v2_enabled()
    switches[request.param]()
    yield
    switches[was_v2]()


@pytest.mark.parametrize(
    ("control_flow", "resource"),
    [(False, False), (False, True), (True, True)],  # a function takes no ref
    indirect=["control_flow"],
)
@pytest.mark.usefixtures("control_flow")
def test_a_frozen_variable_read_in_a_conditional_is_no_write(session: Any, resource: bool) -> None:
    loss = two_layers(resource=resource)
    w = tf.trainable_variables()[0]
    read = tf.cond(tf.equal(loss, 8.0), lambda: tf.reduce_sum(w), lambda: tf.constant(0.0))
    moving_mean("decoder/mean", resource=resource, value=read)
    train_op = live.minimize(loss, tf.train.AdamOptimizer(0.1), freeze=["encoder"])
    assert means_after_a_step(session, train_op) == {"decoder/mean": True}


@pytest.mark.usefixtures("control_flow")
def test_a_frozen_variable_written_in_a_conditional_is_a_write(session: Any) -> None:
    loss = two_layers()
    mean = variable("encoder/mean", [1.0, 1.0], resource=True, trainable=False)
    new = tf.constant([2.0, 2.0])
    update = tf.cond(
        tf.equal(loss, 8.0), lambda: tf.identity(tf.assign(mean, new)), lambda: tf.identity(mean)
    )
    tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, update)
    train_op = live.minimize(loss, tf.train.AdamOptimizer(0.1), freeze=["encoder"])
    assert means_after_a_step(session, train_op) == {"encoder/mean": False}


@pytest.mark.parametrize("resource", KINDS.values(), ids=KINDS)
def test_a_loss_that_writes_what_is_frozen_is_told(resource: bool) -> None:
    loss = two_layers(resource=resource)
    w = tf.trainable_variables()[0]
    with tf.control_dependencies([tf.assign(w, np.zeros((2, 2), "f4"))]):
        loss = tf.identity(loss)
    for frozen in ({"freeze": ["encoder"]}, {"rows": {"encoder": "0"}}):
        with pytest.raises(RewriteError, match="writes frozen 'encoder/w' in each step"):
            live.minimize(loss, tf.train.AdamOptimizer(), **frozen)


def test_an_update_of_a_partly_frozen_table_is_told() -> None:
    loss = two_layers()
    w = tf.trainable_variables()[0]
    tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, tf.assign(w, tf.clip_by_norm(w, 1.0, axes=1)))
    with pytest.raises(RewriteError, match=r"'Assign' \(Assign\) writes frozen 'encoder/w'"):
        live.minimize(loss, tf.train.AdamOptimizer(), rows={"encoder": "0"})


# The process around.


def test_tensorflow_is_imported_late() -> None:
    code = "import sys, graphfreeze.live; sys.exit('tensorflow.python' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


LEGACY = """
import tensorflow.compat.v1 as tf
tf.disable_v2_behavior()
from graphfreeze import GraphfreezeError, live
switches = lambda: (tf.control_flow_v2_enabled(), tf.resource_variables_enabled())
before = switches()
w = tf.get_variable("w", [10, 5])
y = live.entry_stop_gradients(w, [[1], [0]] * 5)
train_op = live.minimize(tf.reduce_sum(y), tf.train.AdamOptimizer(), rows={w: "0:4"})
try:
    live.entry_stop_gradients(w, [1] * 10)
except GraphfreezeError as error:
    assert "[10] does not fit 'w/read:0' of [10, 5]; reshape it to [10, 1]" in str(error), error
with tf.Session() as session:
    session.run(tf.global_variables_initializer())
    before_step = session.run(w)
    session.run(train_op)
    moved = (session.run(w) != before_step).any(axis=1)
assert moved.tolist() == [False] * 4 + [True, False] * 3, moved
assert switches() == before == (False, False)
"""


def test_a_legacy_script_switches_everything_off() -> None:
    subprocess.run([sys.executable, "-c", LEGACY], check=True)


def test_all_names_what_is_public() -> None:
    assert live.__all__ == sorted(live.__all__)
    assert all(callable(getattr(live, name)) for name in live.__all__)
