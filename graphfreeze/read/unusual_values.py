"""Find values that arithmetic does not leave alone: infinite, NaN, denormal.

Only bits are looked at, because processors may take denormal numbers for zero. Without its sign a
number is, by its bits: zero, then the denormal ones, then the normal, then inf, then NaN.
"""

import numpy as np
import numpy.typing as npt

from graphfreeze.read.checkpoint_values import CheckpointValues
from graphfreeze.schema import types_pb2

# The unsigned type of the bits, and the bits of the fraction; complex numbers are two real ones.
_FORMATS: dict[int, tuple[str, int]] = {
    types_pb2.DT_HALF: ("<u2", 10),
    types_pb2.DT_BFLOAT16: ("<u2", 7),
    types_pb2.DT_FLOAT: ("<u4", 23),
    types_pb2.DT_DOUBLE: ("<u8", 52),
    types_pb2.DT_COMPLEX64: ("<u4", 23),
    types_pb2.DT_COMPLEX128: ("<u8", 52),
}
_FRACTIONS = {"float16": 10, "float32": 23, "float64": 52}
_BLOCK = 1 << 17  # numbers, so that they stay in the processor's cache


def find_unusual(values: CheckpointValues, key: str) -> str | None:
    """Say what a floating variable holds: ``infinite or NaN``, ``denormal``, both, or None.

    None too for other types. Reads the whole variable, a chunk at a time. Raises LoadError."""
    dtype = values.dtypes.get(key)
    if dtype is not None and dtype not in _FORMATS:
        return None
    has_infinite = has_denormal = False
    for chunk in values.read_chunks(key):
        unsigned, fraction = _FORMATS[values.dtypes[key]]
        infinite, denormal = _scan(chunk.reshape(-1).view(unsigned), fraction)
        has_infinite, has_denormal = has_infinite or infinite, has_denormal or denormal
        if has_infinite and has_denormal:
            break
    return _told(has_infinite, has_denormal)


def find_unusual_in(values: npt.NDArray[np.generic]) -> str | None:
    """Say the same of an array of float16, float32 or float64; None for other types."""
    fraction = _FRACTIONS.get(values.dtype.name)
    if fraction is None or not values.size:
        return None
    flat = np.ascontiguousarray(values).reshape(-1)
    return _told(*_scan(flat.view(f"<u{values.dtype.itemsize}"), fraction))


def _told(has_infinite: bool, has_denormal: bool) -> str | None:
    found = [("infinite or NaN", has_infinite), ("denormal", has_denormal)]
    return ", ".join(word for word, is_there in found if is_there) or None


def _scan(bits: npt.NDArray[np.unsignedinteger], fraction: int) -> tuple[bool, bool]:
    """Tell whether any number is not finite, and whether any is denormal."""
    kind = bits.dtype.type
    least = 2 << fraction  # of the normal numbers, shifted by one
    infinite = (1 << 8 * bits.itemsize) - least
    shifted = np.empty(min(_BLOCK, bits.size), bits.dtype)
    most, lowest = 0, (1 << 8 * bits.itemsize) - 1
    for at in range(0, bits.size, _BLOCK):
        block = bits[at : at + _BLOCK]
        out = shifted[: block.size]
        np.left_shift(block, kind(1), out=out)
        most = max(most, int(out.max()))
        np.subtract(out, kind(1), out=out)  # zero becomes the largest of all
        lowest = min(lowest, int(out.min()))
    return most >= infinite, lowest < least - 1
