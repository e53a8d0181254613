"""Write the checkpoint of a bundle, and restore and save all of it, in one process."""

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import graphfreeze
from graphfreeze.api import complete
from graphfreeze.cli.chatter import without_chatter
from graphfreeze.emit.checkpoint import write_checkpoint

LINKED, REWRITTEN = "linked", "rewritten"


def measure(folder: Path, case: str, rounds: int) -> dict:
    """Return times in ms, and by how many bytes the memory of the process grew in a write.

    ``first_ms`` has the start of TensorFlow too. The others are medians of rounds, in which both
    ways take turns; ``ratio`` is the median of the ratios."""
    model = graphfreeze.load(folder / f"{case}.meta", checkpoint=folder / "values")
    values = graphfreeze.ValuePlan(
        missing="initialize", rename={LINKED: case} if case != LINKED else {}
    )
    plan = graphfreeze.FreezePlan(freeze=(case,))
    frozen = complete(graphfreeze.freeze(model, plan, values=values), folder / "out")
    first = _timed(folder, lambda out: write_checkpoint(frozen.draft, out))
    before = _memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    writes = [_timed(folder, lambda out: write_checkpoint(frozen.draft, out))]
    growth = _memory("VmHWM") - before
    savers: list[float] = []
    for _ in range(rounds):
        savers.append(_timed(folder, lambda out: _restore_and_save(folder, out)))
        writes.append(_timed(folder, lambda out: write_checkpoint(frozen.draft, out)))
    ratios = [write / saver for write, saver in zip(writes[1:], savers, strict=True)]
    return {
        "case": case,
        "write_ms": float(np.median(writes)),
        "first_ms": first,
        "restore_and_save_ms": float(np.median(savers)),
        "ratio": float(np.median(ratios)),
        "growth_bytes": growth,
    }


def _timed(folder: Path, write: Callable[[Path], None]) -> float:
    """Write to a new folder, take it away again, and return the milliseconds of the first."""
    out = Path(tempfile.mkdtemp(dir=folder))
    began = time.perf_counter()
    write(out)
    passed = time.perf_counter() - began
    shutil.rmtree(out)
    return 1000 * passed


def _restore_and_save(folder: Path, out: Path) -> None:
    """Do what takes everything through memory, in a session that is there."""
    import tensorflow.compat.v1 as tf

    with tf.Graph().as_default(), tf.Session() as session:
        saver = tf.train.import_meta_graph(str(folder / "values.meta"))
        saver.restore(session, str(folder / "values"))
        saver.save(session, str(out / "model"), write_meta_graph=False)


def _memory(field: str) -> int:
    """Return what the system tells of this process's memory, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    with without_chatter() as _:
        result = measure(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
    print(json.dumps(result))
