"""Constants of a frozen graph become the values of a checkpoint that has no source."""

from collections.abc import Iterator
from pathlib import Path

import ml_dtypes
import msgspec
import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import graphfreeze.emit.checkpoint as checkpoint
from graphfreeze.api import check_out, load
from graphfreeze.emit.bundle import write_draft
from graphfreeze.errors import EmitError, GraphfreezeError, LoadError
from graphfreeze.guard.rebuild_saver import RebuildSaver
from graphfreeze.model.attrs import const_node, shape_proto
from graphfreeze.model.model import Model
from graphfreeze.model.names import TensorRef
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import Edit, FromConst, SetValue
from graphfreeze.rewrite.new_variable import NewVariable, add_variables
from graphfreeze.rewrite.run import run
from graphfreeze.schema import GraphDef, TensorProto, types_pb2

SIGNALLING = np.array([0x7F800001, 1, 0x80000000, 0xFFC01234], np.uint32).view(np.float32)


def content(value: np.ndarray) -> TensorProto:
    """Hold the bytes of an array as they are."""
    dtype, shape = tf.as_dtype(value.dtype).as_datatype_enum, shape_proto(value.shape)
    return TensorProto(dtype=dtype, tensor_shape=shape, tensor_content=value.tobytes())


def listed(dtype: int, shape: list[int], **values: list[object]) -> TensorProto:
    """Hold numbers one by one."""
    return TensorProto(dtype=dtype, tensor_shape=shape_proto(shape), **values)


def signalling_one_by_one() -> TensorProto:
    """Hold bits that Python's floats would change, as a writer in C++ does."""
    packed, head = SIGNALLING.tobytes(), listed(types_pb2.DT_FLOAT, [4]).SerializeToString()
    return TensorProto.FromString(head + b"\x2a" + bytes([len(packed)]) + packed)


MATRIX = np.arange(12.0).reshape(3, 4) - 5
DTYPES = [np.float32, np.float64, np.float16, ml_dtypes.bfloat16, np.int8, np.int64, np.complex64]
BFLOAT16 = np.array([0x7F81, 0x0001], np.uint16).view(ml_dtypes.bfloat16)
CASES: dict[str, tuple[TensorProto, np.ndarray]] = {
    **{
        f"bytes of {np.dtype(dtype)}": (content(MATRIX.astype(dtype)), MATRIX.astype(dtype))
        for dtype in DTYPES
    },
    "bytes of bool": (content(MATRIX > 0), MATRIX > 0),
    "odd bits": (content(SIGNALLING), SIGNALLING),
    "odd bits, one by one": (signalling_one_by_one(), SIGNALLING),
    "odd bits of bfloat16": (
        listed(types_pb2.DT_BFLOAT16, [2], half_val=[0x7F81, 0x0001]),
        BFLOAT16,
    ),
    "the last value stands for the rest": (
        listed(types_pb2.DT_FLOAT, [2, 3], float_val=[1.5, -2.5]),
        np.array([[1.5, -2.5, -2.5], [-2.5] * 3], np.float32),
    ),
    "half, one for all": (
        listed(types_pb2.DT_HALF, [3], half_val=[0x3C01]),
        np.full(3, 0x3C01, np.uint16).view(np.float16),
    ),
    "no value is zeros": (listed(types_pb2.DT_DOUBLE, [2]), np.zeros(2)),
    "complex, one by one": (
        listed(types_pb2.DT_COMPLEX64, [2], scomplex_val=[1.0, 2.0, -0.0, 3.0]),
        np.array([1 + 2j, complex(-0.0, 3)], np.complex64),
    ),
    "a scalar": (listed(types_pb2.DT_INT32, [], int_val=[7]), np.array(7, np.int32)),
    "nothing": (listed(types_pb2.DT_FLOAT, [0, 3]), np.zeros((0, 3), np.float32)),
    "text": (
        listed(types_pb2.DT_STRING, [3], string_val=[b"a", b"\xff\0"]),
        np.array([b"a", b"\xff\0", b"\xff\0"], object),
    ),
}
NAMES = {case: f"c{number}" for number, case in enumerate(CASES)}


class Done(msgspec.Struct):
    """A record."""

    graphfreeze: str = "test"
    is_thaw: bool = False


class Thaw:
    """Give every constant a variable that begins with its value."""

    name = "thaw"

    def plan(self, draft: Draft) -> Iterator[Edit]:
        new = []
        for name, node in draft.base.graph.nodes.items():
            tensor = node.attr["value"].tensor
            shape = tuple(int(dim.size) for dim in tensor.tensor_shape.dim)
            initial = TensorRef(name)
            new.append(NewVariable(f"{name}/v", shape, tensor.dtype, "ref", initial=initial))
            yield SetValue(f"{name}/v", FromConst(name))
        yield from add_variables(draft, new)

    def verify(self, base: Model, draft: Draft) -> str | None:
        return None


def thawed(values: dict[str, TensorProto], folder: Path) -> Draft:
    graph = GraphDef(node=[const_node(name, value) for name, value in values.items()])
    graph.versions.producer = 27
    (folder / "frozen.pb").write_bytes(graph.SerializeToString())
    draft = Draft(load(folder / "frozen.pb"))
    run(draft, [Thaw(), RebuildSaver()])
    return draft


@pytest.mark.parametrize("group", [2**28, 1], ids=["one group", "one by one"])
def test_bits(group: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "GROUP_BYTES", group)
    draft = thawed({NAMES[case]: tensor for case, (tensor, _) in CASES.items()}, tmp_path)
    write_draft(draft, Done(), tmp_path / "out")
    reader = tf.train.NewCheckpointReader(str(tmp_path / "out" / "model"))
    assert set(reader.get_variable_to_shape_map()) == {f"{name}/v" for name in NAMES.values()}
    for case, (_, wanted) in CASES.items():
        found = np.asarray(reader.get_tensor(f"{NAMES[case]}/v"))
        assert found.shape == wanted.shape, case
        is_text = wanted.dtype == object
        same = found.tolist() == wanted.tolist() if is_text else found.tobytes() == wanted.tobytes()
        assert same, case


BAD = {
    "too few bytes": (
        TensorProto(dtype=1, tensor_shape=shape_proto([3]), tensor_content=b"\0" * 8),
        r"frozen.pb: the value of 'c' cannot be read \(",
    ),
}


@pytest.mark.parametrize(("tensor", "message"), BAD.values(), ids=BAD)
def test_a_damaged_constant(tensor: TensorProto, message: str, tmp_path: Path) -> None:
    draft = thawed({"c": tensor}, tmp_path)
    with pytest.raises(LoadError, match=message):
        write_draft(draft, Done(), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["frozen.pb"]


def test_a_variable_without_a_value(tmp_path: Path) -> None:
    draft = thawed({"c": CASES["a scalar"][0]}, tmp_path)
    draft.value_edits.clear()
    with pytest.raises(EmitError, match=r"frozen.pb: no checkpoint to make a bundle from"):
        write_draft(draft, Done(), tmp_path / "out")


def test_only_what_has_variables_needs_a_checkpoint(tmp_path: Path) -> None:
    thawed({"c": CASES["a scalar"][0]}, tmp_path)
    check_out(load(tmp_path / "frozen.pb"), tmp_path / "out")
    write_draft(thawed({"c": CASES["a scalar"][0]}, tmp_path), Done(), tmp_path / "g.meta")
    with pytest.raises(GraphfreezeError, match="no checkpoint to make a bundle from"):
        check_out(load(tmp_path / "g.meta"), tmp_path / "out")
