"""Let a training go on with the slots that the checkpoint has."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from graphfreeze.errors import TrainError
from graphfreeze.model.attrs import read_numbers
from graphfreeze.model.graph import Graph
from graphfreeze.model.model import Model
from graphfreeze.model.names import find_ref
from graphfreeze.model.saver import saved_entries
from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import (
    Appended,
    Base,
    FromCheckpoint,
    FromRows,
    Inline,
    Reset,
    SetValue,
)
from graphfreeze.rewrite.overlay import rows_name
from graphfreeze.selection.resolve import SLOT, Selection
from graphfreeze.selection.rows import RowSet
from graphfreeze.train.former_slots import FormerSlots
from graphfreeze.train.old_slots import OWN, OldSlots

_POWERS = ("beta1_power", "beta2_power")


@dataclass
class KeepSlots:
    """Give new slots the values of the old training's, where it had the same optimizer.

    =================================  ===================================================
    new slot of                        begins with
    =================================  ===================================================
    a variable that learns             the old slot's value
    frozen rows, columns, elements     what a new slot has: 0, or Adagrad's first sum
    the rows of an overlay             those rows of the old slot
    added rows                         what a new slot has
    Adam's beta powers                 the old ones; 0, which is to correct nothing, where
                                       the old training had none, as BERT's; of several
                                       old Adams the first one's
    =================================  ===================================================

    Those of a ``former`` freeze that is made anew are those of its own train_op; what was frozen
    then begins anew. Old slots of frozen variables are dropped. ``kept`` tells afterwards the old
    key of each new one, ``fresh`` the slots that begin anew, ``doubtful`` the beta powers of each
    role if the old training had several.
    """

    selection: Selection
    optimizer: str
    former: FormerSlots | None = None
    kept: dict[str, str] = field(default_factory=dict)
    fresh: list[str] = field(default_factory=list)
    doubtful: dict[str, list[str]] = field(default_factory=dict)
    name: str = "keep_slots"

    def plan(self, draft: Draft) -> Iterator[SetValue]:
        """Yield the edits; raises TrainError if no old slot fits."""
        old, keys = _old_slots(draft, self.selection, self.former), draft.saved_keys()
        for owner, slots in self._new_slots(draft).items():
            found = old.find(self._old_owner(owner), _title(slots[0], owner), len(slots))
            for slot, taken in zip(slots, found, strict=False):
                if self._fits(draft, slot, taken, owner):
                    yield from self._go_on(draft, owner, slot, (keys[slot.name], old.key(taken)))
            self.fresh += [s.name for s in slots if keys[s.name] not in self.kept]
        if not self.kept:
            raise TrainError.no_slots_to_keep(self.optimizer, old.titles)
        yield from self._powers(draft, old, keys)

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Look for a kept slot that is not saved."""
        left = self.kept.keys() - set(draft.saved_keys().values())
        return f"{min(left)} is not saved" if left else None

    def _go_on(
        self, draft: Draft, owner: str, slot: Variable, keys: tuple[str, str]
    ) -> Iterator[SetValue]:
        """Yield what makes a new slot of an old one; parts share a key and its first value."""
        key, taken = keys
        rows, table = _overlaid_rows(draft, owner), self._table(owner)
        held = self.former.find_held(table, taken) if self.former is not None else None
        if self.former is not None and held is not None:
            edits = list(self.former.take(key, taken, held, rows))
            self.kept |= dict.fromkeys([edit.key for edit in edits], taken)
            yield from edits
        elif key not in self.kept:
            self.kept[key] = taken
            yield SetValue(key, FromCheckpoint(taken, rows))
            if rows is None and self._added(draft, owner):
                yield SetValue(key, Appended((slot.shape or (0,))[0] or 0))
        if self.former is not None and key in self.kept:
            yield from self.former.thaw(key, slot, table, rows, _first_number(draft, slot))
        frozen = {v.name: entries for v, entries in self.selection.partly.items()}
        if owner in frozen and slot.shape == frozen[owner].shape:
            yield SetValue(key, Reset(slot.name, frozen[owner], _first_number(draft, slot)))

    def _powers(self, draft: Draft, old: OldSlots, keys: dict[str, str]) -> Iterator[SetValue]:
        owners = [self._old_owner(owner) for owner in self._new_slots(draft)]
        for variable in _new(draft):
            role = next((r for r in _POWERS if f"/{r}" in f"/{variable.name}"), None)
            if role is None or variable.shape != ():
                continue
            found = old.find_powers(role, owners, variable.name)
            value: Base = Inline(np.zeros((), np.float32))
            if len(found) > 1:
                self.doubtful[role] = [v.name for v in found]
            if found:
                self.kept[keys[variable.name]] = old.key(found[0])
                value = FromCheckpoint(old.key(found[0]))
            yield SetValue(keys[variable.name], value)

    def _new_slots(self, draft: Draft) -> dict[str, list[Variable]]:
        """Return the new slots of each variable that learns, in their order."""
        owners = {v.name for v in self.selection.trained}
        owners |= {rows_name(table) for table in self.selection.overlaid}
        slots: dict[str, list[Variable]] = defaultdict(list)
        for variable in _new(draft):
            owner = variable.name.rpartition("/")[0]
            if owner in owners:
                slots[owner].append(variable)
        return slots

    def _table(self, owner: str) -> str:
        """Return the variable of the model that a variable is, or has rows of."""
        return next((t.name for t in self.selection.overlaid if rows_name(t) == owner), owner)

    def _old_owner(self, owner: str) -> str:
        """Return the variable that had the slots which go on."""
        table = self._table(owner)
        return table if self.former is None else self.former.owner(table)

    def _fits(self, draft: Draft, slot: Variable, former: Variable, owner: str) -> bool:
        """Tell whether a slot has the old one's shape and type, but for rows that were chosen."""
        was_cut = self._old_owner(owner) != self._table(owner)
        if slot.dtype != former.dtype:
            return False
        if slot.shape == former.shape:
            return True
        is_cut = _overlaid_rows(draft, owner) is not None or self._added(draft, owner)
        return (is_cut or was_cut) and (slot.shape or ())[1:] == (former.shape or ())[1:]

    def _added(self, draft: Draft, owner: str) -> bool:
        """Tell whether a table was given more rows."""
        shapes = {v.name: v.shape for v in draft.base.variables if v.name == owner}
        return owner in shapes and (owner, shapes[owner]) not in {
            (v.name, v.shape) for v in draft.variables
        }


