"""A train_op that can be timed."""

import time
from pathlib import Path

import numpy as np
import tensorflow.compat.v1 as tf

from benchmarks.model import BATCH

RESTORED = ("table", "table/graphfreeze/rows", "kernel")


class Trial:
    """A graph with a train_op, in a session of its own."""

    def __init__(self, graph: tf.Graph, checkpoint: Path) -> None:
        """Begin with new slots, and with the model's own values as the checkpoint has them.

        Where a value comes from decides how its memory lies, and so the time of sparse updates up
        to a factor of three: every variant has to come by its values in the same way."""
        variables = graph.get_collection("variables")
        with graph.as_default():
            saver = tf.train.Saver([v for v in variables if v.op.name in RESTORED])
        self.session = tf.Session(graph=graph)
        self.session.run([variable.initializer for variable in variables])
        saver.restore(self.session, str(checkpoint))
        self.train_op = graph.get_collection("train_op")[0]

    def __enter__(self) -> "Trial":
        return self

    def __exit__(self, *error: object) -> None:
        """Free the variables: some take GBs."""
        self.session.close()

    def seconds(self, batches: list[np.ndarray]) -> float:
        """Train on batches of ids and return the seconds that a step took, the median of them."""
        ends = [time.perf_counter()]
        for batch in batches:
            self.session.run(self.train_op, {"ids:0": batch})
            ends.append(time.perf_counter())
        return float(np.median(np.diff(ends)))

    def moved(self) -> np.ndarray:
        """Run a step on the first rows and return which of them it moved, bool [BATCH]."""
        feeds = {"ids:0": np.arange(BATCH, dtype=np.int32)}
        before = self.session.run("taken:0", feeds)
        self.session.run(self.train_op, feeds)
        after = self.session.run("taken:0", feeds)
        return np.any(before.view(np.uint32) != after.view(np.uint32), axis=1)
