"""Frozen rows keep their bits under every optimizer, whatever the rows hold."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow.compat.v1 as tf

from graphfreeze.api import FrozenModel, add_train_op, freeze, load, save
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.train.optimizers import OPTIMIZERS

HEIGHT, WIDTH, STEPS = 12, 3, 3
READ = [0, 1, 2, 3, 5, 8, 8]
FROZEN = "0:2,4:6,8,-2:"
UNREAD_AND_FROZEN = [4, 10, 11]
NAN_WITH_PAYLOAD = np.uint32(0xFFC0BEEF).view(np.float32)
SIGNALLING_NAN = np.uint32(0x7FA0BEEF).view(np.float32)
Array = npt.NDArray[np.float32]
Values = dict[str, Array]


def table_values(*, is_dense: bool) -> Array:
    """Return a table whose frozen rows hold what arithmetic does not give back."""
    table = np.random.default_rng(1).standard_normal((HEIGHT, WIDTH)).astype(np.float32)
    table[0] = [-0.0, 0.0, 1e-45]
    table[1] = [-1e-40, 1.2e-38, 1.0]
    table[8] = [1e-45, -0.0, 0.5]
    if not is_dense:  # 0 * NaN would reach every loss
        table[UNREAD_AND_FROZEN] = [[NAN_WITH_PAYLOAD, SIGNALLING_NAN, np.inf]] * 3
    return table


def build(*, is_dense: bool, ids_type: type) -> None:
    table = tf.get_variable("table", initializer=table_values(is_dense=is_dense))
    kernel = tf.get_variable("kernel", initializer=np.eye(WIDTH, dtype=np.float32) * 2)
    ids = tf.placeholder_with_default(np.array(READ, ids_type), [None], name="ids")
    hidden = tf.matmul(tf.nn.embedding_lookup(table, ids), kernel)
    if is_dense:
        hidden = tf.matmul(hidden, table, transpose_b=True)
    tf.losses.add_loss(tf.reduce_mean(tf.square(hidden - 0.5), name="loss"))


@contextmanager
def session() -> Iterator[tf.Session]:
    with tf.Graph().as_default(), tf.Session() as opened:
        yield opened


@dataclass(frozen=True)
class Case:
    """How a table is kept and read."""

    is_resource: bool
    is_dense: bool
    ids_type: type


CASES = {
    "ref, lookup": Case(False, False, np.int32),
    "ref, tied softmax": Case(False, True, np.int64),
    "resource, lookup": Case(True, False, np.int64),
    "resource, tied softmax": Case(True, True, np.int32),
}


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[Case, Path]:
    """Write a model a case, with its checkpoint."""
    root = tmp_path_factory.mktemp("models")
    for number, case in enumerate(CASES.values()):
        with session() as opened:
            with tf.variable_scope("", use_resource=case.is_resource):
                build(is_dense=case.is_dense, ids_type=case.ids_type)
            opened.run(tf.global_variables_initializer())
            tf.train.Saver().save(opened, str(root / str(number) / "model"))
    return {case: root / str(number) / "model" for number, case in enumerate(CASES.values())}


def read(opened: tf.Session) -> Values:
    return opened.run({v.op.name: v for v in tf.global_variables()})


def is_slot(name: str) -> bool:
    return name.startswith("table/graphfreeze_")


def train(folder: Path) -> list[Values]:
    """Run steps, fill every slot of the table as if it were restored, and run more of them.

    The last step reads frozen rows alone: no row is left for a sparse update.
    """
    with session() as opened:
        saver = tf.train.import_meta_graph(str(folder / "model.meta"))
        saver.restore(opened, str(folder / "model"))
        seen = [read(opened)]
        train_op = tf.get_collection("train_op")[0]
        for _ in range(STEPS):
            opened.run(train_op)
        seen.append(read(opened))
        for variable in tf.global_variables():
            if is_slot(variable.op.name):
                variable.load(np.full(variable.shape, 0.5, np.float32), opened)
        for _ in range(STEPS):
            opened.run(train_op)
        opened.run(train_op, {"ids:0": [0, 1, 8]})
        return [*seen, read(opened)]


def frozen_rows(frozen: FrozenModel) -> npt.NDArray[np.bool_]:
    (rows,) = (entries.mask()[:, 0] for entries in frozen.selection.partly.values())
    return rows


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_frozen_rows_keep_their_bits(
    optimizer: str, case: Case, models: dict[Case, Path], tmp_path: Path
) -> None:
    frozen = freeze(load(models[case]), FreezePlan(freeze_rows={"table": FROZEN}))
    add_train_op(frozen, optimizer=optimizer, learning_rate=0.1)
    save(frozen, tmp_path / "out")
    first, middle, last = train(tmp_path / "out")
    rows = frozen_rows(frozen)
    wanted = table_values(is_dense=case.is_dense)[rows].tobytes()
    assert [each["table"][rows].tobytes() for each in (first, middle, last)] == [wanted] * 3
    learning = ~rows if case.is_dense else ~rows & np.isin(np.arange(HEIGHT), READ)
    for before, after in ((first, middle), (middle, last)):
        assert np.all(np.any(before["table"] != after["table"], axis=1)[learning])
        assert np.any(before["kernel"] != after["kernel"])


def build_rows_apart() -> None:
    """Build a table whose rows learn each for itself: no frozen row changes another's gradient."""
    draw = np.random.default_rng(2)
    table = tf.get_variable("table", initializer=draw.standard_normal((HEIGHT, WIDTH)).astype("f"))
    other = tf.get_variable("other", initializer=1.0)
    target = draw.standard_normal((HEIGHT, WIDTH)).astype("f")
    tf.losses.add_loss(tf.reduce_sum(tf.sin(table * 3 - target)) + tf.square(other))


