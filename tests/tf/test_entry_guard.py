"""Frozen entries that are not whole rows keep their bits; the others learn as they always do."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow.compat.v1 as tf

from graphfreeze.api import FrozenModel, add_train_op, freeze, load, save
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.train.optimizers import OPTIMIZERS

HEIGHT, STEPS = 12, 5
READ = [0, 1, 2, 3, 5, 8, 8]
Bits = npt.NDArray[np.bool_]
Array = npt.NDArray[np.generic]
Values = dict[str, Array]
SPECIAL = np.array(
    [
        0x80000000,  # -0.0
        0x7F800000,  # inf
        0xFFC0BEEF,  # NaN with a payload
        0x7FA0BEEF,  # signalling NaN
        0x00000001,  # the smallest denormal
        0x800FFFFF,  # a negative one
        0x3F800000,  # 1.0
    ],
    np.uint32,
).view(np.float32)
DRAWN = np.random.default_rng(3).random((HEIGHT, 2, 3)) < 0.4
SHAPES = {"columns": (HEIGHT, 3), "elements": (HEIGHT, 3), "mixed": (HEIGHT, 2, 3)}
PLAN = FreezePlan(
    freeze_columns={"columns": "1", "mixed": "0"},
    freeze_elements={"elements": DRAWN[:, 0], "mixed": DRAWN},
    freeze_rows={"mixed": "0:2,4:6,-2:"},
)


@dataclass(frozen=True)
class Case:
    """How the tables are kept and read."""

    is_resource: bool
    is_dense: bool
    ids_type: type = np.int32


CASES = {
    "ref, lookup": Case(False, False),
    "ref, dense": Case(False, True),
    "resource, lookup": Case(True, False, np.int64),
    "resource, dense": Case(True, True),
}


def frozen_bits(name: str) -> Bits:
    """Return which entries of a table the plan freezes."""
    bits = np.zeros(SHAPES[name], np.bool_)
    if name == "columns":
        bits[:, 1] = True
    elif name == "elements":
        bits |= DRAWN[:, 0]
    else:
        bits |= DRAWN
        bits[..., 0] = bits[[0, 1, 4, 5, 10, 11]] = True
    return bits


def table_values(name: str) -> npt.NDArray[np.float32]:
    """Return a table whose frozen entries hold what arithmetic does not give back."""
    table = np.random.default_rng(1).standard_normal(SHAPES[name]).astype(np.float32)
    bits = frozen_bits(name)
    table[bits] = np.resize(SPECIAL, bits.sum())
    return table


@contextmanager
def session() -> Iterator[tf.Session]:
    with tf.Graph().as_default(), tf.Session() as opened:
        yield opened


def read_rows(table: tf.Variable, case: Case) -> tf.Tensor:
    """Return the rows that the loss takes: all, or a lookup with a row that comes twice."""
    if case.is_dense:
        return tf.identity(table)
    return tf.nn.embedding_lookup(table, np.array(READ, case.ids_type))


def build(case: Case) -> None:
    """Build a loss of each entry apart; ``scale`` makes its gradient infinite or NaN."""
    scale = tf.placeholder_with_default(1.0, [], name="scale")
    losses = [tf.square(tf.get_variable("other", initializer=1.0))]
    for name in SHAPES:
        rows = read_rows(tf.get_variable(name, initializer=table_values(name)), case)
        finite = tf.where(tf.is_finite(rows), rows, tf.zeros_like(rows))
        losses.append(tf.reduce_sum(tf.sin(finite * 3 - 0.4)))
    tf.losses.add_loss(tf.add_n(losses) * scale)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[Case, Path]:
    """Write a model a case, with its checkpoint."""
    root = tmp_path_factory.mktemp("models")
    for number, case in enumerate(CASES.values()):
        with session() as opened:
            with tf.variable_scope("", use_resource=case.is_resource):
                build(case)
            opened.run(tf.global_variables_initializer())
            tf.train.Saver().save(opened, str(root / str(number) / "model"))
    return {case: root / str(number) / "model" for number, case in enumerate(CASES.values())}


def frozen_model(model: Path, plan: FreezePlan, optimizer: str, folder: Path) -> FrozenModel:
    frozen = freeze(load(model), plan)
    add_train_op(frozen, optimizer=optimizer, learning_rate=0.1)
    save(frozen, folder)
    return frozen


@contextmanager
def restored(folder: Path) -> Iterator[tuple[tf.Session, tf.Operation]]:
    """Open a bundle, and its train_op."""
    with session() as opened:
        saver = tf.train.import_meta_graph(str(folder / "model.meta"))
        saver.restore(opened, str(folder / "model"))
        yield opened, tf.get_collection("train_op")[0]


def read(opened: tf.Session) -> Values:
    values: Values = opened.run({v.op.name: v for v in tf.global_variables()})
    return values


def fill_slots(opened: tf.Session) -> None:
    """Give every slot a value as if it were restored from other training."""
    for variable in tf.global_variables():
        if variable.op.name.startswith(tuple(f"{name}/graphfreeze_" for name in SHAPES)):
            variable.load(np.full(variable.shape, 0.5, np.float32), opened)


def train(folder: Path) -> list[Values]:
    """Run steps, fill the slots and run more, then some with gradients that are not finite."""
    with restored(folder) as (opened, train_op):
        seen = [read(opened)]
        for _ in range(STEPS):
            opened.run(train_op)
        seen.append(read(opened))
        fill_slots(opened)
        for _ in range(STEPS):
            opened.run(train_op)
        seen.append(read(opened))
        for scale in (np.inf, np.nan):
            opened.run(train_op, {"scale:0": scale})
        return [*seen, read(opened)]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer(
    optimizer: str, case: Case, models: dict[Case, Path], tmp_path: Path
) -> None:
    """Compare frozen entries with what they were, and the others with training nothing frozen."""
    frozen_model(models[case], PLAN, optimizer, tmp_path / "ours")
    frozen_model(models[case], FreezePlan(freeze=("other",)), optimizer, tmp_path / "real")
    ours, real = train(tmp_path / "ours"), train(tmp_path / "real")
    rows = np.arange(HEIGHT) if case.is_dense else np.unique(READ)
    for name in SHAPES:
        bits, before = frozen_bits(name), table_values(name)
        for mine, theirs in zip(ours, real, strict=True):
            assert mine[name][bits].tobytes() == before[bits].tobytes()
            assert mine[name][~bits].tobytes() == theirs[name][~bits].tobytes()
        steps = [values[name][rows][~bits[rows]] for values in ours]
        assert all(np.all(old != new) for old, new in pairwise(steps))
        assert np.isfinite(steps[:-1]).all()


class Watch:
    """Read a table over and over in a thread, and count the reads whose frozen bits moved."""

    def __init__(self, opened: tf.Session, name: str) -> None:
        self.opened, self.name = opened, name
        self.reads = self.moved = 0
        self.done = Event()
        self.tensor = next(v for v in tf.global_variables() if v.op.name == name).value()
        self.thread = Thread(target=self.run)

    def run(self) -> None:
        bits, before = frozen_bits(self.name), table_values(self.name)
        while not self.done.is_set():
            now = self.opened.run(self.tensor)
            self.reads += 1
            self.moved += now[bits].tobytes() != before[bits].tobytes()


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_nobody_sees_a_frozen_entry_move(
    case: Case, optimizer: str, models: dict[Case, Path], tmp_path: Path
) -> None:
    """Two threads train, so that steps run at once, while others read."""
    frozen_model(models[case], PLAN, optimizer, tmp_path / "out")
    failed: list[Exception] = []
    with restored(tmp_path / "out") as (opened, train_op):

        def work() -> None:
            try:
                for _ in range(100):
                    opened.run(train_op)
            except tf.errors.OpError as error:
                failed.append(error)

        watches = [Watch(opened, name) for name in SHAPES]
        workers = [Thread(target=work) for _ in range(2)]
        for thread in [*workers, *(watch.thread for watch in watches)]:
            thread.start()
        for worker in workers:
            worker.join()
        for watch in watches:
            watch.done.set()
            watch.thread.join()
    assert not failed
    assert [watch.moved for watch in watches] == [0, 0, 0]
    assert all(watch.reads > 5 for watch in watches)


@pytest.mark.parametrize("optimizer", ["adam", "adagrad"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_mask_too_large_for_a_constant(case: Case, optimizer: str, tmp_path: Path) -> None:
    draw = np.random.default_rng(5)
    values = draw.standard_normal((HEIGHT, 100_000)).astype(np.float32)
    bits = draw.random(values.shape) < 0.5
    with session() as opened:
        with tf.variable_scope("", use_resource=case.is_resource):
            table = tf.get_variable("table", initializer=tf.zeros(values.shape))
            tf.losses.add_loss(tf.reduce_sum(tf.sin(read_rows(table, case) * 3 - 0.4)))
        opened.run(tf.global_variables_initializer())
        table.load(values, opened)
        tf.train.Saver().save(opened, str(tmp_path / "in"))
    plan = FreezePlan(freeze_elements={"table": bits})
    frozen_model(tmp_path / "in", plan, optimizer, tmp_path / "out")
    with restored(tmp_path / "out") as (opened, train_op):
        for _ in range(2):
            opened.run(train_op)
        after = read(opened)["table"]
    rows = np.arange(HEIGHT) if case.is_dense else np.unique(READ)
    assert after[bits].tobytes() == values[bits].tobytes()
    assert np.mean((after[rows] != values[rows])[~bits[rows]]) > 0.999


TYPES = {
    "float16": (tf.float16, np.array([0x8000, 0x7C00, 0xFE01, 0x7D01, 1, 0x83FF], np.uint16)),
    "float64": (
        tf.float64,
        np.array([1 << 63, 0x7FF << 52, 0xFFF8BEEF << 32, 0x7FF4BEEF << 32, 1], np.uint64),
    ),
    "bfloat16": (tf.bfloat16, np.array([0x8000, 0x7F80, 0xFFC1, 0x7FA1, 1, 0x807F], np.uint16)),
}


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "momentum"])
@pytest.mark.parametrize("is_resource", [False, True], ids=["ref", "resource"])
@pytest.mark.parametrize(("dtype", "special"), TYPES.values(), ids=TYPES)
def test_other_types(
    dtype: tf.DType, special: Array, is_resource: bool, optimizer: str, tmp_path: Path
) -> None:
    values = np.linspace(-1, 1, HEIGHT * 3).reshape(HEIGHT, 3).astype(dtype.as_numpy_dtype)
    values[:, 1] = np.resize(special.view(dtype.as_numpy_dtype), HEIGHT)
    with session() as opened:
        with tf.variable_scope("", use_resource=is_resource):
            table = tf.get_variable("table", initializer=values)
            whole = tf.identity(table)
            finite = tf.where(tf.is_finite(whole), whole, tf.zeros_like(whole))
            tf.losses.add_loss(tf.cast(tf.reduce_sum(finite * finite * 3 + finite), tf.float32))
        opened.run(tf.global_variables_initializer())
        tf.train.Saver().save(opened, str(tmp_path / "in"))
    frozen_model(
        tmp_path / "in", FreezePlan(freeze_columns={"table": "1"}), optimizer, tmp_path / "out"
    )
    with restored(tmp_path / "out") as (opened, train_op):
        for _ in range(STEPS):
            opened.run(train_op)
        after = read(opened)["table"]
    assert after[:, 1].tobytes() == values[:, 1].tobytes()
    assert np.all(after[:, ::2] != values[:, ::2])
