"""Time partly frozen tables: nothing frozen, the usual recipe, and ours, in turn in one process."""

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks import held_bytes, machine, model, targets
from benchmarks.plot import draw
from benchmarks.targets import FEW, HALF
from benchmarks.timing import measure
from benchmarks.variants import ALL, MASK, OVERLAY, USUAL, VARIANTS, Frozen, Setting

KINDS = ("ref", "resource")


@dataclass(frozen=True)
class Job:
    """Which rows are frozen, and what is compared under which optimizers."""

    frozen: Frozen
    variants: tuple[str, ...]
    optimizers: tuple[str, ...]
    counts_bytes: bool = False


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    heights: tuple[int, ...]
    rounds: int
    is_quick: bool = False


FULL = Size((200_000, 1_000_000, 2_000_000), rounds=100)
QUICK = Size((2_000,), rounds=5, is_quick=True)


def jobs(height: int, *, is_quick: bool) -> list[Job]:
    """Return what is measured on a table of some height."""
    half, few = slice(None, None, 2), slice(None, None, 100)
    every = tuple(model.OPTIMIZERS)
    scattered = Job(Frozen(HALF, half), (ALL, USUAL, MASK, OVERLAY), every)
    joined = Job(
        Frozen("the first half", slice(height // 2)), (ALL, MASK, OVERLAY), ("sgd", "adagrad")
    )
    rest = Frozen(FEW, few, is_inverse=True)
    sparse = Job(rest, (ALL, OVERLAY), ("adam",), counts_bytes=True)
    return [scattered, sparse] if is_quick else [scattered, joined, sparse]


def run(size: Size, out: Path) -> None:
    """Measure, print the figures and the targets, and write rows.json and rows.png."""
    start, before = time.time(), machine.facts()
    times, held = [], []
    with tempfile.TemporaryDirectory(prefix="graphfreeze-benchmark-") as folder:
        for setting, job in _settings(size, Path(folder) / "model"):
            times += _time(setting, job, size.rounds)
            if job.counts_bytes:
                held.append({**_where(setting), **held_bytes.count(setting, "overlay")})
    judged = targets.judge(times, held)
    result = {
        "benchmark": "rows",
        "quick": size.is_quick,
        "machine": {**before, "load_at_end": machine.load()},
        "minutes": round((time.time() - start) / 60, 1),
        "width": model.WIDTH,
        "batch": model.BATCH,
        "targets": judged,
        "times": times,
        "bytes": held,
    }
    (out / "rows.json").write_text(json.dumps(result, indent=1) + "\n")
    draw(result, out / "rows.png")
    if size.is_quick:
        print("The tables are too small for the targets to mean anything.")
    for each in judged:
        print(targets.told(each))
    print(f"{out / 'rows.json'}, {out / 'rows.png'}")


def _settings(size: Size, source: Path) -> Iterator[tuple[Setting, Job]]:
    """Yield what to measure; the model lies under ``source`` meanwhile."""
    for height in size.heights:
        for kind in KINDS:
            model.save(source, height, kind)
            for job in jobs(height, is_quick=size.is_quick):
                for optimizer in job.optimizers:
                    yield Setting(height, kind, optimizer, job.frozen, source), job


def _time(setting: Setting, job: Job, rounds: int) -> list[dict]:
    """Time the variants of one setting; print and return a record of each."""
    with ExitStack() as stack:
        trials = {n: stack.enter_context(VARIANTS[n](setting)) for n in job.variants}
        measured = measure(trials, setting.height, setting.frozen, rounds)
    where = _where(setting)
    told = ", ".join(f"{name} {each['ms']:.2f}" for name, each in measured.items())
    print(*where.values(), f"ms a step: {told}", sep=" | ", flush=True)
    return [{**where, "variant": name, **each} for name, each in measured.items()]


def _where(setting: Setting) -> dict[str, object]:
    return {
        "frozen": setting.frozen.name,
        "optimizer": setting.optimizer,
        "height": setting.height,
        "kind": setting.kind,
    }
