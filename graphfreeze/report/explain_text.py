"""Why a variable has a gradient, or still moves, as lines of text: the answer comes first."""

from collections.abc import Iterator, Sequence

from rich.text import Text

from graphfreeze.errors.base import count_text
from graphfreeze.model.explain_records import (
    CUT,
    DISCONNECTED,
    GRADIENT,
    NO_NUMBERS,
    REFUSED,
    UNKNOWN,
    ZERO,
    CutRecord,
    GradientRecord,
    StepRecord,
    WriterRecord,
    WritersRecord,
)
from graphfreeze.report.columns import Row, columns
from graphfreeze.report.lines import facts

_ENDS = 8  # steps that are told at each end of a long path


def gradient_lines(record: GradientRecord, *, verbose: bool = False) -> Iterator[Text]:
    """Yield why a variable has a gradient or none; ``verbose`` tells every step of a path."""
    yield Text(_answer(record), "bold")
    if record.path:
        yield Text()
        yield from _path_lines(record.path, verbose)
    for cut in record.cuts:
        yield Text()
        yield from _cut_lines(cut, verbose)
    hidden = record.cut_count - len(record.cuts)
    if hidden:
        yield from (Text(), Text(f"{count_text(hidden, 'more op')} on other ways"))
    if record.leads_to:
        yield Text()
        yield from facts([("leads to", record.leads_to)])
    yield from _remarks(record.state, record.rule, record.notes)


def _answer(record: GradientRecord) -> str:
    name, loss = record.variable, " + ".join(record.losses)
    first = record.cuts[0] if record.cuts else None
    at = f"{first.op} at {first.name}" if first is not None else "an op"
    steps = count_text(len(record.path) - 1, "op")
    leads = "leads" if len(record.path) == 2 else "lead"
    more = f", and {count_text(record.cut_count - 1, 'other op')}" if record.cut_count > 1 else ""
    return {
        GRADIENT: f"{name} has a gradient: {steps} {leads} from it to {loss}",
        ZERO: f"{name} has a gradient that is zero everywhere: {steps} {leads} from it to {loss}",
        CUT: f"{name} has no gradient: {at} cuts it{more}",
        REFUSED: f"{name} has no gradient: tf.gradients raises an error, for {at}{more}",
        DISCONNECTED: f"{name} has no gradient: no data leads from it to {loss}",
        UNKNOWN: f"whether {name} has a gradient cannot be told: {at} is unknown{more}",
        NO_NUMBERS: f"{name} has no gradient: its type has none",
    }[record.status]


def _cut_lines(cut: CutRecord, verbose: bool) -> Iterator[Text]:
    yield Text(f"{cut.name} ({cut.op}): {cut.reason}")
    yield from _path_lines(cut.path, verbose, last="<- cut here")
    if cut.onward:
        loss = cut.onward[-1].name
        yield Text(f"  {count_text(len(cut.onward), 'op')} on from there to {loss}", "dim")


def writer_lines(record: WritersRecord, *, verbose: bool = False) -> Iterator[Text]:
    """Yield what writes a variable; ``verbose`` tells every step of a path."""
    yield Text(_moves(record), "bold")
    for writer in record.writers:
        yield Text()
        yield from _writer_lines(writer, record, verbose)
    yield from _remarks(record.state, record.rule, record.notes)


def _moves(record: WritersRecord) -> str:
    reached = [writer for writer in record.writers if writer.reached]
    ops = ", ".join(record.train_ops)
    name, count = record.variable, count_text(len(record.writers), "writer")
    if not record.writers:
        return f"{name} never moves: nothing writes it"
    if not record.train_ops:
        return f"{name} has {count}, and no train_op is known"
    if not reached:
        return f"{name} does not move: {ops} runs none of its {count}"
    guarded = " (trainable entries only)" if all(w.guarded for w in reached) else ""
    return f"{name} moves: {ops} runs {len(reached):,} of its {count}{guarded}"


def _writer_lines(writer: WriterRecord, record: WritersRecord, verbose: bool) -> Iterator[Text]:
    guarded = ", writes trainable entries only" if writer.guarded else ""
    yield Text(f"{writer.name} ({writer.op}): {writer.kind}{guarded}")
    for reach in writer.reached:
        yield from _path_lines(reach.path, verbose, last="<- writes")
    if record.train_ops and not writer.reached:
        yield Text(f"  not reached by {', '.join(record.train_ops)}", "dim")
    if writer.others:
        yield Text(f"  run by {', '.join(writer.others)}", "dim")


def _path_lines(path: Sequence[StepRecord], verbose: bool, *, last: str = "") -> Iterator[Text]:
    rows: list[Row] = [(f"  {step.name}", step.op, "") for step in path]
    if last:
        rows[-1] = (*rows[-1][:2], last)
    hidden = 0 if verbose else len(rows) - 2 * _ENDS
    if hidden > 1:
        rows[_ENDS:-_ENDS] = [(f"  ... {hidden:,} more ...", "", "")]
    yield from columns(rows)


def _remarks(state: str, rule: str, notes: Sequence[str]) -> Iterator[Text]:
    told = [("bundle", [state + (f", by {rule}" if rule else "")])] if state else []
    if told or notes:
        yield Text()
        yield from facts([*told, ("note", notes)])
