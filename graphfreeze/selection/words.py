"""From words to the stored rows of a table."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from graphfreeze.errors import SelectionError
from graphfreeze.model.graph import Graph
from graphfreeze.model.partitions import find_strategies, stored_rows
from graphfreeze.model.tables import Table
from graphfreeze.selection.named_tables import find_path, shape_of
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.selection.rows import RowSet
from graphfreeze.selection.vocabulary import Vocabulary, get_ids, read_vocabulary, read_words

Ids = npt.NDArray[np.int64]


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
        more = read_words(added) if added is not None else ()
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
        if len(table.parts) == 1:
            return ""
        if self.plan.partition:
            return self.plan.partition
        found = find_strategies(self.graph, table)
        if len(set(found.values())) != 1 or "" in found.values():
            raise SelectionError.doubtful_partition(table.name, found)
        return next(iter(found.values()))
