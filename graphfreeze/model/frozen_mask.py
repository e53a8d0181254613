"""The frozen entries of a variable, written into its record and read back."""

import base64
import binascii
import zlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from graphfreeze.model.records import VariableRecord

FROZEN = "frozen"
Mask = npt.NDArray[np.bool_]


def encode_mask(mask: Mask) -> str:
    """Write a mask as text: its bits in C order, packed, compressed, in base64."""
    return base64.b64encode(zlib.compress(np.packbits(mask).tobytes())).decode("ascii")


def decode_mask(text: str, shape: tuple[int, ...]) -> Mask:
    """Read a mask of ``shape``; ValueError if the text is none."""
    count = int(np.prod(shape))
    try:
        packed = np.frombuffer(zlib.decompress(base64.b64decode(text, validate=True)), np.uint8)
    except (binascii.Error, zlib.error) as error:
        raise ValueError(f"no mask: {error}") from error
    if packed.size != -(-count // 8):
        raise ValueError(f"no mask of {count:,} entries: it has {packed.size * 8:,} bits")
    return np.unpackbits(packed, count=count).astype(np.bool_).reshape(shape)


def frozen_mask(variable: VariableRecord) -> Mask:
    """Return which entries of a variable are frozen, bool of its shape, true where frozen.

    Raises ValueError where the shape is not known, and for a record that does not fit it."""
    if variable.shape is None or None in variable.shape:
        raise ValueError(f"the shape of {variable.name} is not known")
    shape = tuple(size or 0 for size in variable.shape)
    full = np.full(shape, variable.state == FROZEN)
    for axis, ranges in _along(variable):
        places = np.moveaxis(full, axis, 0)
        for start, stop in ranges:
            places[start:stop] = True
    if variable.element_mask is not None:
        full |= decode_mask(variable.element_mask, shape)
    return full


def _along(variable: VariableRecord) -> Iterator[tuple[int, list[list[int]]]]:
    if variable.frozen_ranges is not None:
        yield 0, variable.frozen_ranges
    yield from (variable.frozen_along or {}).items()
