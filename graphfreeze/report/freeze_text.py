"""A freeze's record as lines of text."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.text import Text

from graphfreeze.emit.also import SAVED_MODEL
from graphfreeze.emit.place import is_file
from graphfreeze.errors.base import count_text
from graphfreeze.model.assets import FOLDER
from graphfreeze.model.records import NAME, FreezeRecord, VariableRecord
from graphfreeze.model.targets import TF2
from graphfreeze.report.choices import OVERLAY
from graphfreeze.report.columns import (
    Row,
    shape_text,
    share_text,
)
from graphfreeze.report.entry_text import entry_facts, note_facts
from graphfreeze.report.head_text import head_facts
from graphfreeze.report.lines import (
    FROZEN,
    LEARNING,
    MOST_LISTED,
    MOST_NAMES,
    NOT_REACHED,
    PARTLY,
    TRAINABLE,
    UPDATED,
    entries_text,
    facts,
    frozen_count,
    is_whole,
    some_of,
    state_text,
    sum_of,
    sum_text,
    table,
    written_text,
)
from graphfreeze.report.settings_text import number_text, settings_facts
from graphfreeze.report.training_text import training_facts
from graphfreeze.report.tree import Branch, fold, gather, grow, walk
from graphfreeze.report.values_record import values_facts
from graphfreeze.report.wholes import whole_variables


def freeze_lines(
    record: FreezeRecord, out: Path | None, *, verbose: bool = False
) -> Iterator[Text]:
    """Yield what a freeze did; ``out`` is where it was written, None if it was not."""
    wholes = whole_variables(record.variables)
    yield from variable_lines(record, wholes, verbose=verbose)
    yield Text()
    yield from facts(entry_facts(record, wholes, verbose=verbose))
    yield from facts(_changes(record, out, verbose), is_listing=True)
    old = training_facts("old training", record.old_training, is_old=True)
    yield from facts(old, is_listing=True)
    yield from facts(head_facts(record.head))
    if record.train_op is not None:
        yield from facts(_training(record))
    yield from facts(note_facts(record))
    yield Text()
    if out is None:
        yield Text("dry run: nothing was written", "bold")
        return
    yield written_text(out, ", to be used so:")
    yield Text("    with tf.Graph().as_default(), tf.compat.v1.Session() as sess:")
    yield from (Text(f"        {line}") for line in _usage(record, out))


def variable_lines(
    record: FreezeRecord, wholes: Sequence[VariableRecord], *, verbose: bool
) -> Iterator[Text]:
    """Yield what became of each variable, and of all parameters."""
    yield Text(record.source, "bold")
    yield Text()
    branches = grow(record.variables if verbose else wholes)
    if not verbose and len(wholes) > MOST_LISTED:
        branches = fold(gather(branches))
    rows = [_decided(depth, branch) for depth, branch in walk(branches)]
    yield from table(("variable", "shape", "parameters", "state", "by"), rows, right=(2,))
    yield Text()
    yield from _freeze_totals(wholes)


def _decided(depth: int, branch: Branch) -> Row:
    """Return the row of a variable, of a scope that is told as one, or of a scope's head."""
    name, own = "  " * depth + branch.name, branch.own
    if own is None:
        state, rule = (branch.fate or ("", "")) if not branch.below else ("", "")
        count = count_text(len(branch.variables), "variable")
        return f"{name}/", count, sum_text(branch.variables), state_text(state), rule
    rule = own.rule if is_whole(own) else _entries_rule(own)
    times = f"{branch.alike} x " if branch.alike > 1 else ""
    return name, shape_text(own), times + sum_text([own]), state_text(own.state), rule


def _entries_rule(variable: VariableRecord) -> str:
    """Return how much is frozen, and the options without the name that stands in the line."""
    names = (variable.name, variable.partition_of)
    options = " ".join(each for each in variable.rule.split(" ") if each not in names)
    told = [entries_text(variable), options, OVERLAY if variable.strategy == OVERLAY else ""]
    return ", ".join(filter(None, told))


def _freeze_totals(variables: Sequence[VariableRecord]) -> Iterator[Text]:
    """Yield frozen against learning parameters; what never learns is no part of the 100 %."""
    by_state = {state: [v for v in variables if v.state == state] for state in (FROZEN, *LEARNING)}
    partly = by_state[PARTLY]
    rows_frozen = sum(frozen_count(v) for v in partly)
    frozen = sum_of(by_state[FROZEN]) + rows_frozen
    learning = sum_of(by_state[TRAINABLE]) + sum_of(partly) - rows_frozen
    unreached = sum_of(by_state[NOT_REACHED])
    whole = frozen + learning + unreached
    rows: list[Row] = [
        _total(FROZEN, frozen, whole, len(by_state[FROZEN]), len(partly)),
        _total(TRAINABLE, learning, whole, len(by_state[TRAINABLE]), len(partly)),
    ]
    if by_state[NOT_REACHED]:
        rows.append(_total(NOT_REACHED, unreached, whole, len(by_state[NOT_REACHED]), 0))
    updated = [v for v in variables if v.state == UPDATED]
    others = [v for v in variables if v.state not in (*by_state, UPDATED)]
    for state, those in ((UPDATED, updated), ("not trainable", others)):
        if those:
            rows.append((state_text(state), f"{sum_of(those):,}", "", f"{len(those):,}"))
    yield from table(("", "parameters", "", "variables"), rows, right=(1, 2))


