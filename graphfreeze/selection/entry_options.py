"""What a plan says of single tables: which of their entries are frozen, and by which options."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from graphfreeze.errors import SelectionError
from graphfreeze.model.graph import Graph
from graphfreeze.model.tables import Table
from graphfreeze.selection.entries import Entries
from graphfreeze.selection.entry_arrays import Scale, get_mask, get_scale
from graphfreeze.selection.named_tables import by_table, get_table, shape_of
from graphfreeze.selection.plan import FreezePlan, Numbers
from graphfreeze.selection.rows import RowSet, parse_rows
from graphfreeze.selection.words import WordCount, Words


@dataclass
class Marked:
    """A table with its frozen entries, the factors of its rows, and the options that say so."""

    table: Table
    frozen: Entries
    scale: Scale | None = None
    trained: RowSet | None = None
    options: list[str] = field(default_factory=list)

    @property
    def rule(self) -> str:
        """The options, as they were given."""
        return " ".join(f"--{option} {self.table.name}" for option in self.options)


def mark_tables(
    plan: FreezePlan, tables: Sequence[Table], graph: Graph
) -> tuple[list[Marked], tuple[WordCount, ...]]:
    """Return the tables that the plan speaks of, and what words came to; raises SelectionError."""
    marked: dict[str, Marked] = {}
    counts: list[WordCount] = []
    for option, read in _READERS.items():
        for table, value in _of_option(plan, option, tables):
            each = _get(marked, table)
            read(each, value)
            each.options.append(option.replace("_", "-"))
    words = Words(plan, tables, graph)
    for option in ("freeze_words", "train_words"):
        for table, path in by_table(plan, option, tables):
            each = _get(marked, table)
            rows, missing = words.rows_of_file(table, Path(str(path)))
            _by_word(each, rows, option)
            counts.append(WordCount(each.table.name, option, rows.count, missing))
            each.options.append(option.replace("_", "-"))
    for each in marked.values():
        each.options[:] = dict.fromkeys(each.options)
        _settle(each)
    return list(marked.values()), tuple(counts)


def _of_option(
    plan: FreezePlan, option: str, tables: Sequence[Table]
) -> Iterator[tuple[Table, Numbers]]:
    """Yield tables with what an option says of them; sets of entries add up, factors do not."""
    if option == "row_scale":
        yield from by_table(plan, option, tables)
    else:
        yield from ((get_table(name, tables), v) for name, v in getattr(plan, option).items())


def _get(marked: dict[str, Marked], table: Table) -> Marked:
    return marked.setdefault(table.name, Marked(table, Entries(shape_of(table))))


def _freeze_rows(marked: Marked, text: Numbers) -> None:
    rows = parse_rows(str(text), marked.frozen.shape[0], variable=marked.table.name)
    _add(marked, Entries.of_rows(rows, marked.frozen.shape))


def _train_rows(marked: Marked, text: Numbers) -> None:
    _train(marked, parse_rows(str(text), marked.frozen.shape[0], variable=marked.table.name))


def _freeze_columns(marked: Marked, text: Numbers) -> None:
    shape, name = marked.frozen.shape, marked.table.name
    if len(shape) < 2:
        raise SelectionError.no_columns(name, shape)
    columns = parse_rows(str(text), shape[-1], variable=name, noun="columns")
    _add(marked, Entries(shape, {len(shape) - 1: columns}))


def _freeze_elements(marked: Marked, value: Numbers) -> None:
    _add(marked, get_mask(value, marked.table.name, marked.frozen.shape))


def _row_scale(marked: Marked, value: Numbers) -> None:
    marked.scale = get_scale(value, marked.table.name, marked.frozen.shape)
    stopped = RowSet.from_mask(marked.scale.weights == 0)
    _add(marked, Entries.of_rows(stopped, marked.frozen.shape))


def _by_word(marked: Marked, rows: RowSet, option: str) -> None:
    if option == "freeze_words":
        _add(marked, Entries.of_rows(rows, marked.frozen.shape))
    else:
        _train(marked, rows)


def _add(marked: Marked, entries: Entries) -> None:
    marked.frozen = marked.frozen.union(entries)


def _train(marked: Marked, rows: RowSet) -> None:
    marked.trained = rows if marked.trained is None else marked.trained.union(rows)


def _settle(marked: Marked) -> None:
    """Freeze the rows that are not trained, if no option says which rows are frozen."""
    if marked.trained is None:
        return
    shape, rows = marked.frozen.shape, marked.frozen.along.get(0)
    if rows is None:
        _add(marked, Entries.of_rows(marked.trained.complement(), shape))
        return
    both = rows.intersection(marked.trained)
    if not both.is_empty:
        first, stop = (int(n) for n in both.intervals[0])
        raise SelectionError.frozen_and_trained(marked.table.name, f"rows {first}:{stop}")


_READERS: Mapping[str, Callable[[Marked, Numbers], None]] = {
    "freeze_rows": _freeze_rows,
    "train_rows": _train_rows,
    "freeze_columns": _freeze_columns,
    "freeze_elements": _freeze_elements,
    "row_scale": _row_scale,
}
