import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from graphfreeze.model.wire import BinaryCodec, Codec, Piece
from graphfreeze.model.wire_text import TextCodec
from graphfreeze.schema import GraphDef, MetaGraphDef, NodeDef

NODES = [NodeDef(name="a", op="NoOp"), NodeDef(name="b", op="NoOp", input=["^a"])]
GRAPH = GraphDef(node=NODES)
GRAPH.versions.producer = 134
RAW = GRAPH.SerializeToString()
UNKNOWN = b"\xfa\x07\x03new"  # field 127, three bytes
CODECS = {"binary": BinaryCodec(), "text": TextCodec()}


def fields(pieces: list[Piece]) -> list[str]:
    return [piece.field for piece in pieces]


SPLITS: dict[str, tuple[Codec, bytes, list[str]]] = {
    "binary": (BinaryCodec(), RAW, ["node", "node", "versions"]),
    "binary, empty": (BinaryCodec(), b"", []),
    "binary, unknown field": (BinaryCodec(), UNKNOWN + RAW, ["", "node", "node", "versions"]),
    "binary, unknown field of 8 bytes": (BinaryCodec(), b"\xf9\x07" + b"8" * 8, [""]),
    "binary, unknown field of 4 bytes": (BinaryCodec(), b"\xfd\x07" + b"4" * 4, [""]),
    "binary, field as a number": (BinaryCodec(), b"\x18\x05", ["version"]),
    "text": (TextCodec(), b"node {\n  name: 'a'\n}\nversion: 5", ["node", "version"]),
    "text, blank at the end": (TextCodec(), b"version: 5\n", ["version", ""]),
    "text, empty": (TextCodec(), b"", []),
    "text, only a comment": (TextCodec(), b"# node { }", [""]),
    "text, comments": (
        TextCodec(),
        b"# {\nnode # }\n { name: '}' # '\n }\n# end",
        ["node", ""],
    ),
    "text, angles and colon": (TextCodec(), b"node: < name: 'a' > node <>", ["node", "node"]),
    "text, unknown field": (TextCodec(), b"news { x: 1 } node {}", ["news", "node"]),
    "text, adjacent strings": (TextCodec(), b"""s: "a" 'b'\n "c" t: 1""", ["s", "t"]),
    "text, escaped quotes": (TextCodec(), rb"""s: "a\"}" t: '\'{' """, ["s", "t", ""]),
    "text, brackets in a list": (TextCodec(), b"s: [1, 2] t { l: [{}, {}] }", ["s", "t"]),
    "text, commas": (TextCodec(), b"node {}, node {}; version: 1", ["node", "node", "version"]),
}


@pytest.mark.parametrize(("codec", "raw", "names"), SPLITS.values(), ids=SPLITS)
def test_split(codec: Codec, raw: bytes, names: list[str]) -> None:
    pieces = codec.split(raw, GraphDef)
    assert fields(pieces) == names
    assert b"".join(piece.raw for piece in pieces) == raw


BROKEN: dict[str, tuple[Codec, bytes]] = {
    "binary, end in a value": (BinaryCodec(), RAW[:-1]),
    "binary, end in a tag": (BinaryCodec(), RAW + b"\x80"),
    "binary, end in a length": (BinaryCodec(), b"\n\xff"),
    "binary, a group": (BinaryCodec(), b"\x0b"),
    "binary, field 0": (BinaryCodec(), b"\x02\x00"),
    "binary, a number without end": (BinaryCodec(), b"\xff" * 1_000_000),
    "text, open block": (TextCodec(), b"node { name: 'a'"),
    "text, closed twice": (TextCodec(), b"node { } }"),
    "text, open string": (TextCodec(), b"node { name: 'a }"),
    "text, string over two lines": (TextCodec(), b"node { name: 'a\n' }"),
    "text, not ASCII": (TextCodec(), b"n\xf6de { }"),
}


@pytest.mark.parametrize(("codec", "raw"), BROKEN.values(), ids=BROKEN)
def test_broken_input(codec: Codec, raw: bytes) -> None:
    with pytest.raises(DecodeError):
        codec.split(raw, GraphDef)


@pytest.mark.parametrize("cut", range(1, len(RAW)))
def test_binary_cut_anywhere(cut: int) -> None:
    codec = BinaryCodec()
    ends = [len(codec.wrap("node", codec.dump(NODES[0]), GraphDef).raw)]
    ends.append(ends[0] + len(codec.wrap("node", codec.dump(NODES[1]), GraphDef).raw))
    if cut in ends:
        assert fields(codec.split(RAW[:cut], GraphDef)) == ["node"] * (1 + ends.index(cut))
    else:
        with pytest.raises(DecodeError):
            codec.split(RAW[:cut], GraphDef)


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
@pytest.mark.parametrize("size", [0, 1, 127, 128, 20_000])
def test_wrap_body_parse(codec: Codec, size: int) -> None:
    node = NodeDef(name="n" * size, op="Identity", input=["a b", 'c"d', "ü"])
    piece = codec.wrap("node", codec.dump(node), GraphDef)
    assert codec.parse(codec.body(piece), NodeDef) == node
    assert [each.field for each in codec.split(piece.raw, GraphDef)] == ["node"]


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_refill_keeps_the_head(codec: Codec) -> None:
    piece = codec.wrap("graph_def", codec.dump(GRAPH), MetaGraphDef)
    assert codec.refill(piece, codec.body(piece)) == piece
    other = codec.refill(piece, codec.dump(GraphDef(node=NODES[:1])))
    assert codec.parse(codec.body(other), GraphDef) == GraphDef(node=NODES[:1])


def test_refill_of_text_keeps_comments_and_brackets() -> None:
    (piece,) = TextCodec().split(b"# one\nnode : < name: 'a' >", GraphDef)
    assert TextCodec().refill(piece, b" op: 'B' ").raw == b"# one\nnode : < op: 'B' >"


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_a_number_is_no_message(codec: Codec) -> None:
    raw = {"binary": b"\x18\x05", "text": b"version: 5"}[
        "text" if isinstance(codec, TextCodec) else "binary"
    ]
    (piece,) = codec.split(raw, GraphDef)
    with pytest.raises(DecodeError, match="version is no message"):
        codec.body(piece)


@given(st.binary(max_size=60))
def test_any_bytes_split_or_are_refused(raw: bytes) -> None:
    for codec in CODECS.values():
        try:
            pieces = codec.split(raw, GraphDef)
        except DecodeError:
            continue
        assert b"".join(piece.raw for piece in pieces) == raw
