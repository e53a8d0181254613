"""Compare heads with layers and losses made by hand: ``check_heads.py OUT_NPZ BUNDLE...``.

Each is trained, too. Beside BUNDLE lies BUNDLE.json, its feeds. Knows nothing of graphfreeze; runs
in Python 3.7 with TensorFlow 1.15, where the layer is tf.layers.dense, and in TensorFlow 2.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import tensorflow.compat.v1 as tf
from train_bundle import CONFIG, read_feeds, read_variables

STEPS = 20


def dense(features: tf.Tensor, width: int) -> tuple:
    """Return the outputs of a layer, its kernel and its bias."""
    if tf.__version__.startswith("1."):
        out = tf.layers.dense(features, width, name="by_hand", reuse=tf.AUTO_REUSE)
        return (out, *tf.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES, scope="by_hand"))
    kernel = tf.get_variable("by_hand/kernel", (features.shape[1], width))
    bias = tf.get_variable("by_hand/bias", (width,))
    return tf.nn.bias_add(tf.matmul(features, kernel), bias), kernel, bias


def made_by_hand(kind: str, labels: tf.Tensor, outputs: tf.Tensor) -> tuple:
    """Return loss, measure and chances."""
    if kind == "softmax":
        loss = tf.losses.sparse_softmax_cross_entropy(labels, outputs)
        right = tf.equal(tf.argmax(outputs, axis=1), labels)
        return loss, tf.reduce_mean(tf.cast(right, tf.float32)), tf.nn.softmax(outputs)
    if kind == "sigmoid":
        loss = tf.losses.sigmoid_cross_entropy(labels, outputs)
        right = tf.equal(outputs > 0, labels > 0.5)
        return loss, tf.reduce_mean(tf.cast(right, tf.float32)), tf.sigmoid(outputs)
    loss = tf.losses.mean_squared_error(labels, outputs)
    return loss, tf.reduce_mean(tf.abs(outputs - labels)), outputs


def compare(head: dict, session: tf.Session, feeds: dict) -> dict:
    """Return pairs of what a head computes and what is made by hand, under the same values."""
    graph, kind = session.graph, head["kind"]
    found = {what: graph.get_tensor_by_name(name) for what, name in head["tensors"].items()}
    own = [v for v in tf.trainable_variables() if v.op.name in head["variables"]]
    outputs, *others = dense(found["features"], head["classes"])
    session.run([tf.assign(other, v) for other, v in zip(others, own)])
    loss, measure, chances = made_by_hand(kind, found["labels"], outputs)
    last = {"regression": "predictions"}.get(kind, "probabilities")
    named = {"regression": "error"}.get(kind, "accuracy")
    xs = [[*variables, found["features"]] for variables in (own, others)]
    gradients = [tf.gradients(y, x) for y, x in zip((found["loss"], loss), xs)]
    mine = [found["loss"], found[named], found[last], *gradients[0]]
    whats = ["loss", "measure", "outputs", "kernel gradient", "bias gradient", "gradient"]
    values = session.run([mine, [loss, measure, chances, *gradients[1]]], feeds)
    return {what: np.stack([a, b]) for what, a, b in zip(whats, *values)}


def train(head: dict, session: tf.Session, feeds: dict) -> list:
    """Return the loss before each step, and after the last."""
    losses = [session.run(head["tensors"]["loss"], feeds)]
    for _ in range(STEPS):
        session.run(tf.get_collection("train_op")[0], feeds)
        losses.append(session.run(head["tensors"]["loss"], feeds))
    return losses


def from_features(head: dict, session: tf.Session, feeds: dict) -> np.ndarray:
    """Return twice the loss, the second time by features that were computed before."""
    tensors = head["tensors"]
    features, loss = session.run([tensors["features"], tensors["loss"]], feeds)
    fed = {tensors["features"]: features, tensors["labels"]: feeds[tensors["labels"]]}
    return np.stack([loss, session.run(tensors["loss"], fed)])


def check(bundle: Path) -> dict:
    """Return all figures of one bundle."""
    head = json.loads((bundle / "graphfreeze.json").read_text())["head"]
    feeds = read_feeds(json.loads(bundle.with_suffix(".json").read_text()))
    with tf.Graph().as_default(), tf.Session(config=CONFIG) as session:
        saver = tf.train.import_meta_graph(str(bundle / "model.meta"))
        saver.restore(session, str(bundle / "model"))
        before = read_variables(session)
        told = {"fed": from_features(head, session, feeds)}
        told["losses"] = np.array(train(head, session, feeds))
        after = read_variables(session)
        told.update(compare(head, session, feeds))
    told.update({"before/" + name: value for name, value in before.items()})
    told.update({"after/" + name: value for name, value in after.items()})
    return {bundle.name + "/" + what: value for what, value in told.items()}


def main() -> None:
    """Run on the command line's arguments."""
    if tf.executing_eagerly():
        tf.disable_v2_behavior()
    found = {}
    for bundle in sys.argv[2:]:
        found.update(check(Path(bundle)))
    with open(sys.argv[1], "wb") as out:
        np.savez(out, **found)


if __name__ == "__main__":
    main()
