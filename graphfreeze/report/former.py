"""What an earlier freeze says of the model that it wrote."""

import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from graphfreeze.emit.place import RECORD
from graphfreeze.model.model import Model
from graphfreeze.model.records import VariableRecord
from graphfreeze.rewrite.builder import MARK


class _Mark(msgspec.Struct, frozen=True):
    """The entry of the ``graphfreeze`` collection: the record itself, or its file and hash."""

    variables: list[VariableRecord] = []
    losses: list[str] = []
    record: str = ""
    sha256: str = ""


def find_former(model: Model) -> Mapping[str, VariableRecord]:
    """Return the variables of an earlier freeze by name; there are none if its record is gone."""
    return {variable.name: variable for variable in _read_mark(model).variables}


def former_losses(model: Model) -> Sequence[str]:
    """Return what the train_op of an earlier freeze minimizes; nothing if its record is gone."""
    return _read_mark(model).losses


def _read_mark(model: Model) -> _Mark:
    if MARK not in model.collections:
        return _Mark()
    try:
        (raw,) = model.collections[MARK].bytes_list.value
        mark = msgspec.json.decode(raw, type=_Mark)
        if mark.record == RECORD:
            told = model.source.path.with_name(RECORD).read_bytes()
            is_own = hashlib.sha256(told).hexdigest() == mark.sha256
            mark = msgspec.json.decode(told, type=_Mark) if is_own else _Mark()
    except (OSError, ValueError, msgspec.DecodeError):
        return _Mark()
    return mark
