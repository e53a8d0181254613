"""Compare a SavedModel with the bundle that it was exported from: ``run_served.py JOBS_JSON``.

``JOBS_JSON`` lists jobs: a ``bundle`` and the ``checkpoint`` that it was trained to, the ``served``
folder, ``feeds`` by tensor, ``assets``. Prints outputs whose bits differ. Knows nothing of
graphfreeze; runs in Python 3.7 with TensorFlow 1.15.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import tensorflow.compat.v1 as tf

STARTERS = ("local_init_op", "table_initializer")


def run(job: dict) -> list:
    """Return the outputs that differ."""
    feeds = {
        k: np.array(f["values"], f["dtype"]).reshape(f["shape"]) for k, f in job["feeds"].items()
    }
    with tf.Graph().as_default(), tf.Session() as session:
        meta = tf.saved_model.loader.load(session, ["serve"], job["served"])
        signature = meta.signature_def["serving_default"]
        outputs = [info.name for info in signature.outputs.values()]
        inputs = {info.name for info in signature.inputs.values()}
        served = session.run(outputs, {k: v for k, v in feeds.items() if k in inputs})
    with tf.Graph().as_default(), tf.Session() as session:
        saver = tf.train.import_meta_graph(str(Path(job["bundle"], "model.meta")))
        saver.restore(session, job["checkpoint"])
        assets = {k: str(Path(job["bundle"], path)) for k, path in job["assets"].items()}
        session.run([tf.get_collection(key) for key in STARTERS], assets)
        trained = session.run(outputs, feeds)
    pairs = zip(outputs, served, trained)
    return [name for name, a, b in pairs if a.tobytes() != b.tobytes()] if outputs else ["nothing"]


def main() -> None:
    """Run the jobs of the command line's file."""
    for job in json.loads(Path(sys.argv[1]).read_text()):
        for name in run(job):
            print(f"{job['served']}: {name} differs")


if __name__ == "__main__":
    main()
