"""Gradients through loops whose contexts were recovered are those of the loops as they were."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from context_runs import CASES, Values, check_gradients, run_gradients, with_loops

from graphfreeze import api
from graphfreeze.errors import TrainError
from graphfreeze.prepare.recover_contexts import RecoverContexts
from graphfreeze.prepare.restore_ends import RestoreEnds
from graphfreeze.read.document import parse_document
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.message import meta_graph
from graphfreeze.rewrite.run import run
from graphfreeze.schema import GraphDef, MetaGraphDef
from graphfreeze.selection.plan import FreezePlan

Tensor = tf.Tensor
X = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)


@pytest.fixture(autouse=True)
def _v1_control_flow() -> Iterator[None]:
    was_on = tf.control_flow_v2_enabled()
    tf.disable_control_flow_v2()
    yield
    if was_on:
        tf.enable_control_flow_v2()


def product(x: Tensor, w: Tensor) -> Tensor:
    def body(i: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return i + 1, tf.tanh(tf.matmul(y, w))

    return tf.while_loop(lambda i, _: i < 4, body, [0, x])[1]


def two_states(x: Tensor, w: Tensor) -> Tensor:
    """Return one of two states that feed each other: the Exit of the other is pruned."""

    def body(i: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return i + 1, tf.tanh(tf.matmul(z, w)), y * z

    return tf.while_loop(lambda i, *_: i < 3, body, [0, x, x + 1.0])[1]


def scanned(x: Tensor, w: Tensor) -> Tensor:
    """Return a sum over an array that the loop writes step by step."""
    return tf.scan(lambda y, row: tf.tanh(tf.matmul(y, w)) + row, tf.stack([x, 2 * x, x]))


def without_a_state(x: Tensor, w: Tensor) -> Tensor:
    """Return what a loop makes of a counter alone: its body reads no other value of before."""

    def body(i: Tensor, _: Tensor) -> tuple[Tensor, Tensor]:
        return i + 1, tf.tanh(tf.matmul(x, w)) * tf.cast(i, tf.float32)

    return tf.while_loop(lambda i, _: i < 3, body, [0, x])[1]


def in_branches(x: Tensor, w: Tensor) -> Tensor:
    """Return a loop in a branch, with a cond in it on the predicate around it."""
    p = tf.reduce_sum(x) < 1.0

    def body(i: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return i + 1, tf.cond(p, lambda: tf.tanh(tf.matmul(y, w)), lambda: y)

    def loop() -> Tensor:
        return tf.while_loop(lambda i, _: i < 3, body, [0, x])[1]

    return tf.cond(p, loop, lambda: tf.matmul(x, w)) + tf.cond(p, lambda: x, lambda: w[:2])


LOOPS = {
    "a product": product,
    "two states": two_states,
    "an array": scanned,
    "without a state": without_a_state,
    "in branches": in_branches,
}


def gradient() -> np.ndarray:
    graph = tf.get_default_graph()
    w, loss = (graph.get_tensor_by_name(name) for name in ("w/read:0", "loss:0"))
    (found,) = tf.gradients(loss, [w])
    with tf.Session() as session:
        return session.run(found, {"x:0": X, "w/read:0": np.eye(3, dtype=np.float32) * 0.5})


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
def test_gradients(loop: Callable[[Tensor, Tensor], Tensor]) -> None:
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [2, 3], name="x")
        w = tf.identity(tf.placeholder(tf.float32, [3, 3]), name="w/read")
        tf.reduce_sum(tf.square(loop(x, w)), name="loss")
        plain = tf.get_default_graph().as_graph_def()
        expected = gradient()
    pruned: GraphDef = tf.graph_util.extract_sub_graph(plain, ["loss"])
    draft = Draft(parse_document(pruned.SerializeToString(), Path("graph.pb"), None))
    run(draft, [RestoreEnds(), RecoverContexts()])
    message: MetaGraphDef = meta_graph(draft)
    with tf.Graph().as_default():
        tf.train.import_meta_graph(message)
        assert gradient().tobytes() == expected.tobytes()
    assert np.abs(expected).max() > 0


def test_a_loop_that_no_node_tells(tmp_path: Path) -> None:
    """Two loops in one frame run, but a context has one condition."""
    with tf.Graph().as_default() as graph:
        w = tf.get_variable("w", [3, 3])
        x = tf.placeholder(tf.float32, [2, 3], name="x")
        tf.reduce_sum(product(x, w) + product(x + 1.0, w), name="loss")
        tf.reduce_sum(tf.matmul(x, w), name="other")
    plain = graph.as_graph_def()
    for node in plain.node:
        if node.op == "Enter":
            node.attr["frame_name"].s = b"twice/while_context"
    path = tmp_path / "graph.pb"
    path.write_bytes(plain.SerializeToString())
    frozen = api.freeze(api.load(path), FreezePlan())
    (reason,) = frozen.contexts.misfits.values()
    assert reason == "a loop has one LoopCond, and its frame has while/LoopCond, while_1/LoopCond"
    with pytest.raises(TrainError, match=f"loop of frame 'twice/while_context'.*{reason}"):
        api.add_train_op(frozen, loss=["loss:0"])
    api.add_train_op(frozen, loss=["other:0"])
    notes = api.report(frozen).notes
    assert any("twice/while_context has no context, and no gradient" in note for note in notes)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Values]]:
    return run_gradients(sys.executable, tmp_path_factory.mktemp("contexts"))


@pytest.mark.parametrize("case", [*with_loops(), *CASES])
def test_gradients_of_models(case: str, runs: dict[str, list[Values]]) -> None:
    check_gradients(*runs[case])
