"""What all recipes share: a session that repeats itself, and the files of a model folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Sequence

import numpy as np
import tensorflow as tf
from google.protobuf.message import Message


def new_session() -> tf.Session:
    """Open a session on one thread, so that sums are added in one order."""
    return tf.Session(
        config=tf.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    )


def write_message(path: Path, message: Message) -> None:
    """Write a message with its maps sorted: protobuf's own order differs from run to run."""
    path.write_bytes(message.SerializeToString(deterministic=True))


def write_model(folder: Path, session: tf.Session) -> None:
    """Write ``model.ckpt.*`` with its meta graph, and a ``checkpoint`` with a relative path."""
    saver = tf.train.Saver(save_relative_paths=True)
    saver.save(session, str(folder / "model.ckpt"))
    meta_graph = tf.MetaGraphDef()
    meta_graph.ParseFromString((folder / "model.ckpt.meta").read_bytes())
    write_message(folder / "model.ckpt.meta", meta_graph)


def write_feeds(
    folder: Path, loss: tf.Tensor, feeds: dict[tf.Tensor, np.ndarray], outputs: Sequence[tf.Tensor]
) -> None:
    """Write ``feeds.json``: a batch under which ``loss`` and ``outputs`` can be evaluated."""
    document = {
        "loss": loss.name,
        "feeds": {
            tensor.name: {
                "dtype": array.dtype.name,
                "shape": list(array.shape),
                "values": array.ravel().tolist(),
            }
            for tensor, array in feeds.items()
        },
        "outputs": [output.name for output in outputs],
    }
    (folder / "feeds.json").write_text(json.dumps(document) + "\n")


def draw_integers(seed: int, bound: int, shape: Sequence[int]) -> np.ndarray:
    """Draw int32 values in ``[0, bound)``."""
    return np.random.RandomState(seed).randint(bound, size=shape).astype(np.int32)


def draw_floats(seed: int, shape: Sequence[int]) -> np.ndarray:
    """Draw float32 multiples of 1/64 in ``[-1, 1)``: JSON gives them back to the bit."""
    return (np.random.RandomState(seed).randint(-64, 64, size=shape) / 64).astype(np.float32)
