"""What whoever trains the result should know, in sentences with figures."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from graphfreeze.errors.base import joined, listed
from graphfreeze.model.functions import called_functions
from graphfreeze.model.records import VariableRecord
from graphfreeze.model.updates import looped_updates
from graphfreeze.report.columns import size_text
from graphfreeze.report.lines import PARTLY, byte_count
from graphfreeze.report.wholes import whole_variables
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.specialise import is_copy
from graphfreeze.train.optimizers import OPTIMIZERS, Known, known_by

_SYMBOLIC = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
_LEAST = 1 << 20  # bytes of a table or of what it saves, to speak of


def learning_notes(variables: Sequence[VariableRecord], optimizer: str | None) -> Iterator[str]:
    """Yield what an optimizer, None if there is none, makes of how rows are chosen."""
    yield from scaling_notes(variables, optimizer)
    yield from overlay_notes(variables, optimizer)
    if optimizer is None:
        yield from mask_notes(variables)


def left_out_notes(tags: Iterable[str]) -> Iterator[str]:
    """Yield the MetaGraphs of the source that a SavedModel beside the bundle does not hold."""
    for each in tags:
        yield (
            f"the SavedModel leaves out the source's MetaGraph of the tags {each}: the checkpoint "
            "that is written lacks keys that it restores, or has other shapes under them, or an "
            "asset of it is missing"
        )


def update_notes(draft: Draft) -> Iterator[str]:
    """Yield the update_ops that no train_op runs, as they are inside loops."""
    looped = looped_updates(draft.graph, draft.collections)
    if looped:
        yield (
            f"update_ops: the train_op does not run {listed(looped, most=3)}: inside a while loop, "
            "nothing outside of it can wait for them"
        )


def mask_notes(variables: Iterable[VariableRecord]) -> Iterator[str]:
    """Yield what masks alone do not do, where no train_op of ours guards partly frozen variables.

    That is the optimizers' part: see ``graphfreeze.train.optimizers``."""
    whole = whole_variables(variables)
    names = [v.name for v in whole if v.state == PARTLY and v.strategy != "overlay"]
    if not names:
        return
    moving = {name for name, known in OPTIMIZERS.items() if known.zero.dense}
    warm = {name for name, known in OPTIMIZERS.items() if known.zero.dense_warm} - moving
    yield (
        f"masks only stop gradients, and a gradient of zero moves values all the same: under "
        f"{joined(sorted(moving))} always, under {joined(sorted(warm))} with restored slots; "
        f"only a train_op that graphfreeze adds keeps the frozen entries of {listed(names, most=3)}"
    )


def call_notes(draft: Draft, variables: Iterable[VariableRecord]) -> Iterator[str]:
    """Yield the calls where gradients of TensorFlow's own pass masks, without a train_op of ours.

    It has SymbolicGradient for them, whose optimizer takes a StopGradient for an Identity."""
    whole = whole_variables(variables)
    names = [v.name for v in whole if v.state == PARTLY and v.strategy != "overlay"]
    bodies = (function.node_def for function in draft.added_functions)
    changed = [draft.graph.nodes[name] for name in draft.changed_nodes()]
    calls = [
        str(node.name)
        for node in chain(changed, *bodies)
        if node.op in _SYMBOLIC or node.op in draft.graph.functions
        if any(map(is_copy, (str(node.op), *called_functions(node))))
    ]
    if names and calls:
        yield (
            "tf.gradients of your own may take masks out of functions called by "
            f"{listed(calls, most=3)}, so that frozen entries of {listed(names, most=3)} learn; "
            "only a train_op that graphfreeze adds keeps them there"
        )


def scaling_notes(variables: Iterable[VariableRecord], optimizer: str | None) -> Iterator[str]:
    """Yield that a scaled gradient is not a learning rate, where rows are scaled and it is none."""
    names = [v.name for v in whole_variables(variables) if v.row_scale is not None]
    known = known_by(optimizer or "")
    if not names or (known is not None and known.is_linear):
        return
    rate = "sgd and momentum take a factor of the gradient as a learning rate"
    if optimizer is None:
        yield f"--row-scale: {rate}; adam and others that divide by its size hardly feel it"
        return
    divides = "divides" if known else "may divide"
    yield (
        f"--row-scale: under {optimizer} scaling a gradient is not a learning rate: it {divides} "
        f"by the gradient's size, so the step of a scaled row hardly changes; {rate}"
    )


def overlay_notes(variables: Iterable[VariableRecord], optimizer: str | None) -> Iterator[str]:
    """Yield the tables that an overlay of their trainable rows would make materially cheaper.

    That is a quarter of the bytes and 1 MiB less for a table with its slots, or a quarter of the
    rows to update in a step."""
    known = known_by(optimizer or "")
    for variable in whole_variables(variables):
        if known is not None and variable.strategy == "mask" and _is_rows(variable):
            told = list(_gains(variable, known))
            if told:
                what = f"would be cheaper for {variable.name} under {optimizer}"
                yield f"--row-strategy overlay {what}: {' and '.join(told)}"


def _gains(variable: VariableRecord, optimizer: Known) -> Iterator[str]:
    """Yield what an overlay of a table saves."""
    rows, table, slots = variable.rows or 0, byte_count(variable), optimizer.slots
    learning = rows - (variable.frozen_rows or 0)
    masked = table * (1 + slots)
    overlaid = table + table * learning // rows * (1 + slots)
    if masked - overlaid > max(masked // 4, _LEAST):
        sizes = f"{size_text(overlaid)} instead of {size_text(masked)}"
        yield f"{sizes} for the table, its slots and the rows over it"
    if optimizer.moves_all_rows and learning < rows / 4 and table > _LEAST:
        yield f"{learning:,} instead of {rows:,} rows updated in a step"


def _is_rows(variable: VariableRecord) -> bool:
    """Tell whether whole rows are frozen and nothing else."""
    others: Sequence[object] = (variable.frozen_along, variable.element_mask, variable.row_scale)
    return variable.state == PARTLY and bool(variable.frozen_rows) and not any(others)
