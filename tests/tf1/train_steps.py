"""Run train ops of a graph file: ``train_steps.py META CHECKPOINT FEEDS_JSON OUT_NPZ OP...``.

Knows nothing of graphfreeze; runs in Python 3.7 with TensorFlow 1.15 as well as in TensorFlow 2.
Each step runs all the ops, one after the other. With ``--monitored`` it is a session of
MonitoredTrainingSession over a folder that holds the checkpoint, hooks and all."""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import tensorflow.compat.v1 as tf
from train_bundle import Values, get_bits, read_feeds

# One thread adds in one order.
CONFIG = tf.ConfigProto(
    allow_soft_placement=True, intra_op_parallelism_threads=1, inter_op_parallelism_threads=1
)


def run_steps(session, reads: dict, ops: list, feeds: Values, steps: int) -> Values:
    """Return the value of each variable before, and after each step."""
    values = {}
    for step in range(steps + 1):
        for op in ops if step else ():
            session.run(op, feeds)
        values.update({f"{step}/{name}": v for name, v in session.run(reads, feeds).items()})
    return values


def train(saver: tf.train.Saver, checkpoint: str, reads: dict, ops: list, feeds, steps: int):
    """Restore into a plain session, run, save, and see that all comes back."""
    with tf.Session(config=CONFIG) as session:
        saver.restore(session, checkpoint)
        session.run([tf.get_collection("local_init_op"), tf.get_collection("table_initializer")])
        values = run_steps(session, reads, ops, feeds, steps)
        with tempfile.TemporaryDirectory() as folder:
            saver.restore(session, saver.save(session, str(Path(folder, "model"))))
        again = session.run(reads)
    # A metric's locals are in no checkpoint, and a frozen writer must not stop a restore.
    changed = [n for n in again if get_bits(again[n]) != get_bits(values[f"{steps}/{n}"])]
    assert not changed, changed
    return values


def train_monitored(checkpoint: str, reads: dict, ops: list, feeds, steps: int) -> Values:
    """Run as an Estimator does: its scaffold is what the collections of the graph name."""
    with tempfile.TemporaryDirectory() as folder:
        for file in Path(checkpoint).parent.glob(f"{Path(checkpoint).name}.*"):
            shutil.copy(str(file), str(Path(folder, file.name)))
        state = f'model_checkpoint_path: "{Path(checkpoint).name}"\n'
        Path(folder, "checkpoint").write_text(state)
        with tf.train.MonitoredTrainingSession(
            checkpoint_dir=folder, config=CONFIG, save_checkpoint_steps=10, save_summaries_steps=5
        ) as session:
            values = run_steps(session, reads, ops, feeds, steps)
        assert tf.train.latest_checkpoint(folder) != str(Path(folder, Path(checkpoint).name))
    return values


def main() -> None:
    """Run on the command line's arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("META", "CHECKPOINT", "FEEDS_JSON", "OUT_NPZ"):
        parser.add_argument(name)
    parser.add_argument("OP", nargs="+")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--monitored", action="store_true")
    args = parser.parse_args()
    feeds = read_feeds(json.loads(Path(args.FEEDS_JSON).read_text()))

    if tf.executing_eagerly():
        tf.disable_v2_behavior()
    saver = tf.train.import_meta_graph(args.META, clear_devices=True)
    graph = tf.get_default_graph()
    ops = [graph.get_operation_by_name(op) for op in args.OP]
    reads = {v.op.name: v.read_value() for v in tf.global_variables()}
    if args.monitored:
        values = train_monitored(args.CHECKPOINT, reads, ops, feeds, args.steps)
    else:
        values = train(saver, args.CHECKPOINT, reads, ops, feeds, args.steps)
    with open(args.OUT_NPZ, "wb") as out:
        np.savez(out, **{name: np.asarray(value) for name, value in values.items()})


if __name__ == "__main__":
    main()
