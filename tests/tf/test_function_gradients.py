"""Gradients that pass functions: their values, and what they change of the model."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from function_runs import NAMES, SOURCE, check_gradients, check_steps
from tensorflow.python.framework import function

import graphfreeze
from graphfreeze.api import FrozenModel
from graphfreeze.errors import TrainError
from graphfreeze.model.calls import CALLS, WHILES
from graphfreeze.model.model import Model
from graphfreeze.rewrite.run import run
from graphfreeze.runtime import building
from graphfreeze.schema import MetaGraphDef
from graphfreeze.train.custom_gradients import every_node
from graphfreeze.train.request import TrainRequest
from graphfreeze.train.train_op import TrainOp

V2 = SOURCE.parent / "control_flow_v2"
PROMISED = {
    "While": {"T", "output_shapes", "cond", "body", "_num_original_outputs", "_output_shapes"},
    "If": {"Tout", "output_shapes", "then_branch", "else_branch", "_output_shapes"},
    "Case": {"Tout", "output_shapes", "branches", "_output_shapes"},
    "PartitionedCall": {"Tout", "f", "_output_shapes"},
}
PROMISED |= {f"Stateless{op}": PROMISED[op] for op in ("While", "If")}
PROMISED["StatefulPartitionedCall"] = PROMISED["PartitionedCall"]


def trained(source: Path = SOURCE, frozen: str = "shift", **settings: object) -> FrozenModel:
    plan = graphfreeze.FreezePlan(freeze=(frozen,))
    done = graphfreeze.freeze(graphfreeze.load(source), plan)
    chosen = {"optimizer": "momentum", "learning_rate": 0.01, **settings}
    return graphfreeze.add_train_op(done, **chosen)  # type: ignore[arg-type]


def step(done: FrozenModel, folder: Path, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Run one step, and return the values of all variables after it."""
    graphfreeze.save(done, folder / "bundle")
    with tf.Graph().as_default(), tf.Session() as session:
        prefix = str(folder / "bundle" / "model")
        tf.train.import_meta_graph(f"{prefix}.meta").restore(session, prefix)
        session.run(tf.get_collection("train_op")[0], feeds)
        found = session.run({v.op.name: v for v in tf.global_variables()})
    return {f"after/{name}": value for name, value in found.items()}


RUNS = {"calls": (NAMES[0], 1), "calls, many": (NAMES[0], 20), "training": (NAMES[1], 1)}


@pytest.mark.parametrize(("name", "steps"), RUNS.values(), ids=RUNS)
def test_steps(name: str, steps: int, make_bundle, train_bundle, tmp_path: Path) -> None:
    made, out = make_bundle(name), tmp_path / "values.npz"
    values = train_bundle(sys.executable, made.folder, made.feeds, out, steps=steps)
    check_steps(values, steps)
    if steps == 1:
        check_gradients(values, name)


BOTH = {"calls": (SOURCE, "shift"), "v2": (V2, "gate")}


@pytest.mark.parametrize(("source", "frozen"), BOTH.values(), ids=BOTH)
def test_calls_change_as_promised_and_nothing_else_does(source: Path, frozen: str) -> None:
    plan = graphfreeze.FreezePlan(freeze=(frozen,))
    done = graphfreeze.freeze(graphfreeze.load(source), plan)
    before, after = done.draft.graph, done.draft.copy()
    run(after, [TrainOp(done.selection, TrainRequest(("loss:0",)))])
    changed = [name for name, node in before.nodes.items() if after.graph.nodes[name] != node]
    assert {before.op(name) for name in changed} <= CALLS
    assert len(changed) >= 5
    for name in changed:
        old, new = before.nodes[name], after.graph.nodes[name]
        differing = {k for k in {*old.attr, *new.attr} if old.attr.get(k) != new.attr.get(k)}
        assert differing <= PROMISED[str(old.op)], name
        assert list(new.input)[: len(old.input)] == list(old.input)
        assert old.op in WHILES or len(new.input) == len(old.input)
        assert (new.op, new.device) == (old.op, old.device)


