"""Find the one table that an option names."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from graphfreeze.errors import SelectionError
from graphfreeze.model.attrs import COMPLEX
from graphfreeze.model.tables import Table
from graphfreeze.selection.entries import Shape
from graphfreeze.selection.pattern import get_single_match
from graphfreeze.selection.plan import FreezePlan, Numbers


def get_table(pattern: str, tables: Sequence[Table]) -> Table:
    """Return the one table that an option names; it must have rows. Raises SelectionError."""
    found = {table.name: table for table in tables}
    for table in tables:
        parts = {part.variable.name for part in table.parts}
        if table.is_partitioned and pattern in parts and pattern not in found:
            raise SelectionError.rows_of_a_part(pattern, table.name)
    table = found[get_single_match(pattern, list(found))]
    if not table.shape or None in table.shape:
        raise SelectionError.no_rows_to_choose(table.name, table.shape)
    if table.first.dtype in COMPLEX:
        raise SelectionError.rows_of_complex(table.name, dtype=table.first.type_name)
    return table


def by_table(
    plan: FreezePlan, option: str, tables: Sequence[Table]
) -> Iterator[tuple[Table, Numbers]]:
    """Yield the tables that an option speaks of, with what it says; each at most once.

    Raises SelectionError."""
    given: set[str] = set()
    for pattern, value in getattr(plan, option).items():
        table = get_table(pattern, tables)
        if table.name in given:
            raise SelectionError.given_twice(option.replace("_", "-"), table.name)
        given.add(table.name)
        yield table, value


def find_path(plan: FreezePlan, option: str, table: Table, tables: Sequence[Table]) -> Path | None:
    """Return the file that an option names for a table, None if it names none.

    Raises SelectionError."""
    found = (value for each, value in by_table(plan, option, tables) if each.name == table.name)
    return next((Path(str(value)) for value in found), None)


def shape_of(table: Table) -> Shape:
    """Return the shape of a table whose shape is known."""
    return tuple(size or 0 for size in table.shape or ())
