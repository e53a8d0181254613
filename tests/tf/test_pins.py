"""What no other guard fits is put back after each update."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow.compat.v1 as tf

from graphfreeze.api import add_train_op, freeze, load, report, save
from graphfreeze.errors import RewriteError
from graphfreeze.selection.plan import FreezePlan

HEIGHT, WIDTH = 12, 3
ODD = np.array([0x80000000, 0x7F800000, 0xFFC0BEEF, 0x7FA0BEEF, 1, 0x800FFFFF], np.uint32)
Array = npt.NDArray[np.float32]
Pairs = Sequence[tuple[tf.Tensor, tf.Variable]]


@contextmanager
def session() -> Iterator[tf.Session]:
    with tf.Graph().as_default(), tf.Session() as opened:
        yield opened


class ByFunction:
    """An optimizer of the user's own: it updates variables in a function, and shrinks them."""

    def apply_gradients(self, pairs: Pairs, global_step: tf.Variable) -> tf.Operation:
        done = [global_step.assign_add(1)]
        for gradient, variable in pairs:

            @tf.function
            def update(change: tf.Tensor, handle: tf.Tensor) -> tf.Tensor:
                tf.raw_ops.AssignSubVariableOp(resource=handle, value=change)
                return tf.constant(0)

            change = variable * 0.1 + tf.convert_to_tensor(gradient)
            done.append(update(change, variable.handle))
        return tf.group(*done)


BITS = np.zeros((HEIGHT, WIDTH), np.bool_)
BITS[::2] = True
DRAWN = np.random.default_rng(1).random((HEIGHT, WIDTH)) < 0.5
CASES = {
    "rows": ({"freeze_rows": {"table": "::2"}}, BITS),
    "elements": ({"freeze_elements": {"table": DRAWN}}, DRAWN),
}


def written(folder: Path, bits: npt.NDArray[np.bool_], device: str = "") -> tuple[Path, Array]:
    values = np.random.default_rng(2).standard_normal((HEIGHT, WIDTH)).astype(np.float32)
    values[bits] = np.resize(ODD.view(np.float32), bits.sum())
    with session() as opened, tf.variable_scope("", use_resource=True):
        table = tf.get_variable("table", initializer=values)
        rows = tf.nn.embedding_lookup(table, np.arange(HEIGHT))
        with tf.device(device):
            finite = tf.where(tf.is_finite(rows), rows, tf.zeros_like(rows))
        tf.losses.add_loss(tf.reduce_sum(tf.square(finite - 0.4)))
        opened.run(tf.global_variables_initializer()) if not device else None
        if not device:
            tf.train.Saver().save(opened, str(folder / "in"))
        else:
            tf.train.Saver()
            tf.train.export_meta_graph(str(folder / "in.meta"))
    return folder / ("in.meta" if device else "in"), values


@pytest.mark.parametrize(("plan", "bits"), CASES.values(), ids=CASES)
def test_a_function_that_writes(
    plan: dict[str, object], bits: npt.NDArray[np.bool_], tmp_path: Path
) -> None:
    model, before = written(tmp_path, bits)
    frozen = freeze(load(model), FreezePlan(**plan))  # type: ignore[arg-type]
    add_train_op(frozen, optimizer=ByFunction())
    save(frozen, tmp_path / "out")
    copy = f"table/graphfreeze/frozen_{'rows' if bits is BITS else 'entries'}"
    assert copy in report(frozen).keys_added
    assert any("table" in note and "put back" in note for note in report(frozen).notes)
    with session() as opened:
        saver = tf.train.import_meta_graph(str(tmp_path / "out" / "model.meta"))
        saver.restore(opened, str(tmp_path / "out" / "model"))
        table = next(v for v in tf.global_variables() if v.op.name == "table")
        train_op, seen = tf.get_collection("train_op")[0], [before]
        for _ in range(5):
            opened.run(train_op)
            seen.append(opened.run(table))
        assert copy not in [v.op.name for v in tf.trainable_variables()]
    for now in seen:
        assert now[bits].tobytes() == before[bits].tobytes()
    assert all(np.all(a[~bits] != b[~bits]) for a, b in pairwise(seen))


def test_other_workers_would_see_it(tmp_path: Path) -> None:
    model, _ = written(tmp_path, BITS, device="/job:worker/task:0")
    frozen = freeze(load(model), FreezePlan(freeze_rows={"table": "::2"}))
    with pytest.raises(RewriteError, match=r"other workers .*--row-strategy overlay"):
        add_train_op(frozen, optimizer=ByFunction())
    assert frozen.train is None


def test_an_overlay_needs_no_pin(tmp_path: Path) -> None:
    model, _ = written(tmp_path, BITS, device="/job:worker/task:0")
    plan = FreezePlan(freeze_rows={"table": "::2"}, row_strategy="overlay")
    frozen = freeze(load(model), plan)
    add_train_op(frozen, optimizer=ByFunction())
    assert not [name for name in frozen.draft.added_nodes() if name.endswith("/pin")]
