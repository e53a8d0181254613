"""What words, initial values, masks and overlays came to, as labelled lines."""

import textwrap
from collections.abc import Iterator, Sequence

from graphfreeze.errors.base import count_text
from graphfreeze.model.records import FreezeRecord, RowsInitialised, VariableRecord
from graphfreeze.report.lines import FROZEN, LABEL, WIDTH, some_of

MULTIPLY = "multiply"
MOST_LINES = 5  # words or tables
_WIDTH = WIDTH - LABEL - 1
Fact = tuple[str, Sequence[str]]


def entry_facts(
    record: FreezeRecord, wholes: Sequence[VariableRecord], *, verbose: bool
) -> Iterator[Fact]:
    """Yield what was asked for by table and does not show in the list of variables."""
    most = None if verbose else MOST_LINES
    if record.words:
        yield "words", list(_words(record, most))
    if record.words or record.rows_initialised:
        yield "rows", list(_rows(record, wholes))
    kernels = [v for v in wholes if v.kernel not in (None, MULTIPLY)]
    if kernels:
        yield "masks", [_kernel(v) for v in kernels]
    overlaid = [v for v in record.variables if v.overlay_rows is not None]
    if overlaid:
        yield "overlay", [*some_of([_overlay(v) for v in overlaid], most), *_merge(record)]


def note_facts(record: FreezeRecord) -> Iterator[Fact]:
    """Yield the notes, each with its lines."""
    for note in record.notes:
        yield "note", textwrap.wrap(note, _WIDTH, break_long_words=False, break_on_hyphens=False)


def _words(record: FreezeRecord, most: int | None) -> Iterator[str]:
    for each in record.words:
        yield f"{each.table}: {count_text(each.rows, 'row')} by {each.option}"
        if each.missing:
            named = ", ".join(some_of([repr(word) for word in each.missing], most))
            named = named.replace(", and ", " and ")
            yield f"  without {count_text(len(each.missing), 'missing word')}: {named}"


def _rows(record: FreezeRecord, wholes: Sequence[VariableRecord]) -> Iterator[str]:
    started = {each.table: each for each in record.rows_initialised}
    for variable in wholes:
        name = variable.name
        if name not in {word.table for word in record.words} | started.keys():
            continue
        rows = (variable.shape or [0])[0] or 0
        frozen = rows if variable.state == FROZEN else variable.frozen_rows or 0
        learning = f"{frozen:,} frozen, {rows - frozen:,} left to learn"
        yield f"{name}: {count_text(rows, 'row')}, {learning}"
        if (start := started.get(name)) is not None:
            yield from _start(start)


def _start(start: RowsInitialised) -> Iterator[str]:
    added = "added" if start.first_added is None else f"added, from id {start.first_added} on"
    counts = {added: start.added, "in all with given values": start.given}
    if not start.added:
        counts = {"with given values": start.given}
    yield "  " + ", ".join(f"{n:,} {what}" for what, n in counts.items() if n)
    if start.drawn:
        rows = count_text(start.drawn, "added row")
        yield f"  {rows} frozen at random values: no vector was given"
    if start.kept:
        yield f"  {count_text(start.kept, 'frozen row')} with the value of before"
    if start.unknown:
        yield f"  {count_text(start.unknown, 'word')} of the values not in the vocabulary"


def _kernel(variable: VariableRecord) -> str:
    reason = f": {variable.kernel_reason}" if variable.kernel_reason else ", as asked"
    return f"{variable.kernel} for {variable.name}{reason}"


def _overlay(variable: VariableRecord) -> str:
    learning = (variable.rows or 0) - (variable.frozen_rows or 0)
    return f"{variable.name}: {count_text(learning, 'row')} in {variable.overlay_rows}"


def _merge(record: FreezeRecord) -> Iterator[str]:
    if record.merge_op is not None:
        yield f"{record.merge_op} writes them back, when trained"
