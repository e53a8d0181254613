"""What comes out of an export computes what the trained session computed, to the bit."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
import tensorflow.compat.v2 as tf2
from export_runs import Run, assert_same, fetch, session, train

from graphfreeze.api import add_train_op, export, freeze, load, patch, save
from graphfreeze.errors import ExportError
from graphfreeze.model.names import parse_ref
from graphfreeze.model.saver import saved_entries
from graphfreeze.read.checkpoint_values import open_values
from graphfreeze.selection.plan import FreezePlan

MODELS = Path(__file__).parents[2] / "testdata" / "models"
WORDS = {"embedding": MODELS / "tied_softmax" / "vocab.txt"}
# Bundles of other plans than those that tests/conftest.py makes: model, loss, plan.
OTHERS = {
    "overlay": ("tied_softmax", {"freeze_rows": {"embedding": "0:300,411"}}),
    "overlay in parts": ("partitioned_mod", {"train_rows": {"table": "1:60:3,76:"}}),
    "grown": ("tied_softmax", {"add_words": {"embedding": ["one", "two"]}}),
}
NAMES = [
    *("text_classifier", "bert_tiny", "resource_mlp", "conv_bn", "partitioned_div"),
    *("wide_deep", "partitioned_ps", *OTHERS),
]


def make_other(name: str, out: Path) -> tuple[Path, Path]:
    """Write a bundle, and return it and its source."""
    model, chosen = OTHERS[name]
    strategy = {"row_strategy": "overlay"} if "overlay" in name else {}
    words = chosen.get("add_words", {})
    for table, added in words.items():
        (out / "words.txt").write_text("\n".join(added) + "\n")
        chosen = {"add_words": {table: out / "words.txt"}, "vocab": {table: str(WORDS[table])}}
    source = MODELS / model
    frozen = freeze(load(source), FreezePlan(**chosen, **strategy))
    add_train_op(frozen, optimizer="adam", learning_rate=0.01)
    save(frozen, out / "bundle")
    return out / "bundle", source


@pytest.mark.parametrize("name", NAMES)
def test_exports_compute_what_was_trained(
    name: str, make_bundle: Callable[..., object], tmp_path: Path
) -> None:
    if name in OTHERS:
        folder, source = make_other(name, tmp_path)
        feeds = source / "feeds.json"
    else:
        made = make_bundle(name)
        folder, source, feeds = made.folder, made.job.source, made.feeds
    run = train(source, folder, feeds, tmp_path)
    check_plain(run, tmp_path / "plain")
    if run.fetched:
        check_served(run, tmp_path / "served")
        check_frozen(run, tmp_path / "frozen.pb")


def test_a_training_that_was_patched(tmp_path: Path) -> None:
    source = MODELS / "adam_clipped"
    plan = FreezePlan(freeze=("deep",), freeze_rows={"table": "::2"})
    save(patch(load(source), plan), tmp_path / "patched")
    run = train(source, tmp_path / "patched", source / "feeds.json", tmp_path)
    check_plain(run, tmp_path / "plain")


def check_plain(run: Run, out: Path) -> None:
    told = export(load(run.folder), out, format="checkpoint", checkpoint=run.prefix)
    assert told.trained
    with session() as opened:
        saver = tf.train.import_meta_graph(str(out / "model.meta"), clear_devices=True)
        saver.restore(opened, str(out / "model"))
        assert_same(fetch(opened, list(run.fetched), run.feeds), run.fetched)
    original, exported = load(run.source), load(out)
    assert original.graph.nodes.keys() - exported.graph.nodes.keys() <= {*original.training.found}
    assert exported.graph.nodes.keys() <= original.graph.nodes.keys()
    assert not any("graphfreeze" in key for key in exported.collections)
    slots = {v.name for v in original.training.slots}
    saved = saved_entries(original.graph, original.saver_ops)
    keys = {entry.key for name, entry in saved.items() if name not in slots}
    assert set(open_values(out / "model").keys) == keys
    check_values(run, out)


def check_values(run: Run, out: Path) -> None:
    """Compare values with the checkpoint that was trained, its overlays in their tables."""
    trained, exported = tf.train.load_checkpoint(str(run.prefix)), open_values(out / "model")
    told = {
        v["name"]: v for v in json.loads((run.folder / "graphfreeze.json").read_text())["variables"]
    }
    for key in exported.keys:
        wanted = trained.get_tensor(key)
        for name, each in told.items():
            if each["overlay_rows"] and key in (name, each["partition_of"]):
                frozen = np.zeros(each["rows"], np.bool_)
                for start, stop in each["frozen_ranges"]:
                    frozen[start:stop] = True
                start = each["part_offset"][0] if each["part_offset"] else 0
                rows = trained.get_tensor(each["overlay_rows"])
                wanted[start : start + each["rows"]][~frozen] = rows
        found = np.concatenate([np.atleast_1d(each) for each in exported.read_chunks(key)])
        assert found.tobytes() == wanted.tobytes(), key


def check_served(run: Run, out: Path) -> None:
    kind = "resource" if run.source.parent.name == "text_classifier" else "kept"
    told = export(load(run.folder), out, checkpoint=run.prefix, variables=kind, clear_devices=True)
    assert list(told.signatures["serving_default"].outputs.values()) == list(run.fetched)
    with session() as opened:
        tf.saved_model.loader.load(opened, ["serve"], str(out))
        assert_same(fetch(opened, list(run.fetched), run.feeds), run.fetched)
    defaults = [name for name in run.feeds if "keep_prob" in name]
    if defaults:
        assert "keep_prob is no input and keeps its default" in told.notes[1]
        inputs = [*told.signatures["serving_default"].inputs.values(), *defaults]
        told = export(load(run.folder), out, checkpoint=run.prefix, inputs=inputs,
                      outputs=list(run.fetched), force=True)  # fmt: skip
    loaded = tf2.saved_model.load(str(out))
    assert len(loaded.variables) == (told.variables if told.kind == "resource" else 0)
    signature = loaded.signatures["serving_default"]
    inputs = told.signatures["serving_default"].inputs
    found = signature(**{name: tf2.constant(run.feeds[each]) for name, each in inputs.items()})
    for name, each in told.signatures["serving_default"].outputs.items():
        np.testing.assert_allclose(found[name].numpy(), run.fetched[each], rtol=1e-5)


def check_frozen(run: Run, out: Path) -> None:
    export(load(run.folder), out, format="frozen-pb", checkpoint=run.prefix)
    frozen = tf.GraphDef.FromString(out.read_bytes())
    assert not any("Variable" in node.op or node.op == "VarHandleOp" for node in frozen.node)
    for node in frozen.node:
        node.device = ""
    held = {node.name for node in frozen.node}
    feeds = {key: value for key, value in run.feeds.items() if parse_ref(key).node in held}
    with session() as opened:
        tf.import_graph_def(frozen, name="")
        assert_same(fetch(opened, list(run.fetched), feeds), run.fetched)


def test_a_bundle_that_was_trained_in_its_folder(
    make_bundle: Callable[..., object], tmp_path: Path
) -> None:
    """The latest checkpoint is taken, or that of a step; the graph to serve is the source's own."""
    made = make_bundle("saved_model")
    folder = Path(shutil.copytree(made.folder, tmp_path / "tuned"))
    run = train(made.job.source, folder, made.feeds, folder)
    with session() as opened:
        saver = tf.train.import_meta_graph(str(folder / "model.meta"))
        saver.restore(opened, str(run.prefix))
        saver.save(opened, str(folder / "model.ckpt"), 7)  # with an export of the graph
    latest = export(load(folder), tmp_path / "latest")
    assert latest.checkpoint.endswith("model.ckpt-7")
    assert latest.trained
    named = export(load(folder / "model.ckpt-7"), tmp_path / "named", checkpoint=2)
    assert named.checkpoint.endswith("model.ckpt-2")
    first = export(load(folder), tmp_path / "first", checkpoint=folder / "model")
    assert first.trained is False
    serve = load(made.job.source, tags="serve")
    for each in ("latest", "named"):
        served = load(tmp_path / each)
        assert served.tags == ("serve",)
        assert served.part.piece.raw == serve.part.piece.raw
    with pytest.raises(ExportError, match="no checkpoint of step 3; steps that are there: 2, 7"):
        export(load(folder), tmp_path / "none", checkpoint=3)
