"""An export's record as lines of text."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rich.text import Text

from graphfreeze.emit.exporting import CHECKPOINT, FROZEN, SAVED_MODEL
from graphfreeze.model.exported_records import ExportRecord
from graphfreeze.report.columns import count_text
from graphfreeze.report.lines import LABEL, WIDTH, facts
from graphfreeze.report.training_text import training_facts

_WIDTH = WIDTH - LABEL - 1
_USAGE = {
    CHECKPOINT: [
        "saver = tf.compat.v1.train.import_meta_graph({meta!r})",
        "saver.restore(sess, {prefix!r})",
    ],
    SAVED_MODEL: ["tf.compat.v1.saved_model.loader.load(sess, {tags!r}, {out!r})"],
}


def export_lines(record: ExportRecord) -> Iterator[Text]:
    """Yield what was exported, and how it is used."""
    yield Text(record.source, "bold")
    yield Text()
    yield from facts(_facts(record))
    yield from facts(training_facts("training", record.training, is_old=True), is_listing=True)
    yield from facts(_served(record))
    for note in record.notes:
        lines = textwrap.wrap(note, _WIDTH, break_long_words=False, break_on_hyphens=False)
        yield from facts([("note", lines)])
    yield Text()
    yield Text.assemble("written to ", (record.out, "bold"))
    out = Path(record.out)
    names = {"out": record.out, "tags": record.tags}
    names |= {"meta": str(out / "model.meta"), "prefix": str(out / "model")}
    yield from (Text(f"    {line.format(**names)}") for line in _USAGE.get(record.form, ()))
    if record.form == SAVED_MODEL and record.signatures:
        first = "serving_default" if "serving_default" in record.signatures else None
        name = first or min(record.signatures)
        load = f"tf.saved_model.load({record.out!r}, tags={record.tags!r})"
        yield Text(f"    {load}.signatures[{name!r}]  # in TensorFlow 2")


def _facts(record: ExportRecord) -> Iterator[tuple[str, Sequence[str]]]:
    yield "format", [record.form]
    if record.checkpoint is not None:
        told = {True: ", trained", False: ", as the bundle began: not trained", None: ""}
        yield "values", [f"{record.checkpoint}{told[record.trained]}"]
    count = count_text(record.variables, "variable")
    kind = f" ({record.kind})" if record.kind else ""
    yield "variables", [f"{count}{kind}, {count_text(record.parameters, 'parameter')}"]
    nodes = f"{record.nodes_removed:,} removed, {record.nodes_added:,} added"
    yield "graph", [f"{record.nodes:,} nodes: {nodes}, {record.nodes_changed:,} changed"]
    if record.merged:
        yield "merged", [f"{name}: {count_text(n, 'row')}" for name, n in record.merged.items()]
    if record.head is not None:
        yield "head", [f"{record.head.name}: {record.head.kind} at {record.head.at}"]
    if record.grown:
        yield "grown", [f"{name} to {count_text(n, 'row')}" for name, n in record.grown.items()]


def _served(record: ExportRecord) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield tags, signatures and outputs, which only some formats have."""
    if record.form == SAVED_MODEL:
        yield "tags", [", ".join(record.tags) or "none"]
    for name, signature in record.signatures.items():
        guess = ", guessed" if signature.guessed else ""
        told = f"{_pairs(signature.inputs)} -> {_pairs(signature.outputs)}{guess}"
        yield "signature", [name, *textwrap.wrap(f"  {told}", _WIDTH, break_long_words=False)]
    if record.form == FROZEN:
        yield "outputs", record.outputs


def _pairs(tensors: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={tensor}" for name, tensor in tensors.items()) or "nothing"
