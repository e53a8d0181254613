"""Compare what the original and the bundle compute, under the same values, feeds and seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from graphfreeze.check.feeds.chosen_feeds import ChosenFeeds
from graphfreeze.check.running.held_values import Held, find_initializer, find_unsaved
from graphfreeze.check.running.importing import opened
from graphfreeze.check.running.needed_nodes import Running
from graphfreeze.check.running.opened import Opened
from graphfreeze.check.running.outputs import changed_by_growth, changed_on_purpose
from graphfreeze.check.running.what_runs import Runs
from graphfreeze.check.same_bits import compare, same_bits
from graphfreeze.errors import CheckError
from graphfreeze.errors.base import listed
from graphfreeze.model.model import Model
from graphfreeze.model.names import TensorRef
from graphfreeze.model.reads import writers
from graphfreeze.model.records import FreezeRecord
from graphfreeze.model.verify_records import FAILED, PASSED, SKIPPED, OutputRecord, SectionRecord
from graphfreeze.read.number_types import Array
from graphfreeze.selection.resolve import FROZEN, PARTLY

NAME = "forward"
Told = dict[str, str]


@dataclass(frozen=True)
class Forward:
    """What to compare: tensors that both graphs run, by the name of the tensor.

    ``losses`` have to run; where ``others`` do not, the losses are compared alone. ``left`` are
    nodes that do something else in the bundle by intent, and what."""

    original: Model
    out: Model
    record: FreezeRecord
    losses: Sequence[TensorRef]
    others: Sequence[TensorRef]
    runs: Runs
    feeds: ChosenFeeds
    seed: int
    left: Mapping[str, str] = field(default_factory=dict)


def check_forward(
    asked: Forward, notes: Sequence[str] = ()
) -> tuple[SectionRecord, list[OutputRecord]]:
    """Compare losses and outputs bit by bit; raises CheckError where a graph cannot be run."""
    held = asked.runs.held
    if held.missing:
        raise CheckError.no_value(asked.original.source.path, held.missing)
    reasons = _incomparable(asked, held)
    chosen = [ref for ref in [*asked.losses, *asked.others] if ref.node not in reasons]
    left_out = [
        (ref.tensor_name, reasons[ref.node])
        for ref in [*asked.losses, *asked.others]
        if ref.node in reasons
    ]
    if not chosen:
        return SectionRecord(NAME, SKIPPED, notes=_notes(left_out) or ["no common output"]), []
    chosen, values, failed = _both(asked, held, chosen)
    records, unstable = _compared(asked, held, chosen, values)
    told = [*notes, *_notes([*left_out, *unstable.items()]), *failed]
    wrong = [each for each in records if each.different and each.name not in unstable]
    status = FAILED if wrong else PASSED if len(unstable) < len(records) else SKIPPED
    shown = [each for each in records if each.name not in unstable]
    return SectionRecord(NAME, status, [_sentence(each) for each in wrong], told), shown


def _incomparable(asked: Forward, held: Held) -> Told:
    """Return the nodes of the original that may differ from the bundle's, and why."""
    graph, reasons = asked.original.graph, Told()
    for name, state in asked.left.items():
        told = f"in the bundle {name} is {state}"
        reasons |= dict.fromkeys(changed_on_purpose(graph, [name]), told)
    grown = changed_by_growth(graph, held.grown)
    reasons |= dict.fromkeys(grown, f"the bundle has more rows of {listed(held.grown)}")
    others = graph.descendants(held.others, data_only=True)
    return reasons | dict.fromkeys(others, f"{listed(held.others)} has another shape in the bundle")


def _both(
    asked: Forward, held: Held, chosen: Sequence[TensorRef]
) -> tuple[list[TensorRef], list[list[Array]], list[str]]:
    """Return what was compared and the values of both sides; losses alone where others fail."""
    try:
        return list(chosen), [run_original(asked, held, chosen), run_out(asked, chosen)], []
    except CheckError as error:
        losses = [ref for ref in chosen if ref in asked.losses]
        if not losses or len(losses) == len(chosen):
            raise
        told = f"losses alone are compared, for other outputs do not run: {error}"
        return losses, [run_original(asked, held, losses), run_out(asked, losses)], [told]


