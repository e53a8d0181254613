"""A global step whose collection only names it, as TensorFlow 1.4 writes it, goes on counting."""

from pathlib import Path

import pytest
import tensorflow.compat.v1 as tf

from graphfreeze.api import add_train_op, freeze, load, save
from graphfreeze.schema import MetaGraphDef
from graphfreeze.selection.plan import FreezePlan


def trained(folder: Path, entries: list[str], *, use_resource: bool) -> Path:
    """Write a model at step 7 with these entries of the collection ``global_step``."""
    with (
        tf.Graph().as_default(),
        tf.Session() as session,
        tf.variable_scope("", use_resource=use_resource),
    ):
        v, w = (tf.get_variable(n, [2], initializer=tf.ones_initializer) for n in "vw")
        step = tf.train.get_or_create_global_step()
        loss = tf.reduce_sum(tf.square(v * w), name="loss")
        tf.train.AdamOptimizer(0.1).minimize(loss, step, name="train")
        session.run(tf.global_variables_initializer())
        session.run(step.assign(7))
        tf.train.Saver().save(session, str(folder / "model"))
    meta = folder / "model.meta"
    message = MetaGraphDef.FromString(meta.read_bytes())
    message.collection_def["global_step"].node_list.value[:] = entries
    meta.write_bytes(message.SerializeToString())
    return folder / "model"


@pytest.mark.parametrize("entries", [["global_step:0"], []], ids=["named", "not listed"])
@pytest.mark.parametrize("use_resource", [False, True], ids=["ref", "resource"])
def test_count(use_resource: bool, entries: list[str], tmp_path: Path) -> None:
    model = load(trained(tmp_path, entries, use_resource=use_resource))
    frozen = freeze(model, FreezePlan(freeze=("v",)))
    add_train_op(frozen, optimizer="sgd", learning_rate=0.1, loss=["loss:0"], skip_nonfinite=True)
    bundle = tmp_path / "out"
    save(frozen, bundle)
    with tf.Graph().as_default(), tf.Session() as session:
        tf.train.import_meta_graph(str(bundle / "model.meta")).restore(
            session, str(bundle / "model")
        )
        (step,) = (v for v in tf.global_variables() if v.op.name == "global_step")
        assert session.run(step) == 7
        session.run(tf.get_collection("train_op")[0])
        assert session.run(step) == 8
