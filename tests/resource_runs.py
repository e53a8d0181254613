"""Models with ref variables, and the same with resource variables, run side by side."""

import json
import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from patch_runs import MODELS, TESTS, Values

from graphfreeze.emit.graph_file import file_bytes
from graphfreeze.model.collected import node_entries
from graphfreeze.prepare.drop_training import DropTraining
from graphfreeze.prepare.recover_collections import RecoverCollections
from graphfreeze.prepare.resource_variables import ResourceVariables
from graphfreeze.read import load
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.run import Pass, run

RUN_GRAPH = TESTS / "tf1" / "run_graph.py"


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


def run_cases(python: str | Path, cases: Iterable[str], folder: Path) -> dict[str, list[Values]]:
    """Run cases in one process; return what each made with refs, and with resources."""
    jobs = {name: _jobs(CASES[name], folder / name.replace(" ", "-")) for name in cases}
    (folder / "jobs.json").write_text(json.dumps([job for both in jobs.values() for job in both]))
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0", "PYTHONWARNINGS": "ignore"}
    command = [str(python), str(RUN_GRAPH), str(folder / "jobs.json")]
    done = subprocess.run(
        command,
        env={**os.environ, **quiet},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return {name: [_values(job) for job in both] for name, both in jobs.items()}


def _values(job: dict[str, object]) -> Values:
    with np.load(str(job["out"]), allow_pickle=True) as values:
        return dict(values)


def _jobs(case: Case, folder: Path) -> list[dict[str, object]]:
    """Write a model in both kinds, and return what is to be run."""
    folder.mkdir()
    source = MODELS / case.model
    is_bare = not (source / "checkpoint").exists()
    model = load(source / "graph.pb" if is_bare else source)
    document = json.loads((source / "feeds.json").read_text())
    fetches = [document["loss"], *document["outputs"]]
    first: list[Pass] = [] if case.train_ops else [DropTraining(keep=tuple(fetches))]
    jobs = []
    for kind, last in (("ref", []), ("resource", [ResourceVariables()])):
        draft = Draft(model)
        run(draft, [*first, RecoverCollections(), *last])
        meta = folder / f"{kind}.meta"
        meta.write_bytes(file_bytes(draft, ".meta"))
        jobs.append(
            {
                "meta": str(meta),
                "checkpoint": str(source / "model.ckpt"),
                "feeds": document["feeds"],
                "fetches": fetches,
                "steps": [*node_entries(draft.collections, "update_ops"), *case.train_ops],
                "out": str(folder / f"{kind}.npz"),
            }
        )
    return jobs


def check_same(case: Case, refs: Values, resources: Values) -> None:
    """Compare all bits, and see that something moved where it should."""
    assert refs.keys() == resources.keys()
    wrong = [name for name in refs if _bits(refs[name]) != _bits(resources[name])]
    assert wrong == []
    names = [name.removeprefix("moved/") for name in refs if name.startswith("moved/")]
    moved = [n for n in names if _bits(refs[f"moved/{n}"]) != _bits(refs[f"restored/{n}"])]
    assert len(moved) == case.moves, len(moved)
    assert [n for n in names if _bits(refs[f"moved/{n}"]) != _bits(refs[f"saved/{n}"])] == []


def _bits(value: npt.NDArray[np.generic]) -> tuple[object, ...]:
    is_text = value.dtype == object
    return value.dtype, value.shape, str(value.tolist()) if is_text else value.tobytes()