def trained_by_adam(model: Path, plan: FreezePlan, folder: Path, *, pause: int = 0) -> Values:
    """Run five steps; after ``pause`` of them save, and go on in another session."""
    frozen = freeze(load(model), plan)
    add_train_op(frozen, optimizer="adam", learning_rate=0.05)
    save(frozen, folder)
    prefix, steps = folder / "model", [pause, 5 - pause] if pause else [5]
    for each in steps:
        with session() as opened:
            saver = tf.train.import_meta_graph(str(folder / "model.meta"))
            saver.restore(opened, str(prefix))
            for _ in range(each):
                opened.run(tf.get_collection("train_op")[0])
            prefix = saver.save(opened, str(folder / "paused"))
            values = read(opened)
    return values


@pytest.mark.parametrize("is_resource", [False, True], ids=["ref", "resource"])
def test_adam_of_rows_is_adam(is_resource: bool, tmp_path: Path) -> None:
    with session() as opened:
        with tf.variable_scope("", use_resource=is_resource):
            build_rows_apart()
        opened.run(tf.global_variables_initializer())
        tf.train.Saver().save(opened, str(tmp_path / "in"))
    rows = FreezePlan(freeze_rows={"table": "2:5,9"})
    real = trained_by_adam(tmp_path / "in", FreezePlan(freeze=("other",)), tmp_path / "real")
    ours = trained_by_adam(tmp_path / "in", rows, tmp_path / "ours")
    again = trained_by_adam(tmp_path / "in", rows, tmp_path / "again", pause=3)
    learning = np.delete(np.arange(HEIGHT), [2, 3, 4, 9])
    names = ["table", *filter(is_slot, real)]
    assert len(names) == 3
    for name in names:
        np.testing.assert_allclose(ours[name][learning], real[name][learning], rtol=0, atol=1e-6)
    assert {name: again[name].tobytes() for name in ours} == {
        name: ours[name].tobytes() for name in ours
    }
    assert not np.any([ours[name][[2, 3, 4, 9]] for name in names[1:]])
