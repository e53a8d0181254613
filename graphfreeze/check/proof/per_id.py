"""What holds for each id, whichever ids there are and in whatever order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from graphfreeze.read.number_types import Array

OWN, FLAT, ROW = "own", "flat", "row"


@dataclass(frozen=True, eq=False)
class PerId:
    """A tensor that holds something for each id; ``values`` are for the ids of a domain.

    ``form`` says how the ids are laid out: as they came (of a rank that is not known), flat, or
    as one row [1, n]. Behind that come the axes of ``values`` after its first."""

    values: Array
    form: str

    @property
    def tail(self) -> tuple[int, ...]:
        """The shape of what is held for one id."""
        return self.values.shape[1:]

    @property
    def is_row(self) -> bool:
        """Tell whether the ids form one row."""
        return self.form == ROW


@dataclass(frozen=True)
class ShapeOf:
    """The shape of ids in some form."""

    form: str


Value = Array | PerId | ShapeOf


def elementwise(function: Callable[..., Array], values: Sequence[Value]) -> Value | None:
    """Apply a function to what is in the same place, None where places are not known to meet."""
    arrays = [each for each in values if isinstance(each, np.ndarray)]
    if len(arrays) == len(values):
        return np.asarray(function(*arrays))
    by_id = [each for each in values if isinstance(each, PerId)]
    if len(by_id) + len(arrays) < len(values):
        return None
    forms, ranks = {each.form for each in by_id}, {len(each.tail) for each in by_id}
    if len(forms) != 1 or len(ranks) != 1 or max([0, *(a.ndim for a in arrays)]) > max(ranks):
        return None
    raw = (each.values if isinstance(each, PerId) else each for each in values)
    return PerId(function(*raw), by_id[0].form)


def shape_of(value: Value) -> Value | None:
    """Return the shape of a tensor, int32."""
    if isinstance(value, PerId):
        return None if value.tail else ShapeOf(value.form)
    return np.array(value.shape, np.int32) if isinstance(value, np.ndarray) else None


def reshape(value: Value, shape: Value) -> Value | None:
    """Lay a tensor out anew; ids keep their order."""
    if isinstance(value, np.ndarray) and isinstance(shape, np.ndarray):
        return value.reshape([int(size) for size in shape])
    if not isinstance(value, PerId) or value.tail:
        return None
    if isinstance(shape, ShapeOf):
        return PerId(value.values, shape.form)
    forms = {(-1,): FLAT, (1, -1): ROW}
    form = forms.get(tuple(shape.tolist())) if isinstance(shape, np.ndarray) else None
    return None if form is None else PerId(value.values, form)


def expand(value: Value, axis: Value) -> Value | None:
    """Add an axis of size 1: anywhere in an array, at the end of what is held by id."""
    if not isinstance(axis, np.ndarray):
        return None
    at = int(axis.item())
    if isinstance(value, np.ndarray):
        return np.expand_dims(value, at)
    if isinstance(value, PerId) and at == -1:
        return PerId(value.values[..., None], value.form)
    return None
