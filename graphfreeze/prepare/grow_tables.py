"""Append rows to tables, and let all that has their height grow along."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from graphfreeze.errors import GrowError
from graphfreeze.errors.base import listed
from graphfreeze.growth.edits import Growth
from graphfreeze.growth.heights import Pads, Widens
from graphfreeze.growth.ids import COUNTED_SAMPLER, find_remainders, find_roots, find_samplers
from graphfreeze.growth.travel import Travel
from graphfreeze.model.model import Model
from graphfreeze.model.signatures import tensors_in
from graphfreeze.model.tables import find_tables
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import Appended, Edit, SetValue
from graphfreeze.selection.rows import RowSet


@dataclass
class GrowTables:
    """Append rows to tables.   w: [V, D] => [V + n, D]

    ===========================================  ==============================================
    lookups                                      stay: ids may be larger
    softmax bias, moving averages, tables that   grow by as many rows, from their own
    the same ids pick rows of                    initializers, and are noted
    one-hot labels, shapes, constants of one     grow
    value, samplers of the table's ids
    placeholders                                 get wider, and are noted
    anything else that takes the height          GrowError
    ===========================================  ==============================================

    ``rows`` says how many rows each variable gets; a checkpoint ``has_values`` of them, or it is
    the initializers that do. Afterwards ``grown`` has the new height of each
    variable that grew, ``needs_values`` those whose initializers give zeros for the new rows, and
    ``notes`` what a user has to know. The new rows come behind the old ones.
    """

    rows: Mapping[str, int]
    has_values: bool = False
    name: str = "grow_tables"
    grown: dict[str, int] = field(default_factory=dict)
    needs_values: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def plan(self, draft: Draft) -> Iterator[Edit]:
        """Yield the edits; raises GrowError for what the height cannot go through."""
        travel = _travel(draft, {name: added for name, added in self.rows.items() if added})
        self.grown = {name: tall.size + tall.added for name, tall in travel.grown.items()}
        self.needs_values = [c.variable for c in travel.changes if isinstance(c, Pads)]
        self.notes = list(dict.fromkeys(_notes(draft, travel, self.rows)))
        yield from Growth(draft.graph, travel).edits()
        keys = draft.saved_keys()
        for name, height in self.grown.items() if not self.has_values else ():
            yield SetValue(keys.get(name, name), Appended(height))

    def check_values(self, *given: Mapping[str, RowSet]) -> None:
        """Ask for values of new rows that no initializer gives; raises GrowError.

        ``given`` have the rows that get values, by table."""
        for name in self.needs_values:
            height, added = self.grown[name], self.rows.get(name, 0)
            rows = np.zeros(added, np.bool_)
            for each in given:
                rows |= each.get(name, RowSet.empty(height)).mask()[height - added :]
            if not rows.all():
                raise GrowError.no_values(name, int(rows.size - rows.sum()))

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Follow the new heights through the result: nothing may have an old one."""
        shapes = {v.name: v.shape or () for v in draft.variables}
        for name, height in self.grown.items():
            if shapes[name][0] != height:
                return f"{name} has {shapes[name][0]} rows instead of {height}"
        try:
            again = _travel(draft, dict.fromkeys(self.grown, 0))
        except GrowError as error:
            return str(error)
        others = again.grown.keys() - self.grown.keys()
        return f"{min(others)} did not grow along" if others else None


def _travel(draft: Draft, rows: Mapping[str, int]) -> Travel:
    tables = find_tables(draft.graph, draft.variables, draft.saver_ops)
    return Travel(draft.graph, tables, rows).run()


def _notes(draft: Draft, travel: Travel, rows: Mapping[str, int]) -> Iterator[str]:
    for name, tall in travel.grown.items():
        if name not in rows:
            yield f"{name} grows to {tall.size + tall.added:,} rows too, used with {tall.table}"
    for change in travel.changes:
        if isinstance(change, Widens):
            height = change.tall.size + change.tall.added
            yield f"placeholder {change.node} is to be fed with {height:,} entries now"
    yield from _notes_on_ids(draft, travel)
    yield from _notes_on_equals(draft, travel)
    yield from _notes_on_signatures(draft, travel)


def _notes_on_ids(draft: Draft, travel: Travel) -> Iterator[str]:
    """Tell what keeps ids to the old rows, and what draws from more of them now."""
    graph = draft.graph
    for name, tall in find_samplers(graph, travel.lookups).items():
        yield f"{name} now draws from {tall.size + tall.added:,} ids"
    for each in travel.lookups:
        table, size = each.tall.table, each.tall.size
        for root in sorted(find_roots(graph, each.ids)):
            if graph.op(root.node) == COUNTED_SAMPLER:
                yield f"{root.node} counts old ids: new words are never drawn, and are no labels"
        if makers := find_remainders(graph, each.ids, size):
            yield f"{listed(makers)} makes all ids of {table} below {size:,}: none is a new word"


def _notes_on_equals(draft: Draft, travel: Travel) -> Iterator[str]:
    """Name the variables that have as many rows and stay as they are."""
    for size in sorted({tall.size for tall in travel.grown.values()}):
        same = [v.name for v in draft.variables if v.shape and v.shape[0] == size]
        others = [name for name in same if name not in travel.grown]
        if others:
            yield f"as high and not grown, so not for the ids of new words: {listed(others)}"


def _notes_on_signatures(draft: Draft, travel: Travel) -> Iterator[str]:
    """Name what signatures say of tensors that are taller now."""
    for key, signature in sorted(draft.signatures.items()):
        named = {*tensors_in(signature.inputs), *tensors_in(signature.outputs)}
        tall = [ref.tensor_name for ref in sorted(named & travel.tall.keys())]
        if tall:
            yield f"signature {key!r} still tells the old shape of {listed(tall)}"
