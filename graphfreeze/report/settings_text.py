"""How a train_op was asked to train, as lines of text."""

from collections.abc import Iterator, Sequence

from graphfreeze.model.records import FreezeRecord
from graphfreeze.train.groups import BERT_NO_DECAY

_USUAL = "as BERT: LayerNorm, layer_norm or bias anywhere in the name"


def settings_facts(record: FreezeRecord) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield what was asked for besides the optimizer."""
    if record.arguments:
        yield "", [f"{name} {_told(value)}" for name, value in record.arguments.items()]
    if record.no_decay:
        is_usual = tuple(record.no_decay) == BERT_NO_DECAY
        yield "  no decay", [_USUAL] if is_usual else record.no_decay
    if record.schedule is not None:
        yield "  schedule", [record.schedule]
    if record.lr_scales:
        yield "  rates", [f"{pattern} x {factor:g}" for pattern, factor in record.lr_scales.items()]
    if record.clip_norm is not None:
        yield "  clipped", [f"to a norm of {record.clip_norm:g} of all gradients of what learns"]
    if record.accumulate > 1:
        yield "  a step is", [f"the mean of {record.accumulate:,} runs; fewer are not saved"]
    if record.skip_nonfinite:
        yield "  skipped", ["runs whose gradients hold inf or NaN: graphfreeze/skipped_steps"]
    if record.seed is not None:
        yield "  seed", [str(record.seed)]


def _told(value: float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"
