"""An undo's record as lines of text, and what is told of undoing."""

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.text import Text

from graphfreeze.errors.base import listed
from graphfreeze.model.manifest import UndoRecord
from graphfreeze.read.mark import Mark
from graphfreeze.report.lines import LABEL, WIDTH, facts

_WIDTH = WIDTH - LABEL - 1


def undo_lines(record: UndoRecord) -> Iterator[Text]:
    """Yield what was undone."""
    yield Text(record.source, "bold")
    yield Text()
    yield from facts(_facts(record))
    yield Text()
    yield Text.assemble("written to ", (record.out, "bold"), ", to the byte what it was")


def _facts(record: UndoRecord) -> Iterator[tuple[str, Sequence[str]]]:
    yield "original", [f"{record.name}, {record.format}, {record.size:,} bytes"]
    yield "sha256", [record.sha256]
    told = "none was given" if record.checkpoint is None else f"{record.checkpoint}, as named then"
    yield "checkpoint", [told]
    for note in record.notes:
        yield "note", textwrap.wrap(note, _WIDTH, break_long_words=False, break_on_hyphens=False)


def checkpoint_notes(mark: Mark) -> Iterator[str]:
    """Yield what sets checkpoints that were trained since apart from those of the original."""
    trained = "checkpoints that were trained since"
    if mark.keys_dropped:
        keys = listed(mark.keys_dropped, most=3)
        yield f"{trained} lack keys that the original's saver restores: {keys}"
    if mark.merge_op is not None:
        yield f"{trained} have the rows of overlays in their tables once {mark.merge_op} was run"
    grown = [each.table for each in mark.rows_initialised if each.added]
    if grown:
        yield f"{trained} have more rows than the original: {listed(grown, most=3)}"


def no_undo_notes(out: Path | None) -> Iterator[str]:
    """Yield that a file cannot be undone, if it is one that has no place for a manifest."""
    if out is not None and out.suffix in (".pb", ".pbtxt"):
        yield (
            f"a {out.suffix} has no place for what 'graphfreeze undo' needs, so this cannot be "
            "undone: keep the original, or write a bundle or a .meta"
        )
