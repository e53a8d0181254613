"""What was frozen is given back to the byte, and what was changed since is refused."""

import hashlib
import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import msgspec
import pytest

from graphfreeze.api import freeze, load, patch, save, show, undo
from graphfreeze.errors import LoadError, UndoError
from graphfreeze.model.model import Model, Origin
from graphfreeze.model.wire import BinaryCodec
from graphfreeze.read.former import get_former
from graphfreeze.read.undo import original_bytes, original_model
from graphfreeze.schema import GraphDef, MetaGraphDef, NodeDef
from graphfreeze.selection.plan import FreezePlan

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "testdata" / "models"
CORPUS = ROOT.parent / "shared" / "corpus"
OWN = sorted(
    str(path.relative_to(MODELS))
    for path in MODELS.glob("*/*")
    if path.suffix in (".meta", ".pb", ".pbtxt")
    and not path.parent.name.startswith("frozen_")  # they have no variable to freeze
)
INDEX = CORPUS / "index.json"
LISTED = json.loads(INDEX.read_text()) if INDEX.exists() else []
SAVED = {each["path"]: CORPUS / each["path"] for each in LISTED if each["kind"] == "saved_model"}
FILES = {name: MODELS / name for name in OWN}
loaded = cache(load)


def whole(model: Model) -> FreezePlan:
    return FreezePlan(freeze=(learning(model)[0],))


def rows(model: Model) -> FreezePlan:
    tables = [v.name for v in show(model).variables if v.state == "trainable" and v.shape]
    wholes = [name.rpartition("/part_")[0] or name for name in tables]
    return FreezePlan(freeze_rows={wholes[0]: "0,2"})


def learning(model: Model) -> list[str]:
    return [v.name for v in show(model).variables if v.state == "trainable"]


PLANS: dict[str, Callable[[Model], FreezePlan]] = {"whole": whole, "rows": rows}


@pytest.mark.parametrize("out", ["out.meta", "out"])
@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
@pytest.mark.parametrize("path", FILES.values(), ids=FILES)
def test_every_model_is_given_back(
    path: Path, plan: Callable[[Model], FreezePlan], out: str, tmp_path: Path
) -> None:
    model = loaded(path)
    save(freeze(model, plan(model)), tmp_path / out)
    back = tmp_path / f"back{path.suffix}"
    record = undo(load(tmp_path / out), back)
    assert back.read_bytes() == path.read_bytes() == model.raw
    assert (record.name, record.size) == (path.name, len(model.raw))
    assert record.sha256 == hashlib.sha256(model.raw).hexdigest()
    assert record.checkpoint == str(model.source.checkpoint)


@pytest.mark.parametrize("path", SAVED.values(), ids=SAVED)
def test_a_saved_model_is_given_back(path: Path, tmp_path: Path) -> None:
    model = loaded(path)
    named = next(n for n in model.graph.nodes if model.graph.op(n) not in ("NoOp", "VarHandleOp"))
    plan = whole(model) if learning(model) else FreezePlan(stop_gradient=(f"{named}:0",))
    save(freeze(model, plan), tmp_path / "out.meta")
    record = undo(load(tmp_path / "out.meta"), tmp_path / f"back{path.suffix}")
    assert (tmp_path / f"back{path.suffix}").read_bytes() == path.read_bytes()
    assert record.format.startswith("SavedModel")


@pytest.mark.parametrize("name", ["bert_tiny", "conv_bn", "loop_lookup", "partitioned_div"])
def test_the_order_of_maps_is_given_back(name: str, tmp_path: Path) -> None:
    """Protobuf maps have no order of their own; TensorFlow's files have one that it drew."""
    path = tmp_path / "in.meta"
    path.write_bytes(scrambled((MODELS / name / "model.ckpt.meta").read_bytes()))
    model = load(path)
    assert model.raw != MetaGraphDef.FromString(model.raw).SerializeToString()
    save(freeze(model, whole(model)), tmp_path / "out.meta")
    undo(load(tmp_path / "out.meta"), tmp_path / "back.meta")
    assert (tmp_path / "back.meta").read_bytes() == path.read_bytes()


