"""The record of a thaw."""

from collections.abc import Iterator

from graphfreeze.frozen import FrozenModel
from graphfreeze.model.constants import find_constants
from graphfreeze.model.graph import Graph
from graphfreeze.model.thaw_records import LeftRecord, ThawedRecord, ThawRecord
from graphfreeze.model.weights import Weight
from graphfreeze.report.columns import count_text
from graphfreeze.report.lines import type_width


def thaw_record(frozen: FrozenModel) -> ThawRecord | None:
    """Return which constants became variables, None for a freeze."""
    thaw = frozen.thaw
    if thaw is None:
        return None
    left: dict[str, list[str]] = {}
    for each in thaw.left:
        left.setdefault(each.reason, []).append(each.constant.name)
    return ThawRecord(
        kind=thaw.kind,
        patterns=list(thaw.patterns),
        thawed=[_thawed(weight) for weight in thaw.weights],
        left=[LeftRecord(reason, names) for reason, names in left.items()],
        in_functions=_count_in_functions(frozen.draft.base.graph),
    )


def thaw_notes(frozen: FrozenModel) -> Iterator[str]:
    """Yield what a user of a thawed graph has to know."""
    record = thaw_record(frozen)
    if record is None:
        return
    if record.in_functions:
        what = count_text(record.in_functions, "floating array")
        yield f"{what} in bodies of functions stay constants: only those of the graph itself thaw"
    yield "the frozen file is the original: nothing of it is copied, so keep it"


def _thawed(weight: Weight) -> ThawedRecord:
    constant = weight.constant
    return ThawedRecord(
        name=constant.name,
        dtype=constant.type_name,
        shape=[size or 0 for size in constant.shape],
        bytes=constant.elements * type_width(constant.type_name),
        taken_by=weight.why,
        is_trainable=weight.is_trainable,
    )


def _count_in_functions(graph: Graph) -> int:
    """Return how many constants in function bodies could be weights."""
    bodies = (Graph(f.node_def, {}, graph.ops) for f in graph.functions.values())
    constants = (constant for body in bodies for constant in find_constants(body))
    return sum(1 for each in constants if each.is_floating and each.elements > 1)
