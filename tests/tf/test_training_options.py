"""What a step does with gradients is what the same thing written by hand does."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow.compat.v1 as tf

from graphfreeze.api import add_train_op, freeze, load, report, save
from graphfreeze.cli import main
from graphfreeze.errors import TrainError
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.train.optimizers import OPTIMIZERS as KNOWN

HEIGHT, WIDTH, BATCH = 8, 3, 4
KINDS = {"ref": False, "resource": True}
SKIPPED, STEP = "graphfreeze/skipped_steps", "global_step"
Values = dict[str, npt.NDArray[np.generic]]
Feeds = dict[str, npt.NDArray[np.generic]]
STILL = FreezePlan(freeze=("still",))
both_kinds = pytest.mark.parametrize("is_resource", KINDS.values(), ids=KINDS)


def drawn(seed: int, *shape: int) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def build() -> None:
    """Build a model with a looked-up table, a dense layer, a moving average and a frozen scope."""
    table = tf.get_variable("table", initializer=drawn(1, HEIGHT, WIDTH))
    ids = tf.placeholder_with_default(np.arange(BATCH, dtype=np.int32), [None], name="ids")
    x = tf.placeholder_with_default(np.ones([BATCH, WIDTH], np.float32), [None, WIDTH], name="x")
    rows = tf.nn.embedding_lookup(table, ids) * x
    with tf.variable_scope("layer"):
        kernel = tf.get_variable("kernel", initializer=drawn(2, WIDTH, 2))
        bias = tf.get_variable("bias", initializer=drawn(3, 2))
    frozen = tf.get_variable("still/kernel", initializer=drawn(4, 2, 2))
    out = tf.matmul(tf.matmul(tf.tanh(rows), kernel) + bias, frozen)
    # A sum: what several runs give adds up to what one run of all their rows gives.
    loss = tf.reduce_sum(tf.square(out - 1.0), name="loss")
    tf.losses.add_loss(loss)
    mean = tf.get_variable("moving/mean", initializer=drawn(5, WIDTH), trainable=False)
    moved = mean.assign_sub(0.5 * (mean - tf.reduce_mean(x, 0)), read_value=False)
    tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, tf.group(moved, name="updates"))


@contextmanager
def session() -> Iterator[tf.Session]:
    with tf.Graph().as_default(), tf.Session() as opened:
        yield opened


def written(folder: Path, make: Callable[[], None] = build, *, is_resource: bool = False) -> Path:
    """Write a model and its checkpoint."""
    with session() as opened:
        with tf.variable_scope("", use_resource=is_resource):
            make()
        opened.run(tf.global_variables_initializer())
        tf.train.Saver().save(opened, str(folder / "in"))
    return folder / "in"


def read(opened: tf.Session) -> Values:
    return opened.run({v.op.name: v.value() for v in tf.global_variables()})


def trained(
    model: Path,
    folder: Path,
    batches: Sequence[Feeds],
    plan: FreezePlan = STILL,
    **options: object,
) -> list[Values]:
    """Freeze, train with some batches, and return all variables before and after each run."""
    frozen = freeze(load(model), plan)
    add_train_op(frozen, **{"optimizer": "sgd", "learning_rate": 0.1, **options})
    save(frozen, folder)
    with session() as opened:
        saver = tf.train.import_meta_graph(str(folder / "model.meta"))
        saver.restore(opened, str(folder / "model"))
        seen = [read(opened)]
        for feeds in batches:
            loss = opened.run([tf.get_collection("train_op")[0], "loss:0"], feeds)[1]
            assert isinstance(loss, np.float32)
            seen.append(read(opened))
    return seen


def by_hand(
    model: Path, batches: Sequence[Feeds], step: Callable[[tf.Tensor, list[tf.Variable]], object]
) -> list[Values]:
    """Train what is not frozen by a step that a test writes."""
    with session() as opened:
        saver = tf.train.import_meta_graph(f"{model}.meta")
        loss = opened.graph.get_tensor_by_name("loss:0")
        learning = [v for v in tf.trainable_variables() if not v.op.name.startswith("still")]
        with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
            made = step(loss, learning)
        opened.run(tf.global_variables_initializer())
        saver.restore(opened, str(model))
        seen = [read(opened)]
        for feeds in batches:
            opened.run(made, feeds)
            seen.append(read(opened))
    return seen


def slopes(loss: tf.Tensor, variables: list[tf.Variable]) -> list[tf.Tensor | tf.IndexedSlices]:
    """Return gradients that no update comes before, as those of tf.train's own minimize."""
    found: list[tf.Tensor | tf.IndexedSlices] = tf.gradients(loss, variables, gate_gradients=True)
    return found


NAMES = ("table", "layer/kernel", "layer/bias", "still/kernel", "moving/mean")


def assert_alike(ours: Values, real: Values, names: Sequence[str] = NAMES) -> None:
    for name in names:
        np.testing.assert_allclose(ours[name], real[name], rtol=1e-5, atol=1e-6, err_msg=name)


def batch(seed: int, *, ids: Sequence[int] | None = None, spoilt: float = 0.0) -> Feeds:
    """Draw a batch; ``spoilt`` takes the place of one number in it."""
    draw = np.random.default_rng(seed)
    chosen = draw.integers(HEIGHT, size=BATCH) if ids is None else np.array(ids)
    x = draw.standard_normal((len(chosen), WIDTH)).astype(np.float32)
    if spoilt:
        x[0, 0] = spoilt
    return {"ids:0": chosen.astype(np.int32), "x:0": x}