@pytest.mark.parametrize(("source", "frozen"), BOTH.values(), ids=BOTH)
def test_functions_of_the_model_keep_their_bytes(source: Path, frozen: str, tmp_path: Path) -> None:
    graphfreeze.save(trained(source, frozen, loss=("loss:0",)), tmp_path / "bundle")
    old, new = graphfreeze.load(source), graphfreeze.load(tmp_path / "bundle" / "model.meta")
    for kind, key in [*(("function", name) for name in old.graph.functions), ("gradient", "")]:
        assert raw(old, kind, key) == raw(new, kind, key), key
    ours = new.graph.functions.keys() - old.graph.functions.keys()
    assert ours
    assert all("__graphfreeze_" in name for name in ours)
    nodes = list(every_node(new.graph))
    assert all(node.op != "SymbolicGradient" for node in nodes)
    assert "__import_" not in f"{nodes}{ours}"


def raw(model: Model, kind: str, name: str) -> list[bytes | str]:
    return [leaf.piece.raw for leaf in model.root.leaves(kind) if leaf.key == name or not name]


def test_two_builds_of_a_process_are_the_same(tmp_path: Path) -> None:
    for name in ("first", "second"):
        graphfreeze.save(trained(), tmp_path / name)
    first, second = (tmp_path / name / "model.meta" for name in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()


def test_another_model_may_have_functions_of_the_same_names() -> None:
    """TensorFlow would refuse the second ``sines_body_..._rewritten`` of a process."""
    meta = MetaGraphDef.FromString((V2 / "model.ckpt.meta").read_bytes())
    body = next(
        f for f in meta.graph_def.library.function if f.signature.name.startswith("sines_body")
    )
    factor = next(n for n in body.node_def if n.op == "Const" and n.attr["dtype"].type == 1)
    factor.attr["value"].tensor.float_val[:] = [2.5]
    with tf.Graph().as_default() as other:
        tf.import_graph_def(meta.graph_def, name="")
        loop = other.get_operation_by_name("sines")
        at = next(i for i, tensor in enumerate(loop.inputs) if tensor.dtype == tf.float32)
        assert tf.gradients(loop.outputs[at], loop.inputs[at])[0] is not None
        assert trained(V2, "gate", loss=("loss:0",)).train is not None
    del other


def read_feeds() -> dict[str, np.ndarray]:
    feeds = json.loads((SOURCE / "feeds.json").read_text())["feeds"]
    return {k: np.array(f["values"], f["dtype"]).reshape(f["shape"]) for k, f in feeds.items()}


INPUTS, GUIDED = read_feeds(), "CustomGradient-275"


def guided(op: tf.Operation, gradient: tf.Tensor, _: object) -> list[tf.Tensor | None]:
    """Return the recipe's gradient, as tf.custom_gradient hands it to IdentityN(result, x)."""
    return [None, 2.0 * gradient]


def test_a_gradient_in_a_body_that_was_a_python_function(tmp_path: Path) -> None:
    name = next(n for n in graphfreeze.load(SOURCE).graph.functions if "guiding" in n)
    with pytest.raises(
        TrainError, match=rf"gradients of {name}/IdentityN \({GUIDED}\) were Python"
    ):
        trained(loss=("guided_loss:0",))
    done = trained(loss=("guided_loss:0",), gradients={GUIDED: guided})
    check_gradients(step(done, tmp_path, INPUTS), loss="guided_loss")


def test_a_gradient_in_a_body_that_is_left_out(tmp_path: Path) -> None:
    done = trained(loss=("guided_loss:0",), custom_gradients="ignore")
    assert list(done.train.built.ignored.values()) == [GUIDED]
    found = step(done, tmp_path, INPUTS)["after/mix/graphfreeze_Momentum"]
    values = tf.train.load_variable(str(SOURCE / "model.ckpt"), "mix")
    gate = (INPUTS["inputs:0"] @ values > 0).astype(np.float32)
    np.testing.assert_allclose(found, INPUTS["inputs:0"].T @ gate, rtol=1e-6)
    used = [
        n for f in done.draft.graph.functions.values() for n in f.node_def if n.op == "IdentityN"
    ]
    assert {bytes(node.attr["_gradient_op_type"].s) for node in used} == {GUIDED.encode()}


def test_what_a_body_draws_is_drawn_once(tmp_path: Path) -> None:
    """The gradient has the mask of the forward pass, which is not run anew."""
    with tf.Graph().as_default(), tf.Session() as session:
        w = tf.get_variable("w", initializer=np.ones(64, np.float32), use_resource=True)
        v = tf.get_variable("v", initializer=np.float32(1), use_resource=True)
        dropped = tf.function(lambda: tf.nn.dropout(w, rate=0.5))()
        tf.losses.add_loss(tf.reduce_sum(tf.identity(dropped, name="dropped")) * v)
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, str(tmp_path / "model"))
    done = trained(tmp_path / "model", "v")
    graphfreeze.save(done, tmp_path / "bundle")
    with tf.Graph().as_default(), tf.Session() as session:
        prefix = str(tmp_path / "bundle" / "model")
        tf.train.import_meta_graph(f"{prefix}.meta").restore(session, prefix)
        mask, _ = session.run(["dropped:0", tf.get_collection("train_op")[0]])
        slots = {v.op.name: v for v in tf.global_variables()}
        moved = session.run(slots["w/graphfreeze_Momentum"])
    assert set(mask) == {0.0, 2.0}
    np.testing.assert_array_equal(moved, mask)


