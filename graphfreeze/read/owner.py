"""Which message a binary file is, by the fields that it has, in whatever order.

=====  ========================  =========================  ===================
field  GraphDef                  MetaGraphDef               SavedModel
=====  ========================  =========================  ===================
1      a node                    MetaInfoDef                a number
2      a library of functions    a GraphDef                 a MetaGraphDef
3      a number                  SaverDef                   none
4      VersionDef                an entry of collections    none
5      GraphDebugInfo            an entry of signatures     none
=====  ========================  =========================  ===================
"""

import re

from google.protobuf.message import DecodeError, Message

from graphfreeze.model.wire import LENGTH_DELIMITED, VARINT, BegunField, Buffer, begun_fields
from graphfreeze.schema import (
    FunctionDef,
    FunctionDefLibrary,
    GraphDef,
    MetaGraphDef,
    NodeDef,
    SavedModel,
    SaverDef,
)

# Annotated, because the wheel's classes have no types.
SAVED_MODEL: type[Message] = SavedModel
META_GRAPH: type[Message] = MetaGraphDef
GRAPH: type[Message] = GraphDef
LIBRARY: type[Message] = FunctionDefLibrary
_NODE_NAME = re.compile(r"[\w.][\w.\\/>-]*", re.ASCII)
_OP_NAME = re.compile(r"[A-Za-z_][\w>]*", re.ASCII)
_NUMBERS = {1: SAVED_MODEL, 3: GRAPH}  # fields that hold a number there
_MOST_NUMBER = 7
_STUMP = 400  # bytes, in which a first name ends
_ENTRY = (b"\n", b"\x12")  # key and value of a map, which VersionDef does not begin with
_SUBMESSAGES = {1: type(MetaGraphDef().meta_info_def), 3: SaverDef}
_AROUND = {GRAPH: META_GRAPH, META_GRAPH: SAVED_MODEL, LIBRARY: GRAPH}


def find_owner(raw: Buffer) -> type[Message] | None:
    """Return the message that bytes are, None if they tell nothing; their end may be cut off.

    A node, or what lies in a message inside, settles it; of the other fields the first is taken."""
    guess: type[Message] | None = None
    for field in begun_fields(raw):
        if field.wire_type == VARINT and field.number in _NUMBERS:
            return _NUMBERS[field.number]
        if field.wire_type != LENGTH_DELIMITED or field.number > _MOST_NUMBER:
            break
        sure = _settled(field)
        if sure is not None:
            return sure
        if guess is None and field.is_whole:
            guess = _guessed(field.number, bytes(field.body))
    return guess or _owner_of_stump(bytes(raw[:_STUMP]))


def _settled(field: BegunField) -> type[Message] | None:
    """Return what a field can be of alone, None if several messages might have it."""
    if field.number == 1 and field.is_whole:
        body = bytes(field.body)
        return GRAPH if _is_node(body) else LIBRARY if _is_function(body) else None
    inner = find_owner(field.body) if field.number == 2 else None
    return None if inner is None else _AROUND.get(inner)


def _guessed(number: int, body: bytes) -> type[Message] | None:
    """Return what a field that several messages might have is likely to be of."""
    if number == 4 and not body.startswith(_ENTRY):
        return GRAPH
    kind = _SUBMESSAGES.get(number)
    try:
        if kind is not None:
            kind.FromString(body)
    except DecodeError:
        return None
    return META_GRAPH


def _owner_of_stump(raw: bytes) -> type[Message] | None:
    """Return what a file may have been that ends in its first field."""
    if re.search(rb"\A\n[\x80-\xff]*[\x00-\x7f]\n[\x01-\x7f][\w./-]*", raw):
        return GRAPH
    if re.match(rb"[\n\x12][\x80-\xff]*[\x00-\x7f]([\n\x12\x22\x2a]|\Z)", raw):
        return META_GRAPH
    return None


def _is_node(body: bytes) -> bool:
    try:
        node = NodeDef.FromString(body)
    except DecodeError:
        return False
    return bool(_NODE_NAME.fullmatch(node.name) and _OP_NAME.fullmatch(node.op))


def _is_function(body: bytes) -> bool:
    try:
        return bool(_OP_NAME.fullmatch(FunctionDef.FromString(body).signature.name))
    except DecodeError:
        return False