def together(batches: Sequence[Feeds]) -> Feeds:
    return {key: np.concatenate([each[key] for each in batches]) for key in batches[0]}


def moves(seen: Sequence[Values], name: str) -> list[bool]:
    pairs = pairwise(seen)
    return [before[name].tobytes() != after[name].tobytes() for before, after in pairs]


BATCHES = [batch(seed) for seed in range(5)]
DECAYS = {
    "BERT's": ((), {"table", "layer/kernel"}),
    "patterns": (("table", "**/kernel"), {"layer/bias"}),
    "all": (("**",), set[str]()),
}


@both_kinds
@pytest.mark.parametrize(("patterns", "decayed"), DECAYS.values(), ids=DECAYS)
def test_adamw_is_adam_and_a_decay(
    patterns: tuple[str, ...], decayed: set[str], is_resource: bool, tmp_path: Path
) -> None:
    model = written(tmp_path, is_resource=is_resource)
    rate, decay = 0.05, 0.2
    arguments = {"weight_decay": decay}
    options = {"optimizer": "adamw", "arguments": arguments, "no_decay": patterns}
    ours = trained(model, tmp_path / "out", BATCHES, learning_rate=rate, **options)

    def step(loss: tf.Tensor, variables: list[tf.Variable]) -> object:
        """Follow algorithm 2 of Loshchilov and Hutter, 2019, in its own order."""
        count = tf.train.get_or_create_global_step()
        gradients = [tf.convert_to_tensor(g) for g in slopes(loss, variables)]
        made = []
        with tf.control_dependencies(gradients):
            now = tf.cast(count.assign_add(1), tf.float32)
        for w, g in zip(variables, gradients, strict=True):
            m, v = (tf.Variable(np.zeros(w.shape, "f"), trainable=False) for _ in range(2))
            new_m, new_v = m.assign(0.9 * m + 0.1 * g), v.assign(0.999 * v + 0.001 * g * g)
            fit_m, fit_v = new_m / (1 - 0.9**now), new_v / (1 - 0.999**now)
            move = fit_m / (tf.sqrt(fit_v) + 1e-8)
            with tf.control_dependencies([move, *gradients]):
                held = decay if w.op.name in decayed else 0.0
                made.append(w.assign(w - rate * (move + held * w)))
        return tf.group(*made)

    real = by_hand(model, BATCHES, step)
    for name in NAMES:
        np.testing.assert_allclose(ours[-1][name], real[-1][name], rtol=2e-3, atol=2e-4)
    slots = [name for name in ours[0] if name.startswith("table/graphfreeze_Adam")]
    assert len(slots) == 2
    undecayed = trained(
        model, tmp_path / "no", BATCHES, learning_rate=rate, **options | {"no_decay": ("**",)}
    )
    differ = {n for n in NAMES if ours[-1][n].tobytes() != undecayed[-1][n].tobytes()}
    assert (differ == set()) == (decayed == set())
    assert decayed <= differ


def line(step: int, first: float = 0.5) -> float:
    return first * max(0.0, 1 - step / 10)


