"""Checkpoints of both formats, written without TensorFlow."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from graphfreeze.read.kind import TABLE_END
from graphfreeze.read.slices import slice_key
from graphfreeze.schema import (
    BundleEntryProto,
    BundleHeaderProto,
    SavedTensorSlices,
    TensorShapeProto,
    TensorSliceProto,
    types_pb2,
)

Box = tuple[slice, ...]
FIELDS = {"f4": "float_val", "f8": "double_val", "i8": "int64_val", "b1": "bool_val"}


@dataclass(frozen=True)
class Tensor:
    """What is saved under a key; without boxes as a whole."""

    array: np.ndarray
    dtype: int = types_pb2.DT_FLOAT
    boxes: Sequence[Box] = ()


def _varint(value: int) -> bytes:
    low = bytes([value & 0x7F | (0x80 if value > 0x7F else 0)])
    return low + _varint(value >> 7) if value > 0x7F else low


def _snappy(raw: bytes) -> bytes:
    parts = [raw[at : at + 60] for at in range(0, len(raw), 60)]
    return _varint(len(raw)) + b"".join(bytes([(len(p) - 1) << 2]) + p for p in parts)


def _block(entries: Sequence[tuple[bytes, bytes]]) -> bytes:
    out, last = b"", b""
    for key, value in entries:
        shared = next((i for i, (a, b) in enumerate(zip(last, key)) if a != b), 0)  # noqa: B905
        out += _varint(shared) + _varint(len(key) - shared) + _varint(len(value))
        out += key[shared:] + value
        last = key
    return out + bytes(4) + (1).to_bytes(4, "little")


def _table(entries: Mapping[bytes, bytes], *, packs: bool = False) -> bytes:
    """Write a table with two entries in each block."""
    pairs = sorted(entries.items())
    groups = [pairs[at : at + 2] for at in range(0, len(pairs), 2)]
    out, handles = b"", []
    for group in [*groups, handles]:
        body = _snappy(_block(group)) if packs else _block(group)
        handle = _varint(len(out)) + _varint(len(body))
        out += body + bytes([packs]) + bytes(4)
        if group is not handles:
            handles.append((group[-1][0], handle))
    return out + (b"\0\0" + handle).ljust(40, b"\0") + TABLE_END


def _shape(shape: Sequence[int]) -> TensorShapeProto:
    return TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in shape])


def _slice(box: Box, shape: Sequence[int]) -> TensorSliceProto:
    """Write a slice; an axis that is taken whole has no length."""
    out = TensorSliceProto()
    for axis, size in zip(box, shape, strict=True):
        start, stop, _ = axis.indices(size)
        whole = axis == slice(None)
        out.extent.append(
            TensorSliceProto.Extent()
            if whole
            else TensorSliceProto.Extent(start=start, length=stop - start)
        )
    return out


def v2_files(tensors: Mapping[str, Tensor], shards: int) -> tuple[dict[bytes, object], list[bytes]]:
    """Return the messages of an index, and the content of the data files."""
    messages: dict[bytes, object] = {b"": BundleHeaderProto(num_shards=shards)}
    data = [b"x"] * shards  # nothing is aligned

    def add(key: bytes, array: np.ndarray, dtype: int) -> None:
        number = len(messages) % shards
        raw, offset = array.tobytes(), len(data[number])
        data[number] += raw
        place = {"shard_id": number, "offset": offset, "size": len(raw)}
        messages[key] = BundleEntryProto(dtype=dtype, shape=_shape(array.shape), **place)

    for name, tensor in tensors.items():
        if not tensor.boxes:
            add(name.encode(), tensor.array, tensor.dtype)
            continue
        slices = [_slice(box, tensor.array.shape) for box in tensor.boxes]
        shape = _shape(tensor.array.shape)
        messages[name.encode()] = BundleEntryProto(dtype=tensor.dtype, shape=shape, slices=slices)
        for box, each in zip(tensor.boxes, slices, strict=True):
            add(slice_key(name, each), tensor.array[box], tensor.dtype)
    return messages, data


def v1_files(tensors: Mapping[str, Tensor], shards: int) -> list[dict[bytes, object]]:
    """Return the messages of each file."""
    files: list[dict[bytes, object]] = [{b"": SavedTensorSlices()} for _ in range(shards)]
    for file in files:
        file[b""].meta.versions.producer = 1
    for name, tensor in tensors.items():
        shape = tensor.array.shape
        for number, box in enumerate(tensor.boxes or [(slice(None),) * len(shape)]):
            file = files[number % shards]
            head = {"name": name, "shape": _shape(shape), "type": tensor.dtype}
            part = _slice(box, shape)
            file[b""].meta.tensor.add(**head, slice=[part])
            saved = SavedTensorSlices()
            saved.data.name = name
            saved.data.slice.CopyFrom(part)
            numbers = tensor.array[box].ravel()
            field = FIELDS.get(numbers.dtype.str[1:], "int_val")
            if numbers.dtype == np.float16:
                numbers, field = numbers.view(np.uint16), "half_val"
            if numbers.dtype.kind == "c":
                field = "scomplex_val" if numbers.itemsize == 8 else "dcomplex_val"
                numbers = numbers.view(f"f{numbers.itemsize // 2}")
            getattr(saved.data.data, field).extend(numbers.tolist())
            file[slice_key(name, part)] = saved
    return files


def v1_paths(prefix: Path, shards: int) -> Iterator[Path]:
    for number in range(shards):
        yield Path(f"{prefix}-{number:05}-of-{shards:05}") if shards > 1 else prefix


class Writer:
    """Write checkpoints, and tables of messages that tests made worse."""

    v2_files = staticmethod(v2_files)
    v1_files = staticmethod(v1_files)

    def table(self, path: Path, messages: Mapping[bytes, object], *, packs: bool = False) -> None:
        raw = {k: m if isinstance(m, bytes) else m.SerializeToString() for k, m in messages.items()}
        path.write_bytes(_table(raw, packs=packs))

    def data(self, prefix: Path, data: Sequence[bytes]) -> None:
        for number, content in enumerate(data):
            Path(f"{prefix}.data-{number:05}-of-{len(data):05}").write_bytes(content)

    def v2(
        self, prefix: Path, tensors: Mapping[str, Tensor], *, shards: int = 1, packs: bool = False
    ) -> None:
        messages, data = v2_files(tensors, shards)
        self.table(Path(f"{prefix}.index"), messages, packs=packs)
        self.data(prefix, data)

    def v1(
        self, prefix: Path, tensors: Mapping[str, Tensor], *, shards: int = 1, packs: bool = False
    ) -> None:
        files = v1_files(tensors, shards)
        for path, messages in zip(v1_paths(prefix, shards), files, strict=True):
            self.table(path, messages, packs=packs)


@pytest.fixture(scope="session")
def writer() -> Writer:
    return Writer()


@pytest.fixture(scope="session")
def tensor() -> type[Tensor]:
    return Tensor
