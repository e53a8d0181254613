"""graphfreeze undo: give back the model that a bundle was made of."""

import click

from graphfreeze import api
from graphfreeze.cli import options
from graphfreeze.cli.console import print_json, print_lines
from graphfreeze.report.undo_text import undo_lines


@click.command(short_help="Give back the file that was frozen, to the byte.")
@click.argument("model", metavar="BUNDLE_OR_META")
@click.argument("out", metavar="OUT")
@options.tags
@click.option("--force", is_flag=True, help="Replace OUT if it exists.")
@options.as_json
def undo(model: str, out: str, *, tags: str | None, force: bool, json: bool) -> None:
    """Take back a freeze or a patch: write the graph file that BUNDLE_OR_META was made of to OUT.

    Each byte of OUT is what it was; OUT needs the suffix of that file. BUNDLE_OR_META is what
    graphfreeze wrote; its values stay where they are, and training goes on from any checkpoint of
    the original. To freeze other parts instead: 'graphfreeze freeze BUNDLE OUT --refreeze'.
    """
    record = api.undo(api.load(model, tags=tags), out, force=force)
    if json:
        print_json(record)
    else:
        print_lines(undo_lines(record))
