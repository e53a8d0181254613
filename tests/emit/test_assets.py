"""A bundle has the files that its model brings along, or it is not written."""

import shutil
from pathlib import Path

import pytest

from graphfreeze.api import check_out, export, freeze, load, report, save, show
from graphfreeze.errors import EmitError
from graphfreeze.model.saved_model_records import AssetRecord
from graphfreeze.schema import AssetFileDef, SavedModel
from graphfreeze.selection.plan import FreezePlan

SOURCE = Path(__file__).parents[2] / "testdata" / "models" / "saved_model" / "1"
PLAN = FreezePlan(freeze=("hidden",))
TENSOR = "string_to_index/hash_table/asset_path:0"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SOURCE, tmp_path / "in"))


def name_assets(source: Path, *names: str) -> None:
    """Let the vocabulary of the graph to serve have other names."""
    path = source / "saved_model.pb"
    saved = SavedModel.FromString(path.read_bytes())
    for graph in saved.meta_graphs:
        for name in names:
            told = AssetFileDef(filename=name)
            told.tensor_info.name = TENSOR
            graph.asset_file_def.append(told)
    path.write_bytes(saved.SerializeToString())


def test_assets_go_along(source: Path, tmp_path: Path) -> None:
    frozen = freeze(load(source, tags="serve"), PLAN)
    save(frozen, tmp_path / "out")
    vocabulary = tmp_path / "out" / "assets" / "vocab.txt"
    assert vocabulary.read_bytes() == (SOURCE / "assets" / "vocab.txt").read_bytes()
    assert f"feed {TENSOR} with {vocabulary}" in " ".join(report(frozen, tmp_path / "out").notes)
    assert load(tmp_path / "out").assets == load(source, tags="serve").assets
    vocabulary.write_text("other words")
    assert (source / "assets" / "vocab.txt").read_text() != "other words"


def test_assets_go_along_once_more(source: Path, tmp_path: Path) -> None:
    save(freeze(load(source, tags="serve"), PLAN), tmp_path / "out")
    shutil.rmtree(source / "assets")
    again = load(tmp_path / "out", checkpoint=tmp_path / "out" / "model")
    save(freeze(again, PLAN, refreeze=True), tmp_path / "out2")
    assert (tmp_path / "out2" / "assets" / "vocab.txt").is_file()


def test_in_folders_of_their_own(source: Path, tmp_path: Path) -> None:
    (source / "assets" / "deep").mkdir()
    (source / "assets" / "deep" / "er.txt").write_text("x")
    name_assets(source, "deep/er.txt", "vocab.txt", "vocab.txt")
    save(freeze(load(source, tags="serve"), PLAN), tmp_path / "out")
    files = [path.name for path in sorted((tmp_path / "out" / "assets").rglob("*.txt"))]
    assert files == ["er.txt", "vocab.txt"]


def test_all_missing_files_are_told_at_once(source: Path, tmp_path: Path) -> None:
    name_assets(source, "vocab.txt", "b.txt", "a.txt", "b.txt")
    model = load(source, tags="serve")
    for refused in (
        lambda: check_out(model, tmp_path / "out"),
        lambda: save(freeze(model, PLAN), tmp_path / "out"),
    ):
        with pytest.raises(EmitError, match=r"in/assets: the result needs b\.txt, a\.txt from"):
            refused()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]
    told = [AssetRecord(name, TENSOR, name == "vocab.txt") for name in ("vocab.txt", "b.txt")]
    assert show(model).assets[:2] == told


def test_a_graph_file_needs_none(source: Path, tmp_path: Path) -> None:
    shutil.rmtree(source / "assets")
    model = load(source, tags="serve")
    frozen = freeze(model, PLAN)
    check_out(model, tmp_path / "out.meta")
    save(frozen, tmp_path / "out.meta")
    *_, missing = report(frozen, tmp_path / "out.meta").notes
    assert missing == f"not in {source / 'assets'}: vocab.txt"


@pytest.mark.parametrize("name", ["../in/saved_model.pb", "/etc/passwd", "a/../../b", "..", "a\0"])
def test_a_name_that_leads_out(source: Path, tmp_path: Path, name: str) -> None:
    name_assets(source, name)
    model = load(source, tags="serve")
    with pytest.raises(EmitError, match="lead out of the folder 'assets'"):
        save(freeze(model, PLAN), tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]
    assert not show(model).assets[0].is_there


def test_a_folder_is_no_asset(source: Path, tmp_path: Path) -> None:
    (source / "assets" / "d").mkdir()
    name_assets(source, "d")
    with pytest.raises(EmitError, match="the result needs d from here"):
        save(freeze(load(source, tags="serve"), PLAN), tmp_path / "out")


@pytest.mark.parametrize("form", ["savedmodel", "checkpoint"])
def test_an_export_needs_them_too(source: Path, tmp_path: Path, form: str) -> None:
    shutil.rmtree(source / "assets")
    with pytest.raises(EmitError, match=r"the result needs vocab\.txt from here"):
        export(load(source, tags="serve"), tmp_path / "out", format=form)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_a_folder_beside_a_plain_graph_is_not_its_own(tmp_path: Path) -> None:
    model = SOURCE.parents[1] / "frozen_classifier" / "graph.pb"
    shutil.copy(model, tmp_path)
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "private.txt").write_text("x")
    export(load(tmp_path / "graph.pb"), tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["saved_model.pb"]
