"""A SavedModel with resource variables is at home in TensorFlow 2: it loads, runs and learns."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from patch_runs import MODELS
from resource_runs import CASES

from graphfreeze.emit.graph_file import file_bytes
from graphfreeze.prepare.drop_training import DropTraining
from graphfreeze.prepare.resource_variables import ResourceVariables
from graphfreeze.read import load
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.run import Pass, run

v1 = tf.compat.v1
Array = np.ndarray
# the loss to learn by, how many variables are there, and how many of them learn
LEARNED = {
    "classifier": ("sparse_softmax_cross_entropy_loss/value:0", 6, 5),
    "convolutions and averages": ("total_loss:0", 15, 10),
}


def write(
    name: str, folder: Path, *, last: list[Pass], loss: str
) -> tuple[dict[str, Array], Array]:
    """Write a SavedModel by TensorFlow's own builder; return a batch, and its loss."""
    source = MODELS / CASES[name].model
    document = json.loads((source / "feeds.json").read_text())["feeds"]
    feeds = {k: np.array(f["values"], f["dtype"]).reshape(f["shape"]) for k, f in document.items()}
    draft = Draft(load(source))
    run(draft, [DropTraining(keep=(loss,)), *last])
    meta = folder.with_suffix(".meta")
    meta.write_bytes(file_bytes(draft, ".meta"))
    with tf.Graph().as_default() as graph, v1.Session() as session:
        saver = v1.train.import_meta_graph(str(meta))
        saver.restore(session, str(source / "model.ckpt"))
        signature = v1.saved_model.predict_signature_def(
            {key.replace(":", "_"): graph.get_tensor_by_name(key) for key in feeds},
            {"loss": graph.get_tensor_by_name(loss)},
        )
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session, ["serve"], {"serving_default": signature}, saver=saver
        )
        builder.save()
        return feeds, session.run(loss, feeds)


@pytest.mark.parametrize("name", LEARNED)
def test_it_loads_and_learns(name: str, tmp_path: Path) -> None:
    loss, count, learning = LEARNED[name]
    feeds, expected = write(name, tmp_path / "out", last=[ResourceVariables()], loss=loss)
    loaded = tf.saved_model.load(str(tmp_path / "out"))
    assert len(loaded.variables) == count
    batch = {key.replace(":", "_"): tf.constant(value) for key, value in feeds.items()}
    served = loaded.signatures["serving_default"](**batch)["loss"]
    assert served.numpy().tobytes() == expected.tobytes()
    forward = loaded.prune(list(feeds), loss)
    able = [each for each in loaded.variables if each.trainable]
    with tf.GradientTape() as tape:
        value = forward(*map(tf.constant, feeds.values()))
    gradients = tape.gradient(value, able)
    assert [g for g in gradients if g is None] == []
    assert len(able) == learning
    for each, gradient in zip(able, gradients, strict=True):
        each.assign_sub(0.05 * tf.convert_to_tensor(gradient))
    assert forward(*map(tf.constant, feeds.values())) < value


def test_with_refs_it_has_no_variables(tmp_path: Path) -> None:
    """Which is why they are rewritten."""
    write("classifier", tmp_path / "out", last=[], loss=LEARNED["classifier"][0])
    assert len(tf.saved_model.load(str(tmp_path / "out")).variables) == 0
