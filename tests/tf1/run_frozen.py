"""Print the losses of frozen graphs: ``run_frozen.py GRAPH_PB FEEDS_JSON ...``.

Knows nothing of graphfreeze; runs in Python 3.7 with TensorFlow 1.15 as well as in TensorFlow 2."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import tensorflow.compat.v1 as tf
from train_bundle import read_feeds


def main() -> None:
    """Run on the command line's arguments."""
    paths = [Path(each) for each in sys.argv[1:]]
    for graph, feeds in zip(paths[::2], paths[1::2]):
        document = json.loads(feeds.read_text())
        with tf.Graph().as_default(), tf.Session() as session:
            tf.import_graph_def(tf.GraphDef.FromString(graph.read_bytes()), name="")
            print(float(session.run(document["loss"], read_feeds(document))))


if __name__ == "__main__":
    main()
