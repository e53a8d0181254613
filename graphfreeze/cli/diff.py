"""graphfreeze diff: how one model differs from another."""

import click

from graphfreeze import api
from graphfreeze.cli import options
from graphfreeze.cli.console import print_json, print_lines
from graphfreeze.report.diff_text import diff_lines


@click.command(short_help="Tell how two models differ.")
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@options.tags
@click.option("--other-tags", metavar="TAGS", help="The same for B; --tags is for A.")
@options.as_json
@click.option("-v", "--verbose", is_flag=True, help="Tell every node and entry.")
def diff(
    first: str, second: str, *, tags: str | None, other_tags: str | None, json: bool, verbose: bool
) -> None:
    """Tell what model B has and A has not, and the other way round.

    Nodes added, removed, rewired and changed, counts of ops, collections, functions, signatures,
    what the saver keeps, and variables with another state. Values in checkpoints are not compared:
    'graphfreeze verify A B --record' does that.
    """
    record = api.diff(api.load(first, tags=tags), api.load(second, tags=other_tags))
    if json:
        print_json(record)
    else:
        print_lines(diff_lines(record, verbose=verbose))
