"""What a model's own saver leaves out is in the bundle: nobody has to run an initializer."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from graphfreeze.api import add_train_op, complete, freeze, load, report, save
from graphfreeze.errors import EmitError, LoadError
from graphfreeze.selection.plan import FreezePlan

W = np.arange(8, dtype=np.float32).reshape(4, 2)
VERSIONS = {"V2": tf.train.SaverDef.V2, "V1": tf.train.SaverDef.V1}
Extend = Callable[[tf.Variable], object]


def build(folder: Path, extend: Extend, *, version: int, use_resource: bool) -> Path:
    """Write a model whose saver keeps w and v alone; ``extend`` adds more variables."""
    with tf.Graph().as_default(), tf.Session() as session:
        with tf.variable_scope("", use_resource=use_resource):
            w = tf.get_variable("w", initializer=W + 1)
            v = tf.get_variable("v", initializer=W)
            extend(w)
        tf.add_to_collection("losses", tf.nn.l2_loss(w - v, name="loss"))
        session.run([w.initializer, v.initializer])
        session.run(w.assign(W))
        saver = tf.train.Saver([w, v], write_version=version)
        saver.save(session, str(folder / "model"))
    return folder / "model"


def restored(bundle: Path) -> dict[str, np.ndarray]:
    """Restore a bundle and return the values of its variables, without any initializer."""
    with tf.Graph().as_default(), tf.Session() as session:
        saver = tf.train.import_meta_graph(str(bundle / "model.meta"))
        saver.restore(session, str(bundle / "model"))
        assert not session.run(tf.report_uninitialized_variables(tf.global_variables())).size
        return {v.op.name: session.run(v) for v in tf.global_variables()}


def start(variable: tf.Variable) -> tf.Tensor:
    is_ref = variable.op.type == "VariableV2"
    return variable.initialized_value() if is_ref else variable.read_value()


def more(w: tf.Variable) -> None:
    tf.train.get_or_create_global_step()
    shadow = tf.get_variable("shadow", initializer=start(w) * 2.0, trainable=False)
    tf.get_variable("late", initializer=start(shadow) + 1.0, trainable=False)
    if w.op.type == "VariableV2":  # a resource has to have a shape
        tf.get_variable("dyn", initializer=tf.identity(w), validate_shape=False, trainable=False)
    tf.get_variable("parts", [4, 2], partitioner=tf.fixed_size_partitioner(2))
    tf.get_local_variable("counter", [])


@pytest.mark.parametrize("trains", [True, False], ids=["train_op", "no train_op"])
@pytest.mark.parametrize("use_resource", [True, False], ids=["resource", "ref"])
@pytest.mark.parametrize("version", VERSIONS.values(), ids=VERSIONS)
def test_values(version: int, use_resource: bool, trains: bool, tmp_path: Path) -> None:
    prefix = build(tmp_path, more, version=version, use_resource=use_resource)
    frozen = freeze(load(prefix), FreezePlan(freeze=("v",)))
    if trains:
        add_train_op(frozen, optimizer="adam")
    save(frozen, tmp_path / "out")
    values = restored(tmp_path / "out")
    assert values["w"].tobytes() == values.get("dyn", W).tobytes() == W.tobytes()
    assert values["shadow"].tolist() == (2 * W).tolist()
    assert values["late"].tolist() == (2 * W + 1).tolist()
    assert values["global_step"] == 0
    assert {"parts/part_0", "parts/part_1"} <= values.keys()
    assert ("w/graphfreeze_Adam" in values) == trains
    assert "counter" not in values
    told = report(complete(frozen, tmp_path / "other")).keys_added
    assert {"global_step", "shadow", "late", "parts"} <= set(told)


def unlisted(_: tf.Variable) -> None:
    tf.Variable([3.0, 4.0], name="unlisted", collections=[], trainable=False)


def test_a_variable_that_no_collection_names(tmp_path: Path) -> None:
    prefix = build(tmp_path, unlisted, version=tf.train.SaverDef.V2, use_resource=False)
    save(freeze(load(prefix), FreezePlan(freeze=("v",))), tmp_path / "out")
    assert tf.train.load_variable(str(tmp_path / "out/model"), "unlisted").tolist() == [3.0, 4.0]


def step(_: tf.Variable) -> None:
    tf.train.get_or_create_global_step()


def test_a_value_that_the_checkpoint_has_stays(tmp_path: Path) -> None:
    prefix = build(tmp_path, step, version=VERSIONS["V2"], use_resource=False)
    with tf.Graph().as_default(), tf.Session() as session:
        tf.train.import_meta_graph(f"{prefix}.meta")
        session.run(tf.global_variables_initializer())
        session.run(tf.train.get_global_step().assign(77))
        tf.train.Saver().save(session, str(tmp_path / "whole"), write_meta_graph=False)
    model = load(prefix, checkpoint=tmp_path / "whole")
    frozen = complete(freeze(model, FreezePlan(freeze=("v",))), tmp_path / "out")
    assert report(frozen).keys_added == []
    save(frozen, tmp_path / "out")
    assert restored(tmp_path / "out")["global_step"] == 77


def test_a_key_that_another_variable_has(tmp_path: Path) -> None:
    """Save a under the key b, and leave out b itself."""
    with tf.Graph().as_default(), tf.Session() as session:
        a = tf.get_variable("a", initializer=[1.0])
        tf.get_variable("b", initializer=[2.0])
        session.run(a.initializer)
        tf.train.Saver({"b": a}).save(session, str(tmp_path / "model"))
    save(freeze(load(tmp_path / "model"), FreezePlan(freeze=("b",))), tmp_path / "out")
    assert restored(tmp_path / "out") == {"a": [1.0], "b": [2.0]}


def fed(_: tf.Variable) -> None:
    tf.get_variable("fed", initializer=tf.placeholder(tf.float32, [2], name="start"))


def bare(_: tf.Variable) -> None:
    tf.raw_ops.VariableV2(shape=[], dtype=tf.float32, name="bare")


NO_VALUE = {
    "an initializer that fails": (fed, "no value of fed, and initializing fails: .*start"),
    "no initializer that is known": (bare, "no value of bare, and the graph does not say how"),
}


@pytest.mark.parametrize(("extend", "message"), NO_VALUE.values(), ids=NO_VALUE)
def test_no_value(extend: Extend, message: str, tmp_path: Path) -> None:
    prefix = build(tmp_path, extend, version=VERSIONS["V2"], use_resource=False)
    with pytest.raises(EmitError, match=message) as caught:
        save(freeze(load(prefix), FreezePlan(freeze=("v",))), tmp_path / "out")
    assert len(str(caught.value).splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_key_of_the_saver_that_is_missing_is_an_error(tmp_path: Path) -> None:
    prefix = build(tmp_path, more, version=VERSIONS["V2"], use_resource=False)
    with tf.Graph().as_default(), tf.Session() as session:
        w = tf.get_variable("w", initializer=W)
        session.run(w.initializer)
        tf.train.Saver().save(session, str(tmp_path / "less"), write_meta_graph=False)
    model = load(prefix, checkpoint=tmp_path / "less")
    with pytest.raises(LoadError, match="lacks 1 key: 'v'"):
        complete(freeze(model, FreezePlan(freeze=("v",))), tmp_path / "out")
