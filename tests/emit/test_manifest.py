"""A manifest gives back the file that a result was made of, whatever was edited."""

import json
import random
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphfreeze.emit.graph_file import file_bytes
from graphfreeze.emit.manifest import make_manifest
from graphfreeze.model.manifest import (
    BadManifestError,
    Manifest,
    join_pieces,
    parse_pieces,
    tell_pieces,
)
from graphfreeze.model.model import Model
from graphfreeze.model.names import TensorRef
from graphfreeze.read.document import parse_document
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import (
    AddFunction,
    AddNode,
    Edit,
    RemoveNode,
    ReplaceNode,
    SetCollection,
    SetSaver,
)
from graphfreeze.schema import CollectionDef, FunctionDef, MetaGraphDef, NodeDef, SaverDef

NAMES = [f"n{i}" for i in range(12)]


def sketch() -> Model:
    collections = {
        key: CollectionDef(node_list=CollectionDef.NodeList(value=[f"{key}:0"]))
        for key in NAMES[:4]
    }
    return parse_sketch("\n".join(f"{name} = NoOp()" for name in NAMES), collections=collections)


def scrambled(model: Model, seed: int) -> Model:
    """Return the same model, its fields written in another order, with one that nobody knows."""
    rng = random.Random(seed)
    body = b"\x92\x4e\x02hi"  # field 1250
    parts = [leaf.piece.raw for leaf in model.graph_block.leaves("node")]
    rng.shuffle(parts)
    graph = MetaGraphDef.FromString(model.raw).graph_def
    graph.ClearField("node")
    rest = [piece.raw for piece in model.codec.split(model.raw, MetaGraphDef)]
    rest = [raw for raw in rest if raw[0] != 0x12]  # but for graph_def
    inner = b"".join(parts) + body + graph.SerializeToString()
    first = model.codec.wrap("graph_def", inner, MetaGraphDef).raw
    rng.shuffle(rest)
    return parse_document(first + b"".join(rest) + body, Path("x.meta"), None)


def edit(kind: str, name: str) -> Edit | None:
    match kind:
        case "remove":
            return RemoveNode(name)
        case "change":
            return ReplaceNode(NodeDef(name=name, op="NoOp", device="/device:CPU:7" * 50))
        case "add":
            return AddNode(f"{name}/new", "NoOp", (TensorRef(name, None),))
        case "collect":
            value = CollectionDef(node_list=CollectionDef.NodeList(value=["x:0", "y:0"]))
            return SetCollection(name, value)
        case "drop":
            return SetCollection(name, None)
        case "save":
            return SetSaver(SaverDef(save_tensor_name=name))
        case "function":
            function = FunctionDef()
            function.signature.name = name
            return AddFunction(function)
    return None


KINDS = ["remove", "change", "add", "collect", "drop", "save", "function"]
EDITS = st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from(NAMES)), unique=True)


@given(EDITS, st.integers(0, 20))
def test_any_edits_are_taken_back(edits: list[tuple[str, str]], seed: int) -> None:
    model = scrambled(sketch(), seed)
    draft = Draft(model)
    for kind, name in edits:
        made = edit(kind, name)
        is_there = name in draft.graph and f"{name}/new" not in draft.graph
        if made is not None and (is_there or kind not in ("remove", "change", "add")):
            draft.apply(made)
    result = file_bytes(draft, ".meta")
    manifest = make_manifest(model, result)
    again = msgspec.json.decode(msgspec.json.encode(manifest), type=Manifest)
    assert join_pieces(again, result) == model.raw


def test_nothing_edited_is_one_piece() -> None:
    model = parse_sketch("\n".join(f"n{i} = NoOp()" for i in range(10_000)))
    manifest = make_manifest(model, file_bytes(Draft(model), ".meta"))
    assert manifest.pieces == f"0+{len(model.raw)}"
    assert len(msgspec.json.encode(manifest)) < 500


def test_one_edit_costs_what_it_changed() -> None:
    model = parse_sketch("\n".join(f"n{i} = NoOp()" for i in range(10_000)))
    draft = Draft(model)
    for name in ("n500", "n7000"):
        draft.apply(ReplaceNode(NodeDef(name=name, op="NoOp", device="/device:CPU:7")))
    manifest = make_manifest(model, file_bytes(draft, ".meta"))
    # Literals are the head of the GraphDef, with its length, and each node that changed.
    assert [piece.startswith("+") for piece in manifest.pieces.split()] == [
        *(False, True, False, True, False, True, False)
    ]
    assert len(msgspec.json.encode(manifest)) < 600


# pieces, text
PIECES = {
    "none": ([], ""),
    "one": ([(0, 5)], "0+5"),
    "ranges that follow each other": ([(0, 5), (5, 2), (7, 1)], "0+8"),
    "ranges with a gap": ([(0, 5), (6, 2)], "0+5 6+2"),
    "literals together": ([(None, 5), (None, 2)], "+7"),
    "literals between ranges": ([(0, 5), (None, 2), (5, 1)], "0+5 +2 5+1"),
    "a range at 0 after literals": ([(None, 2), (0, 1)], "+2 0+1"),
    "backwards": ([(9, 3), (0, 9)], "9+3 0+9"),
}


@pytest.mark.parametrize(("pieces", "text"), PIECES.values(), ids=PIECES)
def test_pieces(pieces: list[tuple[int | None, int]], text: str) -> None:
    assert tell_pieces(pieces) == text
    assert tell_pieces(parse_pieces(text)) == text


# the field that is changed, what is in it, the words of the error
DAMAGE = {
    "a piece that is none": ({"pieces": "0+5 nonsense"}, "'nonsense' is no piece"),
    "a negative length": ({"pieces": "0+-5"}, "'0+-5' is no piece"),
    "past the result": ({"pieces": "0+999999"}, "a piece of it lies outside of the file"),
    "past the literals": ({"pieces": "+999999"}, "a piece of it lies outside of the file"),
    "too long": ({"pieces": "0+9 0+9 0+9", "size": 20}, "a piece of it lies outside"),
    "longer than can be": ({"size": 2**80}, "too large to convert"),
    "too short": ({"pieces": ""}, "its pieces are not those of the original"),
    "other literals": ({"literals": "eJwDAAAAAAE="}, "lies outside"),
    "no base64": ({"literals": "\u00e9"}, "ASCII"),
    "no zlib": ({"literals": "AAAA"}, "Error -3"),
    "another hash": ({"original_sha256": "0"}, "its pieces are not those of the original"),
}


@pytest.mark.parametrize(("fields", "words"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_manifest_gives_nothing(fields: dict[str, object], words: str) -> None:
    model = sketch()
    draft = Draft(model)
    draft.apply(RemoveNode("n5"))
    result = file_bytes(draft, ".meta")
    manifest = msgspec.structs.replace(make_manifest(model, result), **fields)
    with pytest.raises(BadManifestError) as raised:
        join_pieces(manifest, result)
    assert words in str(raised.value)


def test_a_manifest_is_ascii() -> None:
    model = sketch()
    told = json.dumps(msgspec.to_builtins(make_manifest(model, file_bytes(Draft(model), ".meta"))))
    assert told.isascii()
