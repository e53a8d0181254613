"""Differentiate graphs and train them: ``control_flow_steps.py JOBS_JSON``.

``JOBS_JSON`` lists jobs: a ``meta`` graph, the ``checkpoint`` that it restores, ``starters`` (ops
to run first), ``feeds``, a ``loss``, the ``variables`` to take its gradients for by tf.gradients,
the ``rate`` (a tensor) of an optimizer that goes straight down the gradients, or null, and how
many ``steps`` of its train_op to run; ``out`` is an npz of all that came out. Knows nothing of
graphfreeze; runs in Python 3.7 with TensorFlow 1.15 as well as in TensorFlow 2.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import tensorflow.compat.v1 as tf
from run_graph import CONFIG, Values
from tensorflow.python.ops import cond_v2, while_v2  # their gradients, which 1.15 registers late
from train_bundle import read_feeds, read_variables

FAR = 2.0**20
"""Times a gradient, it is all that is left of ``w - FAR * g``; and the product is exact."""
assert cond_v2, while_v2


def take_gradients(loss: str, names: list) -> dict:
    """Return the gradients of variables, as far as they have one."""
    graph = tf.get_default_graph()
    xs = [graph.get_tensor_by_name(f"{name}:0") for name in names]
    found = zip(names, tf.gradients(graph.get_tensor_by_name(loss), xs)) if xs else ()
    return {f"gradient/{name}": gradient for name, gradient in found if gradient is not None}


def add_rows(value) -> np.ndarray:
    """Add the rows of a sparse gradient up."""
    if not hasattr(value, "dense_shape"):
        return value
    dense = np.zeros(value.dense_shape, value.values.dtype)
    np.add.at(dense, value.indices, value.values)
    return dense


class Started:
    """A session that begins anew whenever it is asked to."""

    def __init__(self, session: tf.Session, saver: tf.train.Saver, job: dict) -> None:
        self.session, self.saver, self.job = session, saver, job
        self.feeds = read_feeds(job)

    def begin(self) -> None:
        """Restore, and start what is in no checkpoint."""
        self.saver.restore(self.session, self.job["checkpoint"])
        self.session.run([tf.get_collection("table_initializer"), self.job["starters"]])

    def fetch(self, tensors: dict) -> Values:
        """Run what is asked for from the beginning."""
        self.begin()
        return {key: add_rows(v) for key, v in self.session.run(tensors, self.feeds).items()}

    def train(self, steps: int, rate: float | None = None) -> Values:
        """Run some steps from the beginning, and return what the variables hold then."""
        self.begin()
        feeds = self.feeds if rate is None else {**self.feeds, self.job["rate"]: rate}
        for _ in range(steps):
            self.session.run(tf.get_collection("train_op")[0], feeds)
        return read_variables(self.session)


def run(job: dict) -> Values:
    """Return all that a job makes of its graph."""
    with tf.Graph().as_default(), tf.Session(config=CONFIG) as session:
        saver = tf.train.import_meta_graph(job["meta"])
        gradients = take_gradients(job["loss"], job["variables"])
        started = Started(session, saver, job)
        found = started.fetch({"loss": job["loss"], **gradients})
        if not job["steps"]:
            return found
        before, after = started.train(0), started.train(job["steps"])
        if job["rate"] is not None:
            far = started.train(1, FAR)
            for name in before:
                if before[name].dtype == np.float32:
                    found[f"gradient/{name}"] = (before[name] - far[name].astype(float)) / FAR
    found.update({f"before/{name}": value for name, value in before.items()})
    found.update({f"after/{name}": value for name, value in after.items()})
    return found


def main() -> None:
    """Run the jobs of the command line's file."""
    if tf.executing_eagerly():
        tf.disable_v2_behavior()
    for job in json.loads(Path(sys.argv[1]).read_text()):
        np.savez(job["out"], **run(job))


if __name__ == "__main__":
    main()
