"""The text format as it was written: blocks cut out and put back, comments and blanks included."""

import re
from collections.abc import Iterator
from textwrap import indent
from typing import TypeVar

from google.protobuf import text_format
from google.protobuf.message import DecodeError, Message

from graphfreeze.model.wire import Piece

M = TypeVar("M", bound=Message)
_TOKEN = re.compile(
    rb"""(?P<skip>(?:\s+|\#[^\n]*)+)
    | (?P<value>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    | (?P<open>[{<\[]) | (?P<close>[}>\]]) | (?P<mark>[:;,])
    | (?P<word>[^\s{}<>:;,\[\]"'\#\x80-\xff]+)""",
    re.VERBOSE,
)
_HEAD = re.compile(rb"(?:[\s,;]+|#[^\n]*\n)*\w+\s*:?\s*[{<]")


class TextCodec:
    """The text format; a piece begins where the one before it ended."""

    def split(self, raw: bytes, owner: type[Message]) -> list[Piece]:
        """Cut a message into its fields; what follows the last one is a piece without a name."""
        pieces: list[Piece] = []
        start, name = 0, b""
        for kind, text, end in _at_top_level(raw):
            if kind == "word" and not name:
                name = text
            elif kind == "value" and not name and pieces:
                start = _lengthen(pieces, raw[start:end], end)
            elif kind in ("word", "value", "close"):
                pieces.append(Piece(name.decode(), raw[start:end]))
                start, name = end, b""
        if name:
            raise DecodeError(f"the text ends behind {name.decode()!r}, which has no value")
        return [*pieces, Piece("", raw[start:])] if start < len(raw) else pieces

    def body(self, piece: Piece) -> bytes:
        """Return the text between a block's brackets."""
        return piece.raw[_head(piece) : -1]

    def parse(self, body: bytes, kind: type[M]) -> M:
        """Read a message; raises DecodeError."""
        try:
            return text_format.Parse(body.decode("utf-8"), kind())
        except (text_format.ParseError, UnicodeDecodeError) as error:
            raise DecodeError(" ".join(str(error).split())) from error

    def dump(self, message: Message) -> bytes:
        """Write a message."""
        return text_format.MessageToString(message).encode()

    def wrap(self, field: str, body: bytes, owner: type[Message]) -> Piece:
        """Put a field's name and brackets around a block."""
        return Piece(field, b"\n%s {\n%s}" % (field.encode(), indent(body.decode(), "  ").encode()))

    def refill(self, piece: Piece, body: bytes) -> Piece:
        """Keep what stands before the opening bracket, and the closing one."""
        return Piece(piece.field, piece.raw[: _head(piece)] + body + piece.raw[-1:])


def _head(piece: Piece) -> int:
    """Return where the inside of a block begins."""
    head = _HEAD.match(piece.raw)
    if head is None:
        raise DecodeError(f"{piece.field} is no message")
    return head.end()


def _at_top_level(raw: bytes) -> Iterator[tuple[str, bytes, int]]:
    """Yield kind, text and end of the tokens that no bracket holds; a block is one ``close``."""
    depth = at = 0
    while at < len(raw):
        token = _TOKEN.match(raw, at)
        if token is None or token.lastgroup is None:
            raise DecodeError(f"no protobuf text at byte {at}")
        at = token.end()
        depth += {"open": 1, "close": -1}.get(token.lastgroup, 0)
        if depth < 0:
            raise DecodeError(f"a bracket at byte {at - 1} closes nothing")
        if depth == 0 and token.lastgroup not in ("skip", "mark"):
            yield token.lastgroup, token.group(), at
    if depth:
        raise DecodeError("the text ends inside a block")


def _lengthen(pieces: list[Piece], raw: bytes, end: int) -> int:
    """Add a string that goes on (``"a" "b"``) to the piece before it."""
    pieces[-1] = Piece(pieces[-1].field, pieces[-1].raw + raw)
    return end
