"""Train bundles with a head for twenty steps: ``transfer.py JOBS_JSON OUT_NPZ``.

A job is a bundle, batches that take turns, and outputs. Where the job says ``cached``, features are
computed once for all batches, and steps are fed with them. What was trained is saved beside the
bundle's own checkpoint. Knows nothing of graphfreeze; runs in Python 3.7 with TensorFlow 1.15 as
well as in TensorFlow 2.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import tensorflow.compat.v1 as tf
from train_bundle import CONFIG, read_feeds, read_variables

STEPS = 20


def cache(session: tf.Session, tensors: dict, batches: list) -> list:
    """Return one batch of features instead of many inputs."""
    features = [session.run(tensors["features"], batch) for batch in batches]
    labels = [batch[tensors["labels"]] for batch in batches]
    pairs = (tensors["features"], features), (tensors["labels"], labels)
    return [{name: np.concatenate(values) for name, values in pairs}]


def train(job: dict) -> dict:
    """Return losses, outputs before and after, and variables before and after."""
    bundle, batches = Path(job["bundle"]), [read_feeds({"feeds": f}) for f in job["batches"]]
    tensors = json.loads((bundle / "graphfreeze.json").read_text())["head"]["tensors"]
    given = [{k: v for k, v in batch.items() if k != tensors["labels"]} for batch in batches]
    found = {}
    with tf.Graph().as_default(), tf.Session(config=CONFIG) as session:
        saver = tf.train.import_meta_graph(str(bundle / "model.meta"))
        saver.restore(session, str(bundle / "model"))
        steps = cache(session, tensors, batches) if job["cached"] else batches

        def read(when: str) -> None:
            found[when + "/loss"] = np.mean([session.run(tensors["loss"], f) for f in steps])
            for name in job["outputs"]:
                values = [session.run(name, feeds) for feeds in given]
                found[when + "/" + name] = np.concatenate(values)
            for name, value in read_variables(session).items():
                found[when + "/" + name] = value

        read("before")
        for i in range(STEPS):
            session.run(tf.get_collection("train_op")[0], steps[i % len(steps)])
        read("after")
        saver.save(session, str(bundle / "trained"), global_step=STEPS, write_meta_graph=False)
    return found


def main() -> None:
    """Run on the command line's arguments."""
    if tf.executing_eagerly():
        tf.disable_v2_behavior()
    jobs, found = json.loads(Path(sys.argv[1]).read_text()), {}
    for name, job in jobs.items():
        found.update({name + "/" + what: value for what, value in train(job).items()})
    with open(sys.argv[2], "wb") as out:
        np.savez(out, **found)


if __name__ == "__main__":
    main()
