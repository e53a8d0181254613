"""A check as lines of text: the verdict, what was assumed, and what moved."""

from collections.abc import Iterator, Sequence

from rich.text import Text

from graphfreeze.errors.base import count_text
from graphfreeze.model.verify_records import (
    FAILED,
    PASSED,
    SKIPPED,
    ChangeRecord,
    SectionRecord,
    VerifyRecord,
)
from graphfreeze.report.columns import Row
from graphfreeze.report.lines import FROZEN, MOST_LISTED, facts, state_text, table

_STYLES = {PASSED: "green", FAILED: "bold red", SKIPPED: "yellow"}


def verify_lines(record: VerifyRecord, *, verbose: bool = False) -> Iterator[Text]:
    """Yield what a check found; ``verbose`` tells every variable and output."""
    yield Text(record.out, "bold")
    yield from facts([("against", [record.original])])
    yield Text()
    yield from _sections(record)
    if record.feeds:
        yield Text()
        yield from _feeds(record)
    if record.outputs:
        yield Text()
        yield from _outputs(record, verbose=verbose)
    if record.changes:
        yield Text()
        yield from _changes(record.changes, verbose=verbose)
    yield Text()
    failed = [each.name for each in record.sections if each.status == FAILED]
    if failed:
        yield Text(f"FAILED: {', '.join(failed)}", _STYLES[FAILED])
    else:
        yield Text("passed", _STYLES[PASSED])


def _sections(record: VerifyRecord) -> Iterator[Text]:
    rows: list[Row] = []
    for section in record.sections:
        told = section.status.upper() if section.status == FAILED else section.status
        rows.append(
            (section.name, Text(told, _STYLES.get(section.status, "")), _did(record, section))
        )
    yield from table(("check", "", ""), rows, right=())
    for section in record.sections:
        lines = [*section.failures, *section.notes]
        if lines:
            yield Text()
            yield from facts([(section.name, lines)])


def _did(record: VerifyRecord, section: SectionRecord) -> str:
    """Return how much was looked at."""
    match section.name:
        case "forward":
            same = sum(not each.different for each in record.outputs)
            count = count_text(len(record.outputs), "output")
            return f"{same:,} of {count} equal to the bit" if record.outputs else ""
        case "steps" if section.status != SKIPPED:
            return f"{count_text(record.steps, 'step')}, {_frozen_text(record.changes)}"
        case "values":
            return _frozen_text(record.changes)
    return ""


def _frozen_text(changes: Sequence[ChangeRecord]) -> str:
    frozen = [each for each in changes if each.state == FROZEN]
    moved, every = sum(each.moved for each in frozen), sum(each.elements for each in frozen)
    return f"{moved:,} of {every:,} frozen entries moved"


def _feeds(record: VerifyRecord) -> Iterator[Text]:
    rows = [
        (each.name, f"{each.dtype} {each.shape}", each.values, each.source) for each in record.feeds
    ]
    yield from table(("fed", "", "values", "because of"), rows, right=())


def _outputs(record: VerifyRecord, *, verbose: bool) -> Iterator[Text]:
    most = None if verbose else MOST_LISTED
    # What differs comes first, so that it is never left out.
    ordered = sorted(record.outputs, key=lambda each: not each.different)[:most]
    rows: list[Row] = [
        (
            each.name,
            f"{each.elements:,}",
            Text(f"{each.different:,}", _STYLES[FAILED] if each.different else ""),
            _size(each.largest) if each.different else "",
        )
        for each in ordered
    ]
    yield from table(("output", "elements", "different", "largest"), rows, right=(1, 2, 3))
    yield from _rest(len(record.outputs) - len(ordered), "output")


def _changes(changes: Sequence[ChangeRecord], *, verbose: bool) -> Iterator[Text]:
    most = None if verbose else MOST_LISTED
    is_news = [each.state == FROZEN and each.moved > 0 for each in changes]
    news = [each for each, is_new in zip(changes, is_news, strict=True) if is_new]
    others = [each for each, is_new in zip(changes, is_news, strict=True) if not is_new]
    told = [*news, *others][:most]
    rows = [_changed(each) for each in told]
    head = ("variable", "state", "moved", "", "largest change", "gradient")
    yield from table(head, rows, right=(2, 4))
    yield from _rest(len(changes) - len(told), "line")


def _changed(change: ChangeRecord) -> Row:
    is_broken = change.state == FROZEN and change.moved > 0
    moved = Text(f"{change.moved:,}", _STYLES[FAILED] if is_broken else "")
    amount = _size(change.largest) if change.moved else ""
    gradient = change.gradient if change.gradient not in (None, "given") else ""
    return (
        change.name,
        state_text(change.state),
        moved,
        f"of {change.elements:,}",
        amount,
        str(gradient),
    )


def _rest(count: int, noun: str) -> Iterator[Text]:
    if count > 0:
        yield Text(f"and {count_text(count, f'more {noun}')}: --verbose tells all", "dim")


def _size(largest: float | None) -> str:
    return "inf or NaN" if largest is None else f"{largest:.3g}"
