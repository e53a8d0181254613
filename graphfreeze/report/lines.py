"""What the lines of all reports are made of: in 80 columns where names allow."""

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rich.text import Text

from graphfreeze.emit.place import is_file
from graphfreeze.model.records import VariableRecord
from graphfreeze.report.columns import (
    Row,
    columns,
)

FROZEN, PARTLY, TRAINABLE, NOT_REACHED = "frozen", "partly frozen", "trainable", "not reached"
UPDATED = "updated"
LEARNING = (PARTLY, TRAINABLE, NOT_REACHED)
STYLES = {
    FROZEN: "cyan",
    PARTLY: "magenta",
    TRAINABLE: "green",
    NOT_REACHED: "yellow",
    UPDATED: "yellow",
}
MOST_LISTED = 30  # variables that a freeze tells one by one
MOST_NAMES = 6
WIDTH, LABEL = 80, 12


def entries_text(variable: VariableRecord) -> str:
    """Return how much of a variable is frozen: ``5 of 10 rows and 1 of 4 columns``, or nothing."""
    told = []
    if variable.element_mask is not None or (variable.state == PARTLY and not _along(variable)):
        told.append(f"{frozen_count(variable):,} of {variable.parameters or 0:,} elements")
    else:
        told += [_places_text(variable, axis, n) for axis, n in _along(variable)]
    if variable.row_scale is not None:
        scale = variable.row_scale
        factors = f"{scale.min:.3g}" + (f"..{scale.max:.3g}" if scale.max > scale.min else "")
        told.append(f"{scale.rows:,} rows scaled by {factors}")
    return " and ".join(told)


def _along(variable: VariableRecord) -> list[tuple[int, int]]:
    """Return the axes that have frozen places, and how many."""
    rows = [] if not variable.frozen_rows else [(0, variable.frozen_rows)]
    others = (variable.frozen_along or {}).items()
    return rows + [(axis, sum(stop - start for start, stop in each)) for axis, each in others]


def _places_text(variable: VariableRecord, axis: int, count: int) -> str:
    shape = variable.shape or []
    if axis == 0:
        return f"{count:,} of {variable.rows or 0:,} rows"
    noun = "columns" if axis == len(shape) - 1 else f"places of axis {axis}"
    return f"{count:,} of {shape[axis] or 0:,} {noun}"


def some_of(names: Sequence[str], most: int | None) -> list[str]:
    """Return names, and how many more there are."""
    if most is None or len(names) <= most:
        return list(names)
    return [*names[:most], f"and {len(names) - most:,} more"]


def facts(
    facts: Iterable[tuple[str, Sequence[str]]], *, is_listing: bool = False
) -> Iterator[Text]:
    """Yield labelled lines; a listing is wrapped between its entries, else each has a line."""
    for label, entries in facts:
        lines = _wrapped(entries) if is_listing else list(entries)
        for i, line in enumerate(lines):
            yield Text.assemble((f"{'' if i else label:<{LABEL}}", "dim"), " ", line)


def _wrapped(entries: Sequence[str]) -> list[str]:
    # A NUL is no blank, so no entry is broken at one of its own blanks.
    glued = ", ".join(entry.replace(" ", "\0") for entry in entries).replace(", and\0", " and\0")
    lines = textwrap.wrap(glued, WIDTH - LABEL - 1, break_long_words=False, break_on_hyphens=False)
    return [line.replace("\0", " ") for line in lines]


def table(head: Sequence[str], rows: Sequence[Row], *, right: Iterable[int]) -> Iterator[Text]:
    """Yield a table under its head; ``right`` columns end in line."""
    yield from columns([[Text(cell, "bold") for cell in head], *rows], right=right)


def state_text(state: str) -> Text:
    """Return a state in its colour."""
    return Text(state, STYLES.get(state, ""))


def sum_of(variables: Iterable[VariableRecord]) -> int:
    """Return the number of parameters, as far as shapes are known."""
    return sum(v.parameters or 0 for v in variables)


def sum_text(variables: Sequence[VariableRecord]) -> str:
    """Return the number of parameters as text that tells if some are unknown."""
    unknown = any(v.parameters is None for v in variables)
    known = f"{sum_of(variables):,}"
    return known if not unknown else "unknown" if len(variables) == 1 else f"{known} + unknown"


def frozen_count(variable: VariableRecord) -> int:
    """Return how many parameters of a variable are frozen, as far as its shape is known."""
    if variable.state == FROZEN:
        return variable.parameters or 0
    if variable.frozen_elements is not None:
        return variable.frozen_elements
    if not variable.rows or variable.frozen_rows is None:
        return 0
    return (variable.parameters or 0) * variable.frozen_rows // variable.rows


def is_whole(variable: VariableRecord) -> bool:
    """Tell whether its state says it all: nothing is told of its entries."""
    return not (variable.state == PARTLY or variable.frozen_elements or variable.row_scale)


def written_text(out: Path, rest: str) -> Text:
    """Return where a result was written; a suffix that is mistyped makes a folder."""
    kind = "the folder " if out.suffix and not is_file(out) else ""
    return Text.assemble(f"written to {kind}", (str(out), "bold"), rest)


def byte_count(variable: VariableRecord) -> int:
    """Return how much memory a variable takes; strings count as nothing."""
    return (variable.parameters or 0) * type_width(variable.dtype)


def type_width(dtype: str) -> int:
    """Return how many bytes a value of a type takes, 0 for text."""
    bits = re.search(r"\d+$", dtype)
    return int(bits[0]) // 8 if bits else int(dtype == "bool")
