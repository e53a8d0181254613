"""The record of a freeze, read back: what is frozen, by the words of the freeze itself."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from graphfreeze.emit.place import RECORD
from graphfreeze.errors import CheckError
from graphfreeze.model.frozen_mask import decode_mask
from graphfreeze.model.model import Model
from graphfreeze.model.names import find_ref
from graphfreeze.model.records import FreezeRecord, VariableRecord
from graphfreeze.model.tables import find_tables
from graphfreeze.model.variables import Variable
from graphfreeze.selection.entries import Entries, Shape
from graphfreeze.selection.resolve import FROZEN, OTHER, PARTLY, TRAINABLE, Choice, Selection
from graphfreeze.selection.rows import RowSet

NOT_REACHED, OVERLAY = "not reached", "overlay"
LEARNING = frozenset({TRAINABLE, PARTLY, NOT_REACHED})


def read_record(path: Path) -> FreezeRecord:
    """Read the record of a bundle, a folder, or a record itself.

    Raises CheckError if there is none, or a file that is no record."""
    file = path / RECORD if path.is_dir() else path
    try:
        raw = file.read_bytes()
    except FileNotFoundError:
        raise CheckError.no_record(path) from None
    except OSError as error:
        raise CheckError.bad_record(file, error.strerror or str(error)) from error
    try:
        record = msgspec.json.decode(raw, type=FreezeRecord)
        for variable in record.variables:
            find_entries(variable)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise CheckError.bad_record(file, str(error)) from error
    return record


def find_entries(variable: VariableRecord) -> Entries | None:
    """Return the frozen entries of a partly frozen variable, None for one that is not.

    Raises ValueError for a record that does not fit its own shape."""
    sets = (variable.frozen_ranges, variable.frozen_along, variable.element_mask)
    if all(each is None for each in sets):
        return None
    shape = known_shape(variable)
    along = {0: variable.frozen_ranges} if variable.frozen_ranges is not None else {}
    along |= variable.frozen_along or {}
    if not along.keys() <= set(range(len(shape))):
        raise ValueError(f"{variable.name} has no axis {max(along)}")
    places = {axis: _places(ranges, shape[axis]) for axis, ranges in along.items()}
    elements = None
    if variable.element_mask is not None:
        elements = decode_mask(variable.element_mask, shape)
    return Entries(shape, places, elements)


def known_shape(variable: VariableRecord) -> Shape:
    """Return the shape of a variable; ValueError if it is not known."""
    shape = tuple(size for size in variable.shape or () if size is not None)
    if variable.shape is None or len(shape) < len(variable.shape):
        raise ValueError(f"the shape of {variable.name} is not known")
    return shape


def selection_of(model: Model, record: FreezeRecord) -> Selection:
    """Return what a record says of the variables of a model; those it does not name are others.

    Factors of rows are not told by a record, and no part of what is frozen."""
    told = {variable.name: variable for variable in record.variables}
    choices = tuple(_choice(variable, told.get(variable.name)) for variable in model.variables)
    refs = (find_ref(name) for name in record.stopped_tensors)
    able = [c.variable for c in choices if c.variable.is_differentiable and not c.variable.is_local]
    tables = find_tables(model.graph, able, model.saver_ops)
    return Selection(choices, tuple(ref for ref in refs if ref is not None), tables)


def _choice(variable: Variable, told: VariableRecord | None) -> Choice:
    if told is None:
        return Choice(variable, OTHER)
    entries = find_entries(told)
    state = told.state
    if state == NOT_REACHED:
        state = TRAINABLE if entries is None else PARTLY
    if state == FROZEN or entries is None:
        return Choice(variable, state, told.rule)
    return Choice(variable, state, told.rule, entries, overlay=told.strategy == OVERLAY)


def _places(ranges: Sequence[Sequence[int]], size: int) -> RowSet:
    """Return the places of half-open intervals; raises ValueError if they are none."""
    edges = np.array(ranges, np.int64)
    if edges.size and edges.shape[1:] != (2,):
        raise ValueError("an interval has a start and an end")
    return RowSet(size, edges.tobytes())
