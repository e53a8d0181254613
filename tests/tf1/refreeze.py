"""Run a frozen graph, what it was thawed to, and that frozen again by TensorFlow itself.

``refreeze.py JOBS_JSON OUT_NPZ``, where a job is a name, the graph, the thawed folder and a
``feeds.json``. Knows nothing of graphfreeze; runs in
Python 3.7 with TensorFlow 1.15 as well as in TensorFlow 2."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import tensorflow.compat.v1 as tf

Values = "list[np.ndarray]"  # for annotations alone: Python 3.7 cannot subscript list


def config() -> tf.ConfigProto:
    """Let a session run the ops that are there: constants would be folded, variables are not."""
    found = tf.ConfigProto(allow_soft_placement=True)
    found.graph_options.rewrite_options.disable_meta_optimizer = True
    found.graph_options.optimizer_options.opt_level = -1  # L0
    return found


def run_graph(graph_def: tf.GraphDef, outputs: list, feeds: dict) -> Values:
    """Import a GraphDef and run it."""
    with tf.Graph().as_default(), tf.Session(config=config()) as session:
        tf.import_graph_def(graph_def, name="")
        return session.run(outputs, feeds)


def thawed(folder: Path, outputs: list, feeds: dict) -> tuple:
    """Run a thawed model, and freeze it again."""
    with tf.Graph().as_default() as graph, tf.Session(config=config()) as session:
        saver = tf.train.import_meta_graph(str(folder / "model.meta"), clear_devices=True)
        saver.restore(session, str(folder / "model"))
        values = session.run(outputs, feeds)
        nodes = [name.partition(":")[0] for name in outputs]
        again = tf.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), nodes)
    left = [node.name for node in again.node if "Var" in node.op]
    assert not left, left
    return values, again


def run_job(frozen: str, folder: str, feeds: str) -> dict:
    """Return the outputs of all three."""
    document = json.loads(Path(feeds).read_text())
    named = {
        key: np.array(each["values"], each["dtype"]).reshape(each["shape"])
        for key, each in document["feeds"].items()
    }
    outputs = [document["loss"], *document["outputs"]]
    first = run_graph(tf.GraphDef.FromString(Path(frozen).read_bytes()), outputs, named)
    second, again = thawed(Path(folder), outputs, named)
    third = run_graph(again, outputs, named)
    runs = {"frozen": first, "thawed": second, "refrozen": third}
    return {f"{run}/{n}": value for run, values in runs.items() for n, value in enumerate(values)}


def main(jobs: str, out: str) -> None:
    """Run all jobs, and write what they computed by name, run and number."""
    found = {}
    for name, *paths in json.loads(Path(jobs).read_text()):
        found.update({f"{name}/{key}": value for key, value in run_job(*paths).items()})
    np.savez(out, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
