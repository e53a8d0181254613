"""The options of ``freeze`` that give a model a head."""

from collections.abc import Callable

import click

from graphfreeze.cli.freeze_options import FreezeOptions
from graphfreeze.cli.sections import head_option
from graphfreeze.model.heads import KINDS, NAME, Head

Command = Callable[..., None]


def heads(command: Command) -> Command:
    """Add all of them to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def make_head(chosen: FreezeOptions) -> Head | None:
    """Return the head that was asked for, if one was; raises UsageError, HeadError."""
    kind, at, classes, name = chosen.head, chosen.at, chosen.classes, chosen.head_name
    if kind is not None:
        if at is None:
            raise click.UsageError("--head needs the tensor that it is laid on; give --at TENSOR")
        return Head(kind, at, classes, NAME if name is None else name, chosen.features)
    given = {"--at": at, "--classes": classes, "--head-name": name, "--features": chosen.features}
    for option, value in given.items():
        if value is not None:
            raise click.UsageError(f"{option} has no meaning without --head; leave it out")
    return None


_OPTIONS = (
    head_option(
        "--head",
        metavar="KIND",
        help=f"{', '.join(KINDS)}: a dense layer, labels, and a loss, which is then trained.",
    ),
    head_option("--at", metavar="TENSOR", help="The features that it is laid on."),
    head_option("--classes", type=int, metavar="N", help="How many there are; regression: 1."),
    head_option("--features", type=int, metavar="N", help="Where the graph does not say it."),
    head_option("--head-name", metavar="NAME", help=f"The scope of what is new. Default: {NAME}."),
)