def run_original(asked: Forward, held: Held, chosen: Sequence[TensorRef]) -> list[Array]:
    """Return tensors of the original under the bundle's values."""
    nodes = asked.runs.original.nodes
    with opened(asked.original, nodes, asked.seed, is_rewritten=False) as model:
        model.assign(held.places)
        if held.initializers:
            model.run(held.initializers, asked.feeds.arrays(asked.original.graph))
        return _fetch(model, asked.runs.original, chosen, asked.feeds)


def run_out(asked: Forward, chosen: Sequence[TensorRef]) -> list[Array]:
    """Return tensors of the bundle."""
    with opened(asked.out, asked.runs.out.nodes, asked.seed, is_rewritten=False) as model:
        begin(model, asked.runs.out)
        return _fetch(model, asked.runs.out, chosen, asked.feeds)


def begin(model: Opened, running: Running) -> None:
    """Restore a bundle's checkpoint, and initialize what its saver leaves out."""
    prefix = model.model.source.checkpoint
    if prefix is None:
        raise CheckError.no_bundle(model.model.source.path)
    model.restore(prefix)
    rest = find_unsaved(model.model, running.nodes)
    starts = {v.name: find_initializer(model.model, v) for v in rest}
    without = [name for name, start in starts.items() if start is None]
    if without:
        raise CheckError.no_value(model.model.source.path, without)
    if starts:
        model.run([start for start in starts.values() if start is not None], {})


def _fetch(
    model: Opened, running: Running, chosen: Sequence[TensorRef], feeds: ChosenFeeds
) -> list[Array]:
    fed = feeds.arrays(model.model.graph)
    model.start(running.starts, fed)
    return model.run([ref.tensor_name for ref in chosen], fed)


def _compared(
    asked: Forward, held: Held, chosen: Sequence[TensorRef], values: Sequence[Sequence[Array]]
) -> tuple[list[OutputRecord], Told]:
    """Return the figures, and what differs for a reason, with that reason."""
    records = [_output(ref, *pair) for ref, *pair in zip(chosen, *values, strict=True)]
    if not any(each.different for each in records):
        return records, {}
    again = run_original(asked, held, chosen)
    triples = zip(chosen, values[0], again, strict=True)
    changing = [ref for ref, a, b in triples if not same_bits(a, b)]
    reason = "two runs of the original itself differ there"
    kept = _after_frozen_writes(asked)
    wrong = [ref for ref, each in zip(chosen, records, strict=True) if each.different]
    spared = {ref.tensor_name: kept[ref.node] for ref in wrong if ref.node in kept}
    return records, spared | {ref.tensor_name: reason for ref in changing}


def _after_frozen_writes(asked: Forward) -> Told:
    """Return what takes a variable that the losses of the original write, where it is frozen."""
    graph, reasons = asked.original.graph, Told()
    before = graph.ancestors(ref.node for ref in asked.losses)
    frozen = {told.name for told in asked.record.variables if told.state in (FROZEN, PARTLY)}
    for variable in asked.original.variables:
        if variable.name in frozen and not before.isdisjoint(writers(graph, variable)):
            reason = f"the original writes entries of {variable.name} before that are frozen"
            reasons |= dict.fromkeys(graph.descendants([variable.name], data_only=True), reason)
    return reasons


def _output(ref: TensorRef, first: Array, second: Array) -> OutputRecord:
    different, largest = compare(first, second)
    return OutputRecord(ref.tensor_name, str(first.dtype), first.size, different, largest)


def _sentence(output: OutputRecord) -> str:
    amount = "" if output.largest is None else f", by up to {output.largest:.3g}"
    return f"{output.name} differs in {output.different:,} of {output.elements:,} elements{amount}"


def _notes(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Return a sentence a reason."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in pairs:
        by_reason.setdefault(reason, []).append(name)
    return [f"not compared: {listed(names, most=4)}: {why}" for why, names in by_reason.items()]
