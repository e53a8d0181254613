"""What an earlier freeze says of the model that it wrote."""

import hashlib
from collections.abc import Mapping

import msgspec

from graphfreeze.emit.place import RECORD
from graphfreeze.model.model import Model
from graphfreeze.model.records import VariableRecord
from graphfreeze.rewrite.builder import MARK


class _Mark(msgspec.Struct, frozen=True):
    """The entry of the ``graphfreeze`` collection: the record itself, or its file and hash."""

    variables: list[VariableRecord] = []
    record: str = ""
    sha256: str = ""


def find_former(model: Model) -> Mapping[str, VariableRecord]:
    """Return the variables of an earlier freeze by name; there are none if its record is gone."""
    if MARK not in model.collections:
        return {}
    try:
        (raw,) = model.collections[MARK].bytes_list.value
        mark = msgspec.json.decode(raw, type=_Mark)
        if mark.record == RECORD:
            told = model.source.path.with_name(RECORD).read_bytes()
            is_own = hashlib.sha256(told).hexdigest() == mark.sha256
            mark = msgspec.json.decode(told, type=_Mark) if is_own else _Mark()
    except (OSError, ValueError, msgspec.DecodeError):
        return {}
    return {variable.name: variable for variable in mark.variables}
