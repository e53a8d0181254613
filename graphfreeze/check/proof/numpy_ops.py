"""A few ops of TensorFlow on arrays, as numpy does them."""

from collections.abc import Callable, Sequence
from types import EllipsisType

import numpy as np
import numpy.typing as npt

from graphfreeze.read.number_types import Array
from graphfreeze.schema import NodeDef

_Index = EllipsisType | slice | int | None


def gathered(table: Array, ids: Array, *, axis: int, batch: int) -> Array:
    """Take places of an axis, the first ``batch`` axes together; IndexError for a place outside.

    A negative id is one outside: numpy would count it from the end."""
    places = _integers(ids)
    if places.size and not 0 <= places.min() <= places.max() < table.shape[axis]:
        raise IndexError("an id outside of its axis")
    if not batch:
        return np.asarray(np.take(table, places, axis=axis))
    pairs = zip(table, ids, strict=True)
    return np.stack([gathered(t, i, axis=axis - 1, batch=batch - 1) for t, i in pairs])


def _integers(ids: Array) -> npt.NDArray[np.int64]:
    if ids.dtype.kind not in "iu":
        raise TypeError("ids are whole numbers")
    return ids.astype(np.int64)


def _range(_: NodeDef, values: Sequence[Array]) -> Array:
    start, stop, step = (value.item() for value in values)
    return np.arange(start, stop, step, dtype=values[0].dtype)


def _where(_: NodeDef, values: Sequence[Array]) -> Array:
    (condition,) = values
    return np.argwhere(condition).astype(np.int64)


def _gather_nd(_: NodeDef, values: Sequence[Array]) -> Array:
    table, points = values[0], _integers(values[1])
    limits = np.array(table.shape[: points.shape[-1]])
    if points.size and ((points < 0) | (points >= limits)).any():
        raise IndexError("a point outside of its table")
    return np.asarray(table[tuple(np.moveaxis(points, -1, 0))])


def _slice(_: NodeDef, values: Sequence[Array]) -> Array:
    table, begins, sizes = values
    pairs = zip(begins.tolist(), sizes.tolist(), strict=True)
    return table[tuple(slice(b, None if size == -1 else b + size) for b, size in pairs)]


def _strided_slice(node: NodeDef, values: Sequence[Array]) -> Array:
    table, *bounds = values
    masks = {key: node.attr[key].i for key in node.attr if key.endswith("_mask")}
    index: list[_Index] = []
    for place, (begin, end, stride) in enumerate(zip(*(b.tolist() for b in bounds), strict=True)):
        is_set = {key: bool(mask >> place & 1) for key, mask in masks.items()}
        if is_set.get("ellipsis_mask"):
            index.append(...)
        elif is_set.get("new_axis_mask"):
            index.append(None)
        elif is_set.get("shrink_axis_mask"):
            index.append(begin)
        else:
            first = None if is_set.get("begin_mask") else begin
            index.append(slice(first, None if is_set.get("end_mask") else end, stride))
    return np.asarray(table[tuple(index)])


def _concat(_: NodeDef, values: Sequence[Array]) -> Array:
    *pieces, axis = values
    return np.concatenate(pieces, axis=int(axis.item()))


NUMPY_OPS: dict[str, Callable[[NodeDef, Sequence[Array]], Array]] = {
    "Range": _range,
    "Where": _where,
    "GatherNd": _gather_nd,
    "ResourceGatherNd": _gather_nd,
    "Slice": _slice,
    "StridedSlice": _strided_slice,
    "ConcatV2": _concat,
    "Rank": lambda _, values: np.array(values[0].ndim, np.int32),
    "Size": lambda _, values: np.array(values[0].size, np.int32),
    "Fill": lambda _, values: np.full(values[0].tolist(), values[1]),
}