def scrambled(raw: bytes) -> bytes:
    """Return a MetaGraphDef with the attributes of its nodes and its collections reversed."""
    codec = BinaryCodec()
    out = []
    for piece in codec.split(raw, MetaGraphDef):
        if piece.field == "graph_def":
            nodes = [_reversed(p.raw) for p in codec.split(codec.body(piece), GraphDef)]
            out.append(codec.refill(piece, b"".join(nodes)).raw)
        elif piece.field == "collection_def":
            out.insert(1, piece.raw)
        else:
            out.append(piece.raw)
    return b"".join(out)


def _reversed(raw: bytes) -> bytes:
    (piece,) = BinaryCodec().split(raw, GraphDef)
    if piece.field != "node":
        return raw
    fields = BinaryCodec().split(BinaryCodec().body(piece), NodeDef)
    attrs = [each for each in fields if each.field == "attr"]
    order = [each for each in fields if each.field != "attr"] + attrs[::-1]
    return BinaryCodec().refill(piece, b"".join(each.raw for each in order)).raw


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    model = loaded(MODELS / "conv_bn")
    save(freeze(model, FreezePlan(freeze=("conv1",))), tmp_path / "bundle")
    return tmp_path / "bundle"


@pytest.fixture
def meta(tmp_path: Path) -> Path:
    model = loaded(MODELS / "conv_bn")
    save(freeze(model, FreezePlan(freeze=("conv1",))), tmp_path / "one.meta")
    return tmp_path / "one.meta"


def exported(raw: bytes, *, prefix: bytes = b"", count: int = 1) -> bytes:
    """Return a file as TensorFlow writes it: maps anew, the mark as it was, or after a scope."""
    message = MetaGraphDef.FromString(raw)
    marks = message.collection_def["graphfreeze"].bytes_list.value
    marks[:] = [prefix + marks[0]] * count
    message.graph_def.node[0].attr["_new"].i = 7
    return message.SerializeToString(deterministic=True)


def change_record(bundle: Path, change: Callable[[dict[str, object]], None]) -> None:
    """Change the record of a bundle, and its hash in the mark."""
    file, graph = bundle / "graphfreeze.json", bundle / "model.meta"
    told = json.loads(file.read_text())
    change(told)
    file.write_text(json.dumps(told))
    message = MetaGraphDef.FromString(graph.read_bytes())
    marks = message.collection_def["graphfreeze"].bytes_list.value
    mark = json.loads(marks[0])
    mark["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    old = marks[0]
    raw = graph.read_bytes()
    new = json.dumps(mark, separators=(",", ":")).encode()
    assert len(old) == len(new)
    graph.write_bytes(raw.replace(old, new))


def without_manifest(told: dict[str, object]) -> None:
    del told["manifest"]


def other_literals(told: dict[str, object]) -> None:
    told["manifest"]["literals"] = ""  # type: ignore[index]


def test_a_graph_that_tensorflow_wrote_anew_is_refused(bundle: Path) -> None:
    later = bundle / "model-5.meta"
    later.write_bytes(exported((bundle / "model.meta").read_bytes()))
    with pytest.raises(UndoError) as raised:
        undo(load(later), bundle.parent / "back.meta")
    told = str(raised.value)
    assert f"{later}: cannot be undone, it is not as graphfreeze wrote it: TensorFlow" in told
    assert told.endswith(f"give {bundle / 'model.meta'}")


def test_a_folder_is_undone_by_its_own_graph_after_training(bundle: Path) -> None:
    for suffix in (".index", ".data-00000-of-00001"):
        shutil.copy(bundle / f"model{suffix}", bundle / f"model-5{suffix}")
    (bundle / "model-5.meta").write_bytes(exported((bundle / "model.meta").read_bytes()))
    (bundle / "checkpoint").write_text('model_checkpoint_path: "model-5"')
    assert load(bundle).source.path == bundle / "model-5.meta"
    record = undo(load(bundle), bundle.parent / "back.meta")
    assert record.source == str(bundle / "model.meta")
    original = (MODELS / "conv_bn" / "model.ckpt.meta").read_bytes()
    assert (bundle.parent / "back.meta").read_bytes() == original


# what is done to the bundle, the words of the error
DONE: dict[str, tuple[Callable[[Path], object], str]] = {
    "record gone": (
        lambda b: (b / "graphfreeze.json").unlink(),
        "graphfreeze.json is not there, which says how to undo it",
    ),
    "record changed": (
        lambda b: (b / "graphfreeze.json").write_text("{}"),
        "graphfreeze.json: was changed, the graph was written with another one",
    ),
    "no manifest, as of old": (
        lambda b: change_record(b, without_manifest),
        "model.meta: graphfreeze 0.1.0 wrote it without a manifest to undo it by; start again",
    ),
    "damaged manifest": (
        lambda b: change_record(b, other_literals),
        "model.meta: its manifest is damaged (",
    ),
    "record that is none": (
        lambda b: change_record(b, lambda told: told.update(manifest=7)),
        "its 'graphfreeze' collection cannot be read (Expected `object | null`, got `int`",
    ),
}


@pytest.mark.parametrize(("do", "words"), DONE.values(), ids=DONE)
def test_a_bundle_that_was_changed_is_refused(
    do: Callable[[Path], object], words: str, bundle: Path
) -> None:
    do(bundle)
    with pytest.raises(UndoError) as raised:
        undo(load(bundle / "model.meta"), bundle.parent / "back.meta")
    assert words in str(raised.value)
    assert not (bundle.parent / "back.meta").exists()


# what becomes of the file, the words of the error
FILES_CHANGED: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "exported anew": (exported, "it is not as graphfreeze wrote it"),
    "exported under a scope": (
        lambda raw: exported(raw, prefix=b"scope/"),
        "it is not as graphfreeze wrote it",
    ),
    "imported twice": (lambda raw: exported(raw, count=2), "cannot be read (it has 2 entries)"),
    "a mark that is none": (
        lambda raw: exported(raw).replace(b'{"graphfreeze":', b'{"graphfreeze";'),
        "cannot be read (JSON is malformed",
    ),
}


