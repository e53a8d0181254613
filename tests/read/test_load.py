import errno
import os
from pathlib import Path

import pytest
from google.protobuf import text_format
from google.protobuf.message import Message

from graphfreeze.errors import LoadError
from graphfreeze.model.sketch import sketch_meta_graph
from graphfreeze.read import load
from graphfreeze.read.document import parse_document
from graphfreeze.schema import MetaGraphDef, SavedModel

META = sketch_meta_graph(
    "w = VariableV2() {shape: [2]}\nw/read = Identity(w)\n"
    "trainable_variables: w\nlosses: w/read:0\nsaver: save"
)
GRAPH = META.graph_def
SAVED = SavedModel(saved_model_schema_version=1, meta_graphs=[META])
BARE_META = MetaGraphDef(graph_def=GRAPH)
HIDDEN = sketch_meta_graph("_send_x = _Send(a) {x: 1}\na = Scope>Op()").graph_def
TABLE = b"...." + bytes.fromhex("57fb808b247547db")
V2 = {"m.index": TABLE, "m.data-00000-of-00001": b""}


def at(folder: str, files: dict[str, bytes]) -> dict[str, bytes]:
    return {f"{folder}/{name}": content for name, content in files.items()}


def binary(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)


def text(message: Message) -> bytes:
    return text_format.MessageToString(message).encode()


def state(path: str) -> bytes:
    return f'model_checkpoint_path: "{path}"\nall_model_checkpoint_paths: "q"\n'.encode()


