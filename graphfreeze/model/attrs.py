"""Attributes of nodes, read and made."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from graphfreeze.schema import AttrValue, NodeDef, TensorProto, TensorShapeProto, types_pb2

Shape = tuple[int | None, ...]
HINT = "_output_shapes"
"""The attribute by which an export may tell the shapes of a node's outputs."""
FLOATING = frozenset(
    {types_pb2.DT_HALF, types_pb2.DT_BFLOAT16, types_pb2.DT_FLOAT, types_pb2.DT_DOUBLE}
)
COMPLEX = frozenset({types_pb2.DT_COMPLEX64, types_pb2.DT_COMPLEX128})


def type_attr(dtype: int) -> AttrValue:
    """Make a type attribute from an enum of ``types_pb2.DataType``."""
    return AttrValue(type=dtype)


def dtype_name(dtype: int) -> str:
    """Return a type as Python code names it: ``float32``."""
    name = str(types_pb2.DataType.Name(dtype)).removeprefix("DT_").lower()
    return {"float": "float32", "double": "float64", "half": "float16"}.get(name, name)


def parse_shape(proto: TensorShapeProto) -> Shape | None:
    """Return a shape, None for an unknown rank and for each unknown dimension."""
    if proto.unknown_rank:
        return None
    return tuple(None if d.size < 0 else int(d.size) for d in proto.dim)


def find_attr(node: NodeDef, key: str) -> AttrValue:
    """Return an attribute, an empty one if the node has none; to look at ``attr`` would add it."""
    return node.attr[key] if key in node.attr else AttrValue()


def shape_proto(shape: Sequence[int | None]) -> TensorShapeProto:
    """Make a shape; None is an unknown dimension."""
    dims = [TensorShapeProto.Dim(size=-1 if d is None else d) for d in shape]
    return TensorShapeProto(dim=dims)


def count_elements(shape: Shape | None) -> int | None:
    """Return how many numbers a shape holds, None if that is not known."""
    if shape is None or any(d is None for d in shape):
        return None
    return math.prod(d for d in shape if d is not None)


def const_node(name: str, value: TensorProto, *, device: str = "") -> NodeDef:
    """Make a Const."""
    attr = {"dtype": AttrValue(type=value.dtype), "value": AttrValue(tensor=value)}
    return NodeDef(name=name, op="Const", device=device, attr=attr)


def strings(values: Sequence[str]) -> TensorProto:
    """Make a vector of strings."""
    return TensorProto(
        dtype=types_pb2.DT_STRING,
        tensor_shape=shape_proto([len(values)]),
        string_val=[v.encode() for v in values],
    )


def read_strings(value: TensorProto) -> list[str]:
    """Read a vector of strings; the last value stands for those that are not written."""
    found = [bytes(v).decode() for v in value.string_val]
    missing = (count_elements(parse_shape(value.tensor_shape)) or 0) - len(found)
    return found + (found[-1:] or [""]) * missing


def colocations(node: NodeDef) -> list[str]:
    """Return the nodes that a node is colocated with."""
    entries = node.attr["_class"].list.s if "_class" in node.attr else ()
    raws = (bytes(entry) for entry in entries)
    return [raw[5:].decode(errors="replace") for raw in raws if raw.startswith(b"loc:@")]


_NUMPY = {
    types_pb2.DT_BOOL: np.bool_,
    types_pb2.DT_INT32: np.int32,
    types_pb2.DT_INT64: np.int64,
    types_pb2.DT_FLOAT: np.float32,
    types_pb2.DT_DOUBLE: np.float64,
    types_pb2.DT_HALF: np.float16,
}


def tensor_proto(values: npt.ArrayLike, dtype: int) -> TensorProto:
    """Make a tensor of bool, integers or floats."""
    if dtype == types_pb2.DT_BFLOAT16:
        bits = np.asarray(values, np.float32).view(np.uint32) >> 16
        array = bits.astype(np.uint16)
    else:
        array = np.asarray(values, _NUMPY[dtype])
    content = np.ascontiguousarray(array).tobytes()
    return TensorProto(dtype=dtype, tensor_shape=shape_proto(array.shape), tensor_content=content)


def read_numbers(proto: TensorProto) -> npt.NDArray[np.generic]:
    """Read a tensor of numbers as a flat array; a single value stands for all of them.

    numpy has no bfloat16: it is widened to float32."""
    if proto.dtype in (types_pb2.DT_HALF, types_pb2.DT_BFLOAT16):
        return _short_floats(proto)
    if proto.tensor_content:
        return np.frombuffer(proto.tensor_content, _NUMPY[proto.dtype])
    for values in (proto.int_val, proto.int64_val, proto.float_val, proto.double_val):
        if values:
            return np.asarray(values, _NUMPY[proto.dtype])
    return np.asarray(list(proto.bool_val) or [0], _NUMPY[proto.dtype])


def _short_floats(proto: TensorProto) -> npt.NDArray[np.floating]:
    """Read a tensor whose numbers have 16 bits; ``half_val`` has the bits of both kinds."""
    bits = np.frombuffer(proto.tensor_content, np.uint16)
    if not proto.tensor_content:
        bits = np.asarray(list(proto.half_val) or [0], np.uint16)
    if proto.dtype == types_pb2.DT_HALF:
        return bits.view(np.float16)
    return (bits.astype(np.uint32) << 16).view(np.float32)