@pytest.mark.parametrize(("change", "words"), FILES_CHANGED.values(), ids=FILES_CHANGED)
def test_a_file_that_was_changed_is_refused(
    change: Callable[[bytes], bytes], words: str, meta: Path
) -> None:
    meta.write_bytes(change(meta.read_bytes()))
    with pytest.raises(UndoError) as raised:
        undo(load(meta), meta.with_name("back.meta"))
    assert words in str(raised.value)


def test_a_mark_after_a_scope_is_read(meta: Path) -> None:
    raw, codec = meta.read_bytes(), BinaryCodec()
    pieces = codec.split(raw, MetaGraphDef)
    message = MetaGraphDef.FromString(raw)
    entry = MetaGraphDef.CollectionDefEntry(key="graphfreeze")
    mark = message.collection_def["graphfreeze"].bytes_list.value[0]
    entry.value.bytes_list.value.append(b"scope/" + mark)
    new = codec.wrap("collection_def", entry.SerializeToString(), MetaGraphDef).raw
    kept = [p.raw for p in pieces if not (p.field == "collection_def" and mark in p.raw)]
    meta.write_bytes(b"".join(kept) + new)
    assert original_bytes(load(meta)) == loaded(MODELS / "conv_bn").raw
    states = {v.name: v.state for v in show(load(meta)).variables}
    assert states["conv1/kernel"] == "frozen"


def test_the_original_model_has_the_name_and_the_values(bundle: Path) -> None:
    model = original_model(load(bundle))
    original = loaded(MODELS / "conv_bn").source
    assert model.source.origin == Origin("model.ckpt.meta", str(original.checkpoint))
    assert model.source.path == bundle / "model.meta"
    assert model.source.checkpoint == bundle / "model"
    assert list(model.graph.nodes) == list(loaded(MODELS / "conv_bn").graph.nodes)


def test_undone_from_what_was_frozen_anew(bundle: Path) -> None:
    model = load(bundle, checkpoint=bundle / "model")
    save(freeze(model, FreezePlan(freeze=("bn1",)), refreeze=True), bundle.parent / "two")
    record = undo(load(bundle.parent / "two"), bundle.parent / "back.meta")
    original = loaded(MODELS / "conv_bn").source
    assert (record.name, record.checkpoint) == ("model.ckpt.meta", str(original.checkpoint))
    assert (bundle.parent / "back.meta").read_bytes() == loaded(MODELS / "conv_bn").raw


def copied(bundle: Path, name: str) -> None:
    """Put another checkpoint into a bundle: its index differs, as that of any other values."""
    for suffix in (".index", ".data-00000-of-00001"):
        shutil.copy(MODELS / "nce" / f"model.ckpt{suffix}", bundle / f"{name}{suffix}")


