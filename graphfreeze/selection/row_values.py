"""The values that a plan gives to rows of tables, and the rows that it adds to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from graphfreeze.errors import WordError
from graphfreeze.model.attrs import dtype_name
from graphfreeze.model.graph import Graph
from graphfreeze.model.tables import Table
from graphfreeze.selection.named_tables import by_table, find_path, shape_of
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.selection.rows import RowSet
from graphfreeze.selection.vectors import Vectors, read_vectors
from graphfreeze.selection.vocabulary import read_vocabulary
from graphfreeze.selection.words import Words, read_added


@dataclass(frozen=True, eq=False)
class RowValues:
    """Values of some rows of a table as it is saved, [rows, width], in rising order.

    ``unknown`` counts the words of the file that the table's vocabulary does not have."""

    table: Table
    rows: RowSet
    values: npt.NDArray[np.generic]
    unknown: int = 0

    def lacking(self, frozen: RowSet) -> int:
        """Return how many of some rows of the table get no value."""
        return frozen.intersection(self.rows.complement()).count


def count_added(plan: FreezePlan, tables: Sequence[Table]) -> Mapping[str, int]:
    """Return how many rows are added to tables, by name; raises SelectionError."""
    counts: dict[str, int] = {}
    for table, path in by_table(plan, "add_words", tables):
        vocabulary = find_path(plan, "vocab", table, tables)
        known = None if vocabulary is None else read_vocabulary(vocabulary)
        counts[table.name] = len(read_added(Path(str(path)), known))
    return counts


def get_row_values(
    plan: FreezePlan, tables: Sequence[Table], graph: Graph
) -> tuple[RowValues, ...]:
    """Return the values that rows of tables are to start with; raises SelectionError.

    Tables have their added rows already."""
    words = Words(plan, tables, graph)
    named = by_table(plan, "vectors", tables)
    return tuple(_values_of(words, table, str(path)) for table, path in named)


def _values_of(words: Words, table: Table, path: str) -> RowValues:
    shape = shape_of(table)
    if len(shape) != 2:
        raise WordError.not_a_matrix(table.name, shape)
    found = read_vectors(path, dtype=dtype_name(table.first.dtype), width=shape[1])
    ids, kept = _ids_of(words, table, found, path)
    rows = words.stored_rows(table, ids)
    order = np.argsort(rows, kind="stable")
    mask = np.zeros(shape[0], np.bool_)
    mask[rows] = True
    unknown = len(found.values) - len(kept)
    return RowValues(table, RowSet.from_mask(mask), found.values[kept[order]], unknown)


def _ids_of(
    words: Words, table: Table, found: Vectors, path: str
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the ids that a file has vectors of, and where it has them."""
    if found.words is None:
        height, count = shape_of(table)[0], len(found.values)
        if count > height:
            raise WordError.too_many_vectors(path, count, height, table=table.name)
        return np.arange(count), np.arange(count)
    index = words.vocabulary_of(table).index
    known = [(index[word], at) for at, word in enumerate(found.words) if word in index]
    if not known:
        raise WordError.no_vector_used(path, len(found.words), table=table.name)
    ids, places = np.array(known, np.int64).T
    return ids, places
