"""A model in a TensorFlow session: run it, give its variables values, read them."""

import os
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Protocol

import numpy as np

from graphfreeze.check.running.asset_feeds import asset_feeds
from graphfreeze.check.running.held_values import Place
from graphfreeze.emit.groups import grouped
from graphfreeze.emit.source import reason_of, runtime_prefix
from graphfreeze.errors import CheckError
from graphfreeze.model.model import Model
from graphfreeze.model.variables import Variable
from graphfreeze.read.number_types import Array
from graphfreeze.runtime import Session

_MOST = 1 << 23  # elements that are fetched together


class TFTensor(Protocol):
    """What is needed of TensorFlow's tensors."""

    dtype: object
    name: str

    def __sub__(self, other: "TFTensor") -> "TFTensor":
        """Return the difference."""


class TFGraph(Protocol):
    """What is needed of ``tf.Graph``."""

    def as_default(self) -> AbstractContextManager[object]:
        """Build in this graph."""

    def get_tensor_by_name(self, name: str) -> TFTensor:
        """Return a tensor."""


@dataclass(frozen=True)
class Opened:
    """A model, and a session on a graph of some of its ``nodes``."""

    tf: ModuleType
    session: Session
    graph: TFGraph
    model: Model
    nodes: Set[str]

    def run(self, names: Sequence[str], feeds: Mapping[str, object]) -> list[Array]:
        """Fetch tensors by name, together; operations give None. Raises CheckError.

        Feeds of what is not in the session's graph are left out."""
        fed = {name: each for name, each in feeds.items() if name.partition(":")[0] in self.nodes}
        try:
            found: list[object] = self.session.run(list(names), fed)
        except (self.tf.errors.OpError, ValueError, TypeError) as error:
            reason = reason_of(str(error))
            raise CheckError.run_failed(self.model.source.path, reason, fed) from error
        return [_as_array(each) for each in found]

    def start(self, names: Sequence[str], feeds: Mapping[str, object]) -> None:
        """Run ops that initialize something, in their order, with the model's assets.

        Raises CheckError."""
        fed = {**asset_feeds(self.model), **feeds}
        for name in names:
            self.run([name], fed)

    def restore(self, prefix: str | Path) -> None:
        """Let the model's own saver restore a checkpoint; raises CheckError."""
        saver = self.model.saver
        if saver is None:
            raise CheckError.no_saver(self.model.source.path)
        name = {str(saver.filename_tensor_name): runtime_prefix(Path(prefix))}
        self.run([str(saver.restore_op_name)], name)

    def save(self, prefix: str | Path) -> str:
        """Let the model's own saver write a checkpoint, and return its prefix."""
        saver = self.model.saver
        if saver is None:
            raise CheckError.no_saver(self.model.source.path)
        told = {str(saver.filename_tensor_name): os.fspath(prefix)}
        (written,) = self.run([str(saver.save_tensor_name)], told)
        path = written.item()
        return path.decode() if isinstance(path, bytes) else str(path)

    def assign(self, places: Sequence[Place]) -> None:
        """Give variables the values that checkpoints have; raises CheckError."""
        by_prefix: dict[Path, list[Place]] = {}
        for place in places:
            by_prefix.setdefault(place.prefix, []).append(place)
        with self.graph.as_default():
            ops = [op for pair in by_prefix.items() for op in self._assignments(*pair)]
        self.run(ops, {})

    def _assignments(self, prefix: Path, places: Sequence[Place]) -> Iterator[str]:
        """Yield the ops that assign what one checkpoint holds."""
        raw = self.tf.raw_ops
        values = raw.RestoreV2(
            prefix=runtime_prefix(prefix),
            tensor_names=[place.key for place in places],
            shape_and_slices=[place.slice for place in places],
            dtypes=[self.tf.as_dtype(place.variable.dtype) for place in places],
        )
        for place, value in zip(places, values, strict=True):
            variable = self.graph.get_tensor_by_name(f"{place.variable.name}:0")
            if place.variable.kind == "resource":
                yield str(raw.AssignVariableOp(resource=variable, value=value).name)
            else:
                done = raw.Assign(ref=variable, value=value, validate_shape=False)
                yield str(done.op.name)

    def values(self, names: Sequence[str]) -> Iterator[Array]:
        """Yield the values of variables by name, some at a time; raises CheckError."""
        known = {v.name: v for v in self.model.variables}
        # One run for each variable takes a while in a large graph.
        for group in grouped([known[name] for name in names], _count, _MOST):
            with self.graph.as_default():
                tensors = [self._value(variable) for variable in group]
            yield from self.run(tensors, {})

    def _value(self, variable: Variable) -> str:
        """Return the tensor that is a variable's value."""
        tensor = self.graph.get_tensor_by_name(f"{variable.name}:0")
        if variable.kind == "resource":
            dtype = self.tf.as_dtype(variable.dtype)
            tensor = self.tf.raw_ops.ReadVariableOp(resource=tensor, dtype=dtype)
        return tensor.name


def _count(variable: Variable) -> int:
    return variable.parameters if variable.parameters is not None else _MOST


def _as_array(value: object) -> Array:
    """Return what was fetched as an array; bfloat16, which numpy lacks, as its bits."""
    array = np.asarray(value)
    is_foreign = array.dtype.kind == "V" and array.dtype.itemsize == 2
    return array.view(np.uint16) if is_foreign else array
