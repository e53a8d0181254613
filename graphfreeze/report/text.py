"""Records as lines of text: for people, in 80 columns where names allow."""

import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rich.text import Text

from graphfreeze.model.records import FreezeRecord, ModelRecord, VariableRecord
from graphfreeze.report.columns import (
    Row,
    columns,
    count_text,
    shape_text,
    share_text,
    size_text,
)
from graphfreeze.report.tree import Branch, fold, gather, grow, walk

FROZEN, PARTLY, TRAINABLE, NOT_REACHED = "frozen", "partly frozen", "trainable", "not reached"
LEARNING = (PARTLY, TRAINABLE, NOT_REACHED)
STYLES = {FROZEN: "cyan", PARTLY: "magenta", TRAINABLE: "green", NOT_REACHED: "yellow"}
MOST_LISTED = 30  # variables that a freeze tells one by one
MOST_NAMES = 6
WIDTH, LABEL = 80, 12


def show_lines(record: ModelRecord, *, verbose: bool = False) -> Iterator[Text]:
    """Yield what a model holds; ``verbose`` tells every variable."""
    yield Text(record.path, "bold")
    yield from _facts(
        [
            ("format", [record.format]),
            ("written by", [_writer(record)]),
            ("nodes", [f"{record.nodes:,}"]),
            ("checkpoint", [record.checkpoint or "none found; name one with --checkpoint"]),
            ("losses", record.losses or ["none in the collection 'losses'"]),
            ("train ops", record.train_ops or ["none"]),
        ]
    )
    if not record.variables:
        yield from (Text(), Text("no variables"))
        return
    yield Text()
    branches = grow(record.variables)
    kinds = Counter(v.kind for v in record.variables)
    rows = [_told(d, b, len(kinds) > 1) for d, b in walk(branches if verbose else fold(branches))]
    head = ("variable", "shape", "type", "kind" * (len(kinds) > 1), "parameters", "state")
    yield from _table(head, rows, right=(4,))
    yield Text()
    yield from _model_totals(record.variables, kinds)


def _writer(record: ModelRecord) -> str:
    name = f"TensorFlow {record.tensorflow}" if record.tensorflow else "an unknown TensorFlow"
    return f"{name}, graph version {record.producer}"


def _told(depth: int, branch: Branch, with_kind: bool) -> Row:
    """Return the row of a variable or a scope of a model."""
    name, own = "  " * depth + branch.name, branch.own
    if own is None:
        count = count_text(len(branch.variables), "variable")
        alike = f"{branch.alike} alike" if branch.alike > 1 else ""
        return f"{name}/", count, alike, "", _sum_text(branch.variables), ""
    times = f"{branch.alike} x " if branch.alike > 1 else ""
    kind = own.kind if with_kind else ""
    number = times + _sum_text([own])
    rows = f" ({_rows_text(own)})" if own.rows else ""
    return name, shape_text(own), own.dtype, kind, number, _state(own.state) + rows


def _model_totals(variables: Sequence[VariableRecord], kinds: Counter[str]) -> Iterator[Text]:
    rows: list[Row] = []
    states = Counter(v.state for v in variables)
    for state in [*states, ""] if len(states) > 1 else [""]:
        those = [v for v in variables if state in ("", v.state)]
        size = size_text(sum(_bytes(v) for v in those))
        each = Counter(v.kind for v in those)
        kind = ", ".join(f"{n:,} {kind}" if len(kinds) > 1 else kind for kind, n in each.items())
        rows.append((_state(state or "total"), f"{len(those):,}", _sum_text(those), size, kind))
    yield from _table(("", "variables", "parameters", "size", "kind"), rows, right=(1, 2, 3))


