"""What the command line of ``freeze`` holds, and which options do not go together."""

import click

from graphfreeze.cli.options import OutOptions
from graphfreeze.emit.place import is_file
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.selection.value_plan import ValuePlan

DEFAULT, DECAYING = "adam", "adamw"
_BARE = (".pb", ".pbtxt")
_ROWS = ("freeze_rows", "train_rows", "freeze_words", "train_words")
_NEEDS = {
    "vocab": ("freeze_words", "train_words", "add_words", "vectors"),
    "missing_words": ("freeze_words", "train_words"),
    "partition": ("freeze_words", "train_words", "vectors"),
    "row_strategy": _ROWS,
    "batch_norm": ("freeze", "train_only"),
    "dropout": ("freeze", "train_only"),
    "mask_kernel": (*_ROWS, "freeze_columns", "freeze_elements", "row_scale"),
}


class FreezeOptions(OutOptions, frozen=True):
    """The command line of ``freeze``, but for what is to stop learning."""

    model: str
    head: str | None
    at: str | None
    classes: int | None
    features: int | None
    head_name: str | None
    loss: tuple[str, ...]
    optimizer: str | None
    learning_rate: float | None
    keep_slots: bool
    optimizer_argument: dict[str, float | bool]
    no_decay: tuple[str, ...]
    schedule: str | None
    lr_scale: dict[str, float]
    clip_norm: float | None
    accumulate: int | None
    skip_nonfinite: bool
    target: str | None
    gradient: dict[str, str]
    custom_gradients: str | None
    no_train_op: bool
    refreeze: bool
    keep_training: bool
    checkpoint: str | None
    tags: str | None
    clear_devices: bool
    no_backprop: tuple[str, ...]
    also: tuple[str, ...]
    op_library: tuple[str, ...]
    force: bool
    seed: int | None
    json: bool
    verbose: bool

    @property
    def is_graph_file(self) -> bool:
        """Tell whether OUT is a file that holds a graph alone."""
        return self.place is not None and is_file(self.place)


def check_plan(plan: FreezePlan) -> None:
    """Refuse options that mean nothing without others; raises UsageError."""
    default = FreezePlan()
    for name, others in _NEEDS.items():
        is_given = getattr(plan, name) != getattr(default, name)
        if is_given and not any(getattr(plan, other) for other in others):
            *most, last = map(_flag, others)
            needed = f"{', '.join(most)} or {last}"
            raise click.UsageError(f"{_flag(name)} has no meaning without {needed}; leave it out")
    if plan.row_strategy == "overlay" and plan.mask_kernel != default.mask_kernel:
        raise click.UsageError(
            "--mask-kernel has no meaning with --row-strategy overlay, which masks nothing; "
            "leave one out"
        )


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def check_values(chosen: FreezeOptions, values: ValuePlan) -> None:
    """Refuse options for a checkpoint where none is written; raises UsageError."""
    default = ValuePlan()
    fields = ValuePlan.__struct_fields__
    given = [name for name in fields if getattr(values, name) != getattr(default, name)]
    if given and chosen.is_graph_file:
        raise click.UsageError(
            f"{_flag(given[0])} needs a bundle: the graph file {chosen.out} has no checkpoint; "
            "give OUT without a suffix"
        )


def check_options(chosen: FreezeOptions) -> None:
    """Refuse options that do not go together; raises UsageError."""
    chosen.check_place()
    given = {
        "--loss": chosen.loss,
        "--optimizer": chosen.optimizer,
        "--learning-rate": chosen.learning_rate,
        "--keep-slots": chosen.keep_slots,
        "--optimizer-argument": chosen.optimizer_argument,
        "--no-decay": chosen.no_decay,
        "--schedule": chosen.schedule,
        "--lr-scale": chosen.lr_scale,
        "--clip-norm": chosen.clip_norm,
        "--accumulate": chosen.accumulate,
        "--skip-nonfinite": chosen.skip_nonfinite,
        "--target": chosen.target,
        "--gradient": chosen.gradient,
        "--custom-gradients": chosen.custom_gradients,
    }
    asked = (name for name, v in given.items() if v not in (None, (), {}) and v is not False)
    name = next(asked, None)
    if name is not None and chosen.is_graph_file:
        raise click.UsageError(
            f"{name} needs a bundle: the graph file {chosen.out} carries no train_op; "
            "give OUT without a suffix"
        )
    if chosen.also and chosen.is_graph_file:
        raise click.UsageError(
            f"--also needs a bundle: {chosen.out} is one file; give OUT without a suffix"
        )
    if chosen.no_backprop and chosen.place is not None and chosen.place.suffix in _BARE:
        raise click.UsageError(
            f"--no-backprop needs contexts, which {chosen.out} does not hold; "
            "give OUT without a suffix, or with .meta"
        )
    if chosen.also and chosen.dry_run:
        raise click.UsageError("--also has no meaning with --dry-run, which writes nothing")
    if name is not None and chosen.no_train_op:
        raise click.UsageError(f"{name} has no meaning with --no-train-op; leave one out")
    if chosen.no_decay and chosen.optimizer != DECAYING:
        raise click.UsageError(f"--no-decay has no meaning without --optimizer {DECAYING}")
