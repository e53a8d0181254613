"""graphfreeze explain: why a variable has a gradient or none, or why it still moves."""

from collections.abc import Iterator

import click
import msgspec
from rich.text import Text

from graphfreeze import api
from graphfreeze.cli import options
from graphfreeze.cli.console import print_json, print_lines
from graphfreeze.report.explain_text import gradient_lines, writer_lines
from graphfreeze.train.request import TOTAL

EXAMPLES = """\b
Examples:
  graphfreeze explain bundle hidden/kernel --loss loss:0
  graphfreeze explain bundle bn1/moving_mean --writers
"""


class ExplainOptions(msgspec.Struct, frozen=True):
    """The command line of ``explain``."""

    model: str
    variable: str
    loss: tuple[str, ...]
    writers: bool
    train_op: str | None
    tags: str | None
    json: bool
    verbose: bool


@click.command(short_help="Tell why a variable has a gradient or none.", epilog=EXAMPLES)
@options.model
@click.argument("variable", metavar="VARIABLE")
@click.option(
    "--loss",
    metavar="TENSOR",
    multiple=True,
    help=f"The loss, several are summed; '{TOTAL}' is the sum of all losses of the graph. "
    "May be left out of a bundle, and where the graph's 'losses' leave no doubt.",
)
@click.option("--writers", is_flag=True, help="Tell what writes VARIABLE: why it still moves.")
@click.option(
    "--train-op", metavar="OP", help="With --writers: the step, if not what the graph lists."
)
@options.tags
@options.as_json
@click.option("-v", "--verbose", is_flag=True, help="Tell every step of long paths.")
@click.pass_context
def explain(context: click.Context, /, **_: object) -> None:
    """Tell why VARIABLE of MODEL has a gradient, or none: the path to the loss, or what cuts it.

    With --writers tell why VARIABLE still moves: every op that writes it, and the path by which
    the train_op runs that one. Nothing is executed, and TensorFlow is not started.
    """
    chosen = msgspec.convert(context.params, ExplainOptions)
    _check(chosen)
    model = api.load(chosen.model, tags=chosen.tags)
    if chosen.writers:
        told = api.explain_writers(model, chosen.variable, train_op=chosen.train_op)
        _print(told, writer_lines(told, verbose=chosen.verbose), chosen)
    else:
        record = api.explain_gradient(model, chosen.variable, loss=chosen.loss)
        _print(record, gradient_lines(record, verbose=chosen.verbose), chosen)


def _print(record: msgspec.Struct, lines: Iterator[Text], chosen: ExplainOptions) -> None:
    if chosen.json:
        print_json(record)
    else:
        print_lines(lines)


def _check(chosen: ExplainOptions) -> None:
    if chosen.writers and chosen.loss:
        raise click.UsageError("--writers asks about a train_op, --loss about a gradient: use one")
    if chosen.train_op is not None and not chosen.writers:
        raise click.UsageError("--train-op says which step is meant by --writers; add --writers")