# what the folder's state names, the checkpoint given besides, the one that is taken
TAKEN: dict[str, tuple[str | None, str | None, str | None]] = {
    "never trained": ("model", None, None),
    "the first values copied": ("copy", None, None),
    "trained": ("model-5", None, "model-5"),
    "the first ones by their name": ("model", "model", "model"),
    "another by its name": ("model-5", "model-6", "model-6"),
    "no state": (None, None, None),
    "a checkpoint that is gone": ("model-9", None, None),
}


@pytest.mark.parametrize(("state", "given", "taken"), TAKEN.values(), ids=TAKEN)
def test_the_latest_trained_checkpoint(
    state: str | None, given: str | None, taken: str | None, bundle: Path
) -> None:
    copied(bundle, "model-5")
    copied(bundle, "model-6")
    for suffix in (".index", ".data-00000-of-00001"):
        shutil.copy(bundle / f"model{suffix}", bundle / f"copy{suffix}")
    (bundle / "checkpoint").unlink()
    if state is not None:
        (bundle / "checkpoint").write_text(f'model_checkpoint_path: "{state}"')
    checkpoint = None if given is None else bundle / given
    model = load(bundle / "model.meta", checkpoint=checkpoint)
    if taken is not None:
        assert get_former(model).original.source.checkpoint == bundle / taken
        return
    with pytest.raises(UndoError) as raised:
        get_former(model)
    told = f"{bundle}: no checkpoint that was trained, its 'checkpoint' file names none; give one"
    assert str(raised.value).startswith(told)
    assert str(raised.value).endswith(f"or {bundle / 'model'} for the values it began with")


def test_a_checkpoint_without_its_graph_is_of_the_bundle(bundle: Path) -> None:
    copied(bundle, "model-5")
    (bundle / "checkpoint").write_text('model_checkpoint_path: "model-5"')
    source = load(bundle).source
    assert (source.path, source.checkpoint) == (bundle / "model.meta", bundle / "model-5")


def test_frozen_twice_without_refreeze(bundle: Path) -> None:
    with pytest.raises(LoadError) as raised:
        freeze(load(bundle), FreezePlan(freeze=("bn1",)))
    assert "already a graphfreeze bundle; freeze it anew with --refreeze" in str(raised.value)


def test_refreeze_of_what_was_not_frozen() -> None:
    with pytest.raises(UndoError) as raised:
        freeze(loaded(MODELS / "conv_bn"), FreezePlan(freeze=("bn1",)), refreeze=True)
    assert "nothing to undo, graphfreeze did not write it; give a bundle" in str(raised.value)


def test_a_checkpoint_that_lacks_what_the_graph_keeps(bundle: Path) -> None:
    copied(bundle, "model-5")
    model = load(bundle, checkpoint=bundle / "model-5")
    with pytest.raises(UndoError) as raised:
        freeze(model, FreezePlan(freeze=("bn1",)), refreeze=True)
    assert f"{bundle / 'model-5'}: the checkpoint holds no " in str(raised.value)


def test_what_a_freeze_tells_is_no_manifest(bundle: Path) -> None:
    told = msgspec.json.decode((bundle / "graphfreeze.json").read_bytes())
    assert list(told)[-1] == "manifest"
    assert told["manifest"]["name"] == "model.ckpt.meta"


@pytest.mark.parametrize("out", ["out.meta", "out"])
@pytest.mark.parametrize("name", ["adam_clipped", "bert_adamw", "momentum_ema", "text_classifier"])
def test_a_patch_is_taken_back(name: str, out: str, tmp_path: Path) -> None:
    model = loaded(MODELS / name)
    save(patch(model, whole(model)), tmp_path / out)
    record = undo(load(tmp_path / out), tmp_path / "back.meta")
    assert (tmp_path / "back.meta").read_bytes() == model.raw
    assert record.notes == []


def test_a_patch_is_made_anew(tmp_path: Path) -> None:
    model = loaded(MODELS / "text_classifier")
    save(patch(model, FreezePlan(freeze=("hidden",))), tmp_path / "one")
    again = load(tmp_path / "one", checkpoint=tmp_path / "one" / "model")
    frozen = freeze(again, FreezePlan(freeze=("word_embedding",)), refreeze=True)
    save(frozen, tmp_path / "two")
    undo(load(tmp_path / "two"), tmp_path / "back.meta")
    assert (tmp_path / "back.meta").read_bytes() == model.raw
    states = {v.name: v.state for v in show(load(tmp_path / "two")).variables}
    assert (states["word_embedding"], states["hidden/kernel"]) == ("frozen", "trainable")
