"""Data that Snappy compressed, as in the index of some checkpoints.

Follows ``format_description.txt`` of github.com/google/snappy: the size of the whole as a varint,
then elements. The low two bits of an element's first byte tell what it is:

==  ===================================================================================
0   literal bytes; their number less one in six bits, or in 1 to 4 bytes more (60 to 63)
1   a copy of 4 to 11 bytes; three bits of the offset here, eight in the next byte
2   a copy of 1 to 64 bytes; the offset in two bytes more
3   a copy of 1 to 64 bytes; the offset in four bytes more
==  ===================================================================================
"""

from graphfreeze.model.wire import read_varint

_LONG_LITERAL = 60


def decompress(raw: bytes) -> bytes:
    """Return the data; raises ValueError, DecodeError, IndexError if it is damaged."""
    size, at = read_varint(raw, 0)
    out = bytearray()
    while at < len(raw):
        tag, at = raw[at], at + 1
        kind, high = tag & 3, tag >> 2
        if kind == 0:
            width = max(0, high - _LONG_LITERAL + 1)
            length = 1 + (_number(raw, at, width) if width else high)
            at += width
            out += raw[at : at + length]
            at += length
            continue
        width = (0, 1, 2, 4)[kind]
        length = 4 + (high & 7) if kind == 1 else 1 + high
        offset = _number(raw, at, width) + ((high >> 3) << 8 if kind == 1 else 0)
        at += width
        _copy(out, offset, length)
    if len(out) != size:
        raise ValueError("another size than the first bytes tell")
    return bytes(out)


def _number(raw: bytes, at: int, width: int) -> int:
    return int.from_bytes(raw[at : at + width], "little")


def _copy(out: bytearray, offset: int, length: int) -> None:
    """Append what stands ``offset`` bytes before the end; a copy may run into itself."""
    if not 0 < offset <= len(out):
        raise ValueError("a copy from before the beginning")
    begin = len(out) - offset
    piece = out[begin : begin + length]
    out += (piece * -(-length // len(piece)))[:length]