def _old_slots(draft: Draft, selection: Selection, slots: FormerSlots | None) -> OldSlots:
    left = {variable.name for variable in draft.variables} & draft.base.graph.nodes.keys()
    left -= {choice.variable.name for choice in selection.choices if choice.state == SLOT}
    left |= _hidden(draft)
    if slots is None:
        return OldSlots(draft.base, {v.name for v in draft.base.variables if v.name not in left})
    former = slots.former
    left |= {name for name, _ in former.overlays.values()}
    if former.mark.head is not None:
        left |= set(former.mark.head.variables)
    # Any other checkpoint than one that was trained since lacks them.
    gone = {v.name for v in former.written.variables if v.name not in left}
    return OldSlots(former.written, gone & former.keys.keys())


def _hidden(draft: Draft) -> set[str]:
    """Return the variables of the model whose values are not to be taken."""
    base, hidden = draft.base, draft.base.source.names.hidden
    saved = saved_entries(base.graph, base.saver_ops) if hidden else {}
    return {name for name, entry in saved.items() if entry.key in hidden}


def _new(draft: Draft) -> list[Variable]:
    return [v for v in draft.variables if v.name not in draft.base.graph]


def _title(slot: Variable, owner: str) -> str:
    return slot.name.removeprefix(f"{owner}/").removeprefix(OWN)


def _overlaid_rows(draft: Draft, owner: str) -> RowSet | None:
    for edit in draft.value_edits:
        if isinstance(edit, SetValue) and isinstance(edit.source, FromRows) and edit.key == owner:
            return edit.source.rows
    return None


def _first_number(draft: Draft, slot: Variable) -> float:
    """Return what all entries of a new slot hold, as its initializer fills it with a number."""
    value = find_ref(str(slot.definition.initial_value_name)) if slot.definition else None
    return 0.0 if value is None else _number(draft.graph, value.node)


def _number(graph: Graph, name: str) -> float:
    """Return the number that a tensor is full of: a constant, a fill, or ones times a constant."""
    inputs = [ref.node for ref in graph.data_inputs(name)] if name in graph else []
    match graph.op(name):
        case "Const":
            return float(read_numbers(graph.nodes[name].attr["value"].tensor).flat[0])
        case "Fill":
            return _number(graph, inputs[1])
        case "Mul":
            return _number(graph, inputs[0]) * _number(graph, inputs[1])
    return 0.0
