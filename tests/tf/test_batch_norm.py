"""Batch norms in numbers: averages stop, go on, or are used, and so do shadows of variables.

The first half is of testdata's ``batch_norms``, written by TensorFlow 1.15; the second of graphs
whose build for inference is TensorFlow's own.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow.compat.v1 as tf

from graphfreeze.api import add_train_op, freeze, load, report, save
from graphfreeze.selection.plan import FreezePlan

MODEL = Path(__file__).parents[2] / "testdata" / "models" / "batch_norms"
LOSS = "sparse_softmax_cross_entropy_loss/value:0"
CONFIG = tf.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
STATISTICS = [f"{scope}/bn/moving_{which}" for which in ("mean", "variance")
              for scope in ("fused", "fused_cond", "plain_cond", "contrib")]  # fmt: skip
DEBIASING = [f"contrib/bn/contrib/bn/moving_mean/{which}" for which in ("biased", "local_step")]
SHADOWS = [f"{name}/kernel/ExponentialMovingAverage" for name in ("fused/conv", "contrib/dense")]
HEAD = "logits/kernel/ExponentialMovingAverage"
GAMMAS = tuple(f"**/bn/{name}" for name in ("gamma", "beta"))
Array = npt.NDArray[np.generic]
Values = dict[str, Array]
Fetches = Callable[[tf.Graph], list[tf.Tensor | tf.Operation]]


def batch(**more: object) -> Values:
    """Return the model's own batch, some of it replaced."""
    told = json.loads((MODEL / "feeds.json").read_text())["feeds"]
    feeds = {
        key: np.array(each["values"], each["dtype"]).reshape(each["shape"])
        for key, each in told.items()
    }
    return {**feeds, **{f"{name}:0": np.array(value) for name, value in more.items()}}


def import_graph(path: Path) -> tf.train.Saver:
    tf.disable_control_flow_v2()
    try:
        return tf.train.import_meta_graph(str(path))
    finally:
        tf.enable_control_flow_v2()


def run_steps(meta: Path, prefix: Path, fetches: Fetches, steps: int = 20) -> tuple[Values, Values]:
    """Run what a step fetches, and return all variables before and after."""
    with tf.Graph().as_default() as graph, tf.Session(config=CONFIG) as session:
        import_graph(meta).restore(session, str(prefix))
        variables = {v.op.name: v for v in tf.global_variables()}
        before = session.run(variables)
        for _ in range(steps):
            session.run(fetches(graph), batch())
        return before, session.run(variables)


def trained(plan: FreezePlan, folder: Path, optimizer: str = "sgd") -> tuple[Values, Values]:
    frozen = freeze(load(MODEL), plan)
    add_train_op(frozen, optimizer=optimizer, learning_rate=0.01)
    save(frozen, folder)
    steps = lambda graph: [graph.get_operation_by_name("graphfreeze/train_op")]  # noqa: E731
    return run_steps(folder / "model.meta", folder / "model", steps)


def moved(before: Values, after: Values, names: Sequence[str]) -> list[str]:
    return [name for name in names if before[name].tobytes() != after[name].tobytes()]


def update_ops(graph: tf.Graph) -> list[tf.Tensor | tf.Operation]:
    return [graph.get_tensor_by_name(LOSS), *graph.get_collection("update_ops")]


def test_the_model_as_it_is_moves_them_all() -> None:
    prefix = MODEL / "model.ckpt"
    before, after = run_steps(MODEL / "model.ckpt.meta", prefix, update_ops)
    names = [*STATISTICS, *DEBIASING]
    assert moved(before, after, names) == names


STOPPED = {
    "all but the head": (FreezePlan(train_only=("logits",)), [*STATISTICS, *DEBIASING, *SHADOWS]),
    "gammas and betas": (FreezePlan(freeze=GAMMAS), [*STATISTICS, *DEBIASING]),
    "one by its scope": (FreezePlan(freeze=("fused/bn",)), STATISTICS[:8:4]),
    "one by its gamma and beta": (
        FreezePlan(freeze=("plain_cond/bn/gamma", "plain_cond/bn/beta")), STATISTICS[2::4]),
    "a shadow alone": (FreezePlan(freeze=("re:fused/conv/kernel",)), SHADOWS[:1]),
    "inference": (
        FreezePlan(freeze=GAMMAS, batch_norm="inference"), [*STATISTICS, *DEBIASING]),
}  # fmt: skip