def freeze_lines(
    record: FreezeRecord, out: Path | None, *, verbose: bool = False
) -> Iterator[Text]:
    """Yield what a freeze did; ``out`` is where it was written, None if it was not."""
    yield Text(record.source, "bold")
    yield Text()
    branches = grow(record.variables)
    if not verbose and len(record.variables) > MOST_LISTED:
        branches = fold(gather(branches))
    rows = [_decided(depth, branch) for depth, branch in walk(branches)]
    yield from _table(("variable", "shape", "parameters", "state", "by"), rows, right=(2,))
    yield Text()
    yield from _freeze_totals(record.variables)
    yield Text()
    yield from _facts(_changes(record, verbose), is_listing=True)
    if record.train_op is not None:
        yield from _facts(_training(record))
    yield Text()
    if out is None:
        yield Text("dry run: nothing was written", "bold")
        return
    yield Text.assemble("written to ", (str(out), "bold"), ", to be used so:")
    yield Text("    with tf.Graph().as_default(), tf.compat.v1.Session() as sess:")
    yield from (Text(f"        {line}") for line in _usage(record, out))


def _decided(depth: int, branch: Branch) -> Row:
    """Return the row of a variable, of a scope that is told as one, or of a scope's head."""
    name, own = "  " * depth + branch.name, branch.own
    if own is None:
        state, rule = (branch.fate or ("", "")) if not branch.below else ("", "")
        count = count_text(len(branch.variables), "variable")
        return f"{name}/", count, _sum_text(branch.variables), _state(state), rule
    rule = own.rule
    if own.rows:
        rule = f"{_rows_text(own)}, {rule.replace(f' {own.name}', '')}"
    times = f"{branch.alike} x " if branch.alike > 1 else ""
    return name, shape_text(own), times + _sum_text([own]), _state(own.state), rule


def _rows_text(variable: VariableRecord) -> str:
    return f"{variable.frozen_rows or 0:,} of {variable.rows or 0:,} rows"


def _freeze_totals(variables: Sequence[VariableRecord]) -> Iterator[Text]:
    """Yield frozen against learning parameters; what never learns is no part of the 100 %."""
    by_state = {state: [v for v in variables if v.state == state] for state in (FROZEN, *LEARNING)}
    partly = by_state[PARTLY]
    rows_frozen = sum(_frozen(v) for v in partly)
    frozen = _sum(by_state[FROZEN]) + rows_frozen
    learning = _sum(by_state[TRAINABLE]) + _sum(partly) - rows_frozen
    unreached = _sum(by_state[NOT_REACHED])
    whole = frozen + learning + unreached
    rows: list[Row] = [
        _total(FROZEN, frozen, whole, len(by_state[FROZEN]), len(partly)),
        _total(TRAINABLE, learning, whole, len(by_state[TRAINABLE]), len(partly)),
    ]
    if by_state[NOT_REACHED]:
        rows.append(_total(NOT_REACHED, unreached, whole, len(by_state[NOT_REACHED]), 0))
    others = [v for v in variables if v.state not in by_state]
    if others:
        rows.append(("not trainable", f"{_sum(others):,}", "", f"{len(others):,}"))
    yield from _table(("", "parameters", "", "variables"), rows, right=(1, 2))


def _total(state: str, part: int, whole: int, count: int, partly: int) -> Row:
    variables = f"{count:,}" + (f" and part of {partly:,}" if partly else "")
    return _state(state), f"{part:,}", share_text(part, whole), variables


def _changes(record: FreezeRecord, verbose: bool) -> Iterator[tuple[str, Sequence[str]]]:
    most = None if verbose else MOST_NAMES
    ops = Counter(record.operations_added).most_common()
    nodes = f"{count_text(record.nodes_added, 'node')} added, {record.nodes_changed:,} changed"
    yield "graph", [f"{nodes}, {record.nodes_removed:,} removed; {record.nodes:,} in all"]
    if ops:
        yield "  new ops", _some([f"{op} {count:,}" for op, count in ops], most)
    if record.stopped_tensors:
        yield "  stopped at", record.stopped_tensors
    added, dropped = record.keys_added, record.keys_dropped
    keys = f"{count_text(len(added), 'key')} added, {len(dropped):,} dropped"
    yield "checkpoint", [keys if added or dropped else "nothing added or dropped"]
    if added:
        yield "  added", _some(added, most)
    if dropped:
        yield "  dropped", _some(dropped, most)