SCHEDULES: dict[str, tuple[str, Callable[[int], float]]] = {
    "constant": ("constant", lambda step: 0.5),
    "warm-up": ("constant:warmup=4", lambda step: 0.5 * min(1, step / 4)),
    "polynomial": ("polynomial:steps=10", line),
    "polynomial, warm": (
        "polynomial:steps=10,end=0,power=1,warmup=4",
        lambda step: 0.5 * step / 4 if step < 4 else line(step),
    ),
    "polynomial, an end": (
        "polynomial:steps=10,end=0.1,power=2",
        lambda step: 0.4 * (1 - min(step, 10) / 10) ** 2 + 0.1,
    ),
    "polynomial, again": (
        "polynomial:steps=4,cycle=true",
        lambda step: 0.5 * (1 - step / (4 * max(1, -(-step // 4)))),
    ),
    "exponential": ("exponential:steps=3,rate=0.5", lambda step: 0.5 * 0.5 ** (step / 3)),
    "exponential, staircase": (
        "exponential:steps=3,rate=0.5,staircase=true",
        lambda step: 0.5 * 0.5 ** (step // 3),
    ),
    "cosine": (
        "cosine:steps=10,alpha=0.2",
        lambda step: 0.5 * (0.8 * 0.5 * (1 + np.cos(np.pi * min(step, 10) / 10)) + 0.2),
    ),
    "piecewise": (
        "piecewise:2=0.25,5=0.125,warmup=1",
        lambda step: 0 if step < 1 else 0.5 if step < 2 else 0.25 if step < 5 else 0.125,
    ),
}


def build_a_line() -> None:
    """Build a loss whose gradient is 1: a step of SGD is the learning rate."""
    w = tf.get_variable("w", initializer=0.0)
    scaled = tf.get_variable("scaled/w", initializer=0.0)
    tf.get_variable("still/w", initializer=1.0)
    tf.losses.add_loss(tf.add(w, scaled, name="loss"))


@both_kinds
@pytest.mark.parametrize(("text", "rate"), SCHEDULES.values(), ids=SCHEDULES)
def test_schedule(
    text: str, rate: Callable[[int], float], is_resource: bool, tmp_path: Path
) -> None:
    model = written(tmp_path, build_a_line, is_resource=is_resource)
    options = {"schedule": text, "lr_scales": {"scaled": 0.5}, "learning_rate": 0.5}
    seen = trained(model, tmp_path / "out", [{}] * 12, **options)
    wanted = [rate(step) for step in range(12)]
    for name, factor in {"w": 1.0, "scaled/w": 0.5}.items():
        steps = -np.diff([each[name] for each in seen]) / factor
        np.testing.assert_allclose(steps, wanted, rtol=1e-4, atol=1e-6)
    assert [each[STEP] for each in seen] == list(range(13))


@both_kinds
@pytest.mark.parametrize("largest", [0.01, 1e6], ids=["clips", "does not"])
def test_clip(largest: float, is_resource: bool, tmp_path: Path) -> None:
    model = written(tmp_path, is_resource=is_resource)
    ours = trained(model, tmp_path / "out", BATCHES, clip_norm=largest)

    def step(loss: tf.Tensor, variables: list[tf.Variable]) -> object:
        gradients, _ = tf.clip_by_global_norm(slopes(loss, variables), largest)
        pairs = list(zip(gradients, variables, strict=True))
        return tf.train.GradientDescentOptimizer(0.1).apply_gradients(pairs)

    assert_alike(ours[-1], by_hand(model, BATCHES, step)[-1])


def build_three_types() -> None:
    wide = tf.get_variable("wide", initializer=np.array([3.0, 0.0]))
    w = tf.get_variable("w", initializer=np.array([4.0], np.float32))
    half = tf.get_variable("half", initializer=np.array([12.0], np.float16))
    tf.get_variable("still/w", initializer=1.0)
    parts = [tf.cast(tf.reduce_sum(v**2) / 2, tf.float32) for v in (wide, w, half)]
    tf.losses.add_loss(tf.add_n(parts, name="loss"))


@both_kinds
@pytest.mark.parametrize("count", [1, 2])
def test_clip_by_the_norm_of_several_types(count: int, is_resource: bool, tmp_path: Path) -> None:
    model = written(tmp_path, build_three_types, is_resource=is_resource)
    options = {"learning_rate": 1.0, "clip_norm": 1.0, "accumulate": count}
    last = trained(model, tmp_path / "out", [{}] * count, **options)[-1]
    np.testing.assert_allclose(last["wide"], [3 - 3 / 13, 0], rtol=1e-5)
    np.testing.assert_allclose(last["w"], [4 - 4 / 13], rtol=1e-5)
    np.testing.assert_allclose(last["half"], [12 - 12 / 13], rtol=1e-3)
    assert [last[name].dtype for name in ("wide", "w", "half")] == ["f8", "f4", "f2"]


def build_halves() -> None:
    """Build a loss whose gradient's square is too large for float16, its norm not."""
    half = tf.get_variable("half", initializer=np.full([100], 40, np.float16))
    rows = tf.get_variable("rows", initializer=np.full([3, 2], 40, np.float16))
    tf.get_variable("still/w", initializer=1.0)
    parts = [half, tf.nn.embedding_lookup(rows, [1, 2])]
    tf.losses.add_loss(tf.add_n([tf.reduce_sum(tf.cast(v, tf.float32) ** 2) / 2 for v in parts]))
    tf.identity(tf.losses.get_losses()[0], name="loss")


@both_kinds
def test_the_norm_of_halves_is_finite(is_resource: bool, tmp_path: Path) -> None:
    model = written(tmp_path, build_halves, is_resource=is_resource)
    options = {"learning_rate": 1.0, "clip_norm": np.sqrt(104) * 4}
    last = trained(model, tmp_path / "out", [{}], **options)[-1]
    np.testing.assert_allclose(last["half"], np.full([100], 36), rtol=1e-2)
    np.testing.assert_allclose(last["rows"], [[40, 40], [36, 36], [36, 36]], rtol=1e-2)


SCALED = {"table": 0.5, "layer": 0.25, "layer/bias": 1.0}
OPTIMIZERS: dict[str, Callable[[float], tf.train.Optimizer]] = {
    "sgd": tf.train.GradientDescentOptimizer,
    "momentum": lambda rate: tf.train.MomentumOptimizer(rate, 0.9),
    "adagrad": tf.train.AdagradOptimizer,
    "adam": tf.train.AdamOptimizer,
    "rmsprop": tf.train.RMSPropOptimizer,
}


@both_kinds
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_lr_scale_is_an_optimizer_of_its_own(name: str, is_resource: bool, tmp_path: Path) -> None:
    model = written(tmp_path, is_resource=is_resource)
    ours = trained(model, tmp_path / "out", BATCHES, optimizer=name, lr_scales=SCALED)
    factors = {"table": 0.5, "layer/kernel": 0.25, "layer/bias": 1.0}

    def step(loss: tf.Tensor, variables: list[tf.Variable]) -> object:
        made = []
        for gradient, v in zip(slopes(loss, variables), variables, strict=True):
            optimizer = OPTIMIZERS[name](0.1 * factors[v.op.name])
            made.append(optimizer.apply_gradients([(gradient, v)]))
        return tf.group(*made)

    assert_alike(ours[-1], by_hand(model, BATCHES, step)[-1])
    assert ours[-1][STEP] == len(BATCHES)
    assert not [
        name for name in ours[0] if name.startswith("table/") and "graphfreeze_" not in name
    ]


SOME = {
    "drawn": [batch(seed) for seed in range(6)],
    "no ids at all in some": [batch(seed, ids=[] if seed % 2 else [1, 1, 2]) for seed in range(6)],
    "no ids in any": [batch(seed, ids=[]) for seed in range(3)],
    "one id again and again": [batch(seed, ids=[5, 5]) for seed in range(6)],
}


@both_kinds
@pytest.mark.parametrize("batches", SOME.values(), ids=SOME)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_runs_that_accumulate_are_one_of_all_their_rows(
    name: str, batches: list[Feeds], is_resource: bool, tmp_path: Path
) -> None:
    model = written(tmp_path, is_resource=is_resource)
    count = 3
    ours = trained(model, tmp_path / "out", batches, optimizer=name, accumulate=count)

    def step(loss: tf.Tensor, variables: list[tf.Variable]) -> object:
        pairs = list(zip(slopes(loss / count, variables), variables, strict=True))
        return OPTIMIZERS[name](0.1).apply_gradients(pairs)

    wholes = [together(batches[i : i + count]) for i in range(0, len(batches), count)]
    real = by_hand(model, wholes, step)
    learning = NAMES[:4]
    for at, wanted in enumerate(real):
        assert_alike(ours[at * count], wanted, learning)
    still = [run % count != count - 1 for run in range(len(batches))]
    for name in ("layer/kernel", STEP):
        assert [not moved for moved in moves(ours, name)] == still or not batches[0]["ids:0"].size
    assert ours[-1][STEP] == len(wholes)
    if batches[0]["ids:0"].size and batches[1]["ids:0"].size:
        assert all(moves(ours, "moving/mean"))


ASKED: dict[str, dict[str, object]] = {
    **{name: {"optimizer": name} for name in KNOWN},
    "adamw, clipped": {
        "optimizer": "adamw",
        "clip_norm": 0.5,
        "schedule": "polynomial:steps=20,warmup=2",
    },
    "groups": {"optimizer": "momentum", "lr_scales": SCALED},
    "two runs a step": {"optimizer": "adagrad", "accumulate": 2},
}


@both_kinds
@pytest.mark.parametrize("options", ASKED.values(), ids=ASKED)
def test_a_run_that_is_skipped_changes_nothing(
    options: dict[str, object], is_resource: bool, tmp_path: Path
) -> None:
    model = written(tmp_path, is_resource=is_resource)
    inf, nan = (batch(9, spoilt=number) for number in (np.inf, np.nan))
    mixed = [nan, *BATCHES[:2], inf, nan, *BATCHES[2:]]
    ours = trained(model, tmp_path / "out", mixed, skip_nonfinite=True, **options)
    real = trained(model, tmp_path / "real", BATCHES, **options)
    at = [0, 0, 1, 2, 2, 2, 3, 4, 5]
    for found, run in zip(ours, at, strict=True):
        same = {name: found[name].tobytes() for name in real[run]}
        assert same == {name: value.tobytes() for name, value in real[run].items()}
    assert [each[SKIPPED] for each in ours] == [0, 1, 1, 1, 2, 3, 3, 3, 3]
    assert ours[0][SKIPPED].dtype == np.int64


def test_skipping_is_saved_and_goes_on(tmp_path: Path) -> None:
    model = written(tmp_path)
    frozen = freeze(load(model), FreezePlan(freeze=("still",)))
    add_train_op(frozen, optimizer="sgd", learning_rate=0.1, skip_nonfinite=True)
    save(frozen, tmp_path / "out")
    prefix = str(tmp_path / "out" / "model")
    for wanted in (1, 2):
        with session() as opened:
            saver = tf.train.import_meta_graph(str(tmp_path / "out" / "model.meta"))
            saver.restore(opened, prefix)
            opened.run(tf.get_collection("train_op")[0], batch(0, spoilt=np.inf))
            assert read(opened)[SKIPPED] == wanted
            assert SKIPPED not in [v.op.name for v in tf.trainable_variables()]
            prefix = saver.save(opened, str(tmp_path / "later"))


def test_an_update_op_that_is_fetched_too_runs_once(tmp_path: Path) -> None:
    model = written(tmp_path)
    frozen = freeze(load(model), FreezePlan(freeze=("still",)))
    add_train_op(frozen, optimizer="sgd", learning_rate=0.1, skip_nonfinite=True)
    save(frozen, tmp_path / "out")
    with session() as opened:
        saver = tf.train.import_meta_graph(str(tmp_path / "out" / "model.meta"))
        saver.restore(opened, str(tmp_path / "out" / "model"))
        updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
        step, mean = tf.get_collection("train_op")[0], read(opened)["moving/mean"]
        for feeds, fetched in ((batch(1), [step, updates]), (batch(2), updates)):
            opened.run(fetched, feeds)
            mean = mean - 0.5 * (mean - feeds["x:0"].mean(0))
            np.testing.assert_allclose(read(opened)["moving/mean"], mean, rtol=1e-5)
        opened.run(updates, batch(1, spoilt=np.nan))
        np.testing.assert_allclose(read(opened)["moving/mean"], mean, rtol=1e-5)


def build_without_a_shape() -> None:
    values = tf.placeholder_with_default(drawn(1, HEIGHT, WIDTH), None)
    table = tf.Variable(values, validate_shape=False, name="table")
    tf.get_variable("still/w", initializer=1.0)
    tf.losses.add_loss(tf.reduce_sum(tf.gather(table, [1, 2, 1]) ** 2, name="loss"))


@both_kinds
def test_a_table_of_unknown_rank_accumulates(is_resource: bool, tmp_path: Path) -> None:
    model = written(tmp_path, build_without_a_shape, is_resource=is_resource)
    seen = trained(model, tmp_path / "out", [{}, {}], accumulate=2, clip_norm=1e3)
    factors = np.ones([HEIGHT, 1], np.float32)
    factors[[1, 2]] = [[0.6], [0.8]]
    np.testing.assert_allclose(seen[-1]["table"], seen[0]["table"] * factors, rtol=1e-5)


def build_waiting() -> None:
    w = tf.get_variable("w", initializer=1.0)
    tf.get_variable("still/w", initializer=1.0)
    mean = tf.get_variable("mean", initializer=1.0, trainable=False)
    moved = tf.assign(mean, mean * 0.5, name="moved")
    tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, moved)
    with tf.control_dependencies([moved]):
        tf.losses.add_loss(tf.square(w, name="loss"))


def test_an_update_before_the_gradients_cannot_be_skipped(tmp_path: Path) -> None:
    frozen = freeze(load(written(tmp_path, build_waiting)), FreezePlan(freeze=("still",)))
    with pytest.raises(TrainError, match=r"--skip-nonfinite: moved would write in a step that is"):
        add_train_op(frozen, optimizer="sgd", learning_rate=0.1, skip_nonfinite=True)
    assert frozen.train is None
    add_train_op(frozen, optimizer="sgd", learning_rate=0.1, accumulate=2)


NAN_WITH_PAYLOAD = np.uint32(0xFFC0BEEF).view(np.float32)
LEARNING = [1, 2, 5]
ODD = {0: [-0.0, 1e-45, -1e-40], 3: [NAN_WITH_PAYLOAD, np.inf, -0.0], 7: [1e-45, -np.inf, 0.0]}
EVERYTHING = {
    "optimizer": "adamw",
    "arguments": {"weight_decay": 0.3},
    "no_decay": ["layer/bias"],
    "schedule": "cosine:steps=50,warmup=1",
    "clip_norm": 2.0,
    "lr_scales": {"table": 0.5, "layer": 2.0},
    "accumulate": 2,
    "skip_nonfinite": True,
}


def build_odd(*, is_dense: bool) -> None:
    """Build a model whose frozen rows hold what arithmetic does not give back."""
    start = drawn(1, HEIGHT, WIDTH)
    for row, values in ODD.items():
        start[row] = values if not is_dense else [-0.0, 1e-45, 0.5]
    table = tf.get_variable("table", initializer=start)
    ids = tf.placeholder_with_default(np.arange(BATCH, dtype=np.int32), [None], name="ids")
    x = tf.placeholder_with_default(np.ones([BATCH, WIDTH], np.float32), [None, WIDTH], name="x")
    with tf.variable_scope("layer"):
        kernel = tf.get_variable("kernel", initializer=drawn(2, WIDTH, WIDTH))
        bias = tf.get_variable("bias", initializer=drawn(3, WIDTH))
    rows = tf.tanh(tf.nn.embedding_lookup(table, ids)) * x
    out = tf.matmul(rows, kernel) + bias
    if is_dense:
        out = tf.matmul(out, table, transpose_b=True)
    tf.losses.add_loss(tf.reduce_sum(tf.square(out - 1.0), name="loss"))


PLANS = {
    "rows by mask": {"train_rows": {"table": "1:3,5"}},
    "rows by mask, multiplied": {"train_rows": {"table": "1:3,5"}, "mask_kernel": "multiply"},
    "rows by overlay": {"train_rows": {"table": "1:3,5"}, "row_strategy": "overlay"},
    "rows and columns": {
        "train_rows": {"table": "1:3,5"},
        "freeze_columns": {"layer/kernel": "0"},
    },
    "elements": {
        "freeze_elements": {
            "table": np.isin(range(HEIGHT), LEARNING, invert=True)[:, None]
            | (np.arange(WIDTH) == 1)
        }
    },
}


@both_kinds
@pytest.mark.parametrize("is_dense", [False, True], ids=["lookup", "tied"])
@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_everything_at_once_moves_no_frozen_bit(
    plan: dict[str, object], is_dense: bool, is_resource: bool, tmp_path: Path
) -> None:
    model = written(tmp_path, lambda: build_odd(is_dense=is_dense), is_resource=is_resource)
    batches = [batch(seed, ids=[1, 2, 5, 4]) for seed in range(8)]
    batches[3:3] = [batch(7, ids=[1, 2, 5, 4], spoilt=np.inf), batch(7, ids=[0, 3, 7])]
    chosen = FreezePlan(**plan)
    still = np.isin(range(HEIGHT), LEARNING, invert=True)
    seen = trained(model, tmp_path / "out", batches, chosen, **EVERYTHING)
    assert {each["table"][still].tobytes() for each in seen} == {seen[0]["table"][still].tobytes()}
    if "freeze_columns" in plan:
        columns = {each["layer/kernel"][:, 0].tobytes() for each in seen}
        assert len(columns) == 1
    name = "table/graphfreeze/rows" if "row_strategy" in plan else "table"
    live = slice(None) if "row_strategy" in plan else LEARNING
    assert np.all(np.any(seen[0][name][live] != seen[-1][name][live], axis=1))
    # Frozen rows with NaN make a loss, and so a run, that is not finite; that of inf neither.
    skipped = 1 if is_dense else 2
    assert seen[-1][SKIPPED] == skipped
    assert seen[-1][STEP] == (len(batches) - skipped) // 2
    assert np.any(seen[-1]["layer/kernel"] != seen[0]["layer/kernel"])


GUARDED = {
    f"{optimizer}, {plan}, {'tied' if is_dense else 'lookup'}": (optimizer, PLANS[plan], is_dense)
    for plan in ("rows by mask", "rows and columns", "elements")
    for optimizer, is_dense in (
        ("sgd", True),
        ("momentum", True),
        ("adam", True),
        ("adam", False),
        ("adamw", True),
        ("ftrl", False),
        ("rmsprop", True),
        ("adagrad", False),
    )
}


@both_kinds
@pytest.mark.parametrize(("optimizer", "plan", "is_dense"), GUARDED.values(), ids=GUARDED)
def test_a_guarded_writer_is_skipped_with_its_slots(
    optimizer: str, plan: dict[str, object], is_dense: bool, is_resource: bool, tmp_path: Path
) -> None:
    model = written(tmp_path, lambda: build_odd(is_dense=is_dense), is_resource=is_resource)
    live = [batch(seed, ids=LEARNING) for seed in range(2)]
    runs = [live[0], batch(7, ids=LEARNING, spoilt=np.inf), live[1]]
    options = {"optimizer": optimizer, "skip_nonfinite": True}
    seen = trained(model, tmp_path / "out", runs, FreezePlan(**plan), **options)
    for name in seen[0].keys() - {SKIPPED}:
        assert not moves(seen, name)[1], name
    for name in ("table", "layer/kernel", "layer/bias", STEP):
        assert moves(seen, name) == [True, False, True], name


def build_spoilt_row(*, is_dense: bool) -> None:
    """Build a loss whose gradient is infinite at row 0 alone, as that of the root of 0 is."""
    table = tf.get_variable("table", initializer=np.array([[0.0], [4.0], [9.0]], np.float32))
    other = tf.get_variable("other", initializer=np.float32(2.0))
    rows = table if is_dense else tf.nn.embedding_lookup(table, [0, 1, 0, 1, 2])
    tf.losses.add_loss(tf.add(tf.reduce_sum(tf.sqrt(rows)), tf.square(other), name="loss"))


SPOILT_PLANS = {
    "mask, multiplied": {"mask_kernel": "multiply"},
    "mask, selected": {"mask_kernel": "select"},
    "overlay": {"row_strategy": "overlay"},
}
SPOILT_RUNS: dict[str, dict[str, object]] = {
    "clipped": {},
    "skipped if it spoilt the rest": {"skip_nonfinite": True},
    "accumulated": {"accumulate": 2},
}


@both_kinds
@pytest.mark.parametrize("is_dense", [False, True], ids=["lookup", "whole"])
@pytest.mark.parametrize("options", SPOILT_RUNS.values(), ids=SPOILT_RUNS)
@pytest.mark.parametrize("plan", SPOILT_PLANS.values(), ids=SPOILT_PLANS)
def test_a_frozen_row_is_no_part_of_the_norm(
    plan: dict[str, str],
    options: dict[str, object],
    is_dense: bool,
    is_resource: bool,
    tmp_path: Path,
) -> None:
    make = lambda: build_spoilt_row(is_dense=is_dense)  # noqa: E731
    model = written(tmp_path, make, is_resource=is_resource)
    chosen = FreezePlan(freeze_rows={"table": "0"}, **plan)
    seen = trained(model, tmp_path / "out", [{}] * 2, chosen, clip_norm=1.0, **options)
    first, second = seen[0], seen[options.get("accumulate", 1)]
    name = "table/graphfreeze/rows" if "row_strategy" in plan else "table"
    moved = [*(first[name] - second[name])[-2:, 0], first["other"] - second["other"]]
    # TensorFlow's norm takes ids that come twice, in one run or in several, one by one.
    times = 1 if is_dense else options.get("accumulate", 1)
    rows = [1 / 4, 1 / 6] if is_dense else [1 / 4, 1 / 4, 1 / 6]
    norm = np.linalg.norm([*(np.array(rows * times) / times), 4.0])
    slopes = [1 / 4 if is_dense else 1 / 2, 1 / 6, 4.0]
    np.testing.assert_allclose(moved, 0.1 * np.array(slopes) / norm, rtol=1e-3)
    assert {each["table"][0].tobytes() for each in seen} == {seen[0]["table"][0].tobytes()}
    assert second[STEP] == 1


class Own:
    """An optimizer that nobody knows."""

    def apply_gradients(
        self, grads_and_vars: Sequence[tuple[object, tf.Variable]], global_step: tf.Variable
    ) -> tf.Operation:
        made = [v.assign_sub(0.1 * tf.convert_to_tensor(g)) for g, v in grads_and_vars]
        with tf.control_dependencies(made):
            return global_step.assign_add(1).op


@both_kinds
def test_an_object_takes_what_concerns_gradients(is_resource: bool, tmp_path: Path) -> None:
    model = written(tmp_path, is_resource=is_resource)
    options = {"clip_norm": 0.3, "accumulate": 2, "skip_nonfinite": True}
    mixed = [BATCHES[0], batch(9, spoilt=np.nan), *BATCHES[1:4]]
    own = {"optimizer": Own(), "learning_rate": None}
    ours = trained(model, tmp_path / "own", mixed, **options, **own)
    real = trained(model, tmp_path / "sgd", mixed, **options)
    assert_alike(ours[-1], real[-1], [*NAMES, SKIPPED, STEP])


ERRORS: dict[str, tuple[dict[str, object], str]] = {
    "schedule": ({"schedule": "polinomial:steps=3"}, "no schedule 'polinomial'; did you mean poly"),
    "a key": ({"schedule": "cosine:step=3"}, "'cosine' takes no 'step'; did you mean steps?"),
    "no key": ({"schedule": "exponential:steps=3"}, "'exponential' needs 'rate'"),
    "a value": ({"schedule": "cosine:steps=x"}, "'cosine' has steps = 'x', which is not a whole"),
    "clip": ({"clip_norm": 0.0}, "--clip-norm: 0.0 is not a positive number"),
    "clip, NaN": ({"clip_norm": np.nan}, "--clip-norm: nan is not a positive number"),
    "accumulate": ({"accumulate": 0}, "--accumulate: 0 is not a number of runs from 1 to"),
    "accumulate, a part": ({"accumulate": 1.5}, "--accumulate: 1.5 is not a number of runs"),
    "scale": ({"lr_scales": {"table": 0.0}}, "--lr-scale table: 0.0 is not a positive number"),
    "scale, inf": ({"lr_scales": {"table": np.inf}}, "--lr-scale table: inf is not a positive"),
    "no such": ({"lr_scales": {"tabel": 0.5}}, "'tabel' matches no variable that learns; did you"),
    "frozen": ({"lr_scales": {"still": 0.5}}, "--lr-scale: pattern 'still' matches only what is"),
    "scale, no float32": ({"lr_scales": {"table": 1e39}}, "--lr-scale table: 1e+39 is not a posi"),
    "clip, 0 as float32": ({"clip_norm": 1e-50}, "--clip-norm: 1e-50 is not a positive number"),
    "accumulate, too many": ({"accumulate": 10_001}, "--accumulate: 10001 is not a number of runs"),
    "a rate of 0": (
        {"optimizer": "ftrl", "schedule": "cosine:steps=9"},
        "'alpha' leads to a learning rate of 0, by which optimizer 'ftrl' divides; give it a",
    ),
    "a share that is 1": (
        {"optimizer": "adam", "arguments": {"beta1": 0.99999999}},
        "beta1: 0.99999999 is not a number from 0 on and below 1 (as float32)",
    ),
    "decay of a frozen one": (
        {"optimizer": "adamw", "no_decay": ("still",)},
        "--no-decay: pattern 'still' matches only what is frozen: still/kernel",
    ),
    "decay without": (
        {"no_decay": ("table",)},
        "optimizer 'sgd' has no weight decay; use adamw",
    ),
    "weight decay": (
        {"optimizer": "adamw", "arguments": {"weight_decay": -1.0}},
        "weight_decay: -1.0 is not a number from 0 on",
    ),
    "misspelt decay": (
        {"optimizer": "adamw", "arguments": {"wieght_decay": 1.0}},
        "takes no argument 'wieght_decay'; did you mean weight_decay?",
    ),
    "an object's schedule": (
        {"optimizer": Own(), "learning_rate": None, "schedule": "cosine:steps=3"},
        "--schedule needs an optimizer by its name",
    ),
    "an object's scale": (
        {"optimizer": Own(), "learning_rate": None, "lr_scales": {"table": 0.5}},
        "--lr-scale needs an optimizer by its name",
    ),
}


@pytest.mark.parametrize(("options", "message"), ERRORS.values(), ids=ERRORS)
def test_error(options: dict[str, object], message: str, tmp_path: Path) -> None:
    frozen = freeze(load(written(tmp_path)), FreezePlan(freeze=("still",)))
    with pytest.raises(TrainError) as caught:
        add_train_op(frozen, **{"optimizer": "sgd", "learning_rate": 0.1, **options})
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert frozen.train is None


def test_the_record_tells_what_was_asked_for(tmp_path: Path) -> None:
    frozen = freeze(load(written(tmp_path)), FreezePlan(freeze=("still",)), seed=7)
    add_train_op(frozen, **{**EVERYTHING, "no_decay": ()})
    told = report(frozen)
    assert told.schedule == "cosine:steps=50,alpha=0,warmup=1"
    assert told.no_decay == ["re:.*LayerNorm.*", "re:.*layer_norm.*", "re:.*bias.*"]
    assert (told.clip_norm, told.accumulate, told.skip_nonfinite) == (2.0, 2, True)
    assert (told.lr_scales, told.seed) == ({"table": 0.5, "layer": 2.0}, 7)
    assert told.arguments == {"weight_decay": 0.3}
    assert told.newer_ops == []


def test_numbers_of_numpy_are_taken(tmp_path: Path) -> None:
    """So are those that were read from a file or computed."""
    options = {
        "optimizer": "adam",
        "learning_rate": np.float32(0.5),
        "arguments": {"beta1": np.float64(0.5)},
        "clip_norm": np.float64(2.0),
        "lr_scales": {"table": np.float32(0.25)},
    }
    assert moves(trained(written(tmp_path), tmp_path / "out", [batch(0)], **options), "table")[0]
    told = json.loads((tmp_path / "out" / "graphfreeze.json").read_text())
    assert [told["learning_rate"], told["arguments"]["beta1"], told["clip_norm"]] == [0.5, 0.5, 2.0]
    assert told["lr_scales"] == {"table": 0.25}


def build_growing() -> None:
    table = tf.get_variable("table", [4, 3], initializer=tf.random_normal_initializer())
    still = tf.get_variable("still/w", initializer=1.0)
    ids = tf.placeholder_with_default(np.array([0, 1], np.int32), [None], name="ids")
    tf.losses.add_loss(tf.reduce_sum(tf.nn.embedding_lookup(table, ids) * still, name="loss"))


def test_a_seed_gives_the_same_rows_again(tmp_path: Path) -> None:
    model = written(tmp_path, build_growing)
    for name, words in {"vocab": "abcd", "new": "xyz"}.items():
        (tmp_path / name).write_text("\n".join(words) + "\n")
    words = {
        "vocab": {"table": str(tmp_path / "vocab")},
        "add_words": {"table": str(tmp_path / "new")},
    }
    found = []
    for number, seed in enumerate([1, 1, 2, None]):
        frozen = freeze(load(model), FreezePlan(freeze=("still",), **words), seed=seed)
        save(frozen, tmp_path / f"out{number}")
        values = tf.train.load_checkpoint(str(tmp_path / f"out{number}" / "model"))
        found.append(values.get_tensor("table"))
    assert found[0].shape == (7, 3)
    assert found[0].tobytes() == found[1].tobytes()
    assert len({each[4:].tobytes() for each in found}) == 3
    assert len({each[:4].tobytes() for each in found}) == 1


def test_two_runs_give_the_same_bytes(tmp_path: Path) -> None:
    model = written(tmp_path)
    for name in ("a", "b"):
        frozen = freeze(load(model), FreezePlan(train_rows={"table": "1:3,5"}), seed=1)
        add_train_op(frozen, **EVERYTHING)
        save(frozen, tmp_path / name)
    for path in sorted((tmp_path / "a").iterdir()):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_the_command_line_says_the_same(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model = written(tmp_path)
    frozen = freeze(load(model), FreezePlan(freeze=("still",)), seed=3)
    add_train_op(frozen, **EVERYTHING)
    save(frozen, tmp_path / "real")
    line = (
        f"freeze {model} {tmp_path / 'out'} --freeze still --optimizer adamw --seed 3 "
        "--optimizer-argument weight_decay=0.3 --no-decay layer/bias --clip-norm 2 "
        "--schedule cosine:steps=50,warmup=1 --lr-scale table=0.5 --lr-scale layer=2 "
        "--accumulate 2 --skip-nonfinite"
    )
    assert main(line.split()) == 0
    told = capfd.readouterr().out
    graph = Path("model.meta")
    assert (tmp_path / "out" / graph).read_bytes() == (tmp_path / "real" / graph).read_bytes()
    for label, line in TOLD.items():
        assert f"{label:<12} {line}\n" in told


TOLD = {
    "  optimizer": "adamw, learning rate 0.001",
    "": "weight_decay 0.3",
    "  no decay": "layer/bias",
    "  schedule": "cosine:steps=50,alpha=0,warmup=1",
    "  rates": "table x 0.5",
    "  clipped": "to a global norm of 2; gradients of what is frozen do not count",
    "  a step is": "2 runs, by their mean gradient; no checkpoint holds a part",
    "  skipped": "runs whose gradients hold inf or NaN: graphfreeze/skipped_steps",
    "  seed": "3",
}


def test_gradients_of_lookups_stay_as_small_as_their_batches(tmp_path: Path) -> None:
    frozen = freeze(load(written(tmp_path)), FreezePlan(freeze_rows={"table": "0"}))
    graph = frozen.draft.graph
    before = set(graph.nodes)
    everything = {**EVERYTHING, "optimizer": "sgd", "arguments": {}, "no_decay": ()}
    add_train_op(frozen, **{**everything, "learning_rate": 0.1})
    save(frozen, tmp_path / "out")
    with session() as opened:
        tf.train.import_meta_graph(str(tmp_path / "out" / "model.meta"))
        made = [op for op in opened.graph.get_operations() if op.name not in before]
    whole = [HEIGHT, WIDTH]
    values = {op.name: [t for t in op.outputs if not t.dtype._is_ref_dtype] for op in made}
    shapes = {name: [t.shape.as_list() for t in ts if t.shape.rank] for name, ts in values.items()}
    assert not [name for name, found in shapes.items() if whole in found and "save" not in name]
    held = [op.get_attr("shape") for op in made if op.type == "ResourceConditionalAccumulator"]
    assert [WIDTH, 2] in [tf.TensorShape(shape).as_list() for shape in held]
    assert whole not in [tf.TensorShape(shape).as_list() for shape in held]
    assert len([op for op in made if op.type == "FIFOQueueV2"]) == 1
