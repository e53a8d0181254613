"""What is frozen in loops in loops, and what its gradients and its training must be."""

import json
import os
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import pytest

import graphfreeze
from graphfreeze.rewrite import entry_mask, row_factors

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "testdata" / "models" / "nested_loops"
SCRIPT = ROOT / "tests" / "tf1" / "loop_gradients.py"
Array = npt.NDArray[np.generic]
Values = dict[str, Array]
WORDS, TAGS, WIDTH = 30, 20, 5
SCATTERED = np.add.outer(np.arange(WORDS), np.arange(WIDTH)) % 3 == 0
FACTORS = np.linspace(0.25, 1, TAGS, dtype=np.float32)
OWN_ROWS = "/graphfreeze/rows"
STEPS = 20


@dataclass(frozen=True)
class Job:
    """What is frozen; ``frozen`` says of which entries no gradient may come, by variable.

    ``is_held``: masks lie in variables, as large ones do."""

    plan: graphfreeze.FreezePlan
    frozen: dict[str, Array]
    factors: dict[str, Array]
    is_held: bool = False


def _rows(height: int) -> Array:
    return np.broadcast_to((np.arange(height) % 2 == 0)[:, None], (height, WIDTH))


def _columns() -> Array:
    return np.broadcast_to((np.arange(WIDTH) < 2)[None], (WIDTH, WIDTH))


JOBS = {
    "elements and factors that variables hold": Job(
        graphfreeze.FreezePlan(
            freeze_elements={"words": SCATTERED},
            freeze_columns={"outer": "0:2"},
            row_scale={"tags": FACTORS},
            freeze=("gate",),
        ),
        {"words": SCATTERED, "outer": _columns(), "gate": np.ones(WIDTH, bool)},
        {"tags": FACTORS[:, None]},
        is_held=True,
    ),
    "overlays, and a kernel": Job(
        graphfreeze.FreezePlan(
            freeze_rows={"words": "::2", "tags": "::2"},
            row_strategy="overlay",
            freeze=("inner",),
        ),
        {
            "words": _rows(WORDS),
            "tags": _rows(TAGS),
            "inner": np.ones((WIDTH, WIDTH), bool),
        },
        {},
    ),
}


def make_bundle(job: Job, folder: Path) -> Path:
    """Freeze the model, and let the rest learn."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (entry_mask, row_factors) if job.is_held else ():
            patch.setattr(module, "MOST_INLINE", 1)
        frozen = graphfreeze.freeze(graphfreeze.load(SOURCE), job.plan, keep=["loss:0"])
        graphfreeze.add_train_op(frozen, loss=["loss:0"], optimizer="adagrad", learning_rate=0.05)
        graphfreeze.save(frozen, folder)
    return folder


@cache
def bundles() -> TemporaryDirectory[str]:
    """Make all bundles once, each in a folder of its job's name."""
    folder = TemporaryDirectory()
    for name, job in JOBS.items():
        make_bundle(job, Path(folder.name, name))
    return folder


def run_all(python: str | Path, folder: Path) -> dict[str, Values]:
    """Return what comes of the model as it was, '', and of its bundles, in one process."""
    made = {"": (SOURCE / "model.ckpt.meta", SOURCE / "model.ckpt")}
    for name in JOBS:
        bundle = Path(bundles().name, name)
        made[name] = (bundle / "model.meta", bundle / "model")
    outs = {name: folder / f"{number}.npz" for number, name in enumerate(made)}
    jobs = [
        {
            "meta": str(meta),
            "checkpoint": str(checkpoint),
            "feeds": str(SOURCE / "feeds.json"),
            "steps": STEPS if name else 0,
            "out": str(outs[name]),
        }
        for name, (meta, checkpoint) in made.items()
    ]
    (folder / "jobs.json").write_text(json.dumps(jobs))
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [str(python), str(SCRIPT), str(folder / "jobs.json")],
        env={**os.environ, **quiet},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return {name: dict(np.load(out)) for name, out in outs.items()}


def check(job: Job, was: Values, values: Values) -> None:
    """Compare a bundle's loss and gradients with the model's, and its values with themselves."""
    assert values["loss"].tobytes() == was["loss"].tobytes()
    overlaid = job.plan.row_strategy == "overlay"
    for key, gradient in was.items():
        name = key.removeprefix("gradient/")
        if name == key:
            continue
        frozen = job.frozen.get(name, np.zeros(gradient.shape, bool))
        expected = np.where(frozen, 0, gradient * job.factors.get(name, 1)).astype(gradient.dtype)
        found = values.get(key, np.zeros_like(gradient))
        if overlaid and name in job.plan.freeze_rows:
            assert not found.any(), name
            live = ~frozen[:, 0]
            expected, found = expected[live], values[f"{key}{OWN_ROWS}"]
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7, err_msg=name)
    for name, frozen in job.frozen.items():
        before, after = values[f"before/{name}"], values[f"after/{name}"]
        assert before[frozen].tobytes() == after[frozen].tobytes(), name
    for name in ("words", "tags", "outer"):
        own = name + OWN_ROWS if f"before/{name}{OWN_ROWS}" in values else name
        assert (values[f"before/{own}"] != values[f"after/{own}"]).any(), own
