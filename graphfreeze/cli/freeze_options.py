"""What the command line of ``freeze`` holds, and which options do not go together."""

from pathlib import Path

import click
import msgspec

from graphfreeze.emit.place import is_file

DEFAULT = "adam"


class FreezeOptions(msgspec.Struct, frozen=True):
    """The command line of ``freeze``, but for what is to stop learning."""

    model: str
    out: str | None
    loss: tuple[str, ...]
    optimizer: str | None
    learning_rate: float | None
    no_train_op: bool
    checkpoint: str | None
    force: bool
    dry_run: bool
    json: bool
    verbose: bool

    @property
    def place(self) -> Path | None:
        """Where the result goes, None if that was left out."""
        return Path(self.out) if self.out is not None else None

    @property
    def is_graph_file(self) -> bool:
        """Tell whether OUT is a file that holds a graph alone."""
        return self.place is not None and is_file(self.place)


def check_options(chosen: FreezeOptions) -> None:
    """Refuse options that do not go together; raises UsageError."""
    if chosen.place is None and not chosen.dry_run:
        raise click.UsageError("missing argument 'OUT'; only with --dry-run it may be left out")
    given = {
        "--loss": chosen.loss,
        "--optimizer": chosen.optimizer,
        "--learning-rate": chosen.learning_rate,
    }
    name = next((name for name, value in given.items() if value not in (None, ())), None)
    if name is not None and chosen.is_graph_file:
        raise click.UsageError(
            f"{name} needs a bundle: the graph file {chosen.out} carries no train_op; "
            "give OUT without a suffix"
        )
    if name is not None and chosen.no_train_op:
        raise click.UsageError(f"{name} has no meaning with --no-train-op; leave one out")
