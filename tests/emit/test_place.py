import os
import shutil
from pathlib import Path

import pytest

from graphfreeze.api import FrozenModel, complete, freeze, load, report, save
from graphfreeze.emit.place import check_place, whole_or_nothing
from graphfreeze.errors import EmitError
from graphfreeze.model.model import Source
from graphfreeze.selection.plan import FreezePlan

TEXT_CLASSIFIER = Path(__file__).parents[2] / "testdata" / "models" / "text_classifier"


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """Make the files of a model in a folder of its own, and some places to write to."""
    folder = tmp_path / "in"
    folder.mkdir()
    names = ("m.meta", "m.index", "m.data-00000-of-00001", "m-00000-of-00002", "other.meta")
    for name in names:
        (folder / name).write_text(name)
    (tmp_path / "file.pb").write_text("old")
    (tmp_path / "bundle").mkdir()
    (tmp_path / "link").symlink_to(folder)
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "graphfreeze.json").write_text("{}")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "mine.jpg").write_text("mine")
    (tmp_path / "to-old").symlink_to(tmp_path / "old")
    (tmp_path / "broken.pb").symlink_to(tmp_path / "nowhere")
    return Source(folder / "m.meta", "MetaGraphDef (binary)", folder / "m", folder)


FREE = {
    "a new file": ("new.pb", False),
    "a new folder": ("new", False),
    "a name that begins like the input's folder": ("input", False),
    "a file, forced": ("file.pb", True),
    "an empty folder, forced": ("bundle", True),
    "a bundle, forced": ("old", True),
}


@pytest.mark.parametrize(("out", "force"), FREE.values(), ids=FREE)
def test_free_place(out: str, force: bool, source: Source, tmp_path: Path) -> None:
    check_place(tmp_path / out, source, force=force)


# out, --force, what the error says
TAKEN = {
    "a file": ("file.pb", False, "file.pb: already exists; .* --force"),
    "a folder": ("bundle", False, "bundle: already exists"),
    "a broken link": ("broken.pb", False, "broken.pb: already exists"),
    "a broken link, forced": ("broken.pb", True, "broken.pb: is a symbolic link; remove it"),
    "a link to a bundle": ("to-old", True, "to-old: is a symbolic link"),
    "a folder that is no bundle": ("photos", True, "photos: a folder that is no bundle"),
    "no folder": ("a/b.pb", True, "the folder .*/a does not exist; create it first"),
    "a file as a folder": ("file.pb/x", True, "the folder .*file.pb does not exist"),
    "a folder where a file stands": ("in/m.index/x", True, "the folder .* does not exist"),
    "a bundle over a file": ("in/../in/../file", True, "is of another kind"),
    "a file over a folder": ("folder.pb", True, "is of another kind"),
    "the input": ("in/m.meta", True, "is or holds the input"),
    "the input's folder": ("in", True, "is or holds the input"),
    "the input's folder by a link": ("link", True, "is or holds the input"),
    "the input by a link": ("link/m.meta", True, "is or holds the input"),
    "a folder around it": (".", True, "is or holds the input"),
    "a shard of the input": ("in/m.data-00000-of-00001", True, "is or holds the input"),
    "a shard of format V1": ("in/m-00000-of-00002", True, "is or holds the input"),
    "the prefix of the input": ("in/m", False, "is or holds the input .*/in/m,"),
    "inside the input": ("in/new", True, "lies inside the input .*/in; write elsewhere"),
    "inside the input by a link": ("link/new.pb", True, "lies inside the input"),
}


