"""Models with ref variables, and the same with resource variables, run side by side."""

import json
import os
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from patch_runs import MODELS, TESTS, Values

from graphfreeze.emit.graph_file import file_bytes
from graphfreeze.model.collected import node_entries
from graphfreeze.model.model import Model
from graphfreeze.prepare.drop_training import DropTraining
from graphfreeze.prepare.recover_collections import RecoverCollections
from graphfreeze.prepare.resource_variables import ResourceVariables
from graphfreeze.read import load
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.run import Pass, run

RUN_GRAPH = TESTS / "tf1" / "run_graph.py"
ODD_GRAPHS = TESTS / "tf1" / "odd_graphs.py"


@dataclass(frozen=True)
class Case:
    """A model, with its training or without, and what is run of it besides its updates.

    ``moves`` is how many of its variables that changes."""

    model: str
    moves: int = 0
    train_ops: tuple[str, ...] = ()


CASES = {
    "classifier": Case("text_classifier"),
    "convolutions and averages": Case("conv_bn", 4),
    "norms in branches, zero debias": Case("batch_norms", 10),
    "no collections": Case("bare_graph"),
    "a table in a loop": Case("loop_lookup"),
    "parts": Case("partitioned_mod"),
    "Adam, sparse, local variables": Case("adam_clipped", 30, ("train_op",)),
    "two train ops": Case("gan", 40, ("d_train", "g_train")),
    "an optimizer of assignments": Case("bert_adamw", 58, ("train_op",)),
}


def run_models(python: str | Path, folder: Path) -> dict[str, list[Values]]:
    """Run all cases in one process; return what each made with refs, and with resources."""
    return _run(python, folder, {n: _model_jobs(c, folder / n) for n, c in CASES.items()})


def run_odd_graphs(python: str | Path, folder: Path) -> dict[str, list[Values]]:
    """Let a TensorFlow write its odd graphs, and run both kinds of them."""
    call(python, ODD_GRAPHS, folder)
    jobs = {}
    for path in sorted(folder.glob("*.json")):
        model = load(path.with_suffix(".meta"))
        job = Job(str(path.with_suffix("")), {}, [], json.loads(path.read_text()))
        jobs[path.stem] = _both(model, [], job, folder / path.stem)
    return _run(python, folder, jobs)


def call(python: str | Path, script: Path, argument: Path) -> None:
    """Run a script that knows nothing of graphfreeze."""
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [str(python), str(script), str(argument)],
        env={**os.environ, **quiet},
        cwd=argument if argument.is_dir() else argument.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def _run(
    python: str | Path, folder: Path, jobs: dict[str, list[dict[str, object]]]
) -> dict[str, list[Values]]:
    listed = folder / "jobs.list"
    listed.write_text(json.dumps([job for both in jobs.values() for job in both]))
    call(python, RUN_GRAPH, listed)
    return {name: [_values(job) for job in both] for name, both in jobs.items()}


def _values(job: dict[str, object]) -> Values:
    with np.load(str(job["out"]), allow_pickle=True) as values:
        return dict(values)


@dataclass(frozen=True)
class Job:
    """What ``run_graph.py`` is to do with a graph."""

    checkpoint: str
    feeds: dict[str, object]
    fetches: list[str]
    steps: list[list[str]]


def _model_jobs(case: Case, folder: Path) -> list[dict[str, object]]:
    source = MODELS / case.model
    is_bare = not (source / "checkpoint").exists()
    model = load(source / "graph.pb" if is_bare else source)
    document = json.loads((source / "feeds.json").read_text())
    fetches = [document["loss"], *document["outputs"]]
    first: list[Pass] = [] if case.train_ops else [DropTraining(keep=tuple(fetches))]
    updates = node_entries(model.collections, "update_ops")
    steps = [[name] for name in (*updates, *case.train_ops)]  # together, they would race
    job = Job(str(source / "model.ckpt"), document["feeds"], fetches, steps * 3)
    return _both(model, [*first, RecoverCollections()], job, folder)


def _both(model: Model, first: list[Pass], job: Job, folder: Path) -> list[dict[str, object]]:
    """Write a model in both kinds, and return what is to be run."""
    jobs = []
    for kind, last in (("ref", []), ("resource", [ResourceVariables()])):
        draft = Draft(model)
        run(draft, [*first, *last])
        base = folder.with_name(f"{folder.name}-{kind}")
        meta, out = base.with_suffix(".meta"), base.with_suffix(".npz")
        meta.write_bytes(file_bytes(draft, ".meta"))
        jobs.append({**asdict(job), "meta": str(meta), "out": str(out)})
    return jobs


def check_same(refs: Values, resources: Values) -> int:
    """Compare all bits; return how many variables moved."""
    assert refs.keys() == resources.keys()
    wrong = [name for name in refs if _bits(refs[name]) != _bits(resources[name])]
    assert wrong == []
    names = [name.removeprefix("moved/") for name in refs if name.startswith("moved/")]
    moved = [n for n in names if _bits(refs[f"moved/{n}"]) != _bits(refs[f"restored/{n}"])]
    return len(moved)


def _bits(value: npt.NDArray[np.generic]) -> tuple[object, ...]:
    is_text = value.dtype == object
    return value.dtype, value.shape, str(value.tolist()) if is_text else value.tobytes()


def check_odd_graphs(runs: dict[str, list[Values]]) -> None:
    """Compare all of them, and see that each but one moves its variables."""
    moved = {name: check_same(*both) for name, both in runs.items()}
    assert len(moved) == 18
    assert [name for name, count in moved.items() if not count] == ["initialized_by_others"]
