"""A training goes on with its slots: as if it had never stopped, but for what is frozen."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow.compat.v1 as tf

from graphfreeze.api import FrozenModel, add_train_op, freeze, load, report, save
from graphfreeze.errors import TrainError
from graphfreeze.model.records import FreezeRecord
from graphfreeze.selection.plan import FreezePlan

HEIGHT, RATE, STEPS = 12, 0.1, 3
Array = npt.NDArray[np.generic]
Make = Callable[[], object]


class HandWritten:
    """BERT's way to write Adam: slots of its own, no beta powers."""

    def apply_gradients(self, pairs: list[tuple[tf.Tensor, tf.Variable]]) -> tf.Operation:
        done = []
        for given, variable in pairs:
            gradient, name = tf.convert_to_tensor(given), variable.op.name
            m, v = (
                tf.Variable(tf.zeros(variable.shape), name=f"{name}/{slot}", trainable=False)
                for slot in ("adam_m", "adam_v")
            )
            new_m = m * 0.9 + gradient * 0.1
            new_v = v * 0.999 + tf.square(gradient) * 0.001
            new = variable - RATE * new_m / (tf.sqrt(new_v) + 1e-8)
            done += [m.assign(new_m), v.assign(new_v), variable.assign(new)]
        return tf.group(*done)


OPTIMIZERS: dict[str, Make] = {
    "adam": lambda: tf.train.AdamOptimizer(RATE),
    "momentum": lambda: tf.train.MomentumOptimizer(RATE, 0.9),
    "adagrad": lambda: tf.train.AdagradOptimizer(RATE),
    "ftrl": lambda: tf.train.FtrlOptimizer(RATE),
    "rmsprop": lambda: tf.train.RMSPropOptimizer(RATE),
    "adadelta": lambda: tf.train.AdadeltaOptimizer(RATE),
    "centered_rmsprop": lambda: tf.train.RMSPropOptimizer(RATE, centered=True),
    "nesterov": lambda: tf.train.MomentumOptimizer(RATE, 0.9, use_nesterov=True, name="Mine"),
}


@contextmanager
def session() -> Iterator[tf.Session]:
    with tf.Graph().as_default(), tf.Session() as opened:
        yield opened


def build(optimizer: Make, *, resource: bool = False, parts: int | None = None) -> None:
    """Build two losses that do not touch; one looks a table up, the other is dense."""
    splits = None if parts is None else tf.fixed_size_partitioner(parts)
    with tf.variable_scope("", use_resource=resource):
        start = tf.random_normal_initializer(seed=1)
        table = tf.get_variable("table", (HEIGHT, 3), initializer=start, partitioner=splits)
        rows = tf.nn.embedding_lookup(table, [0, 1, 5, 5, 8, 11], partition_strategy="div")
        matrix = tf.get_variable("matrix", initializer=np.eye(3, dtype=np.float32))
        other = tf.get_variable("other", initializer=[1.0, 2.0])
    loss = tf.reduce_sum(tf.sin(rows)) + tf.reduce_sum(tf.square(matrix - 0.3))
    tf.losses.add_loss(loss + tf.reduce_sum(tf.square(other)))
    variables = tf.trainable_variables()
    gradients = tf.gradients(tf.losses.get_losses(), variables)
    made = optimizer()
    pairs = list(zip(gradients, variables, strict=True))
    tf.add_to_collection("train_op", made.apply_gradients(pairs))  # type: ignore[attr-defined]


def trained(folder: Path, optimizer: Make, **kind: object) -> tuple[Path, dict[str, Array]]:
    """Write a model after some steps, and return what it has after one step more."""
    with session() as opened:
        build(optimizer, **kind)  # type: ignore[arg-type]
        opened.run(tf.global_variables_initializer())
        for _ in range(STEPS):
            opened.run(tf.get_collection("train_op"))
        tf.train.Saver().save(opened, str(folder / "in" / "model"))
        opened.run(tf.get_collection("train_op"))
        tf.train.Saver().save(opened, str(folder / "later"))
    return folder / "in" / "model", values_of(folder / "later")


def values_of(prefix: Path) -> dict[str, Array]:
    reader = tf.train.load_checkpoint(str(prefix))
    return {key: reader.get_tensor(key) for key in reader.get_variable_to_shape_map()}


