"""The options of ``freeze`` that say which values variables begin with."""

from collections.abc import Callable, Mapping, Sequence

import click

from graphfreeze.cli.sections import value_option
from graphfreeze.selection.value_plan import MISSING

Command = Callable[..., None]


def values(command: Command) -> Command:
    """Add all of them to a command."""
    for option in reversed(_VALUES):
        command = option(command)
    return command


def _parse_renames(
    context: click.Context, parameter: click.Parameter, texts: Sequence[str]
) -> Mapping[str, str]:
    """Return new names by the old ones of ``OLD=NEW``, in their order; either may be empty."""
    found: dict[str, str] = {}
    for text in texts:
        old, sign, new = text.rpartition("=")
        if not sign:
            raise click.BadParameter(f"{text!r} is not OLD=NEW, as in 'bert=model/bert'")
        found.pop(old, None)  # a rename that is given again holds as the last one
        found[old] = new
    return found


_VALUES = (
    value_option(
        "--rename",
        metavar="OLD=NEW",
        multiple=True,
        callback=_parse_renames,
        help="Take what the checkpoint has under OLD, a name, scope or pattern, for NEW, which has "
        "the '*' and '**' of OLD: 'bert=model/bert', '**/gamma=**/scale'. '=NEW' adds a scope, "
        "'OLD=' strips one. Of several that match a key the last holds.",
    ),
    value_option(
        "--checkpoint-exclude",
        metavar="P",
        multiple=True,
        help="Start these variables from their initializers, whatever the checkpoint holds.",
    ),
    value_option(
        "--missing",
        type=click.Choice(MISSING),
        default=MISSING[0],
        help="Variables that the checkpoint lacks: error (default), or initialize them.",
    ),
    value_option(
        "--compact",
        is_flag=True,
        help="Leave out of OUT's checkpoint what nothing restores; otherwise files are linked "
        "where no kept value changes.",
    ),
)
