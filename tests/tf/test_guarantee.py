"""The guarantee: every optimizer, every way to freeze, whatever the frozen values and slots are."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow.compat.v1 as tf

from graphfreeze.api import add_train_op, freeze, load, save
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.train.optimizers import OPTIMIZERS

HEIGHT, WIDTH, STEPS, WATCHED = 12, 3, 20, 1_000
READ = [0, 1, 2, 3, 5, 8, 8]
FROZEN = np.isin(np.arange(HEIGHT), [0, 1, 4, 5, 8, 10, 11])
ROWS = "0:2,4:6,8,-2:"
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
TABLES = ("rows_dense", "rows_sparse", "whole_dense", "whole_sparse")
KINDS = {"ref": False, "resource": True}
Array = npt.NDArray[np.generic]
Values = dict[str, Array]


def table_values(name: str) -> npt.NDArray[np.float32]:
    """Return a table whose frozen rows hold what arithmetic does not give back."""
    table = np.random.default_rng(1).standard_normal((HEIGHT, WIDTH)).astype(np.float32)
    rows = FROZEN if name.startswith("rows") else slice(None)
    table[rows] = np.resize(SPECIAL, table[rows].shape)
    return table


@contextmanager
def session() -> Iterator[tf.Session]:
    with tf.Graph().as_default(), tf.Session() as opened:
        yield opened


def build() -> None:
    """Build a loss that reads each table; ``scale`` makes its gradient infinite."""
    scale = tf.placeholder_with_default(1.0, [], name="scale")
    losses = [tf.square(tf.get_variable("other", initializer=1.0))]
    for name in TABLES:
        table = tf.get_variable(name, initializer=table_values(name))
        is_dense = name.endswith("dense")
        rows = tf.identity(table) if is_dense else tf.nn.embedding_lookup(table, READ)
        finite = tf.where(tf.is_finite(rows), rows, tf.zeros_like(rows))
        losses.append(tf.reduce_sum(tf.sin(finite * 3 - 0.4)))
    tf.losses.add_loss(tf.add_n(losses) * scale)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write a model of each kind of variable, with its checkpoint."""
    root = tmp_path_factory.mktemp("models")
    for kind, is_resource in KINDS.items():
        with session() as opened:
            with tf.variable_scope("", use_resource=is_resource):
                build()
            opened.run(tf.global_variables_initializer())
            tf.train.Saver().save(opened, str(root / kind / "model"))
    return {kind: root / kind / "model" for kind in KINDS}


@contextmanager
def restored(folder: Path, prefix: str) -> Iterator[tuple[tf.Session, tf.train.Saver]]:
    with session() as opened:
        saver = tf.train.import_meta_graph(str(folder / "model.meta"))
        saver.restore(opened, str(folder / prefix))
        yield opened, saver


def read(opened: tf.Session) -> Values:
    values: Values = opened.run({v.op.name: v for v in tf.global_variables()})
    return values


def run_steps(opened: tf.Session, count: int) -> None:
    train_op = tf.get_collection("train_op")[0]
    for _ in range(count):
        opened.run(train_op)


def run_infinite_step(opened: tf.Session) -> None:
    opened.run(tf.get_collection("train_op")[0], {"scale:0": np.inf})


def fill_slots(opened: tf.Session) -> None:
    """Give every slot a value as if it came from other training."""
    for variable in tf.global_variables():
        if "graphfreeze_" in variable.op.name:
            variable.load(np.full(variable.shape, 0.5, np.float32), opened)


class Watch:
    """Read the partly frozen tables over and over in a thread, and count what moved."""

    def __init__(self, opened: tf.Session) -> None:
        names = [name for name in TABLES if name.startswith("rows")]
        variables = {v.op.name: v for v in tf.global_variables()}
        self.opened, self.values = opened, {name: variables[name].value() for name in names}
        self.reads = self.moved = 0
        self.done = Event()
        self.thread = Thread(target=self.run)

    def run(self) -> None:
        while not self.done.is_set() or not self.reads:
            now = self.opened.run(self.values)
            self.reads += 1
            self.moved += any(frozen_bits(n, now) != frozen_bits(n) for n in now)

    def __enter__(self) -> "Watch":
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.done.set()
        self.thread.join()


def frozen_bits(name: str, values: Values | None = None) -> bytes:
    """Return the bits of the frozen rows, by default those that they began with."""
    table = values[name] if values is not None else table_values(name)
    return table[FROZEN if name.startswith("rows") else slice(None)].tobytes()


def assert_only_live_rows_moved(before: Values, after: Values, strategy: str) -> None:
    for name in TABLES:
        assert frozen_bits(name, after) == frozen_bits(name), name
        if not name.startswith("rows"):
            continue
        seen = ~FROZEN if name.endswith("dense") else ~FROZEN & np.isin(range(HEIGHT), READ)
        key, places = name, seen
        if strategy == "overlay":
            key, places = f"{name}/graphfreeze/rows", seen[~FROZEN]
            assert after[name].tobytes() == before[name].tobytes()
        assert np.all(np.any(before[key] != after[key], axis=1)[places]), name


@pytest.mark.parametrize("strategy", ["mask", "overlay"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_frozen_means_frozen(
    optimizer: str, kind: str, strategy: str, models: dict[str, Path], tmp_path: Path
) -> None:
    """Take steps with fresh slots and with restored ones, and an infinite gradient at the end."""
    names = [name for name in TABLES if name.startswith("rows")]
    plan = FreezePlan(
        freeze=("whole_*",),
        freeze_rows=dict.fromkeys(names, ROWS),
        row_strategy=strategy,  # type: ignore[arg-type]
    )
    frozen = freeze(load(models[kind]), plan)
    add_train_op(frozen, optimizer=optimizer, learning_rate=0.01)
    out = tmp_path / "out"
    save(frozen, out)
    with restored(out, "model") as (opened, saver):
        begun = read(opened)
        run_steps(opened, STEPS)
        assert_only_live_rows_moved(begun, read(opened), strategy)
        fill_slots(opened)
        saver.save(opened, str(out / "warm"))
        run_infinite_step(opened)
        assert all(frozen_bits(name, read(opened)) == frozen_bits(name) for name in TABLES)
    with restored(out, "warm") as (opened, _):
        begun = read(opened)
        run_steps(opened, STEPS)
        assert_only_live_rows_moved(begun, read(opened), strategy)
        with Watch(opened) as watch:
            run_steps(opened, WATCHED)
        assert not watch.moved
        assert watch.reads > 20
        run_infinite_step(opened)
        run_steps(opened, 1)
        assert all(frozen_bits(name, read(opened)) == frozen_bits(name) for name in TABLES)
