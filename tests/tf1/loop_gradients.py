"""Ask graphs for gradients, and train them: ``loop_gradients.py JOBS_JSON``.

``JOBS_JSON`` lists jobs: a ``meta`` graph and its ``checkpoint``, ``feeds``, a file as a model has
it, and ``steps``, how often the train_op runs; ``out`` is an npz of the ``loss``, the gradients of
all variables (``gradient/NAME``), and their values ``before`` and ``after``. Knows nothing of
graphfreeze; runs in Python 3.7 with TensorFlow 1.15 as well as in TensorFlow 2.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import tensorflow.compat.v1 as tf
from train_bundle import Values, read_feeds

# One thread adds in one order.
CONFIG = tf.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)


def run(job: dict) -> Values:
    """Return all that a job makes of its graph."""
    document = json.loads(Path(job["feeds"]).read_text())
    feeds = read_feeds(document)
    with tf.Graph().as_default() as graph, tf.Session(config=CONFIG) as session:
        saver = tf.train.import_meta_graph(job["meta"])
        loss = graph.get_tensor_by_name(document["loss"])
        every = {v.op.name: v for v in tf.global_variables() if v.dtype.is_floating}
        gradients = dict(zip(every, tf.gradients(loss, list(every.values()))))
        found = {
            f"gradient/{n}": tf.convert_to_tensor(g) for n, g in gradients.items() if g is not None
        }
        saver.restore(session, job["checkpoint"])
        values = session.run({"loss": loss, **found}, feeds)
        values.update(session.run({f"before/{name}": v for name, v in every.items()}))
        for _ in range(job["steps"]):
            session.run(tf.get_collection("train_op")[0], feeds)
        values.update(session.run({f"after/{name}": v for name, v in every.items()}))
    return values


def main() -> None:
    """Run the jobs of the command line's file."""
    if tf.executing_eagerly():
        tf.disable_v2_behavior()
    for job in json.loads(Path(sys.argv[1]).read_text()):
        np.savez(job["out"], **run(job))


if __name__ == "__main__":
    main()
