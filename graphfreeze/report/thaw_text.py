"""A thaw's record as lines of text."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.text import Text

from graphfreeze.model.records import FreezeRecord, VariableRecord
from graphfreeze.model.thaw_records import LeftRecord, ThawedRecord, ThawRecord
from graphfreeze.report.columns import Row, count_text, shape_text, size_text
from graphfreeze.report.entry_text import note_facts
from graphfreeze.report.lines import (
    MOST_LISTED,
    byte_count,
    facts,
    some_of,
    state_text,
    sum_of,
    table,
    written_text,
)
from graphfreeze.report.tree import Branch, fold, gather, grow, walk
from graphfreeze.selection.resolve import OTHER, TRAINABLE

_MOST_LEFT = 3


def thaw_lines(record: FreezeRecord, out: Path | None, *, verbose: bool = False) -> Iterator[Text]:
    """Yield which constants became variables; ``out`` is where they were written, if they were."""
    thaw = record.thaw
    assert thaw is not None
    told = [_variable(each, thaw, verbose) for each in thaw.thawed]
    yield Text(record.source, "bold")
    yield Text()
    branches = grow(told)
    if not verbose:
        branches = fold(gather(branches) if len(told) > MOST_LISTED else branches)
    rows = [_told(depth, branch) for depth, branch in walk(branches)]
    yield from table(("constant", "shape", "type", "size", "state", "taken by"), rows, right=(3,))
    yield Text()
    yield from _totals(told)
    yield Text()
    yield from facts(_facts(record, thaw, verbose))
    yield from facts(note_facts(record))
    yield Text()
    if out is None:
        yield Text("dry run: nothing was written", "bold")
        return
    yield written_text(out, ", to go on from so:")
    yield Text(f"    graphfreeze show {out}")
    head = "--head softmax --at TENSOR --classes N"
    yield Text(f"    graphfreeze freeze {out} TUNED --freeze P {head}")


def _variable(each: ThawedRecord, thaw: ThawRecord, verbose: bool) -> VariableRecord:
    """Return a constant as the variable that it is now, by the op that takes it."""
    parameters = 1
    for size in each.shape:
        parameters *= size
    return VariableRecord(
        name=each.name,
        kind=thaw.kind,
        dtype=each.dtype,
        shape=list(each.shape),
        parameters=parameters,
        state=TRAINABLE if each.is_trainable else OTHER,
        rule=each.taken_by if verbose else each.taken_by.partition(" ")[0],
    )


def _told(depth: int, branch: Branch) -> Row:
    """Return the row of a variable, of a scope that is told as one, or of a scope's head."""
    name, own = "  " * depth + branch.name, branch.own
    size = size_text(sum(byte_count(each) for each in branch.variables))
    if own is None:
        state, rule = (branch.fate or ("", "")) if not branch.below else ("", "")
        count = count_text(len(branch.variables), "constant")
        return f"{name}/", count, "", size, state_text(state), rule
    return name, shape_text(own), own.dtype, size, state_text(own.state), own.rule


def _totals(told: Sequence[VariableRecord]) -> Iterator[Text]:
    rows: list[Row] = []
    for state in (TRAINABLE, OTHER):
        those = [each for each in told if each.state == state]
        if those:
            size = size_text(sum(map(byte_count, those)))
            rows.append((state_text(state), f"{len(those):,}", f"{sum_of(those):,}", size))
    yield from table(("", "variables", "parameters", "size"), rows, right=(1, 2, 3))


def _facts(
    record: FreezeRecord, thaw: ThawRecord, verbose: bool
) -> Iterator[tuple[str, Sequence[str]]]:
    before = len(record.variables) - len(thaw.thawed)
    if before:
        yield "before", [f"{count_text(before, 'variable')}, as they were"]
    yield "left", [_left(each, verbose) for each in thaw.left] or ["no other constant"]
    nodes = f"{count_text(record.nodes_added, 'node')} added, {record.nodes_changed:,} changed"
    yield "graph", [f"{nodes}, none removed; {record.nodes:,} in all"]


def _left(left: LeftRecord, verbose: bool) -> str:
    names = ", ".join(some_of(left.constants, None if verbose else _MOST_LEFT))
    return f"{len(left.constants):,} {left.reason}: {names}".replace(", and ", " and ")
