"""Evaluate values that are not the source's, one array at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import ModuleType

import numpy as np

from graphfreeze.emit.boxes import Array, Box, parse_box, places_of, whole, with_rows
from graphfreeze.emit.constants import read_constant
from graphfreeze.emit.contents import Contents, variable_of
from graphfreeze.emit.recipes import KEPT, Recipe
from graphfreeze.emit.source import reason_of, runtime_prefix
from graphfreeze.errors import LoadError
from graphfreeze.model.saver import Entry
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import (
    Appended,
    FromCheckpoint,
    FromConst,
    FromInitializer,
    FromRows,
    Inline,
    Reset,
    WithRows,
)
from graphfreeze.runtime import Session
from graphfreeze.selection.rows import RowSet


class Values:
    """What the entries of a checkpoint are to hold.

    What an initializer gives is read from its variable, which must have been initialized."""

    def __init__(self, tf: ModuleType, sess: Session, draft: Draft, contents: Contents) -> None:
        """Keep what reading takes; nothing is read yet."""
        self.tf, self.sess, self.draft, self.contents = tf, sess, draft, contents

    def value(self, entry: Entry) -> Array:
        """Return the array of an entry, a part if the entry is one; raises LoadError."""
        recipe = self.contents.recipes.get(entry.key, KEPT)
        value = self._begun(entry, recipe)
        for change in recipe.changes:
            match change:
                case Appended(height):
                    added = self._initial(entry)[len(value) : height]
                    value = np.concatenate([value, added])
                case WithRows(rows, values):
                    value = np.require(value, requirements="W")
                    with_rows(value, _box(entry, value), rows, values)
                case Reset(variable, entries, number):
                    if variable == variable_of(self.draft, entry):
                        value = np.require(value, requirements="W")
                        value[places_of(entries)] = number
        return value

    def restored(self, entries: list[Entry]) -> list[object]:
        """Return tensors of what the source's checkpoint has."""
        held = self.contents.held
        values: list[object] = self.tf.raw_ops.RestoreV2(
            prefix=runtime_prefix(held.place),
            tensor_names=[held.names.key(entry.key) for entry in entries],
            shape_and_slices=[entry.slice for entry in entries],
            dtypes=[self.tf.as_dtype(self.draft.graph.dtype(e.tensor)) for e in entries],
        )
        return values

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Say what is wrong with the source's checkpoint where TensorFlow cannot read it."""
        errors = self.tf.errors
        # A damaged file of format V1 is an InternalError.
        kinds = (errors.DataLossError, errors.InternalError, errors.InvalidArgumentError)
        try:
            yield
        except (*kinds, errors.NotFoundError, errors.OutOfRangeError) as error:
            reason = reason_of(str(error))
            raise LoadError.bad_checkpoint(self.contents.held.place, reason) from error

    def _begun(self, entry: Entry, recipe: Recipe) -> Array:
        """Return what an entry has before its changes: memory of its own, or read-only."""
        match recipe.base:
            case FromInitializer():
                # What a session gives may be the memory of the variable itself.
                return self._initial(entry).copy()
            case Inline(values):
                return values[_box(entry, values).index].copy()
            case FromConst(node):
                values = read_constant(self.tf, self.sess, self.draft.base, node)
                return values[_box(entry, values).index]
            case FromCheckpoint(key, rows):
                return self._held(entry, key, rows)
            case FromRows(key, rows):
                values = self._rows(key, rows)
                return values[_box(entry, values).index]
        with self.reading():
            value: Array = self.sess.run(self.restored([entry])[0])
        return value

    def _held(self, entry: Entry, key: str, rows: RowSet | None) -> Array:
        """Return what the source's checkpoint has for an entry under another key."""
        other = replace(entry, key=key, slice="" if rows is not None else entry.slice)
        with self.reading():
            value: Array = self.sess.run(self.restored([other])[0])
        if rows is None:
            return value
        picked = value[rows.mask()]
        return picked[_box(entry, picked).index]

    def _rows(self, key: str, rows: RowSet) -> Array:
        """Return rows of what another key is to hold; of its parts one at a time is in memory."""
        out: Array | None = None
        for entry in self.contents.entries:
            if entry.key == key:
                value = self.value(entry)
                box = _box(entry, value)
                inside, place = box.picked(rows)
                if out is None:
                    out = np.empty((rows.count, *box.shape[1:]), value.dtype)
                out[place] = value[inside]
        assert out is not None, f"no entry of {key}"
        return out

    def _initial(self, entry: Entry) -> Array:
        """Return what the initializer of a variable gave it."""
        tensor = self.tf.get_default_graph().get_tensor_by_name(entry.tensor.tensor_name)
        value: Array = self.sess.run(tensor)
        return value


def _box(entry: Entry, value: Array) -> Box:
    return parse_box(entry.slice) if entry.slice else whole(value.shape)