@pytest.mark.parametrize(("out", "force", "message"), TAKEN.values(), ids=TAKEN)
def test_refused_place(out: str, force: bool, message: str, source: Source, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    (tmp_path / "folder.pb").mkdir()
    with pytest.raises(EmitError, match=message) as caught:
        check_place(tmp_path / out, source, force=force)
    assert len(str(caught.value).splitlines()) == 1


def test_place_beside_a_model_that_was_given_by_its_file(source: Source, tmp_path: Path) -> None:
    alone = Source(source.path, source.format, source.checkpoint, source.path)
    check_place(tmp_path / "in" / "new.pb", alone, force=False)


# name of the model's files, what was given, OUT
HIDING = {
    "the prefix": ("m", "m", "m"),
    "the prefix of a .meta": ("m", "m.meta", "m"),
    "with letters of a pattern": ("m[1]", "m[1].meta", "m[1].data-00000-of-00001"),
    "a prefix with letters of a pattern": ("m[1]*", "m[1]*", "m[1]*"),
}


@pytest.mark.parametrize(("name", "given", "out"), HIDING.values(), ids=HIDING)
@pytest.mark.parametrize("has_values", [True, False])
def test_out_would_hide_the_input(
    name: str, given: str, out: str, has_values: bool, tmp_path: Path
) -> None:
    for suffix in (".meta", ".index", ".data-00000-of-00001"):
        (tmp_path / f"{name}{suffix}").write_text("")
    prefix = tmp_path / name if has_values or out != name else None
    source = Source(tmp_path / f"{name}.meta", "MetaGraphDef", prefix, tmp_path / given)
    with pytest.raises(EmitError, match="is or holds the input"):
        check_place(tmp_path / out, source, force=True)


@pytest.mark.parametrize("out", [".", "..", "../here"])
@pytest.mark.parametrize("force", [True, False])
def test_current_folder(
    out: str, force: bool, source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "around" / "here").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "around" / "here")
    with pytest.raises(EmitError, match="holds the current folder, and cannot be replaced"):
        check_place(Path(out), source, force=force)


def test_mount_point(source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path).name == "bundle")
    with pytest.raises(EmitError, match="bundle: is a mount point"):
        check_place(tmp_path / "bundle", source, force=True)


