"""graphfreeze show: what a model holds."""

import click
import msgspec

from graphfreeze import api
from graphfreeze.cli import options
from graphfreeze.cli.console import print_json, print_lines, warn
from graphfreeze.report.former import find_problem
from graphfreeze.report.show_text import show_lines


class ShowOptions(msgspec.Struct, frozen=True):
    """The command line of ``show``."""

    model: str
    scope: tuple[str, ...]
    checkpoint: str | None
    tags: str | None
    json: bool
    verbose: bool


@click.command(short_help="Show what a model holds.")
@options.model
@click.option(
    "--scope", metavar="P", multiple=True, help="Only variables that a pattern matches; repeatable."
)
@options.checkpoint
@options.tags
@options.as_json
@click.option("-v", "--verbose", is_flag=True, help="Tell every variable, fold none together.")
@click.pass_context
def show(context: click.Context, /, **_: object) -> None:
    """Show what MODEL holds: format, losses, train ops, and its variables as a tree.

    MODEL is a .meta file, the prefix of a checkpoint with its .meta beside it, a folder with a
    'checkpoint' file, a SavedModel or TF-Hub module (the folder), a GraphDef (.pb, .pbtxt), or what
    graphfreeze wrote.
    """
    chosen = msgspec.convert(context.params, ShowOptions)
    model = api.load(chosen.model, checkpoint=chosen.checkpoint, tags=chosen.tags)
    record = api.show(model, scope=chosen.scope)
    if (problem := find_problem(model)) is not None:
        warn(f"{problem}; states are those of the graph alone")
    if chosen.json:
        print_json(record)
    else:
        print_lines(show_lines(record, verbose=chosen.verbose))
