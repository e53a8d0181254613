"""Gradients of every variable: ``gradients.py JOBS_JSON``.

``JOBS_JSON`` lists jobs: a ``meta`` graph, a ``checkpoint`` with the values of ``variables`` (what
each is called in the graph, by its key), a ``loss`` and ``feeds``; ``out`` is an npz of the loss
and of each gradient that there is. Knows nothing of graphfreeze; runs in Python 3.7 with TensorFlow
1.15 as well as in TensorFlow 2.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import tensorflow.compat.v1 as tf

CONFIG = tf.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
CONFIG.graph_options.rewrite_options.disable_meta_optimizer = True


def assign(variable: tf.Operation, value: np.ndarray) -> tf.Operation:
    """Give a variable its value, by its ref or handle."""
    if variable.type == "VarHandleOp":
        return tf.raw_ops.AssignVariableOp(resource=variable.outputs[0], value=value)
    return tf.raw_ops.Assign(ref=variable.outputs[0], value=value)


def run(job: dict) -> dict[str, np.ndarray]:
    """Return the loss and the gradients."""
    given = job["feeds"].items()
    feeds = {key: np.array(f["values"], f["dtype"]).reshape(f["shape"]) for key, f in given}
    values = tf.train.load_checkpoint(job["checkpoint"])
    with tf.Graph().as_default() as graph:
        tf.train.import_meta_graph(job["meta"], clear_devices=True)
        loss = graph.get_tensor_by_name(job["loss"])
        variables = {key: graph.get_operation_by_name(n) for key, n in job["variables"].items()}
        found = tf.gradients(loss, [variable.outputs[0] for variable in variables.values()])
        dense = zip(variables, found)
        fetches = {key: tf.convert_to_tensor(g) for key, g in dense if g is not None}
        starts = [assign(v, values.get_tensor(key)) for key, v in variables.items()]
        with tf.Session(config=CONFIG) as session:
            session.run(starts)
            return session.run({**fetches, "loss": loss}, feeds)


def main() -> None:
    """Run the jobs of the command line's file."""
    if tf.executing_eagerly():
        tf.disable_v2_behavior()
    for job in json.loads(Path(sys.argv[1]).read_text()):
        np.savez(job["out"], **run(job))


if __name__ == "__main__":
    main()
