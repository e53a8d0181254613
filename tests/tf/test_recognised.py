"""What people write with TensorFlow is recognised as what they wrote."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import tensorflow.compat.v1 as tf

from graphfreeze.model.recognised import recognise
from graphfreeze.model.training import Training
from graphfreeze.model.training_records import ClipRecord, OptimizerRecord, RateRecord
from graphfreeze.read import load
from graphfreeze.runtime import building

Make = Callable[[tf.Tensor, object], object]
VARIABLES = 2


def forward(*, resource: bool = False) -> tf.Tensor:
    ids = tf.placeholder(tf.int32, [None], "ids")
    with tf.variable_scope("", use_resource=resource):
        table = tf.get_variable("table", [6, 3])
        w = tf.get_variable("w", [3, 2])
    hidden = tf.nn.embedding_lookup(table, ids)
    loss = tf.reduce_mean((tf.matmul(hidden, w) - 1.0) ** 2, name="loss")
    tf.losses.add_loss(loss)
    return loss


def recognised(build: Callable[[], object], folder: Path) -> list[OptimizerRecord]:
    with building(), tf.Graph().as_default() as graph:
        build()
        meta = tf.train.export_meta_graph(graph=graph)
        (folder / "m.meta").write_bytes(meta.SerializeToString())
    model = load(folder / "m.meta")
    training = Training(model.graph, model.collections, model.variables, model.header).find()
    record = recognise(training)
    assert record is not None
    return record.optimizers


train = tf.train
OPTIMIZERS: dict[str, tuple[Callable[[], train.Optimizer], int]] = {
    "Adam": (lambda: train.AdamOptimizer(0.5), 2),
    "Momentum": (lambda: train.MomentumOptimizer(0.5, 0.9), 1),
    "GradientDescent": (lambda: train.GradientDescentOptimizer(0.5), 0),
    "Adagrad": (lambda: train.AdagradOptimizer(0.5), 1),
    "Adadelta": (lambda: train.AdadeltaOptimizer(0.5), 2),
    "Ftrl": (lambda: train.FtrlOptimizer(0.5), 2),
    "RMSProp": (lambda: train.RMSPropOptimizer(0.5), 2),
    "CenteredRMSProp": (lambda: train.RMSPropOptimizer(0.5, centered=True), 3),
    "ProximalAdagrad": (lambda: train.ProximalAdagradOptimizer(0.5), 1),
    "ProximalGradientDescent": (lambda: train.ProximalGradientDescentOptimizer(0.5), 0),
}


@pytest.mark.parametrize("resource", [False, True], ids=["ref", "resource"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name: str, resource: bool, tmp_path: Path) -> None:
    make, slots = OPTIMIZERS[name]
    (found,) = recognised(lambda: make().minimize(forward(resource=resource)), tmp_path)
    rate = RateRecord(source="constant", value=0.5)
    expected = OptimizerRecord(name=name, variables=2, slots=2 * slots, learning_rate=rate)
    assert found == expected


def step() -> tf.Tensor:
    return tf.train.get_or_create_global_step()


def warm(rate: object, *, steps: int = 10) -> tf.Tensor:
    """Warm up as BERT does."""
    done = tf.cast(step(), tf.float32)
    is_warmup = tf.cast(step() < steps, tf.float32)
    return (1.0 - is_warmup) * rate + is_warmup * (0.1 * done / steps)


def looked_up() -> tf.Tensor:
    return tf.gather(tf.constant([0.1, 0.2]), tf.cast(step(), tf.int32))


def variable() -> tf.Variable:
    return tf.get_variable("lr", [], trainable=False, initializer=tf.zeros_initializer())


RATES: dict[str, tuple[Callable[[], object], RateRecord]] = {
    "a variable": (variable, RateRecord(source="variable", inputs=["lr"])),
    "a placeholder": (lambda: tf.placeholder(tf.float32, [], "lr"),
                      RateRecord(source="placeholder", inputs=["lr"])),
    "a placeholder with a default": (lambda: tf.placeholder_with_default(0.1, [], "lr"),
                                     RateRecord(source="placeholder", inputs=["lr"])),
    "computed from a placeholder": (lambda: 0.1 * tf.placeholder(tf.float32, [], "x"),
                                    RateRecord(source="computed", inputs=["x"])),
    "computed from constants": (lambda: tf.constant(0.1) * 2.0, RateRecord(source="constant")),
    "drawn": (lambda: tf.random_uniform([]), RateRecord(source="computed")),
}  # fmt: skip
SCHEDULES: dict[str, tuple[Callable[[], object], list[str]]] = {
    "polynomial": (lambda: train.polynomial_decay(0.1, step(), 100), ["polynomial"]),
    "polynomial in cycles": (
        lambda: train.polynomial_decay(0.1, step(), 100, cycle=True), ["polynomial"]),
    "exponential": (lambda: train.exponential_decay(0.1, step(), 100, 0.9), ["exponential"]),
    "in stairs": (
        lambda: train.exponential_decay(0.1, step(), 9, 0.9, staircase=True), ["exponential"]),
    "natural exponential": (
        lambda: train.natural_exp_decay(0.1, step(), 100, 0.9), ["exponential"]),
    "inverse time": (lambda: train.inverse_time_decay(0.1, step(), 100, 0.9), ["inverse time"]),
    "cosine": (lambda: train.cosine_decay(0.1, step(), 100), ["cosine"]),
    "cosine with restarts": (
        lambda: train.cosine_decay_restarts(0.1, step(), 100), ["exponential", "cosine"]),
    "piecewise": (lambda: train.piecewise_constant(step(), [10, 20], [0.1, 0.2, 0.3]),
                  ["piecewise constant"]),
    "a line": (lambda: 0.1 * (1.0 - tf.cast(step(), tf.float32) / 100.0), ["linear"]),
    "warm-up, polynomial": (
        lambda: warm(train.polynomial_decay(0.1, step(), 100)), ["warm-up", "polynomial"]),
    "warm-up, constant": (lambda: warm(0.1), ["warm-up"]),
    "warm-up by a Minimum": (
        lambda: 0.1 * tf.minimum(1.0, tf.cast(step(), tf.float32) / 10.0), ["warm-up"]),
    "warm-up in a branch": (
        lambda: tf.cond(step() < 10, lambda: tf.cast(step(), tf.float32) / 100.0,
                        lambda: train.cosine_decay(0.1, step(), 100)), ["warm-up", "cosine"]),
    "the Transformer's": (
        lambda: tf.minimum(tf.rsqrt(tf.cast(step(), tf.float32)),
                           tf.cast(step(), tf.float32) * 1e-3),
        ["warm-up", "inverse square root"]),
    "something else": (looked_up, []),
}  # fmt: skip


@pytest.mark.parametrize("resource", [False, True], ids=["ref", "resource"])
@pytest.mark.parametrize("name", [*RATES, *SCHEDULES])
def test_learning_rates(name: str, resource: bool, tmp_path: Path) -> None:
    def build() -> None:
        with tf.variable_scope("", use_resource=resource):
            rate = (RATES | SCHEDULES)[name][0]()
            tf.train.AdamOptimizer(rate).minimize(forward(), step())

    (found,) = recognised(build, tmp_path)
    if name in RATES:
        assert found.learning_rate == RATES[name][1]
    else:
        expected = RateRecord(
            source="schedule", schedule=SCHEDULES[name][1], inputs=["global_step"]
        )
        assert found.learning_rate == expected


def by_hand(gradients: list[tf.Tensor]) -> list[tf.Tensor]:
    norm = tf.sqrt(tf.add_n([tf.reduce_sum(tf.square(g)) for g in map(dense, gradients)]))
    return [g * (2.0 / tf.maximum(norm, 2.0)) for g in map(dense, gradients)]


def dense(gradient: object) -> tf.Tensor:
    return tf.convert_to_tensor(gradient)


Clip = Callable[[list[tf.Tensor]], list[tf.Tensor]]
CLIPS: dict[str, tuple[Clip, list[ClipRecord]]] = {
    "none": (lambda gs: gs, []),
    "by global norm": (lambda gs: tf.clip_by_global_norm(gs, 2.0)[0],
                       [ClipRecord(kind="global norm", bound=2.0, variables=2)]),
    "by a global norm that is fed": (
        lambda gs: tf.clip_by_global_norm(gs, tf.placeholder(tf.float32, []))[0],
        [ClipRecord(kind="global norm", bound=None, variables=2)]),
    "by global norm, by hand": (by_hand, [ClipRecord(kind="global norm", bound=2.0, variables=2)]),
    "one of them": (lambda gs: [gs[0], *tf.clip_by_global_norm(gs[1:], 2.0)[0]],
                    [ClipRecord(kind="global norm", bound=2.0, variables=1)]),
    "by norm": (lambda gs: [tf.clip_by_norm(g, 2.0) for g in gs],
                [ClipRecord(kind="norm", bound=2.0, variables=2)]),
    "by value": (lambda gs: [tf.clip_by_value(dense(g), -1.0, 2.0) for g in gs],
                 [ClipRecord(kind="value", bound=2.0, low=-1.0, variables=2)]),
    "twice": (lambda gs: tf.clip_by_global_norm([tf.clip_by_norm(g, 3.0) for g in gs], 2.0)[0],
              [ClipRecord(kind="norm", bound=3.0, variables=2),
               ClipRecord(kind="global norm", bound=2.0, variables=2)]),
    "a half": (lambda gs: [dense(g) * 0.5 for g in gs], []),
}  # fmt: skip


@pytest.mark.parametrize(("clip", "expected"), CLIPS.values(), ids=CLIPS)
def test_clips(clip: Clip, expected: list[ClipRecord], tmp_path: Path) -> None:
    def build() -> None:
        optimizer = tf.train.AdamOptimizer(0.1)
        gradients, variables = zip(*optimizer.compute_gradients(forward()), strict=True)
        applied = clip(list(gradients))
        optimizer.apply_gradients(list(zip(applied, variables, strict=True)))

    (found,) = recognised(build, tmp_path)
    assert found.name == "Adam"
    key = msgspec.json.encode
    assert sorted(found.clips, key=key) == sorted(expected, key=key)
