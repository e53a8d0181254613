"""Train a bundle as its user would: ``train_bundle.py BUNDLE_DIR FEEDS_JSON OUT_NPZ``.

BUNDLE_DIR may be a SavedModel with a MetaGraph for training.

Knows nothing of graphfreeze; runs in Python 3.7 with TensorFlow 1.15 as well as in TensorFlow 2."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import tensorflow.compat.v1 as tf
from tensorflow.python.saved_model import loader_impl

CONFIG = tf.ConfigProto(allow_soft_placement=True)  # for kernels that only one device has
Values = "dict[str, np.ndarray]"  # for annotations alone: Python 3.7 cannot subscript dict


def read_feeds(document: dict) -> Values:
    """Return the arrays of a ``feeds.json`` by tensor name."""
    feeds = document["feeds"].items()
    return {key: np.array(f["values"], f["dtype"]).reshape(f["shape"]) for key, f in feeds}


def read_variables(session: tf.Session) -> Values:
    """Return the value of every global variable by its name."""
    values = session.run({variable.op.name: variable for variable in tf.global_variables()})
    return {name: np.asarray(value) for name, value in values.items()}


def get_bits(value: np.ndarray) -> tuple:
    """Return what two values share if they are the same to the bit."""
    return value.dtype, value.shape, value.tolist() if value.dtype == object else value.tobytes()


def find_lost(saver: tf.train.Saver, session: tf.Session, values: Values) -> str | None:
    """Save, restore into a fresh session, and return what did not come back, or None."""
    with tempfile.TemporaryDirectory() as folder, tf.Session(config=CONFIG) as fresh:
        prefix = str(Path(folder, "model"))
        saver.restore(fresh, saver.save(session, prefix, write_meta_graph=False))
        lost = fresh.run(tf.report_uninitialized_variables(tf.global_variables())).tolist()
        if lost:
            return f"not restored: {b', '.join(lost).decode()}"
        restored = read_variables(fresh)
    changed = [name for name in values if get_bits(values[name]) != get_bits(restored[name])]
    return f"not restored as saved: {', '.join(changed)}" if changed else None


def restore_from(bundle: Path, session: tf.Session) -> tuple:
    """Build the graph, restore its values, and return its saver and its train_op."""
    if (bundle / "saved_model.pb").is_file():
        loader = loader_impl.SavedModelLoader(str(bundle))
        saver, _ = loader.load_graph(session.graph, ["train"])
        loader.restore_variables(session, saver)
        loader.run_init_ops(session, ["train"])
        return saver, loader_impl.get_train_op(loader.get_meta_graph_def_from_tags(["train"]))
    # Old graphs may name absent devices, and those of other processes.
    saver = tf.train.import_meta_graph(str(bundle / "model.meta"), clear_devices=True)
    saver.restore(session, str(bundle / "model"))
    return saver, tf.get_collection("train_op")[0]


def train(
    bundle: Path, feeds: Values, *, loss: str | None, steps: int, assets: dict[str, str]
) -> Values:
    """Restore, run the train_op, return values before and after; exit if they can't be saved."""
    with tf.Session(config=CONFIG) as session:
        saver, train_op = restore_from(bundle, session)
        session.run(
            [tf.get_collection("local_init_op"), tf.get_collection("table_initializer")],
            {name: str(bundle / path) for name, path in assets.items()},
        )
        before = read_variables(session)
        losses = {"loss_before": session.run(loss, feeds)} if loss else {}
        for _ in range(steps):
            session.run(train_op, feeds)
        after = read_variables(session)
        lost = find_lost(saver, session, after)
        if loss:  # it may wait for updates of moving averages
            losses["loss_after"] = session.run(loss, feeds)
    if lost:
        sys.exit(lost)
    result = {f"before/{name}": before[name] for name in before}
    return {**result, **losses, **{f"after/{name}": after[name] for name in after}}


def main() -> None:
    """Run on the command line's arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("BUNDLE_DIR", "FEEDS_JSON", "OUT_NPZ"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--loss", metavar="NAME", help="the tensor, if not FEEDS_JSON's own")
    args = parser.parse_args()
    document = json.loads(args.FEEDS_JSON.read_text())

    if tf.executing_eagerly():
        tf.disable_v2_behavior()
    feeds, loss = read_feeds(document), args.loss or document.get("loss")
    assets = document.get("assets", {})
    result = train(args.BUNDLE_DIR, feeds, loss=loss, steps=args.steps, assets=assets)
    with args.OUT_NPZ.open("wb") as out:
        np.savez(out, **result)


if __name__ == "__main__":
    main()
