"""Choose variables of the current default graph: by pattern, and their frozen rows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from graphfreeze.errors import SelectionError
from graphfreeze.runtime import open_runtime
from graphfreeze.selection.pattern import parse_pattern
from graphfreeze.selection.rows import RowSet, parse_rows

Variable = Any  # TensorFlow has no types
Rows = str | RowSet | npt.NDArray[np.bool_] | Sequence[bool]


@dataclass(frozen=True)
class Choice:
    """What learns, in the collection's order, and what is frozen: rows of it, or whole."""

    trained: list[Variable]
    rows: dict[str, RowSet]
    frozen: list[Variable]


def trainable_variables(*, excluding: Iterable[str] = ()) -> list[Variable]:
    """Return the default graph's trainable variables but those that a pattern matches.

    They come in the order of their collection. Raises SelectionError for a bad pattern and for one
    that matches no trainable variable.
    """
    found = _by_name(open_runtime().trainable_variables())
    out = _matching(excluding, found)
    return [variable for name, variable in found.items() if name not in out]


def choose(tf: ModuleType, freeze: Iterable[str], rows: Mapping[Variable | str, Rows]) -> Choice:
    """Return what ``freeze`` and ``rows`` mean; rows decide for their table whatever freeze says.

    ``freeze`` may also name variables that never learn, such as moving averages.
    """
    trainable = _by_name(tf.trainable_variables())
    every = {**trainable, **_by_name(v for v in tf.global_variables() if v.dtype.is_floating)}
    frozen = _matching(freeze, every)
    partly: dict[str, RowSet] = {}
    for key, which in rows.items():
        name = _table(key, every)
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


def _matching(patterns: Iterable[str], names: Iterable[str]) -> set[str]:
    """Return the names that one of the patterns matches; each has to match one."""
    if isinstance(patterns, str):
        raise SelectionError.bad_pattern(patterns, "a list of patterns is needed; put it in [ ]")
    found: set[str] = set()
    for text in patterns:
        pattern = parse_pattern(text)
        matched = {name for name in names if pattern.matches(name)}
        if not matched:
            raise SelectionError.nothing_matched(text, names)
        found |= matched
    return found


def _table(key: Variable | str, names: Iterable[str]) -> str:
    """Return the name of the one variable that a key of ``rows`` means."""
    text = key if isinstance(key, str) else str(key.name).removesuffix(":0")
    matched = sorted(_matching([text], names)) if text not in names else [text]
    if len(matched) > 1:
        raise SelectionError.several_matched(text, matched)
    return matched[0]


def _row_set(variable: Variable, name: str, rows: Rows) -> RowSet:
    """Return the frozen rows of a table."""
    shape = variable.shape.as_list() if variable.shape.rank else []
    if not shape or shape[0] is None:
        raise SelectionError.no_rows_to_choose(name, shape)
    part = getattr(variable, "_save_slice_info", None)  # both kinds have it; there is no other way
    if part is not None:
        raise SelectionError.rows_of_a_part(name, part.full_name)
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