@pytest.mark.parametrize(("plan", "stopped"), STOPPED.values(), ids=STOPPED)
def test_averages_of_what_is_frozen_stop(
    plan: FreezePlan, stopped: list[str], tmp_path: Path
) -> None:
    before, after = trained(plan, tmp_path / "out", "momentum")
    every = [*STATISTICS, *DEBIASING, *SHADOWS, HEAD]
    assert sorted(set(every) - set(moved(before, after, every))) == sorted(stopped)


def test_kept_averages_move_as_in_the_model_as_it_is(tmp_path: Path) -> None:
    _, expected = run_steps(MODEL / "model.ckpt.meta", MODEL / "model.ckpt", update_ops)
    plan = FreezePlan(train_only=("logits",), batch_norm="keep")
    before, after = trained(plan, tmp_path / "out")
    names = [*STATISTICS, *DEBIASING]
    assert moved(before, after, names) == names
    assert moved(expected, after, names) == []
    frozen = [v.name for v in freeze(load(MODEL), plan).selection.frozen]
    assert moved(before, after, frozen) == []
    assert set(SHADOWS) <= set(frozen)


def test_what_is_excepted_goes_on(tmp_path: Path) -> None:
    plan = FreezePlan(train_only=("logits",), except_=("fused/bn/moving_*",))
    before, after = trained(plan, tmp_path / "out")
    assert moved(before, after, STATISTICS) == STATISTICS[:8:4]


def test_rows_of_a_shadow_stop_with_those_of_its_variable(tmp_path: Path) -> None:
    plan = FreezePlan(freeze_rows={"contrib/dense/kernel": "1,4:"})
    before, after = trained(plan, tmp_path / "out", "adam")
    frozen = np.array([False, True, False, False, True, True])
    for name in ("contrib/dense/kernel", SHADOWS[1]):
        assert np.array_equal(np.all(before[name] == after[name], axis=1), frozen)


def losses_and_gradients(meta: Path, feeds: Values) -> tuple[Array, Values]:
    with tf.Graph().as_default() as graph, tf.Session(config=CONFIG) as session:
        import_graph(meta).restore(session, str(MODEL / "model.ckpt"))
        loss, variables = graph.get_tensor_by_name(LOSS), tf.trainable_variables()
        gradients = dict(zip(variables, tf.gradients(loss, variables), strict=True))
        found = {v.op.name: g for v, g in gradients.items() if g is not None}
        return session.run((loss, found), feeds)


def test_conds_that_infer_are_those_that_are_told_not_to_train(tmp_path: Path) -> None:
    """Random dropouts have seeds: a first run draws alike in both graphs."""
    plan = FreezePlan(freeze=("fused_cond", "plain_cond/bn"), batch_norm="inference", dropout="off")
    frozen = freeze(load(MODEL), plan)
    save(frozen, tmp_path / "out.meta")
    old, expected = losses_and_gradients(MODEL / "model.ckpt.meta", batch(is_training=False))
    new, gradients = losses_and_gradients(tmp_path / "out.meta", batch())
    assert new.tobytes() == old.tobytes()
    assert len(gradients) == len(expected) - 6
    assert moved(expected, gradients, list(gradients)) == []
    assert report(frozen).batch_norms_inference == [
        "fused_cond/bn/cond/FusedBatchNormV3",
        "plain_cond/bn/batchnorm/Rsqrt",
    ]
    trained_loss, _ = losses_and_gradients(MODEL / "model.ckpt.meta", batch())
    assert trained_loss != old


WIDTH, EPSILON = 4, 0.01
Normalize = Callable[[tf.Tensor, bool], tf.Tensor]


def drawn(*shape: int, seed: int) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def variables() -> list[tf.Variable]:
    """Make gamma, beta and the moving averages, under names that tell nothing."""
    with tf.variable_scope("bn", reuse=tf.AUTO_REUSE):
        learned = [tf.get_variable(n, initializer=drawn(WIDTH, seed=i)) for i, n in enumerate("gb")]
        values = {"one": drawn(WIDTH, seed=2), "two": 0.5 + np.square(drawn(WIDTH, seed=3))}
        return learned + [
            tf.get_variable(name, initializer=value, trainable=False)
            for name, value in values.items()
        ]


