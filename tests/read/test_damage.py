"""Damaged files load or are refused with a LoadError of one line; nothing else comes out."""

import random
from itertools import accumulate
from pathlib import Path

import pytest
from google.protobuf import text_format
from google.protobuf.message import Message

from graphfreeze.errors import LoadError
from graphfreeze.model.sketch import sketch_meta_graph
from graphfreeze.model.wire import BinaryCodec, Codec
from graphfreeze.model.wire_text import TextCodec
from graphfreeze.read.document import parse_document
from graphfreeze.schema import SavedModel

META = sketch_meta_graph(
    "w = VariableV2() {shape: [2]}\nw/read = Identity(w)\nsaver: save\n"
    "trainable_variables: w\nlosses: w/read:0"
)
META.graph_def.library.function.add().signature.name = "f"
MESSAGES: dict[str, Message] = {
    "GraphDef": META.graph_def,
    "MetaGraphDef": META,
    "SavedModel": SavedModel(saved_model_schema_version=1, meta_graphs=[META]),
}
CODECS: dict[str, Codec] = {"binary": BinaryCodec(), "text": TextCodec()}
FILES = {
    "graph.pb": "testdata/models/bare_graph/graph.pb",
    "graph.pbtxt": "testdata/models/bare_graph/graph.pbtxt",
    ".meta": "testdata/models/resource_mlp/model.ckpt.meta",
}
ROOT = Path(__file__).parents[2]
# Escapes that make no sense are what this is about.
pytestmark = pytest.mark.filterwarnings("ignore:invalid:DeprecationWarning")


def refusal(raw: bytes) -> str | None:
    try:
        model = parse_document(raw, Path("x"), None)
    except LoadError as error:
        return str(error)
    assert model.graph.nodes
    assert model.variables is not None
    assert model.saver_ops is None or model.saver is not None
    return None


def is_fine(raw: bytes) -> bool:
    told = refusal(raw)
    assert told is None or len(told.splitlines()) == 1
    return told is None


@pytest.mark.parametrize("kind", MESSAGES)
@pytest.mark.parametrize("encoding", CODECS)
def test_cut_anywhere(kind: str, encoding: str) -> None:
    message = MESSAGES[kind]
    is_text = encoding == "text"
    raw = text_format.MessageToString(message).encode() if is_text else message.SerializeToString()
    loaded = [cut for cut in range(len(raw)) if is_fine(raw[:cut])]
    # Only between two fields of the outermost message can an end go unnoticed.
    pieces = CODECS[encoding].split(raw, type(message))
    ends = set(accumulate(len(piece.raw) for piece in pieces))
    assert {len(raw[:cut].rstrip()) if is_text else cut for cut in loaded} <= ends


@pytest.mark.parametrize("path", FILES.values(), ids=FILES)
def test_real_files_cut(path: str) -> None:
    raw = (ROOT / path).read_bytes()
    loaded = [is_fine(raw[: len(raw) * part // 61]) for part in range(1, 61)]
    assert sum(loaded) <= 3


@pytest.mark.parametrize("path", FILES.values(), ids=FILES)
def test_real_files_with_bits_flipped(path: str) -> None:
    raw, chance = (ROOT / path).read_bytes(), random.Random(path)
    for _ in range(40):
        damaged = bytearray(raw)
        for _ in range(chance.choice([1, 1, 2, 5])):
            damaged[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        is_fine(bytes(damaged))


@pytest.mark.parametrize("kind", MESSAGES)
@pytest.mark.parametrize("encoding", CODECS)
def test_bits_flipped(kind: str, encoding: str) -> None:
    message, chance = MESSAGES[kind], random.Random(kind)
    raw = (
        text_format.MessageToString(message).encode()
        if encoding == "text"
        else message.SerializeToString(deterministic=True)
    )
    for _ in range(150):
        damaged = bytearray(raw)
        for _ in range(chance.choice([1, 1, 2, 5])):
            damaged[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        is_fine(bytes(damaged))


@pytest.mark.parametrize("head", [b"", b"\n", b"\x12", b"\x08", b"\n\x05", b"node {", b"node"])
def test_noise(head: bytes) -> None:
    chance = random.Random(0)
    for size in range(200):
        is_fine(head + chance.randbytes(size))


def test_a_context_that_is_none() -> None:
    meta = sketch_meta_graph("x = Placeholder()")
    meta.collection_def["while_context"].bytes_list.value.append(b"\x0a\x7fcut")
    told = "entry 0 of the collection 'while_context' is damaged; give the GraphDef alone"
    assert told in (refusal(meta.SerializeToString()) or "")
