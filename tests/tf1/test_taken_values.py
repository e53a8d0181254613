"""Checkpoints that were renamed, compacted or linked in part, restored by the real 1.15 Saver."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

import graphfreeze
from graphfreeze import FreezePlan, ValuePlan
from graphfreeze.emit.table_file import write_table
from graphfreeze.read.checkpoint_index import read_index
from graphfreeze.read.checkpoint_values import open_values

ROOT = Path(__file__).parents[2]
PYTHON = Path(os.environ.get("GRAPHFREEZE_TF1_PYTHON", ROOT / ".venv-tf1" / "bin" / "python"))
SOURCE = ROOT / "testdata" / "models" / "resource_mlp" / "model.ckpt"
RESTORE = """
import sys, numpy as np, tensorflow.compat.v1 as tf
for bundle in sys.argv[1:]:
    with tf.Graph().as_default(), tf.Session() as session:
        tf.train.import_meta_graph(bundle + "/model.meta").restore(session, bundle + "/model")
        assert not session.run(tf.report_uninitialized_variables(tf.global_variables())).size
        values = {v.op.name: session.run(v) for v in tf.global_variables()}
        np.savez(bundle + ".npz", **values)
"""
PLANS = {
    "renamed": ValuePlan(rename={"old": ""}),
    "compact": ValuePlan(compact=True),
    "replaced": ValuePlan(checkpoint_exclude=("output",)),
}


def rename_all(folder: Path) -> Path:
    """Give all keys a scope more, and one key more to the checkpoint."""
    index, prefix = read_index(SOURCE), folder / "old"
    entries = {f"old/{key.decode()}".encode(): e for key, e in index.entries.items()}
    raw = {key: entry.SerializeToString() for key, entry in entries.items()}
    write_table(Path(f"{prefix}.index"), {b"": index.header.SerializeToString(), **raw})
    for shard in index.shards:
        Path(f"{prefix}{shard.name.removeprefix(SOURCE.name)}").symlink_to(shard)
    return prefix


@pytest.fixture(scope="module")
def restored(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, np.ndarray]]:
    folder = tmp_path_factory.mktemp("taken")
    for name, values in PLANS.items():
        prefix = rename_all(folder) if values.rename else SOURCE
        model = graphfreeze.load(f"{SOURCE}.meta", checkpoint=prefix)
        frozen = graphfreeze.freeze(model, FreezePlan(freeze=("hidden",)), values=values)
        graphfreeze.add_train_op(frozen, optimizer="adam")
        graphfreeze.save(frozen, folder / name)
    bundles = [str(folder / name) for name in PLANS]
    subprocess.run([PYTHON, "-W", "ignore", "-c", RESTORE, *bundles], check=True)
    return {name: dict(np.load(folder / f"{name}.npz")) for name in PLANS} | {
        "told": {
            name: json.loads((folder / name / "graphfreeze.json").read_text())["values"]
            for name in PLANS
        }
    }


@pytest.mark.parametrize("name", PLANS)
def test_every_bit_is_there(name: str, restored: dict[str, dict[str, np.ndarray]]) -> None:
    source, values = open_values(SOURCE), restored[name]
    for key in source.keys:
        if name != "replaced" or not key.startswith("output/"):
            wanted = np.concatenate(list(source.read_chunks(key)))
            assert values[key].tobytes() == wanted.tobytes(), key
    assert "graphfreeze/beta1_power" in values


def test_files(restored: dict[str, dict[str, np.ndarray]]) -> None:
    told = restored["told"]
    assert {name: each["files"] for name, each in told.items()} == {
        "renamed": "rewritten",
        "compact": "linked",  # nothing is left over
        "replaced": "linked",
    }
    assert told["replaced"]["keys_left"] == 2
