"""Run graphs in every way that their variables take part in: ``run_graph.py JOBS_JSON``.

``JOBS_JSON`` lists jobs: a ``meta`` graph, the ``checkpoint`` that it restores, ``feeds``, what is
fetched after each step (``fetches``), and ``steps``, each a list of names that are run together;
``out`` is an npz of all that came out. Knows nothing of graphfreeze; runs in Python 3.7 with
TensorFlow 1.15 as well as in TensorFlow 2.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import tensorflow.compat.v1 as tf

# One thread and no rewriting, so that sums are added in one order, and a read waits for what it is
# to wait for: grappler lets some go. Old graphs may name absent devices.
CONFIG = tf.ConfigProto(
    allow_soft_placement=True, intra_op_parallelism_threads=1, inter_op_parallelism_threads=1
)
CONFIG.graph_options.rewrite_options.disable_meta_optimizer = True
Values = "dict[str, np.ndarray]"


def load_graph(path: str) -> tf.train.Saver | None:
    """Import a graph; random ops without a seed get one, the same for the same name."""
    meta = tf.MetaGraphDef()
    meta.ParseFromString(Path(path).read_bytes())
    for node in meta.graph_def.node:
        if "seed" in node.attr and not (node.attr["seed"].i or node.attr["seed2"].i):
            node.attr["seed"].i, node.attr["seed2"].i = 7, 1 + sum(node.name.encode())
    return tf.train.import_meta_graph(meta, clear_devices=True)


def read_variables(session: tf.Session, when: str) -> Values:
    """Return the value of every variable."""
    every = tf.global_variables() + tf.local_variables()
    return session.run({f"{when}/{v.op.name}": v for v in every})


def start(session: tf.Session) -> None:
    """Run what a session runs first, besides restoring."""
    session.run([tf.local_variables_initializer(), tf.get_collection("table_initializer")])


def fetch(session: tf.Session, names: list, feeds: Values, when: str) -> Values:
    """Run tensors and operations by name, and return the values of the tensors."""
    graph = tf.get_default_graph()
    values = session.run([graph.as_graph_element(name) for name in names], feeds)
    return {f"{when}/{name}": v for name, v in zip(names, values) if v is not None}


def run(job: dict) -> Values:
    """Return all that a job makes of its graph."""
    given = job["feeds"].items()
    feeds = {key: np.array(f["values"], f["dtype"]).reshape(f["shape"]) for key, f in given}
    found: Values = {}
    with tf.Graph().as_default(), tempfile.TemporaryDirectory() as folder:
        saver = load_graph(job["meta"])
        with tf.Session(config=CONFIG) as session:
            saver.restore(session, job["checkpoint"])
            start(session)
            found.update(read_variables(session, "restored"))
            for number, step in enumerate([[], *job["steps"]]):
                found.update(fetch(session, step, feeds, f"step {number}"))
                found.update(fetch(session, job["fetches"], feeds, f"after {number}"))
                found.update(read_variables(session, f"moved {number}"))
            found.update(read_variables(session, "moved"))
            saved = saver.save(session, str(Path(folder, "model")), write_meta_graph=False)
        with tf.Session(config=CONFIG) as session:
            found["told"] = session.run(tf.report_uninitialized_variables())
            saver.restore(session, saved)
            start(session)
            found.update(read_variables(session, "saved"))
        with tf.Session(config=CONFIG) as session:
            session.run(tf.global_variables_initializer())
            start(session)
            found.update(read_variables(session, "initial"))
            found["asked"] = session.run(tf.report_uninitialized_variables())
    return found


def main() -> None:
    """Run the jobs of the command line's file."""
    if tf.executing_eagerly():
        tf.disable_v2_behavior()
    for job in json.loads(Path(sys.argv[1]).read_text()):
        np.savez(job["out"], **run(job))


if __name__ == "__main__":
    main()
