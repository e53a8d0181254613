"""What the recipes of SavedModels and modules share: a vocabulary as an asset, a sorted file."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import numpy as np
import tensorflow as tf
from common import sort_contexts, write_message, write_vocabulary
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

VOCABULARY = "vocab.txt"


@contextmanager
def with_vocabulary(folder: Path, words: int) -> Iterator[None]:
    """Work in a folder that has a vocabulary, so that graphs name it by a relative path."""
    before = Path.cwd()
    write_vocabulary(folder, words)
    os.chdir(str(folder))
    try:
        yield
    finally:
        os.chdir(str(before))
        (folder / VOCABULARY).unlink()


def look_up(words: tf.Tensor, unknown: int) -> tf.Tensor:
    """Return the ids of words by the vocabulary, which so becomes an asset."""
    table = tf.contrib.lookup.index_table_from_file(VOCABULARY, num_oov_buckets=unknown)
    return table.lookup(words)


def draw_words(seed: int, words: int, shape: tuple[int, ...]) -> np.ndarray:
    """Draw words, some of which the vocabulary does not have."""
    numbers = np.random.RandomState(seed).randint(1, words + 10, size=shape)
    return np.array([f"w{number:03}" for number in numbers.ravel()], object).reshape(shape)


def asset_feeds() -> dict[str, str]:
    """Return where the vocabulary will lie, by the tensor that is to be fed with its path."""
    (path,) = tf.get_collection(tf.GraphKeys.ASSET_FILEPATHS)
    return {path.name: f"assets/{VOCABULARY}"}


def sort_saved_model(path: Path) -> None:
    """Write a SavedModel once more, with all its maps sorted."""
    saved = SavedModel.FromString(path.read_bytes())
    for meta_graph in saved.meta_graphs:
        sort_contexts(meta_graph)
    write_message(path, saved)
