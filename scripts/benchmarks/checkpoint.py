"""Time what the checkpoint of a bundle costs against restoring and saving all of it."""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import tensorflow.compat.v1 as tf

from benchmarks import machine
from benchmarks.checkpoint_write import LINKED, REWRITTEN

TARGET = 0.02  # of the time of restore + save, where the source's files are linked


@dataclass(frozen=True)
class Size:
    """How much is measured: square layers that are frozen, and a new one beside them."""

    layers: int
    width: int
    new_width: int
    rounds: int
    is_quick: bool = False


FULL = Size(layers=16, width=4096, new_width=1024, rounds=5)
QUICK = Size(layers=2, width=16, new_width=8, rounds=2, is_quick=True)


def run(size: Size, out: Path) -> None:
    """Measure, print the figures, and write checkpoint.json."""
    start, before = time.time(), machine.facts()
    with tempfile.TemporaryDirectory(prefix="graphfreeze-benchmark-") as folder:
        _save(Path(folder), size)
        cases = [_measure(Path(folder), case, size) for case in (LINKED, REWRITTEN)]
    for each in cases:
        print(_told(each), flush=True)
    result = {
        "benchmark": "checkpoint",
        "quick": size.is_quick,
        "machine": {**before, "load_at_end": machine.load()},
        "minutes": round((time.time() - start) / 60, 1),
        "frozen_bytes": 4 * size.layers * size.width**2,
        "cases": cases,
        "targets": [
            {
                "name": "linked: write, restore + save = 1",
                "bound": TARGET,
                "figure": cases[0]["ratio"],
                "is_reached": cases[0]["ratio"] <= TARGET,
            }
        ],
    }
    (out / "checkpoint.json").write_text(json.dumps(result, indent=1) + "\n")
    print(out / "checkpoint.json")


def _save(folder: Path, size: Size) -> None:
    """Save frozen layers, and graphs that have one more: of the same names, and of others."""
    with tf.Graph().as_default(), tf.Session() as session:
        _build(size, LINKED, with_new=False)
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, str(folder / "values"), write_meta_graph=False)
        tf.train.export_meta_graph(
            str(folder / "values.meta"), saver_def=tf.train.Saver().as_saver_def()
        )
    for case in (LINKED, REWRITTEN):
        with tf.Graph().as_default():
            _build(size, case, with_new=True)
            saver = tf.train.Saver().as_saver_def()
            tf.train.export_meta_graph(str(folder / f"{case}.meta"), saver_def=saver)


def _build(size: Size, scope: str, *, with_new: bool) -> None:
    with tf.variable_scope(scope):
        for number in range(size.layers):
            tf.get_variable(f"layer_{number}", [size.width, size.width])
    if with_new:
        tf.get_variable("new", [size.new_width, size.new_width])


def _measure(folder: Path, case: str, size: Size) -> dict:
    """Measure in a process of its own, whose memory nothing else has grown."""
    command = [sys.executable, "-m", "benchmarks.checkpoint_write"]
    arguments = [str(folder), case, str(size.rounds)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [*command, *arguments], env=environment, check=True, capture_output=True, text=True
    )
    measured = json.loads(done.stdout)
    new = 4 * size.new_width**2
    return {**measured, "new_bytes": new, "growth_ratio": measured["growth_bytes"] / new}


def _told(case: dict) -> str:
    write, saver = case["write_ms"], case["restore_and_save_ms"]
    growth, new = (case[key] / 2**20 for key in ("growth_bytes", "new_bytes"))
    return (
        f"{case['case']:9} | write {write:.1f} ms of {saver:.0f} ms by a Saver: "
        f"{100 * case['ratio']:.2f} %, the first in its process {case['first_ms']:.0f} ms | memory "
        f"grows by {growth:.1f} MiB, the new variables have {new:.1f} MiB"
    )
