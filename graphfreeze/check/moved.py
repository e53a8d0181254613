"""Compare two checkpoints of a training, bit by bit, with what a record says is frozen.

Nothing is executed, and no more than a few rows are in memory at a time.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from graphfreeze.check.bit_counts import Piece, count_changes
from graphfreeze.check.record import LEARNING, find_entries, known_shape
from graphfreeze.errors import CheckError
from graphfreeze.model.records import FreezeRecord, VariableRecord
from graphfreeze.model.verify_records import FAILED, PASSED, ChangeRecord, SectionRecord
from graphfreeze.read.checkpoint_values import CheckpointValues, open_values
from graphfreeze.read.prefixes import has_checkpoint, latest_checkpoint
from graphfreeze.schema import types_pb2
from graphfreeze.selection.entries import Shape
from graphfreeze.selection.resolve import FROZEN, TRAINABLE

VALUES = "values"
_ENDING = re.compile(r"(\.index|\.meta|\.data-\d{5}-of-\d{5})$")
_OWN = "compare with the bundle's own checkpoint"


def check_values(
    record: FreezeRecord, before: Path, after: Path
) -> tuple[SectionRecord, list[ChangeRecord]]:
    """Tell which frozen entries differ between two checkpoints, and what else moved.

    A checkpoint is a prefix, one of its files, or a folder with a ``checkpoint`` file, of format
    V2 or V1. States other than frozen, partly frozen and trainable are not looked at. Raises
    CheckError where no checkpoint is, or one lacks a frozen variable; LoadError for damage."""
    pair = _Pair(record, open_values(find_prefix(before)), open_values(find_prefix(after)))
    told = [each for each in record.variables if each.state in LEARNING | {FROZEN}]
    pair.check_keys(told)
    changes: list[ChangeRecord] = []
    failures: list[str] = []
    notes: list[str] = []
    for variable in told:
        wrong = pair.find_misfit(variable)
        if wrong is not None:
            (failures if _is_frozen(variable) else notes).append(wrong)
            continue
        found = list(pair.changes(variable))
        changes += found
        failures += [pair.sentence(variable, c) for c in found if c.state == FROZEN and c.moved]
    notes += [_unmerged(v) for v in told if v.overlay_rows is not None and not _moved(v, changes)]
    learning = [change for change in changes if change.state == TRAINABLE]
    if learning and not any(change.moved for change in learning):
        notes.append("nothing that is trainable differs: are these two moments of one training?")
    return SectionRecord(VALUES, FAILED if failures else PASSED, failures, notes), changes


def _moved(variable: VariableRecord, changes: Iterable[ChangeRecord]) -> bool:
    return any(each.moved for each in changes if each.name == variable.name)


def _unmerged(variable: VariableRecord) -> str:
    return (
        f"{variable.name} is as before: what learned lies in {variable.overlay_rows}, until "
        "graphfreeze/merge is run and the model is saved"
    )


def find_prefix(path: Path) -> Path:
    """Return the prefix of a checkpoint that a path stands for; raises CheckError."""
    found: Path | None = path
    if path.is_dir():
        state, saved = path / "checkpoint", path / "variables" / "variables"
        found = latest_checkpoint(state) if state.is_file() else saved
    elif _ENDING.search(path.name):
        found = path.with_name(_ENDING.sub("", path.name))
    if found is None or not has_checkpoint(found):
        raise CheckError.no_checkpoint(path)
    return found


def _is_frozen(variable: VariableRecord) -> bool:
    """Tell whether any entry is frozen."""
    return variable.state == FROZEN or find_entries(variable) is not None


def _key(variable: VariableRecord) -> str:
    return variable.partition_of or variable.name


def _fits(variable: VariableRecord, whole: Shape) -> bool:
    """Tell whether a saved shape is that of a variable, or has room for it as a part."""
    shape, offset = known_shape(variable), variable.part_offset
    if not variable.partition_of or offset is None:
        return whole == shape
    ends = [start + size for start, size in zip(offset, shape, strict=True)]
    return len(ends) == len(whole) and all(e <= w for e, w in zip(ends, whole, strict=True))


@dataclass(frozen=True)
class _Pair:
    record: FreezeRecord
    before: CheckpointValues
    after: CheckpointValues

    def check_keys(self, told: Sequence[VariableRecord]) -> None:
        """Refuse checkpoints without what is frozen; what a bundle alone has may lack before."""
        frozen = [variable for variable in told if _is_frozen(variable)]
        for values, known in ((self.after, ()), (self.before, self.record.keys_added)):
            keys = (_key(variable) for variable in frozen)
            missing = [key for key in keys if key not in values.shapes and key not in known]
            if missing:
                raise CheckError.missing_keys(values.prefix, list(dict.fromkeys(missing)))

    def find_misfit(self, variable: VariableRecord) -> str | None:
        """Return why the two values of a variable cannot be compared, None if they can."""
        key, name = _key(variable), variable.name
        for values in (self.before, self.after):
            if key not in values.shapes:
                hint = f"; {_OWN}" if key in self.record.keys_added else ""
                return f"{name} is not in {values.prefix}{hint}"
        shapes = [values.shapes[key] for values in (self.before, self.after)]
        types = [values.dtypes[key] for values in (self.before, self.after)]
        if shapes[0] != shapes[1] or types[0] != types[1]:
            return f"{name} has another shape or type in {self.before.prefix}{self._hint(key)}"
        if not _fits(variable, shapes[0]):
            return f"{name} has shape {list(shapes[0])}, not {variable.shape} as in the record"
        return None

    def changes(self, variable: VariableRecord) -> Iterator[ChangeRecord]:
        """Return what became of the frozen entries of a variable, then of the others."""
        shape, is_frozen = known_shape(variable), variable.state == FROZEN
        pieces = self._pieces(variable, shape)
        is_half = self.after.dtypes[_key(variable)] == types_pb2.DT_BFLOAT16
        return count_changes(variable, shape, pieces, is_frozen=is_frozen, is_bfloat16=is_half)

    def sentence(self, variable: VariableRecord, change: ChangeRecord) -> str:
        """Tell of frozen entries that moved."""
        size = "not a number" if change.largest is None else f"{change.largest:.3g}"
        what = f"{change.moved:,} of {change.elements:,} frozen entries of {change.name} moved"
        where = f", the first at {change.first}" if change.first else ""
        return f"{what}{where}; largest change {size}{self._hint(_key(variable))}"

    def _hint(self, key: str) -> str:
        """Return what to do if a freeze itself gave a key other values."""
        if key not in self.record.keys_changed:
            return ""
        return f"; the freeze gave some of it other values: {_OWN}"

    def _pieces(self, variable: VariableRecord, shape: Shape) -> Iterator[Piece]:
        """Yield a few rows of a variable at a time: the first one's place, before and after."""
        key, offset = _key(variable), variable.part_offset or [0] * len(shape)
        first = offset[0] if offset else 0
        others = tuple(slice(o, o + n) for o, n in zip(offset[1:], shape[1:], strict=True))
        stop = first + shape[0] if shape else None
        at = 0
        pairs = (v.read_chunks(key, start=first, stop=stop) for v in (self.before, self.after))
        for old, new in zip(*pairs, strict=True):
            box = (slice(None), *others) if shape else ()
            yield at, old[box], new[box]
            at += len(old) if shape else 1