def _training(record: FreezeRecord) -> Iterator[tuple[str, Sequence[str]]]:
    rate = record.learning_rate
    yield "train_op", [str(record.train_op)]
    yield "  loss", [f"{'+ ' * (i > 0)}{name}" for i, name in enumerate(record.losses)]
    yield "  optimizer", [f"{record.optimizer}" + (f", learning rate {rate:g}" if rate else "")]
    yield "  step", [str(record.global_step)]
    if record.newer_ops:
        yield "  needs", [f"a TensorFlow newer than 1.15, for {', '.join(record.newer_ops)}"]


def _usage(record: FreezeRecord, out: Path) -> list[str]:
    """Return the Python that uses what was written."""
    place = str(out)
    if out.suffix == ".pb":
        made = f"tf.compat.v1.GraphDef.FromString(open({place!r}, 'rb').read())"
        return [f"graph_def = {made}", "tf.import_graph_def(graph_def, name='')"]
    if out.suffix == ".pbtxt":
        made = f"text_format.Parse(open({place!r}).read(), tf.compat.v1.GraphDef())"
        return [f"graph_def = {made}", "tf.import_graph_def(graph_def, name='')"]
    if out.suffix == ".meta":
        return [
            f"saver = tf.compat.v1.train.import_meta_graph({place!r})",
            "variables = tf.compat.v1.trainable_variables()  # what is left to learn",
        ]
    step = "variables = tf.compat.v1.trainable_variables()  # what is left to learn"
    if record.train_op is not None:
        step = "sess.run(tf.compat.v1.get_collection('train_op')[0], feeds)"
    return [
        f"saver = tf.compat.v1.train.import_meta_graph({str(out / 'model.meta')!r})",
        f"saver.restore(sess, {str(out / 'model')!r})",
        step,
    ]


def _some(names: Sequence[str], most: int | None) -> list[str]:
    """Return names, and how many more there are."""
    if most is None or len(names) <= most:
        return list(names)
    return [*names[:most], f"and {len(names) - most:,} more"]


def _facts(
    facts: Iterable[tuple[str, Sequence[str]]], *, is_listing: bool = False
) -> Iterator[Text]:
    """Yield labelled lines; a listing is wrapped between its entries, else each has a line."""
    for label, entries in facts:
        lines = _wrapped(entries) if is_listing else list(entries)
        for i, line in enumerate(lines):
            yield Text.assemble((f"{'' if i else label:<{LABEL}}", "dim"), " ", line)


def _wrapped(entries: Sequence[str]) -> list[str]:
    # A NUL is no blank, so no entry is broken at one of its own blanks.
    glued = ", ".join(entry.replace(" ", "\0") for entry in entries).replace(", and\0", " and\0")
    lines = textwrap.wrap(glued, WIDTH - LABEL - 1, break_long_words=False, break_on_hyphens=False)
    return [line.replace("\0", " ") for line in lines]


def _table(head: Sequence[str], rows: Sequence[Row], *, right: Iterable[int]) -> Iterator[Text]:
    yield from columns([[Text(cell, "bold") for cell in head], *rows], right=right)


def _state(state: str) -> Text:
    return Text(state, STYLES.get(state, ""))


def _sum(variables: Iterable[VariableRecord]) -> int:
    return sum(v.parameters or 0 for v in variables)


def _sum_text(variables: Sequence[VariableRecord]) -> str:
    unknown = any(v.parameters is None for v in variables)
    known = f"{_sum(variables):,}"
    return known if not unknown else "unknown" if len(variables) == 1 else f"{known} + unknown"


def _frozen(variable: VariableRecord) -> int:
    """Return how many parameters of a partly frozen variable are frozen."""
    if not variable.rows or variable.frozen_rows is None:
        return 0
    return (variable.parameters or 0) * variable.frozen_rows // variable.rows


def _bytes(variable: VariableRecord) -> int:
    """Return how much memory a variable takes; strings count as nothing."""
    bits = re.search(r"\d+$", variable.dtype)
    width = int(bits[0]) // 8 if bits else int(variable.dtype == "bool")
    return (variable.parameters or 0) * width