def update(average: tf.Variable, value: tf.Tensor) -> None:
    moved = tf.assign_sub(average, (average - value) * 0.1)
    tf.add_to_collection("update_ops", moved.op)


def fused(x: tf.Tensor, train: bool, dtype: tf.DType = tf.float32) -> tf.Tensor:
    gamma, beta, mean, variance = variables()
    images = tf.cast(tf.reshape(x, [-1, 1, 1, WIDTH]), dtype)
    given = {} if train else {"mean": mean, "variance": variance}
    y, batch_mean, batch_variance = tf.nn.fused_batch_norm(
        images, gamma, beta, epsilon=EPSILON, is_training=train, **given
    )
    if train:
        update(mean, batch_mean)
        update(variance, batch_variance)
    return tf.cast(tf.reshape(y, [-1, WIDTH]), tf.float32)


def fused_half(x: tf.Tensor, train: bool) -> tf.Tensor:
    return fused(x, train, tf.float16)


def fused_that_averages_itself(x: tf.Tensor, train: bool) -> tf.Tensor:
    gamma, beta, mean, variance = variables()
    images = tf.reshape(x, [-1, 1, 1, WIDTH])
    rate = 0.1 if train else 1.0
    found = tf.raw_ops.FusedBatchNormV3(
        x=images, scale=gamma, offset=beta, mean=mean, variance=variance, epsilon=EPSILON,
        exponential_avg_factor=rate, is_training=train,
    )  # fmt: skip
    if train:
        for average, value in ((mean, found[1]), (variance, found[2])):
            tf.add_to_collection("update_ops", tf.assign(average, value).op)
    return tf.reshape(found[0], [-1, WIDTH])


def composed(x: tf.Tensor, train: bool, dtype: tf.DType = tf.float32) -> tf.Tensor:
    gamma, beta, mean, variance = variables()
    x = tf.cast(x, dtype)
    taken = [mean, variance]
    if train:
        taken = list(tf.nn.moments(tf.cast(x, tf.float32), [0]))
        update(mean, taken[0])
        update(variance, taken[1])
    taken, learned = ([tf.cast(each, dtype) for each in those] for those in (taken, (beta, gamma)))
    y = tf.nn.batch_normalization(x, *taken, *learned, EPSILON)
    return tf.cast(y, tf.float32)


def composed_half(x: tf.Tensor, train: bool) -> tf.Tensor:
    return composed(x, train, tf.float16)


def composed_without_gamma_and_beta(x: tf.Tensor, train: bool) -> tf.Tensor:
    _, _, mean, variance = variables()
    taken = (mean, variance)
    if train:
        taken = tf.nn.moments(x, [0])
        update(mean, taken[0])
        update(variance, taken[1])
    return tf.nn.batch_normalization(x, *taken, None, None, EPSILON)


def along_the_first_axis(x: tf.Tensor, train: bool) -> tf.Tensor:
    gamma, beta, mean, variance = variables()
    x, taken = tf.transpose(x), (mean, variance)
    if train:
        taken = [tf.squeeze(each) for each in tf.nn.moments(x, [1], keep_dims=True)]
        update(mean, taken[0])
        update(variance, taken[1])
    shaped = (tf.reshape(each, [WIDTH, 1]) for each in (*taken, beta, gamma))
    return tf.transpose(tf.nn.batch_normalization(x, *shaped, EPSILON))


def by_hand(x: tf.Tensor, train: bool) -> tf.Tensor:
    gamma, beta, mean, variance = variables()
    taken = (mean, variance)
    if train:
        taken = (tf.reduce_mean(x, 0), tf.math.reduce_variance(x, 0))
        for average, value in zip((mean, variance), taken, strict=True):
            tf.add_to_collection("update_ops", tf.assign(average, average * 0.9 + value * 0.1).op)
    return (x - taken[0]) / tf.sqrt(taken[1] + EPSILON) * gamma + beta