def test_calls_in_loops_and_branches_of_v1(tmp_path: Path) -> None:
    """TensorFlow itself leads what such a call gives anew into the loop, where it is already."""

    def build(call: Callable[[Callable[..., tf.Tensor]], Callable[..., tf.Tensor]]) -> tf.Tensor:
        w = tf.get_variable("w", initializer=np.eye(3, dtype=np.float32) / 2, use_resource=True)
        v = tf.get_variable("v", initializer=np.float32(1.5), use_resource=True)
        layer = call(lambda x, kernel: tf.tanh(tf.matmul(x, kernel)) * 1.5)
        kernel = w + 0.25

        def body(i: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            branches = (lambda: layer(x, kernel), lambda: tf.cos(x))
            return i + 1, layer(tf.cond(tf.equal(i % 2, 0), *branches), kernel)

        x = tf.constant([[0.5, -1.0, 2.0], [1.0, 0.25, -0.5]])
        _, x = tf.while_loop(lambda i, _: i < 3, body, [0, x])
        return tf.reduce_sum(tf.square(x) * v, name="loss")

    with building(), tf.Session() as session:
        wanted = tf.gradients(build(lambda function: function), tf.trainable_variables()[0])
        session.run(tf.global_variables_initializer())
        (wanted,) = session.run(wanted)
    with building(), tf.Session() as session:
        tf.losses.add_loss(build(tf.function))
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, str(tmp_path / "model"))
    found = step(trained(tmp_path / "model", "v"), tmp_path, {})["after/w/graphfreeze_Momentum"]
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


OLD = {
    "Enter": lambda w: tf.while_loop(lambda i, _: i < 3, lambda i, x: (i + 1, x * w), [0, 1.0]),
    "Switch": lambda w: [tf.cond(tf.constant(True), lambda: w * 2.0, lambda: 1.0)],
}


@pytest.mark.parametrize("op", OLD)
def test_v1_control_flow_in_a_body_is_named(op: str, tmp_path: Path) -> None:
    """No context tells a body's own loop to its gradient, or in which branch a handle is taken."""
    with building(), tf.Session() as session:
        w = tf.get_variable("w", initializer=np.float32(0.5), use_resource=True)
        v = tf.get_variable("v", initializer=np.float32(1.5), use_resource=True)

        @function.Defun(func_name="turned")
        def turned() -> tf.Tensor:
            return OLD[op](w)[-1]

        tf.losses.add_loss(tf.multiply(turned(), v, name="loss"))
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, str(tmp_path / "model"))
    with pytest.raises(TrainError, match=f"/{op}' .op {op}. of function 'turned': no context"):
        trained(tmp_path / "model", "v")
