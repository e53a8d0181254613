"""Dropout that is off, in numbers: each run gives the values of a model without it."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow.compat.v1 as tf

from graphfreeze.api import add_train_op, freeze, load, report, save
from graphfreeze.selection.plan import FreezePlan

MODEL = Path(__file__).parents[2] / "testdata" / "models" / "batch_norms"
ROWS, WIDTH = 16, 4
Array = npt.NDArray[np.generic]
Drop = Callable[[tf.Tensor], tf.Tensor]


def drawn(*shape: int, seed: int) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def of_today(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.dropout(x, rate=0.4)


def of_today_by_a_fed_rate(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.dropout(x, rate=tf.placeholder_with_default(0.4, [], name="rate"))


def of_today_by_keep_prob(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.dropout(x, keep_prob=tf.placeholder_with_default(0.6, [], name="keep"))


def of_today_by_rows(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.dropout(x, rate=0.4, noise_shape=[ROWS, 1])


def of_today_in_half(x: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.nn.dropout(tf.cast(x, tf.float16), rate=0.1), tf.float32)


def up_to_1_12(x: tf.Tensor) -> tf.Tensor:
    kept = 0.6 + tf.random_uniform(tf.shape(x))
    return x / 0.6 * tf.floor(kept)


def up_to_1_12_by_keep_prob(x: tf.Tensor) -> tf.Tensor:
    keep_prob = tf.placeholder_with_default(0.6, [], name="keep")
    kept = keep_prob + tf.random_uniform(tf.shape(x))
    return tf.div(x, keep_prob) * tf.floor(kept)


def from_1_13_on(x: tf.Tensor) -> tf.Tensor:
    rate = tf.constant(0.4)
    mask = tf.random_uniform(tf.shape(x)) >= rate
    return x * (1 / (1 - rate)) * tf.cast(mask, tf.float32)


def stateless(x: tf.Tensor) -> tf.Tensor:
    """Draw by a seed that each run has another of."""
    seed = tf.random_uniform([2], maxval=1 << 20, dtype=tf.int32)
    noise = tf.random.stateless_uniform(tf.shape(x), seed)
    return tf.where_v2(noise >= 0.4, x / 0.6, 0.0)


def in_a_branch(x: tf.Tensor) -> tf.Tensor:
    is_training = tf.placeholder_with_default(True, [], name="is_training")
    return tf.cond(is_training, lambda: from_1_13_on(x), lambda: tf.identity(x))


def in_a_loop(x: tf.Tensor) -> tf.Tensor:
    step = lambda i, y: (i + 1, tf.tanh(up_to_1_12(y + 1)))  # noqa: E731
    return tf.while_loop(lambda i, _: i < 3, step, (0, x))[1]


def in_a_loop_by_one_mask(x: tf.Tensor) -> tf.Tensor:
    kept = tf.floor(0.6 + tf.random_uniform([ROWS, 1]))
    step = lambda i, y: (i + 1, tf.tanh(y + 1) / 0.6 * kept)  # noqa: E731
    return tf.while_loop(lambda i, _: i < 3, step, (0, x))[1]


def in_functions(x: tf.Tensor) -> tf.Tensor:
    """Drop in a branch of a function that another one calls."""
    is_training = tf.placeholder_with_default(True, [], name="is_training")

    @tf.function
    def inner(y: tf.Tensor, is_on: tf.Tensor) -> tf.Tensor:
        return tf.cond(is_on, lambda: from_1_13_on(y), lambda: y * 1.0)

    @tf.function
    def outer(y: tf.Tensor, is_on: tf.Tensor) -> tf.Tensor:
        return tf.tanh(inner(y, is_on))

    tf.enable_control_flow_v2()
    return outer(x, is_training)


DROPS = {
    each.__name__.replace("_", " "): each
    for each in (
        of_today, of_today_by_a_fed_rate, of_today_by_keep_prob, of_today_by_rows,
        of_today_in_half, up_to_1_12, up_to_1_12_by_keep_prob, from_1_13_on, stateless,
        in_a_branch, in_a_loop, in_a_loop_by_one_mask,
    )
}  # fmt: skip


def write_model(drop: Drop, folder: Path) -> Path:
    """Write a graph and a checkpoint; ``below`` learns, what drops lies in ``block``."""
    with tf.Graph().as_default(), tf.Session() as session:
        tf.disable_control_flow_v2()
        try:
            x = tf.constant(drawn(ROWS, 3, seed=1))
            below = tf.get_variable("below", initializer=drawn(3, WIDTH, seed=2))
            with tf.variable_scope("block"):
                kernel = tf.get_variable("kernel", initializer=drawn(WIDTH, WIDTH, seed=3))
                y = drop(tf.matmul(tf.matmul(x, below), kernel))
            tf.reduce_mean(tf.tanh(y), name="loss")
            session.run(tf.global_variables_initializer())
            tf.train.Saver().save(session, str(folder / "in"))
        finally:
            tf.enable_control_flow_v2()
    return folder / "in.meta"


def import_graph(path: Path) -> tf.train.Saver:
    tf.disable_control_flow_v2()
    try:
        return tf.train.import_meta_graph(str(path))
    finally:
        tf.enable_control_flow_v2()


def evaluate(meta: Path) -> list[tuple[bytes, bytes]]:
    """Return the loss and its gradient at ``below``, of two runs."""
    with tf.Graph().as_default() as graph, tf.Session() as session:
        saver = import_graph(meta)
        loss = graph.get_tensor_by_name("loss:0")
        below = next(v for v in tf.global_variables() if v.op.name == "below")
        (gradient,) = tf.gradients(loss, [below])
        saver.restore(session, str(meta.parent / "in"))
        runs = [session.run((loss, gradient)) for _ in range(2)]
        return [(value.tobytes(), slope.tobytes()) for value, slope in runs]


@pytest.mark.parametrize("drop", DROPS.values(), ids=DROPS)
def test_off(drop: Drop, tmp_path: Path) -> None:
    source = write_model(drop, tmp_path)
    plan = FreezePlan(freeze=("block",), dropout="off")
    frozen = freeze(load(source), plan, keep=["loss:0"])
    save(frozen, tmp_path / "out.meta")
    first, second = evaluate(tmp_path / "out.meta")
    assert len(report(frozen).dropouts_off) == 1
    assert report(frozen).notes == []
    assert first == second
    (tmp_path / "plain").mkdir()
    plain = write_model(PLAIN.get(drop, tf.identity), tmp_path / "plain")
    assert evaluate(plain)[0] == first
    old = evaluate(source)
    assert len({*old, first}) == 3


def loop_without(x: tf.Tensor) -> tf.Tensor:
    step = lambda i, y: (i + 1, tf.tanh(y + 1))  # noqa: E731
    return tf.while_loop(lambda i, _: i < 3, step, (0, x))[1]


PLAIN: dict[Drop, Drop] = {
    in_a_loop: loop_without,
    in_a_loop_by_one_mask: loop_without,
    of_today_in_half: lambda x: tf.cast(tf.cast(x, tf.float16), tf.float32),
}


@pytest.mark.parametrize("drop", [in_a_branch, in_a_loop, in_functions])
def test_train_op_through_control_flow(drop: Drop, tmp_path: Path) -> None:
    """Train what lies below; two trainings from the same values end in the same bits."""
    source = write_model(drop, tmp_path)
    plan = FreezePlan(freeze=("block",), dropout="off")
    frozen = freeze(load(source), plan, keep=["loss:0"])
    assert len(report(frozen).dropouts_off) == 1
    add_train_op(frozen, loss=["loss:0"], optimizer="adam", learning_rate=0.1)
    save(frozen, tmp_path / "out")
    ends = [train(tmp_path / "out") for _ in range(2)]
    assert ends[0] == ends[1]
    assert ends[0] != drawn(3, WIDTH, seed=2).tobytes()


def train(bundle: Path) -> bytes:
    with tf.Graph().as_default() as graph, tf.Session() as session:
        saver = tf.train.import_meta_graph(str(bundle / "model.meta"))
        saver.restore(session, str(bundle / "model"))
        below = next(v for v in tf.global_variables() if v.op.name == "below")
        for _ in range(3):
            session.run(graph.get_operation_by_name("graphfreeze/train_op"))
        return bytes(session.run(below).tobytes())


def predictions(meta: Path) -> list[bytes]:
    """Return what two runs of the model of 1.15 give, with each of its dropouts on."""
    told = json.loads((MODEL / "feeds.json").read_text())["feeds"]
    feeds = {
        key: np.array(each["values"], each["dtype"]).reshape(each["shape"])
        for key, each in told.items()
    }
    with tf.Graph().as_default() as graph, tf.Session() as session:
        import_graph(meta).restore(session, str(MODEL / "model.ckpt"))
        fetched = graph.get_tensor_by_name("predictions:0")
        return [session.run(fetched, {**feeds, "keep_prob:0": 0.5}).tobytes() for _ in range(2)]


# the scopes that are frozen, the number of dropouts that are off, whether two runs are equal
FROZEN = {
    "all but the head": (("fused", "fused_cond", "plain_cond", "contrib"), 4, True),
    "all but one scope": (("fused", "fused_cond", "plain_cond"), 3, False),
    "the one in a branch": (("fused_cond",), 1, False),
}


@pytest.mark.parametrize(("scopes", "count", "is_alike"), FROZEN.values(), ids=FROZEN)
def test_dropouts_of_1_15(
    scopes: tuple[str, ...], count: int, is_alike: bool, tmp_path: Path
) -> None:
    # batch norms infer, so that nothing but dropouts makes two runs differ
    plan = FreezePlan(freeze=scopes, dropout="off", batch_norm="inference")
    frozen = freeze(load(MODEL), plan)
    save(frozen, tmp_path / "out.meta")
    first, second = predictions(tmp_path / "out.meta")
    assert (len(report(frozen).dropouts_off), first == second) == (count, is_alike)
    assert bool(report(frozen).notes) == (count < 4)
