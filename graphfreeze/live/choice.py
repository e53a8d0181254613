"""Choose variables of the current default graph: by pattern, and their frozen rows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from graphfreeze.errors import SelectionError
from graphfreeze.runtime import open_runtime
from graphfreeze.selection.pattern import get_single_match, matching
from graphfreeze.selection.rows import RowSet, parse_rows

Variable = Any  # TensorFlow has no types
Rows = str | RowSet | npt.NDArray[np.bool_] | Sequence[bool]


@dataclass(frozen=True)
class Choice:
    """What learns, in the collection's order, and what is frozen: rows of it, or whole."""

    trained: list[Variable]
    rows: dict[str, RowSet]
    frozen: list[Variable]

    @property
    def partly(self) -> list[Variable]:
        """Return the variables that learn some of their rows."""
        return [variable for variable in self.trained if variable.op.name in self.rows]


def trainable_variables(*, excluding: Iterable[str] = ()) -> list[Variable]:
    """Return the default graph's trainable variables but those that a pattern matches.

    They come in the order of their collection. Raises SelectionError for a bad pattern and for one
    that matches no trainable variable.
    """
    found = _by_name(open_runtime().trainable_variables())
    out = matching(_listed(excluding), found)
    return [variable for name, variable in found.items() if name not in out]


def choose(tf: ModuleType, freeze: Iterable[str], rows: Mapping[Variable | str, Rows]) -> Choice:
    """Return what ``freeze`` and ``rows`` mean; rows decide for their table whatever freeze says.

    ``freeze`` may also name variables that never learn, such as moving averages.
    """
    trainable = _by_name(tf.trainable_variables())
    every = {**trainable, **_by_name(filter(_is_differentiable, tf.global_variables()))}
    frozen = matching(_listed(freeze), every)
    partly: dict[str, RowSet] = {}
    for key, which in rows.items():
        name = get_single_match(key if isinstance(key, str) else str(key.name), every)
        if name in partly:
            raise SelectionError(f"rows of {name!r} are given twice; write them as one")
        if name not in trainable:
            raise SelectionError.rows_not_trainable(name)
        partly[name] = _row_set(every[name], name, which)
    frozen = (frozen - partly.keys()) | {name for name, each in partly.items() if each.is_full}
    return Choice(
        [variable for name, variable in trainable.items() if name not in frozen],
        {name: each for name, each in partly.items() if not (each.is_full or each.is_empty)},
        [variable for name, variable in every.items() if name in frozen],
    )


def _by_name(variables: Iterable[Variable]) -> dict[str, Variable]:
    return {variable.op.name: variable for variable in variables}


def _is_differentiable(variable: Variable) -> bool:
    return bool(variable.dtype.is_floating or variable.dtype.is_complex)


def _listed(patterns: Iterable[str]) -> Iterable[str]:
    """Refuse a single text: it, too, is iterable."""
    if isinstance(patterns, str):
        raise SelectionError.not_a_list(patterns)
    return patterns


def _row_set(variable: Variable, name: str, rows: Rows) -> RowSet:
    """Return the frozen rows of a table."""
    shape = variable.shape.as_list() if variable.shape.rank else []
    if not shape or shape[0] is None:
        raise SelectionError.no_rows_to_choose(name, shape)
    part = getattr(variable, "_save_slice_info", None)  # both kinds have it; there is no other way
    if part is not None:
        raise SelectionError.rows_of_a_part(name, part.full_name)
    if variable.dtype.is_complex:
        raise SelectionError.rows_of_complex(name, dtype=variable.dtype.base_dtype.name)
    if isinstance(rows, str):
        return parse_rows(rows, shape[0], variable=name)
    found = rows if isinstance(rows, RowSet) else _from_mask(name, np.asarray(rows))
    if found.height != shape[0]:
        reason = f"they are of {found.height} rows, the table has {shape[0]}"
        raise SelectionError.bad_rows(repr(found), reason, variable=name)
    return found


def _from_mask(name: str, mask: npt.NDArray[Any]) -> RowSet:
    if mask.ndim != 1 or mask.dtype != np.bool_:
        shown, reason = f"{mask.dtype} {list(mask.shape)}", "a row mask is bool [height]"
        raise SelectionError.bad_rows(shown, reason, variable=name)
    return RowSet.from_mask(mask)
