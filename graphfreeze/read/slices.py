"""Slices of a variable: which part of it they are, and the keys that checkpoints have for them.

Follows ``EncodeTensorNameSlice`` in ``tensorflow/core/util/saved_tensor_slice_util.cc`` and
``tensorflow/core/lib/strings/ordered_code.cc``, where the order of codes is that of values:

==============  ==============================================================================
key of a slice  0, the name, the rank, then start and length on each axis
0, the rank     one byte for the number of bytes, then those, the highest first
name            UTF-8, ``00`` written as ``00 ff``; at the end ``00 01``
start, length   n bytes, the highest first, each with 7 bits of the signed number; the first
                n bits are flipped, so that they tell sign and n. All of an axis is 0 and -1
==============  ==============================================================================
"""

from graphfreeze.schema import TensorShapeProto, TensorSliceProto

SLICE = b"\0"  # what keys of slices begin with
Shape = tuple[int, ...]
_ALL = -1
_MOST = 1 << 59  # elements; of 16 bytes each, they are as many as numpy can count


def parse_shape(proto: TensorShapeProto) -> Shape:
    """Return a shape; raises ValueError if no array can have it."""
    shape = tuple(int(dim.size) for dim in proto.dim)
    most = 1
    for size in shape:
        most *= max(1, size)
    if proto.unknown_rank or min(shape, default=0) < 0 or most > _MOST:
        raise ValueError("a shape that no array has")
    return shape


def parse_slice(proto: TensorSliceProto, shape: Shape) -> tuple[Shape, Shape]:
    """Return the start and the shape of a slice; raises ValueError if it leads out of ``shape``."""
    extents = _extents(proto)
    if len(extents) != len(shape):
        raise ValueError("a slice of another rank than its variable")
    start = tuple(first for first, _ in extents)
    sizes = tuple(
        size if length == _ALL else length for size, (_, length) in zip(shape, extents, strict=True)
    )
    for first, length, size in zip(start, sizes, shape, strict=True):
        if first < 0 or length < 0 or first + length > size:
            raise ValueError("a slice that leads out of its variable")
    return start, sizes


def slice_key(name: str, proto: TensorSliceProto) -> bytes:
    """Return the key under which a slice of a variable is stored."""
    text = name.encode().replace(b"\0", b"\0\xff")
    extents = _extents(proto)
    numbers = b"".join(_signed(start) + _signed(length) for start, length in extents)
    return SLICE + text + b"\0\1" + _unsigned(len(extents)) + numbers


def _extents(proto: TensorSliceProto) -> list[tuple[int, int]]:
    return [
        (int(each.start), int(each.length) if each.HasField("length") else _ALL)
        for each in proto.extent
    ]


def _unsigned(value: int) -> bytes:
    size = (value.bit_length() + 7) // 8
    return bytes([size]) + value.to_bytes(size, "big")


def _signed(value: int) -> bytes:
    size = (value if value >= 0 else ~value).bit_length() // 7 + 1
    mask = (1 << 8 * size) - 1
    flipped = (1 << size) - 1 << 7 * size
    return ((value & mask) ^ flipped).to_bytes(size, "big")
