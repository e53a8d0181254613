"""Freeze a BERT-like model written by TensorFlow 1.15, train the rest, compare bits, verify."""

import json
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from graphfreeze.cli.chatter import without_chatter

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "testdata" / "models" / "bert_tiny"
STEPS = 5
SHOWN = ("word_embeddings", "layer_1/output/dense/kernel", "pooler/dense/kernel")
OPTIONS = [
    "--freeze=bert/encoder/layer_{0..9}",
    "--freeze=bert/embeddings/LayerNorm",
    "--freeze-rows=bert/embeddings/word_embeddings=0:200",
    "--optimizer=adam",
    "--learning-rate=0.001",
]


def main() -> None:
    """Run the demonstration in a folder that is thrown away."""
    with tempfile.TemporaryDirectory(prefix="graphfreeze-demo-") as folder:
        out = Path(folder) / "bundle"
        command = ["graphfreeze", "freeze", str(MODEL.relative_to(ROOT)), str(out), *OPTIONS]
        print("$", shlex.join(command), flush=True)
        subprocess.run([sys.executable, "-m", *command], cwd=ROOT, check=True)
        print(f"\nTraining the bundle for {STEPS} steps, with TensorFlow alone:", flush=True)
        before, after = train(out)
        told = json.loads((out / "graphfreeze.json").read_text())
        records = [record for record in told["variables"] if record["name"] in before]
        moved = sum(compare(record, before, after) for record in records)
        if moved:
            sys.exit(f"{moved} frozen values moved")
        print("\nEvery frozen value has the bits that it has in the original checkpoint.")
        verify(out)


def train(bundle: Path) -> tuple[dict, dict]:
    """Train as any script would; return the original checkpoint's values and the trained ones."""
    import numpy as np

    with without_chatter():
        import tensorflow.compat.v1 as tf
    tf.logging.set_verbosity(tf.logging.ERROR)
    told = json.loads((MODEL / "feeds.json").read_text())
    feeds = {
        name: np.array(feed["values"], feed["dtype"]).reshape(feed["shape"])
        for name, feed in told["feeds"].items()
    }
    with tf.Graph().as_default(), tf.Session() as session:
        saver = tf.train.import_meta_graph(str(bundle / "model.meta"))
        saver.restore(session, str(bundle / "model"))
        train_op = tf.get_collection("train_op")[0]
        values = {v.op.name: v for v in tf.global_variables()}
        original = tf.train.load_checkpoint(str(MODEL / "model.ckpt"))
        before = {n: original.get_tensor(n) for n in original.get_variable_to_shape_map()}
        for step in range(STEPS):
            loss, _ = session.run([told["loss"], train_op], feeds)
            print(f"  step {step + 1}  loss {loss:.6f}")
        return before, session.run(values)


def verify(bundle: Path) -> None:
    """Let graphfreeze prove the bundle, and print what each part came to."""
    command = ["graphfreeze", "verify", str(MODEL.relative_to(ROOT)), str(bundle), "--json"]
    print("\n$", shlex.join(command), flush=True)
    made = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, stdout=subprocess.PIPE, check=True
    )
    for section in json.loads(made.stdout)["sections"]:
        print(f"  {section['name']:10}  {section['status']}")


def compare(record: dict, before: dict, after: dict) -> int:
    """Count the frozen values of a variable that moved; print a line for some variables."""
    old, new = before[record["name"]], after[record["name"]]
    is_moved = old.view("uint32") != new.view("uint32")
    state = record["state"]
    if state == "partly frozen":
        ranges = [slice(*ends) for ends in record["frozen_ranges"]]
        frozen = sum(int(is_moved[rows].sum()) for rows in ranges)
    else:
        frozen = int(is_moved.sum()) if state == "frozen" else 0
    if record["name"].endswith(SHOWN):
        print(f"  {record['name']}: {state}, {int(is_moved.sum()):,} of {old.size:,} values moved")
    return frozen


if __name__ == "__main__":
    main()
