"""What whoever trains the result should know, in sentences with figures."""

from collections.abc import Iterable, Iterator, Sequence

from graphfreeze.model.records import VariableRecord
from graphfreeze.report.columns import size_text
from graphfreeze.report.lines import PARTLY, byte_count
from graphfreeze.report.wholes import whole_variables
from graphfreeze.train.optimizers import OPTIMIZERS

SLOTS = {
    "sgd": 0,
    "momentum": 1,
    "nesterov": 1,
    "adam": 2,
    "adagrad": 1,
    "adagrad_da": 2,
    "adadelta": 2,
    "rmsprop": 2,
    "centered_rmsprop": 3,
    "ftrl": 2,
    "proximal_sgd": 0,
    "proximal_adagrad": 1,
}
_LINEAR = frozenset({"sgd", "momentum", "nesterov", "proximal_sgd"})
_DENSE = frozenset({"adam"})  # its sparse update moves all rows of its slots
_LEAST = 1 << 20  # bytes of a table or of what it saves, to speak of


def learning_notes(variables: Sequence[VariableRecord], optimizer: str | None) -> Iterator[str]:
    """Yield what an optimizer, None if there is none, makes of how rows are chosen."""
    yield from scaling_notes(variables, optimizer)
    yield from overlay_notes(variables, optimizer)


def scaling_notes(variables: Iterable[VariableRecord], optimizer: str | None) -> Iterator[str]:
    """Yield that a scaled gradient is not a learning rate, where rows are scaled and it is none."""
    names = [v.name for v in whole_variables(variables) if v.row_scale is not None]
    known = _name(optimizer)
    if not names or known in _LINEAR:
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
    known = _name(optimizer)
    for variable in whole_variables(variables) if known else ():
        if variable.strategy == "mask" and _is_rows(variable):
            yield from _overlay_note(variable, known)


def _overlay_note(variable: VariableRecord, optimizer: str) -> Iterator[str]:
    rows, table, slots = variable.rows or 0, byte_count(variable), SLOTS[optimizer]
    learning = rows - (variable.frozen_rows or 0)
    masked = table * (1 + slots)
    overlaid = table + table * learning // rows * (1 + slots)
    told = []
    if masked - overlaid > max(masked // 4, _LEAST):
        sizes = f"{size_text(overlaid)} instead of {size_text(masked)}"
        told.append(f"{sizes} for the table, its slots and the rows over it")
    if optimizer in _DENSE and learning < rows / 4 and table > _LEAST:
        told.append(f"{learning:,} instead of {rows:,} rows updated in a step")
    if told:
        what = f"--row-strategy overlay would be cheaper for {variable.name} under {optimizer}"
        yield f"{what}: {' and '.join(told)}"


def _is_rows(variable: VariableRecord) -> bool:
    """Tell whether whole rows are frozen and nothing else."""
    others: Sequence[object] = (variable.frozen_along, variable.element_mask, variable.row_scale)
    return variable.state == PARTLY and bool(variable.frozen_rows) and not any(others)


def _name(optimizer: str | None) -> str:
    """Return the name here of an optimizer or of its class, '' if it has none."""
    if optimizer is not None and optimizer in OPTIMIZERS:
        return optimizer
    return next((name for name, known in OPTIMIZERS.items() if known.cls == optimizer), "")
