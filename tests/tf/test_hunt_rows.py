"""Writers and readers of tables that came up in models of TensorFlow 1, and once went wrong."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from graphfreeze.api import add_train_op, freeze, load, save
from graphfreeze.errors import GraphfreezeError
from graphfreeze.prepare.grow_tables import GrowTables
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.run import run
from graphfreeze.selection.plan import FreezePlan

HEIGHT = 8
FROZEN = [0, 1, 2, 7]
Build = Callable[[tf.Variable], object]
Scatter = Callable[[tf.Variable], tf.Tensor]


def table(*, is_resource: bool) -> tf.Variable:
    start = np.random.default_rng(1).standard_normal((HEIGHT, 3)).astype(np.float32)
    return tf.get_variable("table", initializer=start, use_resource=is_resource)


def write_model(folder: Path, build: Build, *, is_resource: bool) -> Path:
    """Write a model whose loss reads row 4 of a table, and whatever ``build`` makes."""
    with tf.Graph().as_default(), tf.Session() as session:
        each = table(is_resource=is_resource)
        loss = tf.reduce_sum(tf.gather(each, [4]) ** 2, name="loss")
        tf.losses.add_loss(loss)
        build(each)
        session.run(tf.global_variables_initializer())
        return Path(tf.train.Saver().save(session, str(folder / "model.ckpt")))


SCATTERS: dict[str, tuple[bool, Scatter]] = {
    "ref, update": (False, lambda t: tf.scatter_update(t, [1, 5, 7], tf.constant(0.25))),
    "ref, add": (False, lambda t: tf.scatter_add(t, [[1], [5]], tf.constant(2.0))),
    "ref, one id": (False, lambda t: tf.scatter_mul(t, 5, tf.constant(2.0))),
    "resource, update": (True, lambda t: tf.scatter_update(t, [1, 5, 7], tf.constant(0.25))),
    "resource, add": (True, lambda t: tf.scatter_add(t, [1, 5, 5], tf.constant(2.0))),
}


@pytest.mark.parametrize("case", SCATTERS)
def test_one_number_scattered_to_rows(case: str, tmp_path: Path) -> None:
    is_resource, scatter = SCATTERS[case]

    def build(each: tf.Variable) -> None:
        tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, scatter(each))

    path = write_model(tmp_path, build, is_resource=is_resource)
    frozen = freeze(load(path), FreezePlan(freeze_rows={"table": "0:3,7"}))
    save(add_train_op(frozen, optimizer="sgd", learning_rate=0.125), tmp_path / "out")
    with tf.Graph().as_default(), tf.Session() as session:
        each = table(is_resource=is_resource)
        session.run(tf.global_variables_initializer())
        before = session.run(each)
        session.run(scatter(each))
        wanted = session.run(each)
    with tf.Graph().as_default(), tf.Session() as session:
        tf.train.import_meta_graph(f"{tmp_path}/out/model.meta").restore(
            session, f"{tmp_path}/out/model"
        )
        session.run(tf.get_collection("train_op")[0])
        after = session.run(tf.trainable_variables()[0])
    assert after[FROZEN].tobytes() == before[FROZEN].tobytes()
    assert after[[3, 5, 6]].tobytes() == wanted[[3, 5, 6]].tobytes()
    assert (wanted[5] != before[5]).all()
    assert (after[4] != before[4]).all()


FIXED: dict[str, Build] = {
    "boolean mask": lambda t: tf.boolean_mask(t, tf.constant([True] * HEIGHT)),
    "size that was folded": lambda t: tf.reshape(t, tf.stack([tf.shape(t)[0], 3, 1])),
    "product of sizes": lambda t: tf.reshape(t, [tf.reduce_prod(tf.shape(t)[:1]), 1, 3]),
}


@pytest.mark.parametrize("case", FIXED)
def test_shape_computed_of_constants_does_not_grow(case: str, tmp_path: Path) -> None:
    path = write_model(tmp_path, FIXED[case], is_resource=False)
    with pytest.raises(GraphfreezeError, match=r"op Reshape, which cannot grow along"):
        run(Draft(load(path)), [GrowTables({"table": 2})])


def test_size_taken_in_the_step_grows(tmp_path: Path) -> None:
    def build(each: tf.Variable) -> None:
        size = tf.raw_ops.Shape(input=each, out_type=tf.int32)
        tf.reshape(each, tf.stack([tf.reduce_prod(size[:1]), 3, 1]), name="laid_out")

    path = write_model(tmp_path, build, is_resource=False)
    draft = Draft(load(path))
    grow = GrowTables({"table": 2})
    run(draft, [grow])
    assert grow.grown == {"table": HEIGHT + 2}


def test_table_of_unknown_shape_is_named(tmp_path: Path) -> None:
    def build(_: tf.Variable) -> None:
        start = tf.random_uniform(tf.placeholder_with_default([4, 2], [2]))
        tf.Variable(start, validate_shape=False, name="open", use_resource=False)

    path = write_model(tmp_path, build, is_resource=False)
    with pytest.raises(GraphfreezeError, match="a shape that the graph does not tell"):
        freeze(load(path), FreezePlan(freeze_rows={"open": "0"}))