def test_a_loaded_model_does_not_replace_a_folder(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(EmitError, match="is of another kind"):
        save(load(TEXT_CLASSIFIER), tmp_path / "out", force=True)
    save(load(TEXT_CLASSIFIER), tmp_path / "model")
    assert (tmp_path / "model").read_bytes() == (TEXT_CLASSIFIER / "model.ckpt.meta").read_bytes()


def listing(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


class BrokenError(Exception):
    """Stands for whatever may go wrong."""


def write_half(place: Path, *, is_file: bool) -> None:
    """Write a file, or a folder, and fail."""
    if is_file:
        place.write_text("half")
    else:
        place.mkdir()
        (place / "half").write_text("half")
    raise BrokenError


OUTS = {"a new file": "new.pb", "a new folder": "new", "a file": "file.pb", "a folder": "bundle"}


@pytest.mark.parametrize("out", OUTS.values(), ids=OUTS)
def test_failure_leaves_all_as_it_was(out: str, source: Source, tmp_path: Path) -> None:
    (tmp_path / "bundle" / "old").write_text("old")
    before = listing(tmp_path)
    with pytest.raises(BrokenError), whole_or_nothing(tmp_path / out) as place:
        write_half(place, is_file=out.endswith(".pb"))
    assert listing(tmp_path) == before
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("out", OUTS.values(), ids=OUTS)
def test_success_replaces_the_whole(out: str, source: Source, tmp_path: Path) -> None:
    (tmp_path / "bundle" / "old").write_text("old")
    with whole_or_nothing(tmp_path / out) as place:
        if out.endswith(".pb"):
            place.write_text("new")
        else:
            place.mkdir()
            (place / "part").write_text("new")
    written = tmp_path / out
    found = written.read_text() if written.is_file() else listing(written)
    assert found in ("new", {"part": b"new"})
    assert not list(tmp_path.glob(".*"))


def test_old_folder_comes_back_if_the_new_one_cannot_be_put(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bundle" / "old").write_text("old")
    rename = os.rename

    def refuse(old: Path, new: Path) -> None:
        if Path(old).name == "new":
            raise OSError("no")
        rename(old, new)

    monkeypatch.setattr(os, "rename", refuse)
    with pytest.raises(OSError, match="no"), whole_or_nothing(tmp_path / "bundle") as place:
        place.mkdir()
    assert listing(tmp_path / "bundle") == {"old": b"old"}
    assert not list(tmp_path.glob(".*"))


def frozen_classifier() -> FrozenModel:
    return freeze(load(TEXT_CLASSIFIER / "model.ckpt"), FreezePlan(freeze=("hidden",)))


@pytest.mark.parametrize("out", ["bundle", "bundle.pb", "bundle.meta"])
def test_save_fails_in_the_middle(
    out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let the last step fail: neither a new place nor an old one shows it."""
    save(frozen_classifier(), tmp_path / out)
    before = listing(tmp_path)

    def fail(*_: object) -> bytes:
        raise BrokenError

    monkeypatch.setattr("graphfreeze.emit.bundle.file_bytes", fail)
    for name in (out, f"other-{out}"):
        with pytest.raises(BrokenError):
            save(frozen_classifier(), tmp_path / name, force=True)
        assert listing(tmp_path) == before
        assert [path.name for path in tmp_path.iterdir()] == [out]


def test_bundle_without_new_values(tmp_path: Path) -> None:
    before = listing(TEXT_CLASSIFIER)
    save(frozen_classifier(), tmp_path / "out")
    names = ["checkpoint", "graphfreeze.json", "graphfreeze.meta", "model.data-00000-of-00001"]
    written = sorted(each.name for each in (tmp_path / "out").iterdir())
    assert written == [*names, "model.index", "model.meta"]
    assert 'model_checkpoint_path: "model"' in (tmp_path / "out" / "checkpoint").read_text()
    assert listing(TEXT_CLASSIFIER) == before


def test_saving_again_needs_force(tmp_path: Path) -> None:
    save(frozen_classifier(), tmp_path / "out")
    (tmp_path / "out" / "notes").write_text("mine")
    with pytest.raises(EmitError, match="already exists"):
        save(frozen_classifier(), tmp_path / "out")
    assert (tmp_path / "out" / "notes").exists()
    save(frozen_classifier(), tmp_path / "out", force=True)
    assert not (tmp_path / "out" / "notes").exists()


def test_the_model_stays_as_it_was(tmp_path: Path) -> None:
    model = load(TEXT_CLASSIFIER.parent / "bare_graph" / "graph.pb")
    frozen = freeze(model, FreezePlan(freeze=("hidden",)), keep=["loss:0"])
    before, collections = report(frozen), dict(frozen.draft.collections)
    for out in ("out", "out.meta", "again"):
        save(frozen, tmp_path / out)
        assert (report(frozen), frozen.draft.collections) == (before, collections)
    assert listing(tmp_path / "out") == listing(tmp_path / "again")


def test_completed_before(tmp_path: Path) -> None:
    """Save what was completed for a report: the same bytes."""
    save(frozen_classifier(), tmp_path / "out")
    save(complete(frozen_classifier(), "out"), tmp_path / "again")
    assert listing(tmp_path / "out") == listing(tmp_path / "again")


def test_links_to_shards_are_followed(tmp_path: Path) -> None:
    """Let the files of the source be relative links, as in a store of large files."""
    store = Path(shutil.copytree(TEXT_CLASSIFIER, tmp_path / "store"))
    (tmp_path / "in").mkdir()
    for file in store.iterdir():
        (tmp_path / "in" / file.name).symlink_to(Path("..") / "store" / file.name)
    save(freeze(load(tmp_path / "in"), FreezePlan(freeze=("hidden",))), tmp_path / "out")
    made = list((tmp_path / "out").iterdir())
    assert not any(path.is_symlink() for path in made)
    shard = "data-00000-of-00001"
    assert (tmp_path / "out" / f"model.{shard}").samefile(store / f"model.ckpt.{shard}")
