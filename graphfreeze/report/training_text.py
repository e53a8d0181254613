"""An old training as lines of text."""

from collections.abc import Iterator, Sequence

from graphfreeze.errors.base import count_text, joined, listed
from graphfreeze.model.training_records import (
    ClipRecord,
    OptimizerRecord,
    RateRecord,
    TrainingRecord,
)
from graphfreeze.report.settings_text import number_text

_DECAYS = frozenset({"polynomial", "linear", "exponential", "cosine", "inverse time"})


def training_facts(
    label: str, record: TrainingRecord | None, *, is_old: bool
) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield a label and what is to stand behind it, an optimizer at a time."""
    if record is None:
        return
    told = [list(_optimizer(each)) for each in record.optimizers]
    if record.averages:
        told.append([f"moving averages of {count_text(record.averages, 'variable')}"])
    if is_old:
        nodes = count_text(record.nodes, "node")
        fate = f"{nodes} {'kept' if record.kept else 'dropped'}"
        told = told or [["no optimizer"]]
        told[-1][-1] += f"; {fate}"
    for at, entries in enumerate(told):
        yield ("" if at else label), entries


def kept_notes(record: TrainingRecord | None) -> Iterator[str]:
    """Yield what is to be known of an old training that is still there."""
    if record is None or not record.kept:
        return
    names = listed(record.train_ops, most=3)
    yield (
        f"--keep-training: the old training is still there and writes what is frozen when it is "
        f"run: by {names}, in the collection graphfreeze_old_train_op"
    )
    if record.averages:
        count = count_text(record.averages, "variable")
        yield f"--keep-training: the old training alone moves the moving averages of {count}"
    if record.idle_updates:
        names = listed(record.idle_updates, most=3)
        yield f"--keep-training: no new step runs update_ops that run the old training: {names}"


def _optimizer(record: OptimizerRecord) -> Iterator[str]:
    name = {"": "an update of its own", "hand-written": "a hand-written optimizer"}
    slots = f" ({count_text(record.slots, 'slot')})" if record.slots else ""
    variables = count_text(record.variables, "variable")
    yield f"{name.get(record.name, record.name)} on {variables}{slots}"
    if record.name or record.learning_rate.source != "unknown":
        yield _rate(record.learning_rate)
    if record.decayed:
        yield f"weight decay{_part(record.decayed, record.variables)}"
    for clip in record.clips:
        yield f"clipped by {_clip(clip)}{_part(clip.variables, record.variables)}"


def _part(count: int, whole: int) -> str:
    return f" ({count_text(count, 'variable')})" if count < whole else ""


def _rate(rate: RateRecord) -> str:
    inputs = joined(rate.inputs)
    match rate.source:
        case "constant":
            value = "a constant" if rate.value is None else number_text(rate.value)
            return f"learning rate {value}"
        case "variable" | "placeholder":
            return f"learning rate from the {rate.source} {inputs}"
        case "schedule":
            shapes = [f"{each} decay" if each in _DECAYS else each for each in rate.schedule]
            told = " and ".join(shapes) or "computation that was not recognised"
            return f"learning rate by {_article(told)} {told} of {inputs}"
        case "computed":
            return f"learning rate computed from {inputs or 'data'}"
    return "learning rate not recognised"


def _article(noun: str) -> str:
    return "an" if noun[0] in "aeiou" else "a"


def _clip(clip: ClipRecord) -> str:
    bound = "" if clip.bound is None else f" {number_text(clip.bound)}"
    if clip.kind == "value":
        low = "" if clip.low is None else f" {number_text(clip.low)} to"
        return f"value{low}{bound}"
    return f"{clip.kind}{bound}"
