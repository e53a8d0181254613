"""SavedModels beside bundles, as TensorFlow's own loader takes them."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from graphfreeze.schema import SavedModel


@pytest.mark.parametrize("name", ["wide_deep", "saved_model"])
def test_a_saved_model_trains_like_its_bundle(
    name: str,
    make_bundle: Callable[..., object],
    train_bundle: Callable[..., dict[str, np.ndarray]],
    check_trained: Callable[..., None],
    tmp_path: Path,
) -> None:
    made = make_bundle(name)
    saved = made.folder / "savedmodel"
    values = train_bundle(sys.executable, saved, made.feeds, tmp_path / "values.npz")
    check_trained(made.folder, values)
    assert values["loss_after"] < values["loss_before"]


def test_the_graph_that_is_served_stays_as_it_is(make_bundle: Callable[..., object]) -> None:
    made = make_bundle("saved_model")
    source, written = made.job.source, made.folder / "savedmodel"
    old, new = (
        SavedModel.FromString((p / "saved_model.pb").read_bytes()) for p in (source, written)
    )
    tags = [list(each.meta_info_def.tags) for each in new.meta_graphs]
    assert tags == [["train"], ["serve"]]
    serve = next(each for each in old.meta_graphs if "serve" in each.meta_info_def.tags)
    assert new.meta_graphs[1] == serve
    words = tf.constant(["aorta", "w001", "nowhere"])
    served = [_serve(folder, words) for folder in (source, written)]
    assert json.dumps(served[0]) == json.dumps(served[1])


def _serve(folder: Path, words: tf.Tensor) -> dict[str, object]:
    signature = tf.saved_model.load(str(folder), tags=["serve"]).signatures["serving_default"]
    (name,) = signature.structured_input_signature[1]
    shape = signature.structured_input_signature[1][name].shape
    batch = tf.reshape(words, [-1] + [1] * (shape.rank - 1))
    return {key: value.numpy().tolist() for key, value in signature(**{name: batch}).items()}
