"""Feeds that the user gives: ``NAME=int:0:30522``, ``NAME=@file.npy``, ``NAME=true``."""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from graphfreeze.check.feeds.inferred_feeds import CONSTANT, INTEGERS, UNIFORM, WHOLE, FeedSpec
from graphfreeze.errors import CheckError
from graphfreeze.model.attrs import COMPLEX, FLOATING, dtype_name
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef, find_ref
from graphfreeze.model.variables import REF_OPS, RESOURCE_OPS
from graphfreeze.read.number_types import Array
from graphfreeze.schema import types_pb2

_RANGE = re.compile(r"(int|float):([^:]+):([^:]+)(?::(\d+(?:x\d+)*|\[\]))?")
_WORDS = {"true": True, "false": False}
ShapeOf = Callable[[TensorRef], tuple[int, ...]]


def split_feed(text: str) -> tuple[str, str]:
    """Return name and values of ``NAME=VALUES``; raises CheckError."""
    name, equals, values = text.partition("=")
    if not name or not equals or not values:
        raise CheckError.bad_feed(text, "it is not NAME=VALUES")
    return name, values


def find_tensor(
    graphs: Sequence[Graph], name: str, known: Iterable[str]
) -> tuple[Graph, TensorRef]:
    """Return a tensor of one of the graphs by name; raises CheckError with the nearest names.

    A variable is refused: fed, it would hide what a step writes."""
    ref = find_ref(name)
    for graph in graphs:
        if ref is not None and not ref.is_control and not ref.output and ref.node in graph:
            if graph.op(ref.node) in REF_OPS | RESOURCE_OPS:
                reason = "it is a variable, whose value comes from the checkpoint; leave it out"
                raise CheckError.bad_feed(name, reason)
            if (ref.port or 0) < graph.count_outputs(ref.node):
                return graph, ref
    raise CheckError.unknown_feed(name, list(known))


def parse_given(text: str, dtype: int, ref: TensorRef, shape_of: ShapeOf) -> FeedSpec:
    """Return the feed that ``VALUES`` mean for a tensor; raises CheckError.

    A range takes the inferred shape, or its own: ``int:0:30522:8x128``."""
    told, given = FeedSpec(ref.tensor_name, dtype, (), CONSTANT, "--feed"), f"{ref}={text}"
    if text.startswith("@"):
        value = _from_file(Path(text[1:]), dtype, given)
        return replace(told, shape=value.shape, value=value, source=f"--feed {text}")
    match = _RANGE.fullmatch(text)
    if match is None:
        return replace(told, shape=shape_of(ref), value=_single(text, dtype, given))
    kind, low, high, own = match.groups()
    shape = shape_of(ref) if own is None else tuple(int(n) for n in re.findall(r"\d+", own))
    if dtype not in (FLOATING if kind == "float" else WHOLE):
        wanted = "float" if dtype in FLOATING else "int"
        write = f"{wanted}:LOW:HIGH" if dtype in FLOATING | WHOLE else "one value or @FILE.npy"
        raise CheckError.bad_feed(given, f"the tensor is {dtype_name(dtype)}; write {write}")
    first, last = _ends(low, high, dtype, given)
    return replace(
        told, shape=shape, kind=UNIFORM if kind == "float" else INTEGERS, low=first, high=last
    )


def _ends(low: str, high: str, dtype: int, given: str) -> tuple[float, float]:
    """Return the ends of a range; raises CheckError where nothing of the type lies between."""
    try:
        first, last = (float(low), float(high)) if dtype in FLOATING else (int(low), int(high))
    except ValueError as error:
        raise CheckError.bad_feed(given, f"{error}; write two numbers") from error
    if not first < last:
        raise CheckError.bad_feed(given, "the range is empty; write the lower number first")
    if dtype in FLOATING:
        if not math.isfinite(last - first):
            raise CheckError.bad_feed(given, "the range is not finite; write smaller numbers")
        return first, last
    limits = np.iinfo(dtype_name(dtype))
    most = min(limits.max, np.iinfo(np.int64).max)  # what is drawn is of that type
    if not limits.min <= first < last <= int(most) + 1:
        span = f"{limits.min:,} to {most:,}"
        raise CheckError.bad_feed(given, f"the tensor is {dtype_name(dtype)}; keep within {span}")
    return first, last


def _single(text: str, dtype: int, given: str) -> object:
    """Return one value that fills a tensor; raises CheckError."""
    if dtype == types_pb2.DT_STRING:
        return text
    if dtype == types_pb2.DT_BOOL:
        if text.lower() in _WORDS:
            return _WORDS[text.lower()]
        raise CheckError.bad_feed(given, "the tensor is bool: write true or false")
    try:
        return float(text) if dtype in FLOATING else int(text)
    except ValueError as error:
        reason = "write int:LOW:HIGH, float:LOW:HIGH, true, false, a number or @FILE.npy"
        raise CheckError.bad_feed(given, reason) from error


def _from_file(path: Path, dtype: int, given: str) -> Array:
    try:
        value = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise CheckError.bad_feed(given, f"no array of numbers to read: {error}") from error
    if not isinstance(value, np.ndarray):
        raise CheckError.bad_feed(given, "it holds several arrays; give a .npy")
    is_text, kinds = value.dtype.kind in "SU", "biufc" if dtype in COMPLEX else "biuf"
    if is_text != (dtype == types_pb2.DT_STRING) or not (is_text or value.dtype.kind in kinds):
        raise CheckError.bad_feed(given, f"it is {value.dtype}, not {dtype_name(dtype)}")
    return value.astype(object) if is_text else value