def _total(state: str, part: int, whole: int, count: int, partly: int) -> Row:
    variables = f"{count:,}" + (f" and part of {partly:,}" if partly else "")
    return state_text(state), f"{part:,}", share_text(part, whole), variables


def _changes(
    record: FreezeRecord, out: Path | None, verbose: bool
) -> Iterator[tuple[str, Sequence[str]]]:
    most = None if verbose else MOST_NAMES
    ops = Counter(record.operations_added).most_common()
    nodes = f"{count_text(record.nodes_added, 'node')} added, {record.nodes_changed:,} changed"
    yield "graph", [f"{nodes}, {record.nodes_removed:,} removed; {record.nodes:,} in all"]
    if ops:
        yield "  new ops", some_of([f"{op} {count:,}" for op, count in ops], most)
    yield from _copied(record, most)
    if record.stopped_tensors:
        yield "  stopped at", record.stopped_tensors
    if record.batch_norms_inference:
        yield "  inferring", some_of(record.batch_norms_inference, most)
    if record.dropouts_off:
        yield "  no dropout", some_of(record.dropouts_off, most)
    added, dropped, changed = record.keys_added, record.keys_dropped, record.keys_changed
    keys = f"{count_text(len(added), 'key')} added, {len(dropped):,} dropped"
    if changed:
        keys += f", {len(changed):,} changed"
    keys = keys if added or dropped or changed else "nothing added or dropped"
    is_alone = out is not None and is_file(out)
    yield "checkpoint", [f"none is written; one for this graph has {keys}" if is_alone else keys]
    yield from values_facts(record.values, verbose=verbose)
    if added:
        yield "  added", some_of(added, most)
    if dropped:
        yield "  dropped", some_of(dropped, most)
    if changed:
        yield "  changed", some_of(changed, most)
    if record.also:
        names = {form: f"{NAME}.{form}" for form in record.also} | {SAVED_MODEL: f"{SAVED_MODEL}/"}
        yield "also", [names[form] for form in record.also]


def _copied(record: FreezeRecord, most: int | None) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield the functions that were copied, and what is new in the copies."""
    copied = record.copied
    copies = f"{len(copied.functions):,} copied for what is frozen" if copied.functions else ""
    others = f"{copied.others:,} added by the train_op" if copied.others else ""
    if copies or others:
        told = ", ".join(filter(None, (copies, others)))
        yield "functions", [f"{told}; the model keeps its own"]
    if copied.operations:
        ops = Counter(copied.operations).most_common()
        yield "  new ops", some_of([f"{op} {count:,}" for op, count in ops], most)


def _training(record: FreezeRecord) -> Iterator[tuple[str, Sequence[str]]]:
    rate = record.learning_rate
    yield "train_op", [str(record.train_op)]
    yield "  loss", [f"{'+ ' * (i > 0)}{name}" for i, name in enumerate(record.losses)]
    told = f", learning rate {number_text(rate)}" if rate else ""
    yield "  optimizer", [f"{record.optimizer}{told}"]
    yield from settings_facts(record)
    if record.slots_kept:
        yield "  slots", [f"{len(record.slots_kept):,} go on from the checkpoint's"]
    yield "  step", [str(record.global_step)]
    yield from _target(record)


def _target(record: FreezeRecord) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield which TensorFlow is to run the train_op, and what that took."""
    if record.target is not None:
        others = " alone; 1.15 may not run it" if record.target == TF2 else " and later"
        yield "  target", [f"TensorFlow {record.target}{others}"]
    if record.ops_rewritten:
        told = [f"{op} {count:,}" for op, count in record.ops_rewritten.items()]
        yield "  older ops", [f"in place of {', '.join(told)}"]
    if record.newer_ops:
        yield "  needs", [f"ops that TensorFlow 1.15 lacks: {', '.join(record.newer_ops)}"]


def _usage(record: FreezeRecord, out: Path) -> list[str]:
    """Return the Python that uses what was written."""
    place = str(out)
    if out.suffix == ".pb":
        made = f"tf.compat.v1.GraphDef.FromString(open({place!r}, 'rb').read())"
        return [f"graph_def = {made}", "tf.import_graph_def(graph_def, name='')"]
    if out.suffix == ".pbtxt":
        made = f"text_format.Parse(open({place!r}).read(), tf.compat.v1.GraphDef())"
        proto = "from google.protobuf import text_format"
        return [proto, f"graph_def = {made}", "tf.import_graph_def(graph_def, name='')"]
    if out.suffix == ".meta":
        return [
            f"saver = tf.compat.v1.train.import_meta_graph({place!r})",
            "variables = tf.compat.v1.trainable_variables()  # what is left to learn",
        ]
    step = "variables = tf.compat.v1.trainable_variables()  # what is left to learn"
    if record.train_op is not None:
        step = "sess.run(tf.compat.v1.get_collection('train_op')[0], feeds)"
    merge = [f"sess.run({record.merge_op!r})  # when trained"] if record.merge_op else []
    return [
        f"saver = tf.compat.v1.train.import_meta_graph({str(out / 'model.meta')!r})",
        f"saver.restore(sess, {str(out / 'model')!r})",
        *_starting_tables(record, out),
        step,
        *merge,
    ]


def _starting_tables(record: FreezeRecord, out: Path) -> list[str]:
    """Return the Python that fills lookup tables, from the files of a bundle if it has some."""
    if not record.table_initializers:
        return []
    fed = {each.tensor: str(out / FOLDER / each.filename) for each in record.assets}
    return [f"sess.run(tf.compat.v1.tables_initializer(){f', {fed}' if fed else ''})"]
