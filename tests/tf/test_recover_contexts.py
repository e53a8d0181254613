"""Gradients through loops whose contexts were recovered are those of the loops as they were."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from graphfreeze.prepare.recover_contexts import RecoverContexts
from graphfreeze.read.document import parse_document
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.message import meta_graph
from graphfreeze.rewrite.run import run
from graphfreeze.schema import GraphDef, MetaGraphDef

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


LOOPS = {"a product": product, "two states": two_states, "an array": scanned}


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
    run(draft, [RecoverContexts()])
    message: MetaGraphDef = meta_graph(draft)
    with tf.Graph().as_default():
        tf.train.import_meta_graph(message)
        assert gradient().tobytes() == expected.tobytes()
    assert np.abs(expected).max() > 0