def gone_on(
    model: Path, plan: FreezePlan, optimizer: str, out: Path
) -> tuple[FreezeRecord, dict[str, Array], dict[str, Array]]:
    """Freeze, and return the record, what the bundle holds, and that after one step."""
    frozen: FrozenModel = freeze(load(model), plan)
    add_train_op(frozen, optimizer=optimizer, learning_rate=RATE, keep_slots=True)
    save(frozen, out)
    with session() as opened:
        saver = tf.train.import_meta_graph(str(out / "model.meta"))
        saver.restore(opened, str(out / "model"))
        opened.run(tf.get_collection("train_op")[0])
        saver.save(opened, str(out / "later"))
    return report(frozen), values_of(out / "model"), values_of(out / "later")


KINDS: dict[str, dict[str, object]] = {
    "ref": {},
    "resource": {"resource": True},
    "parts": {"parts": 3},
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_it_goes_on_as_if_it_had_not_stopped(
    optimizer: str, kind: dict[str, object], tmp_path: Path
) -> None:
    model, later = trained(tmp_path, OPTIMIZERS[optimizer], **kind)
    plan = FreezePlan(freeze=("other",), freeze_rows={"table": "0:2,5,-2:"})
    record, begun, ours = gone_on(model, plan, optimizer, tmp_path / "out")
    before = values_of(model)
    frozen = np.isin(np.arange(HEIGHT), [0, 1, 5, 10, 11])
    assert ours["table"][frozen].tobytes() == before["table"][frozen].tobytes()
    assert ours["table"][~frozen].tobytes() == later["table"][~frozen].tobytes()
    assert ours["matrix"].tobytes() == later["matrix"].tobytes()
    assert not record.notes
    for new, old in record.slots_kept.items():
        if new.startswith("table/"):
            assert begun[new][~frozen].tobytes() == before[old][~frozen].tobytes()
            assert np.all(begun[new][frozen] == begun[new][frozen].flat[0])
            assert np.any(before[old][frozen] != before[old][frozen].flat[0])
        else:
            assert begun[new].tobytes() == before[old].tobytes()
    assert not any(key.startswith("other/") for key in record.slots_kept)
    assert any(key.startswith("other/") for key in record.keys_dropped)


@pytest.mark.parametrize("optimizer", ["adam", "ftrl"])
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_overlay_rows_take_their_slots_along(
    optimizer: str, kind: dict[str, object], tmp_path: Path
) -> None:
    model, later = trained(tmp_path, OPTIMIZERS[optimizer], **kind)
    plan = FreezePlan(freeze_rows={"table": "0:2,5,-2:"}, row_strategy="overlay")
    record, begun, ours = gone_on(model, plan, optimizer, tmp_path / "out")
    before, live = values_of(model), np.isin(np.arange(HEIGHT), [2, 3, 4, 6, 7, 8, 9])
    slots = {new: old for new, old in record.slots_kept.items() if "/graphfreeze/rows/" in new}
    # Under a partitioned table each part has rows of its own.
    for old in set(slots.values()):
        rows = [begun[new] for new in sorted(slots) if slots[new] == old]
        assert np.concatenate(rows).tobytes() == before[old][live].tobytes()
    names = sorted(k for k in ours if k.endswith("/graphfreeze/rows"))
    assert np.concatenate([ours[k] for k in names]).tobytes() == later["table"][live].tobytes()
    assert len(slots) == 2 * len(names)


def test_a_hand_written_adam_goes_on_without_bias_correction(tmp_path: Path) -> None:
    model, later = trained(tmp_path, HandWritten)
    record, begun, ours = gone_on(model, FreezePlan(freeze=("other",)), "adam", tmp_path / "out")
    assert record.slots_kept["matrix/graphfreeze_Adam"] == "matrix/adam_m"
    assert record.slots_kept["matrix/graphfreeze_Adam_1"] == "matrix/adam_v"
    assert begun["graphfreeze/beta1_power"] == begun["graphfreeze/beta2_power"] == 0
    assert np.allclose(ours["matrix"], later["matrix"], rtol=1e-5)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("adam", "momentum", "no slots of momentum for what learns (it has those of Adam); use"),
        ("momentum", "adam", "no slots of adam for what learns (it has those of Momentum)"),
        ("rmsprop", "centered_rmsprop", "no slots of centered_rmsprop"),
        ("adam", "sgd", "no slots of sgd"),
    ],
)
def test_another_optimizer(old: str, new: str, words: str, tmp_path: Path) -> None:
    model, _ = trained(tmp_path, OPTIMIZERS[old])
    with pytest.raises(TrainError) as raised:
        gone_on(model, FreezePlan(freeze=("other",)), new, tmp_path / "out")
    assert words in str(raised.value)
    assert not (tmp_path / "out").exists()
