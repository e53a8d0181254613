"""The numbers of a slice as a checkpoint of format V1 has them: a TensorProto without a shape.

==========================  ===============  ================================================
type                        field            numbers
==========================  ===============  ================================================
float32, float64, complex   of the type      as they are in memory, so that no bit is lost
float16                     ``half_val``     their bits, one by one
int64, bool                 of the type      one by one
other integers              ``int_val``      one by one
==========================  ===============  ================================================

TensorFlow never wrote bfloat16, uint32 and uint64 in this format.
"""

import numpy as np

from graphfreeze.model.wire import BinaryCodec
from graphfreeze.read.number_types import Array, find_number_type
from graphfreeze.schema import SavedSlice, SavedTensorSlices, TensorProto, types_pb2

_AS_IN_MEMORY: dict[int, str] = {
    types_pb2.DT_FLOAT: "float_val",
    types_pb2.DT_DOUBLE: "double_val",
    types_pb2.DT_COMPLEX64: "scomplex_val",
    types_pb2.DT_COMPLEX128: "dcomplex_val",
}
_ONE_BY_ONE: dict[int, str] = {
    types_pb2.DT_HALF: "half_val",
    types_pb2.DT_INT64: "int64_val",
    types_pb2.DT_BOOL: "bool_val",
}


def parse_numbers(raw: bytes, dtype: int) -> Array:
    """Return the numbers of a SavedTensorSlices, a vector; raises ValueError, DecodeError."""
    wanted = find_number_type(dtype)
    if wanted is None:
        raise ValueError("no numbers")
    if dtype in _AS_IN_MEMORY:
        return np.frombuffer(_field(raw, _AS_IN_MEMORY[dtype]), wanted)
    tensor = SavedTensorSlices.FromString(raw).data.data
    numbers = getattr(tensor, _ONE_BY_ONE.get(dtype, "int_val"))
    found = np.fromiter(numbers, np.int64, len(numbers))
    return found.astype("<u2").view(wanted) if wanted.kind == "f" else found.astype(wanted)


def _field(raw: bytes, name: str) -> bytes:
    """Return what is in one field of the tensor, all of it in one place."""
    codec = BinaryCodec()
    inside = (("data", SavedTensorSlices), ("data", SavedSlice), (name, TensorProto))
    for field, owner in inside:
        found = [piece for piece in codec.split(raw, owner) if piece.field == field]
        if len(found) > 1:
            raise ValueError("a field that stands in several places")
        raw = codec.body(found[0]) if found else b""
    return raw