def in_a_branch(x: tf.Tensor, train: bool) -> tf.Tensor:
    """Build the whole, with what the branch reads from outside, in both branches of a cond."""
    variables()
    is_on = tf.placeholder_with_default(train, [], name="is_on")
    return tf.cond(is_on, lambda: composed(x, True), lambda: composed(x, False))


def fused_in_a_branch(x: tf.Tensor, train: bool) -> tf.Tensor:
    variables()
    is_on = tf.placeholder_with_default(train, [], name="is_on")
    return tf.cond(is_on, lambda: fused(x, True), lambda: fused(x, False))


BUILDS = {
    each.__name__.replace("_", " "): each
    for each in (
        fused, fused_half, fused_that_averages_itself, composed, composed_half,
        composed_without_gamma_and_beta, along_the_first_axis, by_hand, in_a_branch,
        fused_in_a_branch,
    )
}  # fmt: skip


def write_model(normalize: Normalize, path: Path, *, train: bool, is_resource: bool) -> Path:
    with tf.Graph().as_default():
        tf.disable_control_flow_v2()
        try:
            with tf.variable_scope("", use_resource=is_resource):
                x = tf.placeholder_with_default(drawn(8, 3, seed=4), [None, 3], name="x")
                before = tf.get_variable("before", initializer=drawn(3, WIDTH, seed=5))
                behind = tf.get_variable("behind", initializer=drawn(WIDTH, 2, seed=6))
                y = normalize(tf.matmul(x, before), train)
                tf.reduce_mean(tf.tanh(tf.matmul(y, behind)), name="loss")
            tf.global_variables_initializer()
            tf.train.export_meta_graph(str(path))
        finally:
            tf.enable_control_flow_v2()
    return path


def evaluate(path: Path) -> tuple[Array, list[Array], list[str]]:
    """Return the loss, its gradients at what is before and behind, and which averages move."""
    with tf.Graph().as_default() as graph, tf.Session(config=CONFIG) as session:
        import_graph(path)
        loss = graph.get_tensor_by_name("loss:0")
        every = {v.op.name: v for v in tf.global_variables()}
        gradients = tf.gradients(loss, [every["before"], every["behind"]])
        session.run(graph.get_operation_by_name("init"))
        start = session.run(every)
        value, gradients = session.run((loss, gradients))
        session.run([loss, *graph.get_collection("update_ops")])
        return value, gradients, moved(start, session.run(every), list(every))


@pytest.mark.parametrize("is_resource", [False, True], ids=["ref", "resource"])
@pytest.mark.parametrize("build", BUILDS.values(), ids=BUILDS)
def test_inference_is_tensorflows_own(build: Normalize, is_resource: bool, tmp_path: Path) -> None:
    kind = {"is_resource": is_resource}
    source = write_model(build, tmp_path / "in.meta", train=True, **kind)
    reference = write_model(build, tmp_path / "reference.meta", train=False, **kind)
    frozen = freeze(load(source), FreezePlan(freeze=("bn",), batch_norm="inference"),
                    keep=["loss:0"])  # fmt: skip
    save(frozen, tmp_path / "out.meta")
    expected, new = evaluate(reference), evaluate(tmp_path / "out.meta")
    assert len(frozen.selection.batch_norms) == 1
    assert frozen.selection.notes == ()
    assert new[0].tobytes() == expected[0].tobytes()
    assert [a.tobytes() for a in new[1]] == [a.tobytes() for a in expected[1]]
    assert new[2] == []
    old = evaluate(source)
    assert (old[0] != expected[0], old[2]) == (True, ["bn/one", "bn/two"])


@pytest.mark.parametrize("build", BUILDS.values(), ids=BUILDS)
def test_statistics_stop_and_the_batch_is_used(build: Normalize, tmp_path: Path) -> None:
    source = write_model(build, tmp_path / "in.meta", train=True, is_resource=False)
    save(freeze(load(source), FreezePlan(freeze=("bn/g", "bn/b", "bn/one", "bn/two")),
                keep=["loss:0"]), tmp_path / "out.meta")  # fmt: skip
    old, new = evaluate(source), evaluate(tmp_path / "out.meta")
    assert new[0].tobytes() == old[0].tobytes()
    assert [a.tobytes() for a in new[1]] == [a.tobytes() for a in old[1]]
    assert new[2] == []
