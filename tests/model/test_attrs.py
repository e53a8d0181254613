"""What stands in attributes is read as TensorFlow wrote it."""

import pytest

from graphfreeze.model.attrs import colocations, read_numbers
from graphfreeze.schema import NodeDef, TensorProto, types_pb2

HALF, BFLOAT16 = types_pb2.DT_HALF, types_pb2.DT_BFLOAT16
NUMBERS: dict[str, tuple[TensorProto, list[float]]] = {
    "one float": (TensorProto(dtype=types_pb2.DT_FLOAT, float_val=[0.5]), [0.5]),
    "nothing is 0": (TensorProto(dtype=types_pb2.DT_FLOAT), [0.0]),
    "one half": (TensorProto(dtype=HALF, half_val=[0x3800]), [0.5]),
    "halves": (TensorProto(dtype=HALF, tensor_content=b"\x00\x38\x00\xbc"), [0.5, -1.0]),
    "no half is 0": (TensorProto(dtype=HALF), [0.0]),
    "one bfloat16": (TensorProto(dtype=BFLOAT16, half_val=[0x3F00]), [0.5]),
    "bfloat16s": (TensorProto(dtype=BFLOAT16, tensor_content=b"\x00\x3f\x80\xbf"), [0.5, -1.0]),
}


@pytest.mark.parametrize(("proto", "expected"), NUMBERS.values(), ids=NUMBERS)
def test_read_numbers(proto: TensorProto, expected: list[float]) -> None:
    assert read_numbers(proto).tolist() == expected


def test_colocations_may_be_no_text() -> None:
    node = NodeDef()
    node.attr["_class"].list.s.extend([b"loc:@w", b"loc:@\xff", b"other"])
    assert colocations(node) == ["w", "\ufffd"]
