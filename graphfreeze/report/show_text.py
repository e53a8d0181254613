"""A model's record as lines of text."""

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.text import Text

from graphfreeze.errors.base import count_text
from graphfreeze.model.function_records import FunctionReadRecord
from graphfreeze.model.records import ModelRecord, VariableRecord
from graphfreeze.report.columns import (
    Row,
    shape_text,
    size_text,
)
from graphfreeze.report.lines import (
    byte_count,
    entries_text,
    facts,
    is_whole,
    state_text,
    sum_text,
    table,
)
from graphfreeze.report.saved_model_text import saved_model_facts
from graphfreeze.report.training_text import training_facts
from graphfreeze.report.tree import Branch, fold, grow, walk

_MOST_READS = 20


def show_lines(record: ModelRecord, *, verbose: bool = False) -> Iterator[Text]:
    """Yield what a model holds; ``verbose`` tells every variable."""
    yield Text(record.path, "bold")
    yield from facts(
        [
            ("format", [record.format]),
            ("written by", [_writer(record)]),
            ("nodes", [f"{record.nodes:,}"]),
            ("checkpoint", [record.checkpoint or "none found; name one with --checkpoint"]),
            ("losses", record.losses or ["none in the collection 'losses'"]),
            ("train ops", record.train_ops or ["none in a collection"]),
        ]
    )
    yield from facts(saved_model_facts(record))
    if record.steps and record.steps != record.train_ops:
        yield from facts([("steps", record.steps)])
    trained = training_facts("training", record.training, is_old=False)
    yield from facts(trained, is_listing=True)
    if not record.variables:
        what = "; its weights are constants, which 'graphfreeze thaw' makes variables of"
        yield from (Text(), Text(f"no variables{what if record.can_thaw else ''}"))
        return
    yield Text()
    branches = grow(record.variables)
    kinds = Counter(v.kind for v in record.variables)
    rows = [_told(d, b, len(kinds) > 1) for d, b in walk(branches if verbose else fold(branches))]
    head = ("variable", "shape", "type", "kind" * (len(kinds) > 1), "parameters", "state")
    yield from table(head, rows, right=(4,))
    yield Text()
    yield from _model_totals(record.variables, kinds)
    yield from _function_reads(record.function_reads, None if verbose else _MOST_READS)


def _function_reads(reads: Sequence[FunctionReadRecord], most: int | None) -> Iterator[Text]:
    if not reads:
        return
    yield Text()
    rows: list[Row] = [(each.variable, each.node, each.op) for each in reads[:most]]
    yield from table(("read by functions", "at", "op"), rows, right=())
    if len(rows) < len(reads):
        yield Text(f"and {len(reads) - len(rows):,} more; --verbose tells all", "dim")


def _writer(record: ModelRecord) -> str:
    name = f"TensorFlow {record.tensorflow}" if record.tensorflow else "an unknown TensorFlow"
    return f"{name}, graph version {record.producer}"


def _told(depth: int, branch: Branch, with_kind: bool) -> Row:
    """Return the row of a variable or a scope of a model."""
    name, own = "  " * depth + branch.name, branch.own
    if own is None:
        count = count_text(len(branch.variables), "variable")
        alike = f"{branch.alike} alike" if branch.alike > 1 else ""
        return f"{name}/", count, alike, "", sum_text(branch.variables), ""
    times = f"{branch.alike} x " if branch.alike > 1 else ""
    kind = own.kind if with_kind else ""
    number = times + sum_text([own])
    entries = "" if is_whole(own) else f" ({entries_text(own)})"
    return name, shape_text(own), own.dtype, kind, number, state_text(own.state) + entries


def _model_totals(variables: Sequence[VariableRecord], kinds: Counter[str]) -> Iterator[Text]:
    rows: list[Row] = []
    states = Counter(v.state for v in variables)
    for state in [*states, ""] if len(states) > 1 else [""]:
        those = [v for v in variables if state in ("", v.state)]
        size = size_text(sum(byte_count(v) for v in those))
        each = Counter(v.kind for v in those)
        kind = ", ".join(f"{n:,} {kind}" if len(kinds) > 1 else kind for kind, n in each.items())
        rows.append((state_text(state or "total"), f"{len(those):,}", sum_text(those), size, kind))
    yield from table(("", "variables", "parameters", "size", "kind"), rows, right=(1, 2, 3))
