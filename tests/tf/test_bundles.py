"""Every model of testdata, frozen and trained as a user would, in a fresh process."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import graphfreeze
from graphfreeze.emit.source import runtime_prefix
from graphfreeze.model.model import Model
from graphfreeze.schema import SavedModel

NAMES = ["text_classifier", "bert_tiny", "resource_mlp", "conv_bn", "bare_graph"]
TABLE_NAMES = [
    "tied_softmax",
    "nce",
    "partitioned_mod",
    "partitioned_div",
    "loop_lookup",
    "old_format",
]
NORM_NAMES = ["batch_norms", "batch_norms, kept", "branch_batch_norm"]
TRAINED_NAMES = ["adam_clipped", "bert_adamw", "momentum_ema", "wide_deep", "gan", "partitioned_ps"]
EXPORT_NAMES = ["saved_model", "hub_module"]
CORPUS_NAMES = ["cifar", "cifar, rows", "regression"]
ALL_NAMES = [*NAMES, *TABLE_NAMES, *NORM_NAMES, *TRAINED_NAMES, *EXPORT_NAMES, *CORPUS_NAMES]
MODELS = Path(__file__).parents[2] / "testdata" / "models"
CONFIG = tf.ConfigProto(allow_soft_placement=True)


class Made(Protocol):
    """What ``make_bundle`` gives: see conftest."""

    job: Any
    folder: Path
    feeds: Path


def copied(name: str, to: Path) -> Path:
    """Copy a model, so that its files can be linked to and taken away."""
    return Path(shutil.copytree(MODELS / name, to / name))


def write_bundle(source: Path, out: Path) -> None:
    frozen = graphfreeze.freeze(
        graphfreeze.load(source), graphfreeze.FreezePlan(freeze=("hidden",))
    )
    graphfreeze.add_train_op(frozen, optimizer="adam")
    graphfreeze.save(frozen, out)


def restore_module(session: tf.Session, source: Path, model: Model, assets: dict[str, str]) -> None:
    """Do what the TF-Hub library does: no loader knows modules, and their graphs have no saver."""
    saved = SavedModel.FromString(model.raw)
    (graph,) = (g for g in saved.meta_graphs if tuple(g.meta_info_def.tags) == model.tags)
    tf.train.import_meta_graph(graph)
    tf.train.Saver().restore(session, str(model.source.checkpoint))
    paths = {name: str(source / path) for name, path in assets.items()}
    session.run(tf.get_collection("table_initializer"), paths)


def original_loss(job: Any, feeds: Path) -> np.float32:
    """Evaluate the loss of the model as it was, from its own graph and checkpoint."""
    document, source = json.loads(feeds.read_text()), job.source
    batch = {
        name: np.array(each["values"], each["dtype"]).reshape(each["shape"])
        for name, each in document["feeds"].items()
    }
    model = graphfreeze.load(source, tags=job.tags)
    with tf.Graph().as_default(), tf.Session(config=CONFIG) as session:
        prefix = runtime_prefix(model.source.checkpoint)
        if "TF-Hub" in model.source.format:
            restore_module(session, source, model, document["assets"])
        elif model.source.format.startswith("SavedModel"):
            tf.saved_model.load(session, [job.tags], str(source))
        elif model.source.path.suffix == ".pb":
            tf.import_graph_def(tf.GraphDef.FromString(model.raw), name="")
            graph = session.graph
            for variable in model.variables:
                assert variable.kind == "ref"
                handle = graph.get_tensor_by_name(f"{variable.name}:0")
                value = tf.train.load_variable(prefix, variable.name)
                session.run(tf.raw_ops.Assign(ref=handle, value=value))
        else:
            saver = tf.train.import_meta_graph(str(model.source.path), clear_devices=True)
            saver.restore(session, prefix)
            session.run(
                [tf.get_collection("local_init_op"), tf.get_collection("table_initializer")]
            )
        return session.run(document["loss"], batch)


@pytest.mark.parametrize("name", ALL_NAMES)
def test_five_steps(
    name: str,
    make_bundle: Callable[..., Made],
    train_bundle: Callable[..., dict[str, np.ndarray]],
    check_trained: Callable[..., None],
    tmp_path: Path,
) -> None:
    made = make_bundle(name)
    values = train_bundle(sys.executable, made.folder, made.feeds, tmp_path / "values.npz")
    check_trained(made.folder, values)
    original, plan = original_loss(made.job, made.feeds), made.job.plan
    is_as_before = plan.batch_norm != "inference" and plan.dropout == "keep"
    assert (values["loss_before"].tobytes() == original.tobytes()) == is_as_before
    assert values["loss_after"] < values["loss_before"]


@pytest.mark.parametrize("name", NAMES)
def test_files(name: str, make_bundle: Callable[..., Made]) -> None:
    made = make_bundle(name)
    shards = sorted(path.name for path in made.folder.glob("model.data-*"))
    assert shards == ["model.data-00000-of-00002", "model.data-00001-of-00002"]
    others = {"model.meta", "model.index", "checkpoint", "graphfreeze.json", "graphfreeze.meta"}
    assert {path.name for path in made.folder.iterdir()} == others | set(shards)
    state = (made.folder / "checkpoint").read_text()
    assert str(made.folder) not in state
    assert tf.train.latest_checkpoint(str(made.folder)) == str(made.folder / "model")


def test_tables_are_filled_from_assets(make_bundle: Callable[..., Made]) -> None:
    """Only what a loader would feed is read: without the file the op is refused as any other."""
    made = make_bundle("saved_model")
    original, out = graphfreeze.load(made.job.source, tags="train"), graphfreeze.load(made.folder)
    assert graphfreeze.verify(original, out, steps=2).passed
    source = replace(original.source, path=made.folder.parent / "saved_model.pb")
    with pytest.raises(graphfreeze.GraphfreezeError, match="InitializeTableFromTextFileV2, reads"):
        graphfreeze.verify(replace(original, source=source), out, steps=2)


def test_shards_of_the_source_are_linked(tmp_path: Path) -> None:
    source = copied("resource_mlp", tmp_path)
    write_bundle(source, tmp_path / "out")
    (shard,) = source.glob("*.data-*")
    linked = [path.stat().st_ino for path in (tmp_path / "out").glob("*.data-*")]
    assert shard.stat().st_ino in linked


def test_moved_bundle(tmp_path: Path) -> None:
    write_bundle(copied("resource_mlp", tmp_path), tmp_path / "out")
    shutil.rmtree(tmp_path / "resource_mlp")
    (tmp_path / "far" / "away").mkdir(parents=True)
    moved = (tmp_path / "out").rename(tmp_path / "far" / "away" / "moved")
    with tf.Graph().as_default(), tf.Session() as session:
        saver = tf.train.import_meta_graph(str(moved / "model.meta"))
        saver.restore(session, tf.train.latest_checkpoint(str(moved)))
        assert not session.run(tf.report_uninitialized_variables(tf.global_variables())).size


def test_bundle_loads_and_is_not_frozen_twice(make_bundle: Callable[..., Made]) -> None:
    made = make_bundle("resource_mlp")
    model = graphfreeze.load(made.folder)
    record = graphfreeze.show(model)
    assert record.train_op == "graphfreeze/train_op"
    with pytest.raises(graphfreeze.GraphfreezeError, match="already a graphfreeze bundle"):
        graphfreeze.freeze(model, made.job.plan)


def test_collection_train_op_holds_ours_alone(make_bundle: Callable[..., Made]) -> None:
    model = graphfreeze.load(make_bundle("text_classifier").folder)
    assert list(model.collections["train_op"].node_list.value) == ["graphfreeze/train_op"]


def test_two_runs_write_the_same_bytes(tmp_path: Path) -> None:
    """Run twice, each in a process with hashes of its own."""
    script = f"""
import graphfreeze as g
frozen = g.freeze(g.load({str(MODELS / "text_classifier" / "model.ckpt")!r}), g.FreezePlan(
    freeze=("hidden",), freeze_rows={{"word_embedding": "::2"}}))
g.add_train_op(frozen, optimizer="adam")
g.save(frozen, "out")
"""
    running = []
    for seed in ("1", "2"):
        (tmp_path / seed).mkdir()
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TF_CPP_MIN_LOG_LEVEL": "3"}
        command = [sys.executable, "-c", script]
        running.append(subprocess.Popen(command, cwd=tmp_path / seed, env=environment))
    assert [each.wait() for each in running] == [0, 0]
    first, second = (
        {path.name: path.read_bytes() for path in sorted((tmp_path / seed / "out").iterdir())}
        for seed in ("1", "2")
    )
    assert first == second
