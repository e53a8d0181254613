"""Bundles that are trained a few steps, for exports to be compared with."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tensorflow.compat.v1 as tf

CONFIG = tf.ConfigProto(allow_soft_placement=True)
STEPS = 2
Arrays = dict[str, npt.NDArray[np.generic]]


@dataclass(frozen=True)
class Run:
    """A bundle that was trained: its checkpoint, what it computed then, and of what."""

    source: Path
    folder: Path
    prefix: Path
    feeds: Arrays
    fetched: Arrays


@contextmanager
def session() -> Iterator[tf.Session]:
    with tf.Graph().as_default(), tf.Session(config=CONFIG) as opened:
        yield opened


def fetch(opened: tf.Session, names: list[str], feeds: Arrays) -> Arrays:
    return dict(zip(names, opened.run(names, feeds), strict=True))


def train(source: Path, folder: Path, feeds_file: Path, out: Path) -> Run:
    document = json.loads(feeds_file.read_text())
    feeds = {
        name: np.array(each["values"], each["dtype"]).reshape(each["shape"])
        for name, each in document["feeds"].items()
    }
    assets = {name: str(folder / path) for name, path in document.get("assets", {}).items()}
    starters = ("local_init_op", "table_initializer")
    with session() as opened:
        saver = tf.train.import_meta_graph(str(folder / "model.meta"), clear_devices=True)
        saver.restore(opened, str(folder / "model"))
        opened.run([tf.get_collection(key) for key in starters], assets)
        for _ in range(STEPS):
            opened.run(tf.get_collection("train_op")[0], feeds)
        prefix = saver.save(opened, str(out / "model.ckpt"), STEPS, write_meta_graph=False)
        fetched = fetch(opened, document["outputs"], feeds)
    return Run(source, folder, Path(prefix), feeds, fetched)


def assert_same(found: Arrays, wanted: Arrays) -> None:
    assert {k: v.tobytes() for k, v in found.items()} == {k: v.tobytes() for k, v in wanted.items()}
