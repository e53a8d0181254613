"""What a bundle holds besides: its GraphDef, and a SavedModel of it."""

from pathlib import Path

import pytest

from graphfreeze.api import complete, freeze, load, report, save, undo
from graphfreeze.emit.also import Also
from graphfreeze.emit.bundle import write_draft
from graphfreeze.errors import EmitError
from graphfreeze.model.names import control
from graphfreeze.rewrite.edits import AddNode
from graphfreeze.schema import GraphDef, MetaGraphDef, SavedModel
from graphfreeze.selection.plan import FreezePlan

SOURCE = Path(__file__).parents[2] / "testdata" / "models" / "resource_mlp" / "model.ckpt.meta"
PLAN = FreezePlan(freeze=("hidden",))
EVERY = ("savedmodel", "pb", "pbtxt")


def saved_model(folder: Path) -> SavedModel:
    return SavedModel.FromString((folder / "savedmodel" / "saved_model.pb").read_bytes())


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    save(freeze(load(SOURCE), PLAN), tmp_path / "out", also=EVERY)
    return tmp_path / "out"


def test_graph_files_hold_the_bundle_s_graph(bundle: Path) -> None:
    meta = MetaGraphDef.FromString((bundle / "model.meta").read_bytes())
    assert GraphDef.FromString((bundle / "model.pb").read_bytes()) == meta.graph_def
    assert load(bundle / "model.pbtxt").graph.nodes == load(bundle).graph.nodes


def test_a_saved_model_has_the_bundle_s_graph_and_files(bundle: Path) -> None:
    (own,) = saved_model(bundle).meta_graphs
    meta = MetaGraphDef.FromString((bundle / "model.meta").read_bytes())
    assert list(own.meta_info_def.tags) == ["serve"]
    assert own.graph_def == meta.graph_def
    assert own.saver_def == meta.saver_def
    assert own.collection_def.keys() == meta.collection_def.keys()
    files = {path.name: path for path in (bundle / "savedmodel" / "variables").iterdir()}
    for name, path in files.items():
        own = bundle / name.replace("variables", "model")
        assert path.read_bytes() == own.read_bytes()
        # TensorFlow writes the index of a checkpoint of shards in place.
        assert path.samefile(own) == (path.suffix != ".index")
    assert sorted(files) == ["variables.data-00000-of-00001", "variables.index"]


def test_raw_slices_of_the_source_are_in_a_saved_model(bundle: Path) -> None:
    raw = (bundle / "savedmodel" / "saved_model.pb").read_bytes()
    kept = [leaf for leaf in load(SOURCE).root.leaves("node") if leaf.piece.raw in raw]
    changed = report(freeze(load(SOURCE), PLAN)).nodes_changed
    assert len(kept) == len(load(SOURCE).graph.nodes) - changed


def test_the_train_op_stands_where_both_tensorflows_look_for_it(tmp_path: Path) -> None:
    frozen = freeze(load(SOURCE), PLAN)
    complete(frozen, tmp_path / "out")
    frozen.draft.apply(AddNode("step", "NoOp", (control("hidden/kernel"),)))
    also = Also(("savedmodel",), "step")
    write_draft(frozen.draft, report(frozen), tmp_path / "out", also=also)
    (own,) = saved_model(tmp_path / "out").meta_graphs
    assert list(own.meta_info_def.tags) == ["train"]
    assert list(own.collection_def["saved_model_train_op"].node_list.value) == ["step"]
    assert own.signature_def["__saved_model_train_op"].outputs["__saved_model_train_op"].name == (
        "step"
    )
    plain = MetaGraphDef.FromString((tmp_path / "out" / "model.meta").read_bytes())
    assert "saved_model_train_op" not in plain.collection_def
    assert not plain.signature_def
    assert not plain.meta_info_def.tags


def test_a_saved_model_is_undone_by_itself(bundle: Path, tmp_path: Path) -> None:
    moved = (bundle / "savedmodel").rename(tmp_path / "moved")
    undo(load(moved), tmp_path / "original.meta")
    assert (tmp_path / "original.meta").read_bytes() == SOURCE.read_bytes()


def test_of_two_graphs_that_were_frozen_each_is_undone(tmp_path: Path) -> None:
    source = SOURCE.parents[1] / "saved_model" / "1"
    for name, tags in (("first", "train"), ("second", "serve")):
        frozen = freeze(load(source, tags=tags), PLAN)
        save(frozen, tmp_path / name, also=("savedmodel",))
        source = tmp_path / name / "savedmodel"
    undo(load(source, tags="serve"), tmp_path / "original.pb")
    first = tmp_path / "first" / "savedmodel" / "saved_model.pb"
    assert (tmp_path / "original.pb").read_bytes() == first.read_bytes()


def test_what_has_no_room_for_more_is_refused(tmp_path: Path) -> None:
    frozen = freeze(load(SOURCE), PLAN)
    with pytest.raises(EmitError, match="savedmodel go into a bundle"):
        save(frozen, tmp_path / "out.meta", also=("savedmodel",))
    with pytest.raises(EmitError, match="'tflite' is no form of a result; choose from savedm"):
        save(frozen, tmp_path / "out", also=("tflite",))
    with pytest.raises(EmitError, match="this model was only loaded"):
        save(load(SOURCE), tmp_path / "out", also=("pb",))
    assert not list(tmp_path.iterdir())
