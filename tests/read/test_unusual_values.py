"""Values that arithmetic does not leave alone are found, each kind in every type."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from graphfreeze.errors import LoadError
from graphfreeze.read.checkpoint_values import CheckpointValues
from graphfreeze.read.pieces import Piece, Stored
from graphfreeze.read.unusual_values import find_unusual, find_unusual_in
from graphfreeze.schema import types_pb2

BOTH = "infinite or NaN, denormal"
# type, unsigned type of the bits, bits of the fraction
TYPES = {
    "float16": (types_pb2.DT_HALF, np.uint16, 10),
    "bfloat16": (types_pb2.DT_BFLOAT16, np.uint16, 7),
    "float32": (types_pb2.DT_FLOAT, np.uint32, 23),
    "float64": (types_pb2.DT_DOUBLE, np.uint64, 52),
}


def in_memory(array: np.ndarray, dtype: int) -> CheckpointValues:
    rows = np.atleast_1d(array)
    piece = Piece((0,) * rows.ndim, rows.shape, lambda start, stop: rows[start:stop])
    stored = {"w": Stored(array.shape, dtype, (piece,))}
    return CheckpointValues(Path("m"), {"w": array.shape}, {"w": dtype}, stored)


def cases(bits: int, fraction: int) -> dict[str, tuple[Sequence[int], str | None]]:
    """Return numbers by their bits, and what is told of them; signs come on top."""
    infinite = (1 << bits - 1) - (1 << fraction)
    least, most = 1 << fraction, infinite - 1
    return {
        "zero": ([0], None),
        "least normal": ([least], None),
        "most": ([most], None),
        "all usual": ([0, least, most], None),
        "least denormal": ([1], "denormal"),
        "most denormal": ([least - 1], "denormal"),
        "inf": ([infinite], "infinite or NaN"),
        "a NaN that signals": ([infinite + 1], "infinite or NaN"),
        "NaN": ([(1 << bits - 1) - 1], "infinite or NaN"),
        "both": ([1, infinite], BOTH),
    }


@pytest.mark.parametrize("is_negative", [False, True], ids=["positive", "negative"])
@pytest.mark.parametrize("name", TYPES)
def test_kinds(name: str, is_negative: bool) -> None:
    dtype, unsigned, fraction = TYPES[name]
    width = np.dtype(unsigned).itemsize * 8
    real = unsigned if name == "bfloat16" else name
    for case, (numbers, told) in cases(width, fraction).items():
        sign = is_negative << width - 1
        bits = np.array([0, *numbers, 0], np.uint64) | np.uint64(sign)
        array = bits.astype(unsigned).view(real)
        assert find_unusual(in_memory(array, dtype), "w") == told, case
        assert find_unusual(in_memory(array[1:-1, None], dtype), "w") == told, case


def test_complex_numbers_are_two() -> None:
    for dtype, name in ((types_pb2.DT_COMPLEX64, "c8"), (types_pb2.DT_COMPLEX128, "c16")):
        usual = np.array([1 + 2j, 0], name)
        assert find_unusual(in_memory(usual, dtype), "w") is None
        usual[1] = complex(0, np.inf)
        assert find_unusual(in_memory(usual, dtype), "w") == "infinite or NaN"


@pytest.mark.parametrize("place", [0, 1, 131_071, 131_072, 1_048_575, 1_048_576, 1_999_999])
def test_every_place_is_looked_at(place: int) -> None:
    array = np.ones((500_000, 4), np.float32)
    array.reshape(-1)[place] = np.nan
    values = in_memory(array, types_pb2.DT_FLOAT)
    assert find_unusual(values, "w") == "infinite or NaN"
    array.reshape(-1)[place] = np.float32(1e-40)
    assert find_unusual(values, "w") == "denormal"
    array.reshape(-1)[-1 - place] = np.inf
    assert find_unusual(values, "w") == BOTH


NONE = {
    "nothing": (np.zeros((0, 3), np.float32), types_pb2.DT_FLOAT),
    "integers": (np.array([1, -1]), types_pb2.DT_INT64),
    "bool": (np.array([True]), types_pb2.DT_BOOL),
    "scalar": (np.array(1.5, np.float32), types_pb2.DT_FLOAT),
}


@pytest.mark.parametrize(("array", "dtype"), NONE.values(), ids=NONE)
def test_nothing_to_find(array: np.ndarray, dtype: int) -> None:
    assert find_unusual(in_memory(array, dtype), "w") is None


def test_text_is_not_read_and_a_key_has_to_be_there() -> None:
    stored = {"words": Stored((2,), types_pb2.DT_STRING, ())}
    values = CheckpointValues(Path("m"), {"words": (2,)}, {"words": types_pb2.DT_STRING}, stored)
    assert find_unusual(values, "words") is None
    with pytest.raises(LoadError, match="holds no 'word'"):
        find_unusual(values, "word")


ARRAYS = {
    "ordinary": ([0.0, -1.5, 3e38], None),
    "a denormal": ([1.0, 1e-40], "denormal"),
    "not finite": ([1.0, np.inf], "infinite or NaN"),
    "both": ([np.nan, 1e-40], "infinite or NaN, denormal"),
    "nothing": ([], None),
}


@pytest.mark.parametrize(("values", "found"), ARRAYS.values(), ids=ARRAYS)
def test_array(values: list[float], found: str | None) -> None:
    assert find_unusual_in(np.array(values, np.float32)) == found