# files, the path to load, the graph file and the checkpoint that are found
PLACES: dict[str, tuple[dict[str, bytes], str, str, str]] = {
    ".meta": ({"m.meta": binary(META)}, "m.meta", "m.meta", ""),
    ".meta and its checkpoint": ({"m.meta": binary(META), **V2}, "m.meta", "m.meta", "m"),
    "a prefix": ({"m.meta": binary(META), **V2}, "m", "m.meta", "m"),
    "a prefix without a checkpoint": ({"m.meta": binary(META)}, "m", "m.meta", ""),
    "a prefix, V1": ({"m.meta": binary(META), "m": TABLE}, "m", "m.meta", "m"),
    ".meta, V1": ({"m.meta": binary(META), "m": TABLE}, "m.meta", "m.meta", "m"),
    "a prefix, V1 in shards": (
        {"m.meta": binary(META), "m-00000-of-00001": TABLE}, "m", "m.meta", "m"),
    "a folder": ({"checkpoint": state("m"), "m.meta": binary(META), **V2}, ".", "m.meta", "m"),
    "a folder that was moved": (
        {"checkpoint": state("/old/place/m"), "m.meta": binary(META), **V2}, ".", "m.meta", "m"),
    "a folder, checkpoint deeper": (
        {"checkpoint": state("a/m"), "a/m.meta": binary(META)}, ".", "a/m.meta", ""),
    "a folder that was copied with folders in it": (
        {"checkpoint": state("/old/run/b/m"), "b/m.meta": binary(META), **at("b", V2)}, ".",
        "b/m.meta", "b/m"),
    "a folder from Windows": (
        {"checkpoint": state(r"C:\\runs\\7\\m"), "m.meta": binary(META), **V2}, ".", "m.meta", "m"),
    "a folder from Windows, not escaped": (
        {"checkpoint": state(r"C:\training\new\m"), "m.meta": binary(META), **V2}, ".",
        "m.meta", "m"),
    "a folder from Windows, deeper": (
        {"checkpoint": state(r"new\\m"), "new/m.meta": binary(META)}, ".", "new/m.meta", ""),
    "a folder of V1": (
        {"checkpoint": state("/old/m"), "m.meta": binary(META), "m": TABLE}, ".", "m.meta", "m"),
    "a folder of V1 in shards": (
        {"checkpoint": state("/old/m"), "m.meta": binary(META), "m-00000-of-00002": TABLE,
         "m-00001-of-00002": TABLE}, ".", "m.meta", "m"),
    "a folder of V1, its shards named by a pattern": (
        {"checkpoint": state("/old/m-?????-of-00001"), "m.meta": binary(META),
         "m-00000-of-00001": TABLE}, ".", "m.meta", "m"),
    "V1, its shards named by a pattern": (
        {"m.meta": binary(META), "m-00000-of-00001": TABLE}, "m-?????-of-00001", "m.meta", "m"),
    "a state in single quotes": (
        {"checkpoint": b"model_checkpoint_path: 'm'", "m.meta": binary(META)}, ".", "m.meta", ""),
    "a state that names others first": (
        {"checkpoint": b'all_model_checkpoint_paths: "n"\nmodel_checkpoint_path: "m"',
         "m.meta": binary(META), "n.meta": b""}, ".", "m.meta", ""),
    "a SavedModel": (
        {"saved_model.pb": binary(SAVED), "variables/variables.index": TABLE}, ".",
        "saved_model.pb", "variables/variables"),
    "a SavedModel without values": ({"saved_model.pb": binary(SAVED)}, ".", "saved_model.pb", ""),
    "a SavedModel in text": ({"saved_model.pbtxt": text(SAVED)}, ".", "saved_model.pbtxt", ""),
    "its file": (
        {"saved_model.pb": binary(SAVED), "variables/variables.index": TABLE}, "saved_model.pb",
        "saved_model.pb", "variables/variables"),
    "a GraphDef": ({"g.pb": binary(GRAPH)}, "g.pb", "g.pb", ""),
    "a GraphDef and the only checkpoint": ({"g.pb": binary(GRAPH), **V2}, "g.pb", "g.pb", "m"),
    "a GraphDef and two checkpoints": (
        {"g.pb": binary(GRAPH), **V2, "n.index": TABLE}, "g.pb", "g.pb", ""),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    files: dict[str, bytes] = request.param
    for name, content in files.items():
        place = tmp_path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return tmp_path


@pytest.mark.parametrize(
    ("folder", "path", "found", "checkpoint"), PLACES.values(), ids=PLACES, indirect=["folder"]
)
def test_place(folder: Path, path: str, found: str, checkpoint: str) -> None:
    model = load(folder / path)
    assert model.source.path == folder / found
    assert model.source.checkpoint == (folder / checkpoint if checkpoint else None)
    assert list(model.graph.nodes) == ["w", "w/read"]


CONTENTS = {
    "GraphDef (binary)": binary(GRAPH),
    "GraphDef (text)": text(GRAPH),
    "MetaGraphDef (binary)": binary(META),
    "MetaGraphDef (text)": text(META),
    "SavedModel (binary)": binary(SAVED),
    "SavedModel (text)": text(SAVED),
}


@pytest.mark.parametrize("label", CONTENTS)
@pytest.mark.parametrize("name", ["m.meta", "g.pb", "g.pbtxt", "noname"])
def test_content_decides_not_the_name(tmp_path: Path, label: str, name: str) -> None:
    (tmp_path / name).write_bytes(CONTENTS[label])
    model = load(tmp_path / name)
    assert model.source.format == label
    assert [v.is_trainable for v in model.variables] == [True]
    has_more = not label.startswith("GraphDef")
    assert bool(model.collections) == (model.saver is not None) == has_more
    assert list(model.graph.nodes) == ["w", "w/read"]


OTHERS = {
    "no meta_info_def": (binary(BARE_META), "MetaGraphDef (binary)"),
    "versions first": (b'"\x02\x08\x07' + binary(GRAPH), "GraphDef (binary)"),
    "hidden nodes and ops in scopes": (binary(HIDDEN), "GraphDef (binary)"),
    "a comment first": (b"# node {\n" + text(GRAPH), "GraphDef (text)"),
    "blanks first": (b"\n\n  " + text(META), "MetaGraphDef (text)"),
}


@pytest.mark.parametrize(("raw", "label"), OTHERS.values(), ids=OTHERS)
def test_other_content(raw: bytes, label: str) -> None:
    assert parse_document(raw, Path("x"), None).source.format == label


def test_header() -> None:
    model = parse_document(binary(META), Path("x"), None)
    assert (model.tensorflow_version, model.producer) == ("1.15.5", 134)
    assert model.saver == META.saver_def
    assert model.collections == dict(META.collection_def)


def test_checkpoint_may_be_given(tmp_path: Path) -> None:
    (tmp_path / "m.meta").write_bytes(binary(META))
    (tmp_path / "other.index").write_bytes(b"")
    given = load(tmp_path / "m.meta", checkpoint=tmp_path / "other")
    assert given.source.checkpoint == tmp_path / "other"
    with pytest.raises(LoadError, match="no checkpoint here; give its prefix"):
        load(tmp_path / "m.meta", checkpoint=tmp_path / "m")


TWO = SavedModel(meta_graphs=[META, META])
TWO.meta_graphs[0].meta_info_def.tags.append("serve")
TWO.meta_graphs[1].meta_info_def.tags.append("train")
ERRORS: dict[str, tuple[dict[str, bytes], str, str]] = {
    "nothing there": ({"model.meta": b""}, "modle.meta", "did you mean model.meta"),
    "no such folder": ({}, "a/b/c", "no such file or folder"),
    "a name too long": ({}, "x" * 5000, "cannot be read"),
    "an empty folder": ({}, ".", "without a 'checkpoint' file"),
    "a state without a path": ({"checkpoint": b""}, ".", "names no model_checkpoint_path"),
    "a state with an empty path": ({"checkpoint": state("")}, ".", "no such file there or beside"),
    "a state that names its folder": ({"checkpoint": state(".")}, ".", "no such file there or"),
    "a state, nothing beside": (
        {"checkpoint": state("/far/m")},
        ".",
        "checkpoint: names /far/m, no such file there or",
    ),
    "a state, another one beside": (
        {"checkpoint": state("m"), "q.meta": b""},
        ".",
        "q: give that prefix",
    ),
    "a state, others beside": (
        {"checkpoint": state("m-3"), "m-2.index": TABLE, "m-1.index": TABLE},
        ".",
        "m-2: give that prefix",
    ),
    "a state that leads up": (
        {"checkpoint": state("../../m")},
        ".",
        "no such file there or beside it; copy it there",
    ),
    "a state with a NUL": ({"checkpoint": state(r"a\000b")}, ".", "no such file there or beside"),
    "a state, no .meta": ({"checkpoint": state("m"), **V2}, ".", "m.meta beside the checkpoint"),
    "a prefix without .meta": (V2, "m", "m.meta beside the checkpoint"),
    "an index": (V2, "m.index", "part of a checkpoint; give the checkpoint's prefix"),
    "empty": ({"g": b""}, "g", "it is empty"),
    "blank": ({"g": b" \n"}, "g", "it is empty"),
    "zeros": ({"g": b"\0" * 999}, "g", "begin no protobuf message"),
    "ones": ({"g": b"\xff" * 999}, "g", "begin no protobuf message"),
    "prose": ({"g": b"Dear model, ..."}, "g", "begin no protobuf message"),
    "no node": ({"g": binary(MetaGraphDef(meta_info_def={"tags": ["t"]}))}, "g", "holds no node"),
    "no graph": ({"g": b"\x08\x01"}, "g", "it holds no MetaGraphDef"),
    "two graphs": ({"g": binary(TWO)}, "g", "holds 2 graphs; choose one with --tags serve"),
    "a bad name": ({"g": text(GRAPH).replace(b'"w"', b'"w:x"')}, "g", "'w:x' is no tensor name"),
    "two files in one": ({"g": binary(META) * 2}, "g", "node 'w' stands there twice); copy it"),
    "a folder of versions": (
        {"7/saved_model.pb": b"", "9/saved_model.pbtxt": b"", "x/y": b""},
        ".",
        "/9?",
    ),
    "a folder in a SavedModel": (
        {"saved_model.pb": b"", "variables/variables.index": b""},
        "variables",
        "did you mean",
    ),
    "cut off": ({"g": binary(META)[:-3]}, "g", "truncated or damaged"),
    "cut off in text": ({"g": text(META)[:-3]}, "g", "the text ends inside a block"),
}


@pytest.mark.parametrize(
    ("folder", "path", "told"), ERRORS.values(), ids=ERRORS, indirect=["folder"]
)
def test_errors(folder: Path, path: str, told: str) -> None:
    with pytest.raises(LoadError) as caught:
        load(folder / path)
    assert told in str(caught.value)
    assert str(caught.value).startswith(str(folder))
    assert len(str(caught.value).splitlines()) == 1


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, mode: str) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    (tmp_path / "m.meta").touch()
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(LoadError, match="check its permissions"):
        load(tmp_path / "m.meta")


def test_a_device(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(LoadError, match=r"cannot be read \(it is a device or a pipe\); name a"):
            load(path)
