"""From words to the stored rows of a table."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from graphfreeze.errors import SelectionError, WordError
from graphfreeze.model.graph import Graph
from graphfreeze.model.partitions import DIV, MOD, find_strategies, has_parts_of_rows, stored_rows
from graphfreeze.model.tables import Table
from graphfreeze.selection.named_tables import find_path, shape_of
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.selection.rows import RowSet
from graphfreeze.selection.vocabulary import Vocabulary, get_ids, read_vocabulary, read_words

Ids = npt.NDArray[np.int64]


def read_added(path: Path, known: Vocabulary | None) -> tuple[str, ...]:
    """Read the words that a table gets rows for; WordError for one that has a row already."""
    words = read_words(path)
    twice = [word for word in words if known is not None and word in known.index]
    if twice and known is not None:
        raise WordError.known_words(path, twice, total=len(words), vocabulary=known.path)
    return words


@dataclass(frozen=True, slots=True)
class WordCount:
    """What the words of an option came to: rows that were found, and words that have none."""

    table: str
    option: str
    rows: int
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Words:
    """The words of a plan's vocabularies, and the rows of the tables that they stand for."""

    plan: FreezePlan
    tables: Sequence[Table]
    graph: Graph

    def rows_of_file(self, table: Table, path: Path) -> tuple[RowSet, tuple[str, ...]]:
        """Return the stored rows of the words that a file lists, and the words without one.

        Raises SelectionError."""
        ids, missing = get_ids(
            self.vocabulary_of(table),
            read_words(path),
            words_path=path,
            missing=self.plan.missing_words,
        )
        mask = np.zeros(shape_of(table)[0], np.bool_)
        mask[self.stored_rows(table, ids)] = True
        return RowSet.from_mask(mask), missing

    def vocabulary_of(self, table: Table) -> Vocabulary:
        """Return the vocabulary of a table, words that are added to it included."""
        path = find_path(self.plan, "vocab", table, self.tables)
        if path is None:
            raise SelectionError.no_vocabulary(table.name)
        known, height = read_vocabulary(path), shape_of(table)[0]
        added = find_path(self.plan, "add_words", table, self.tables)
        more = read_added(added, known) if added is not None else ()
        if known.size > height - len(more):
            raise SelectionError.long_vocabulary(
                str(path), known.size, height - len(more), variable=table.name
            )
        ids = {word: height - len(more) + i for i, word in enumerate(more)}
        return replace(known, index={**known.index, **ids}, size=height) if more else known

    def stored_rows(self, table: Table, ids: Ids) -> Ids:
        """Return the rows of a table, as it is saved, at which ids are kept."""
        return stored_rows(table, ids, self._strategy(table))

    def _strategy(self, table: Table) -> str:
        """Return how ids are spread over the parts of a table."""
        if not has_parts_of_rows(table):
            return ""
        found, given = find_strategies(self.graph, table), self.plan.partition
        told = set(found.values())
        if given and told and told <= {MOD, DIV} - {given}:
            raise SelectionError.other_partition(table.name, found, given=given)
        if not given and (len(told) != 1 or "" in told):
            raise SelectionError.doubtful_partition(table.name, found)
        return given or next(iter(told))
