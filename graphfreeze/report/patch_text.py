"""A patch's record as lines of text."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec.structs import replace
from rich.text import Text

from graphfreeze.errors.base import count_text
from graphfreeze.model.patch_records import PatchRecord, WriterRecord
from graphfreeze.model.records import FreezeRecord
from graphfreeze.report.entry_text import note_facts
from graphfreeze.report.freeze_text import variable_lines
from graphfreeze.report.lines import MOST_NAMES, facts, some_of, written_text
from graphfreeze.report.wholes import whole_variables
from graphfreeze.selection.resolve import SLOT


def patch_lines(record: FreezeRecord, out: Path | None, *, verbose: bool = False) -> Iterator[Text]:
    """Yield what a patch did; ``out`` is where it was written, None if it was not."""
    patch = record.patch
    assert patch is not None
    if not verbose:
        shown = [each for each in record.variables if each.state != SLOT]
        record = replace(record, variables=shown)
    yield from variable_lines(record, whole_variables(record.variables), verbose=verbose)
    yield Text()
    yield from facts(_told(patch, verbose), is_listing=True)
    nodes = f"{count_text(record.nodes_added, 'node')} added, {record.nodes_changed:,} changed"
    yield from facts([("graph", [f"{nodes}, none removed; {record.nodes:,} in all"])])
    yield from facts(note_facts(record))
    yield Text()
    if out is None:
        yield Text("dry run: nothing was written", "bold")
        return
    yield written_text(out, "; scripts and checkpoints fit")


def _told(patch: PatchRecord, verbose: bool) -> Iterator[tuple[str, Sequence[str]]]:
    most = None if verbose else MOST_NAMES
    yield "steps", some_of(patch.steps, most)
    if patch.stopped:
        yield "stopped", [_count(patch.stopped), *_names(patch.stopped, verbose)]
    if patch.kept_to_entries:
        told = _count(patch.kept_to_entries)
        yield "kept to", [f"what learns: {told}", *_names(patch.kept_to_entries, verbose)]
    if patch.slots_stopped:
        told = f"{count_text(len(patch.slots_stopped), 'slot')} of frozen variables stop too"
        yield "slots", [told, *(patch.slots_stopped if verbose else ())]
    for norm, count in patch.norms.items():
        yield "clip", [f"{norm} no longer counts {count_text(count, 'frozen gradient')}"]
    if patch.needless:
        yield "a step", [f"need not compute {count_text(patch.needless, 'node')} any more"]


def _count(writers: Sequence[WriterRecord]) -> str:
    variables = len({each.variable for each in writers})
    return f"{count_text(len(writers), 'writer')} of {count_text(variables, 'variable')}"


def _names(writers: Sequence[WriterRecord], verbose: bool) -> list[str]:
    return [f"{each.writer} ({each.op})" for each in writers] if verbose else []
