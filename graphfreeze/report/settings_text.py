"""How a train_op was asked to train, as lines of text."""

from collections.abc import Iterator, Sequence

from graphfreeze.model.records import FreezeRecord
from graphfreeze.train.adamw import WEIGHT_DECAY
from graphfreeze.train.groups import BERT_NO_DECAY

_USUAL = "as BERT: LayerNorm, layer_norm or bias anywhere in the name"


def settings_facts(record: FreezeRecord) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield what was asked for besides the optimizer."""
    decay = {"weight_decay": WEIGHT_DECAY} if record.optimizer == "adamw" else {}
    arguments = {**decay, **record.arguments}
    if arguments:
        yield "", [f"{name} {_told(value)}" for name, value in arguments.items()]
    if record.no_decay:
        is_usual = tuple(record.no_decay) == BERT_NO_DECAY
        yield "  no decay", [_USUAL] if is_usual else record.no_decay
    if record.schedule is not None:
        yield "  schedule", [record.schedule]
    if record.lr_scales:
        yield "  rates", [f"{p} x {number_text(factor)}" for p, factor in record.lr_scales.items()]
    if record.clip_norm is not None:
        norm = f"to a global norm of {number_text(record.clip_norm)}"
        yield "  clipped", [f"{norm}; gradients of what is frozen do not count"]
    if record.accumulate > 1:
        yield (
            "  a step is",
            [f"{record.accumulate:,} runs, by their mean gradient; no checkpoint holds a part"],
        )
    if record.skip_nonfinite:
        yield "  skipped", ["runs whose gradients hold inf or NaN: graphfreeze/skipped_steps"]
    if record.seed is not None:
        yield "  seed", [str(record.seed)]


def number_text(value: float) -> str:
    """Return a number in full, but for the noise of its last digits."""
    return f"{value:.12g}"


def _told(value: float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else number_text(value)
