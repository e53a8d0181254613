"""Files are written with hand-made order: protobuf would sort or shuffle the maps."""

import pytest
from google.protobuf.message import Message

from graphfreeze.model.layout import Block, Changes, open_block, write_block
from graphfreeze.model.wire import BinaryCodec, Codec
from graphfreeze.model.wire_text import TextCodec
from graphfreeze.schema import (
    CollectionDef,
    FunctionDef,
    GraphDef,
    MetaGraphDef,
    NodeDef,
    OpDef,
    SavedModel,
)

BINARY = BinaryCodec()


def field(number: int, body: bytes) -> bytes:
    assert len(body) < 128
    return bytes([number << 3 | 2, len(body)]) + body


def attr(key: bytes) -> bytes:
    return field(5, field(1, key) + field(2, b"\x28\x01"))


def node(name: bytes) -> bytes:
    return field(1, field(1, name) + field(2, b"Op") + b"".join(map(attr, (b"z", b"a", b"m"))))


def entry(key: bytes) -> bytes:
    return field(4, field(1, key) + field(2, field(1, field(1, b"v"))))


NEWER = b"\xfa\x07\x01?"
LIBRARY = field(2, field(1, field(1, field(1, b"f"))))
GRAPH = field(4, b"\x08\x07") + node(b"b") + LIBRARY + node(b"a") + node(b"c") + NEWER
META = field(1, field(4, b"serve")) + field(2, GRAPH) + b"".join(map(entry, (b"z", b"a", b"m")))
SAVED = b"\x08\x01" + field(2, field(1, b"") + field(2, node(b"b")) + entry(b"z"))
FILES: dict[str, tuple[type[Message], bytes]] = {
    "GraphDef": (GraphDef, GRAPH),
    "MetaGraphDef": (MetaGraphDef, META + NEWER),
    "SavedModel": (SavedModel, SAVED),
    "two MetaGraphDefs merged": (MetaGraphDef, META + field(2, node(b"d")) + entry(b"z")),
    "length in more bytes than needed": (GraphDef, b"\x0a\x87\x00\x0a\x01b\x12\x02Op"),
    "empty": (GraphDef, b""),
}


@pytest.mark.parametrize(("owner", "raw"), FILES.values(), ids=FILES)
def test_no_change_is_the_same_file(owner: type[Message], raw: bytes) -> None:
    assert write_block(BINARY, open_block(BINARY, owner, raw), Changes()) == raw


def test_blocks_and_leaves() -> None:
    root = open_block(BINARY, MetaGraphDef, META)
    assert [leaf.key for leaf in root.leaves("node")] == ["b", "a", "c"]
    assert [leaf.key for leaf in root.leaves("collection_def")] == ["z", "a", "m"]
    assert [leaf.key for leaf in root.leaves("function")] == ["f"]
    assert root.find_block(MetaGraphDef) is root
    graph = root.find_block(GraphDef)
    assert isinstance(graph, Block)
    assert graph.owner is GraphDef
    assert root.find_block(SavedModel) is None


def dumped(name: str, message: Message) -> bytes:
    return BINARY.wrap(name, BINARY.dump(message), GraphDef).raw


NEW = NodeDef(name="a", op="Other")
EXTRA = NodeDef(name="x", op="NoOp")
FUNCTION = FunctionDef(signature=OpDef(name="g"))
AS_NODE = dumped("node", NEW)
CHANGES = {
    "replace": (Changes({("node", "a"): NEW}), GRAPH.replace(node(b"a"), AS_NODE)),
    "remove": (Changes({("node", "b"): None}), GRAPH.replace(node(b"b"), b"")),
    "remove all": (
        Changes({("node", key): None for key in "abc"}),
        field(4, b"\x08\x07") + LIBRARY + NEWER,
    ),
    "add behind the last": (
        Changes(added={"node": [EXTRA, NEW]}),
        GRAPH.removesuffix(NEWER) + dumped("node", EXTRA) + AS_NODE + NEWER,
    ),
    "add a function": (
        Changes(added={"function": [FUNCTION]}),
        GRAPH.replace(LIBRARY, field(2, LIBRARY[2:] + dumped("node", FUNCTION))),
    ),
    "a name that is not there": (Changes({("node", "q"): NEW}), GRAPH),
}


@pytest.mark.parametrize(("changes", "after"), CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("inside", [False, True], ids=["GraphDef", "MetaGraphDef"])
def test_the_rest_stays_to_the_byte(changes: Changes, after: bytes, inside: bool) -> None:
    # A changed block gets a new length, its neighbours stay.
    head, tail = (field(1, field(4, b"serve")), entry(b"z") + entry(b"a")) if inside else (b"", b"")
    owner: type[Message] = MetaGraphDef if inside else GraphDef
    before = head + BINARY.wrap("graph_def", GRAPH, MetaGraphDef).raw + tail if inside else GRAPH
    wanted = head + BINARY.wrap("graph_def", after, MetaGraphDef).raw + tail if inside else after
    assert write_block(BINARY, open_block(BINARY, owner, before), changes) == wanted


def test_collections_change_without_the_graph() -> None:
    raw = b"".join(map(entry, (b"z", b"a", b"m")))
    entry_type = MetaGraphDef.CollectionDefEntry
    new = entry_type(key="a", value=CollectionDef())
    changes = Changes({("collection_def", "a"): new, ("collection_def", "z"): None})
    written = write_block(BINARY, open_block(BINARY, MetaGraphDef, raw), changes)
    assert written == field(4, field(1, b"a") + field(2, b"")) + entry(b"m")


@pytest.mark.parametrize("codec", [BinaryCodec(), TextCodec()], ids=["binary", "text"])
def test_a_library_comes_with_its_first_function(codec: Codec) -> None:
    raw = codec.dump(GraphDef(node=[NEW]))
    root = open_block(codec, GraphDef, raw)
    written = write_block(codec, root, Changes(added={"function": [FUNCTION], "node": [EXTRA]}))
    after = codec.parse(written, GraphDef)
    assert [each.name for each in after.node] == ["a", "x"]
    assert [each.signature.name for each in after.library.function] == ["g"]
    assert written.startswith(raw.rstrip())


def test_what_has_no_place_is_an_error() -> None:
    changes = Changes(added={"collection_def": [MetaGraphDef.CollectionDefEntry(key="a")]})
    with pytest.raises(ValueError, match="no place for collection_def in a GraphDef"):
        write_block(BINARY, open_block(BINARY, GraphDef, GRAPH), changes)


def test_text_keeps_comments_blanks_and_order() -> None:
    before = (
        b"# mine\nnode { name: 'b' # here\n}\n\n\nnode <name:'a' op: 'Op'>\nversions { }\n# end\n"
    )
    root = open_block(TextCodec(), GraphDef, before)
    changes = Changes({("node", "a"): NEW}, {"node": [EXTRA]})
    after = write_block(TextCodec(), root, changes)
    new = b'\nnode {\n  name: "a"\n  op: "Other"\n}\nnode {\n  name: "x"\n  op: "NoOp"\n}'
    head, tail = before.split(b"\n\n\nnode <name:'a' op: 'Op'>")
    assert after == head + new + tail


def test_changes_are_true_when_there_are_any() -> None:
    assert not Changes()
    assert not Changes(added={"node": []})
    assert Changes({("node", "a"): None})
