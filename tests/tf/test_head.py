"""Heads in TensorFlow 2: what they compute, that they train, go on, and are verified."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from head_runs import CASES, check, make, run
from patch_runs import MODELS

import graphfreeze
from graphfreeze.api import add_train_op, complete, freeze, load, report, save, undo, verify
from graphfreeze.errors import HeadError
from graphfreeze.model.heads import Head
from graphfreeze.prepare.add_head import AddHead
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.message import meta_graph
from graphfreeze.rewrite.run import run as run_passes
from graphfreeze.selection.plan import FreezePlan


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("heads")
    return {name: make(name, folder) for name in CASES}


def test_heads(bundles: dict[str, Path], tmp_path: Path) -> None:
    values = run(sys.executable, list(bundles.values()), tmp_path / "values.npz")
    for bundle in bundles.values():
        check(bundle, values)


@pytest.mark.parametrize("name", CASES)
def test_it_is_verified(name: str, bundles: dict[str, Path]) -> None:
    found = verify(load(CASES[name].source), load(bundles[name]))
    assert [each.status for each in found.sections] == ["passed"] * 4, found.sections
    assert found.outputs
    told = {each.name: each for each in found.changes}
    assert told[f"{CASES[name].head.name}/kernel"].largest


def test_the_original_comes_back(bundles: dict[str, Path], tmp_path: Path) -> None:
    undo(load(bundles["regression"]), tmp_path / "again.pb")
    assert (tmp_path / "again.pb").read_bytes() == CASES["regression"].source.read_bytes()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
@pytest.mark.parametrize("kind", ["softmax", "sigmoid", "regression"])
def test_values_and_gradients_of_other_types(kind: str, dtype: str) -> None:
    """At a logit of 0 the gradient of the sigmoid's loss is 0.5 - label, of both signs alike."""
    text = f"pool = Placeholder() {{shape: [-1, 2, 3], dtype: {dtype}}}"
    draft, added = Draft(parse_sketch(text)), AddHead(Head(kind, "pool", 2))
    run_passes(draft, [added])
    labels = {"softmax": [0, 1, 1, 0]}.get(kind, [[0.0, 1], [1, 1], [0, 0], [1, 0]])
    rows = np.linspace(-2, 2, 24).reshape(4, 2, 3)
    rows[1] = 0
    with tf.Graph().as_default() as graph, tf.Session() as session:
        tf.train.import_meta_graph(meta_graph(draft))
        assert added.record is not None
        at = {k: graph.get_tensor_by_name(v) for k, v in added.record.tensors.items()}
        session.run(tf.global_variables_initializer())
        outputs = at.get("logits", at.get("predictions"))
        pool = graph.get_tensor_by_name("pool:0")
        made = {
            "softmax": tf.nn.sparse_softmax_cross_entropy_with_logits,
            "sigmoid": tf.nn.sigmoid_cross_entropy_with_logits,
            "regression": lambda y, x: tf.squared_difference(x, y),
        }[kind]
        other = tf.reduce_mean(made(at["labels"], outputs))
        pairs = [at["loss"], other], [tf.gradients(y, [outputs, pool]) for y in (at["loss"], other)]
        fed = {pool: rows, at["labels"]: labels}
        (mine, theirs), (gradients, others) = session.run(pairs, fed)
    assert mine.dtype == (np.float64 if dtype == "float64" else np.float32)
    assert mine == theirs
    for a, b in zip(gradients, others, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-8)
    if kind == "sigmoid":
        np.testing.assert_allclose(gradients[0][1], [-0.0625, -0.0625])


def _train(bundle: Path, steps: int) -> dict[str, np.ndarray]:
    """Train a bundle with a checkpoint to go on from, and return the values."""
    told = json.loads(bundle.with_suffix(".json").read_text())["feeds"]
    feeds = {k: np.array(v["values"], v["dtype"]).reshape(v["shape"]) for k, v in told.items()}
    with tf.Graph().as_default(), tf.Session() as session:
        saver = tf.train.import_meta_graph(str(bundle / "model.meta"))
        saver.restore(session, tf.train.latest_checkpoint(str(bundle)))
        for _ in range(steps):
            session.run("graphfreeze/train_op", feeds)
        saver.save(session, str(bundle / "trained"), write_meta_graph=False)
        return {v.op.name: session.run(v) for v in tf.global_variables()}


def test_a_training_goes_on_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    case = CASES["sigmoid"]
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    first, whole = make("sigmoid", tmp_path / "a"), make("sigmoid", tmp_path / "b")
    trained = _train(first, 3)
    frozen = freeze(load(first), case.plan, refreeze=True)
    add_train_op(frozen, learning_rate=case.rate, keep_slots=True)
    second = tmp_path / "a" / "second"
    told = report(complete(frozen, second))
    assert told.head == report_of(first)
    assert "tags/kernel" not in told.keys_added
    save(frozen, second)
    assert (second / "model.index").is_file()
    second.with_suffix(".json").write_text(first.with_suffix(".json").read_text())
    begun = tf.train.load_checkpoint(str(second / "model"))
    assert begun.get_tensor("tags/kernel").tobytes() == trained["tags/kernel"].tobytes()
    again, at_once = _train(second, 2), _train(whole, 5)
    assert again.keys() == at_once.keys()
    differing = [n for n in again if again[n].tobytes() != at_once[n].tobytes()]
    assert not differing


def report_of(bundle: Path) -> graphfreeze.model.heads.HeadRecord | None:
    record = json.loads((bundle / "graphfreeze.json").read_text())["head"]
    return graphfreeze.model.heads.HeadRecord(**record)


def test_another_head_of_a_bundle_is_refused(tmp_path: Path) -> None:
    bundle = make("sigmoid", tmp_path)
    _train(bundle, 1)
    other = Head("sigmoid", "hidden/Tanh", 3, "tags")
    with pytest.raises(HeadError, match="has the head 'tags' already, with another classes"):
        freeze(load(bundle), FreezePlan(), head=other, refreeze=True)


def test_the_loss_of_a_head_is_trained(tmp_path: Path) -> None:
    """Beside a loss and regularization losses of the model's own, which the report names."""
    model, plan = load(MODELS / "conv_bn"), FreezePlan(freeze=("conv1", "bn1"))
    frozen = freeze(model, plan, head=Head("softmax", "Relu_1", 3))
    add_train_op(frozen, optimizer="sgd", learning_rate=0.1)
    told = report(frozen)
    assert told.losses == ["head/loss:0"]
    assert any(note.startswith("head/loss:0 alone is minimized") for note in told.notes)
    states = {v.name: v.state for v in told.variables}
    assert states["logits/kernel"] == "not reached"
    all_told = freeze(model, plan, head=Head("softmax", "Relu_1", 3))
    add_train_op(all_told, loss=["total"], optimizer="sgd", learning_rate=0.1)
    losses = report(all_told).losses
    assert losses[0] == "head/loss:0"
    assert len(losses) == 3
    assert not any("alone is minimized" in note for note in report(all_told).notes)


def test_beside_an_old_training(tmp_path: Path) -> None:
    plan, head = FreezePlan(train_only=("head",)), Head("softmax", "hidden/BiasAdd", 4)
    frozen = freeze(load(MODELS / "adam_clipped"), plan, head=head, keep_training=True)
    add_train_op(frozen)
    assert report(frozen).losses == ["head/loss:0"]
    save(frozen, tmp_path / "out")
    found = verify(load(MODELS / "adam_clipped"), load(tmp_path / "out"))
    assert found.passed, found.sections
