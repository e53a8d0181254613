"""Types of numbers as checkpoints store them, and as numpy reads them."""

import numpy as np
import numpy.typing as npt

from graphfreeze.schema import types_pb2

Array = npt.NDArray[np.generic]
# numpy has no bfloat16: its bits.
_NUMPY: dict[int, str] = {
    types_pb2.DT_HALF: "<f2",
    types_pb2.DT_BFLOAT16: "<u2",
    types_pb2.DT_FLOAT: "<f4",
    types_pb2.DT_DOUBLE: "<f8",
    types_pb2.DT_COMPLEX64: "<c8",
    types_pb2.DT_COMPLEX128: "<c16",
    types_pb2.DT_BOOL: "?",
    types_pb2.DT_INT8: "i1",
    types_pb2.DT_INT16: "<i2",
    types_pb2.DT_INT32: "<i4",
    types_pb2.DT_INT64: "<i8",
    types_pb2.DT_UINT8: "u1",
    types_pb2.DT_UINT16: "<u2",
    types_pb2.DT_UINT32: "<u4",
    types_pb2.DT_UINT64: "<u8",
    types_pb2.DT_QINT8: "i1",
    types_pb2.DT_QINT16: "<i2",
    types_pb2.DT_QINT32: "<i4",
    types_pb2.DT_QUINT8: "u1",
    types_pb2.DT_QUINT16: "<u2",
}


def find_number_type(dtype: int) -> np.dtype[np.generic] | None:
    """Return how numpy reads a DataType, bfloat16 as uint16; None for text and the like."""
    code = _NUMPY.get(dtype)
    return None if code is None else np.dtype(code)


def type_name(dtype: int) -> str:
    """Name a DataType, also one that this TensorFlow does not know."""
    known: dict[int, str] = {number: name for name, number in types_pb2.DataType.items()}
    return known.get(dtype, f"type {dtype}")
