"""The arrays that feeds stand for, the same for the same seed, step and name."""

import zlib
from collections.abc import Mapping, Sequence

import numpy as np

from graphfreeze.check.feeds.inferred_feeds import (
    CELLS,
    CHANCE,
    INTEGERS,
    NORMAL,
    ROWS,
    UNIFORM,
    FeedSpec,
    sparse_rows,
)
from graphfreeze.errors import CheckError
from graphfreeze.model.attrs import dtype_name
from graphfreeze.model.verify_records import FeedRecord
from graphfreeze.read.number_types import Array
from graphfreeze.schema import types_pb2

Arrays = Mapping[str, Array]


def draw_feeds(specs: Sequence[FeedSpec], *, seed: int, step: int = 0) -> Arrays:
    """Return the array of each tensor by name; raises CheckError where values do not fit."""
    return {spec.name: _array(spec, seed, step) for spec in specs}


def _array(spec: FeedSpec, seed: int, step: int) -> Array:
    try:
        return _draw(spec, seed, step)
    except (MemoryError, ValueError) as error:
        raise CheckError.large_feed(spec.name, spec.shape) from error


def _draw(spec: FeedSpec, seed: int, step: int) -> Array:
    draw = np.random.default_rng([seed, step, zlib.crc32(spec.name.encode())])
    match spec.kind:
        case "normal":
            value: Array = draw.standard_normal(spec.shape)
        case "uniform":
            value = draw.uniform(spec.low, spec.high, spec.shape)
        case "integers":
            value = draw.integers(int(spec.low), int(spec.high), spec.shape)
        case "chance":
            value = draw.integers(2, size=spec.shape) > 0
        case "switch":
            # So that either branch of a cond runs in the course of a check.
            value = np.array(step != 1)
        case "rows":
            value = np.array(spec.value)
        case "cells":
            value = np.array(sparse_rows(spec.value))  # type: ignore[arg-type]
        case _:
            return _constant(spec)
    return _typed(spec, value)


def _constant(spec: FeedSpec) -> Array:
    if isinstance(spec.value, np.ndarray):
        return _typed(spec, spec.value)
    value = True if spec.value == "true" and spec.dtype == types_pb2.DT_BOOL else spec.value
    filled: Array = np.empty(spec.shape, object)
    filled.fill(value)
    return _typed(spec, filled)


def _typed(spec: FeedSpec, value: Array) -> Array:
    """Return an array of the tensor's type; raises CheckError where a number would be another."""
    if spec.dtype == types_pb2.DT_STRING:
        return value
    name = dtype_name(spec.dtype)
    # TensorFlow itself makes bfloat16 of it.
    dtype = np.dtype(np.float32 if name == "bfloat16" else name)
    try:
        typed = value.astype(dtype)
    except OverflowError:
        typed = np.zeros(value.shape, dtype)
    if dtype.kind in "iub" and (typed != value).any():
        reason = f"the tensor is {name}, which cannot hold these values; give others"
        raise CheckError.bad_feed(spec.name, reason)
    return typed


def feed_records(specs: Sequence[FeedSpec]) -> list[FeedRecord]:
    """Tell what was fed."""
    return [
        FeedRecord(
            spec.name,
            dtype_name(spec.dtype),
            list(spec.shape),
            _values_text(spec),
            spec.source,
        )
        for spec in specs
    ]


def _values_text(spec: FeedSpec) -> str:
    texts = {
        NORMAL: "normal",
        UNIFORM: f"{spec.low:g} to {spec.high:g}",
        INTEGERS: f"{int(spec.low):,} to {int(spec.high) - 1:,}",
        CHANCE: "true or false",
        CELLS: "cells in order",
        ROWS: "the shape",
    }
    if spec.kind in texts:
        return texts[spec.kind]
    return "given" if isinstance(spec.value, np.ndarray) else str(spec.value).lower() or "empty"
