"""graphfreeze thaw: let frozen weights be variables again."""

import sys
from contextlib import nullcontext

import click
import msgspec

from graphfreeze import api
from graphfreeze.cli import options
from graphfreeze.cli.chatter import without_chatter
from graphfreeze.cli.console import print_json, print_lines, working
from graphfreeze.model.records import FreezeRecord
from graphfreeze.report.thaw_text import thaw_lines
from graphfreeze.selection.constants import KINDS

EXAMPLES = """\b
Examples:
  graphfreeze thaw frozen_graph.pb --dry-run
  graphfreeze thaw frozen_graph.pb thawed
  graphfreeze thaw frozen_graph.pb thawed --constants 'conv_*/{weights,biases}'
  graphfreeze freeze thawed tuned --train-only logits --loss loss:0
"""


class ThawOptions(options.OutOptions, frozen=True):
    """The command line of ``thaw``."""

    model: str
    constants: tuple[str, ...]
    variables: str
    checkpoint: str | None
    tags: str | None
    no_backprop: tuple[str, ...]
    force: bool
    json: bool
    verbose: bool


@click.command(short_help="Let frozen weights be variables again.", epilog=EXAMPLES)
@options.model
@click.argument("out", metavar="OUT", required=False)
@click.option(
    "--constants",
    metavar="P",
    multiple=True,
    help="The floating arrays that a pattern matches, or any constant named in full; repeatable. "
    "Default: those that are taken as weights.",
)
@click.option(
    "--variables",
    type=click.Choice(KINDS),
    default=KINDS[0],
    help="The kind of variables. Default: ref.",
)
@options.checkpoint
@options.tags
@options.no_backprop
@click.option("--force", is_flag=True, help="Replace OUT if it exists.")
@click.option("--dry-run", is_flag=True, help="Do all but write; OUT may be left out.")
@options.as_json
@click.option("-v", "--verbose", is_flag=True, help="Tell every constant, and what takes it.")
@click.pass_context
def thaw(context: click.Context, /, **_: object) -> None:
    """Turn weights that TensorFlow's freeze_graph made constants into variables again.

    OUT is a new folder with model.meta, a checkpoint of the values, and graphfreeze.json. The graph
    computes the same to the bit. OUT is a model like any other: 'show' it, 'freeze' parts of it,
    train the rest.

    Names are those from before the freezing. Without --constants the weights are known by what
    takes them (MatMul, Conv2D, BiasAdd, Gather, batch norms, ...); shapes, axes, thresholds and
    preprocessing stay constants. Moving averages become variables that do not learn.
    """
    chosen = msgspec.convert(context.params, ThawOptions)
    chosen.check_place()
    record = _run(chosen)
    if chosen.json:
        print_json(record)
    else:
        out = None if chosen.dry_run else chosen.place
        print_lines(thaw_lines(record, out, verbose=chosen.verbose))


def _run(chosen: ThawOptions) -> FreezeRecord:
    """Call the stages; raises GraphfreezeError."""
    model = api.load(chosen.model, checkpoint=chosen.checkpoint, tags=chosen.tags)
    if chosen.place is not None:
        api.check_out(model, chosen.place, force=chosen.force)
    thawed = api.thaw(model, chosen.constants, chosen.variables, no_backprop=chosen.no_backprop)
    api.complete(thawed, chosen.place or "thawed")
    is_written = chosen.place is not None and not chosen.dry_run
    with without_chatter() if is_written else nullcontext(sys.stderr) as stderr:
        if chosen.place is not None and is_written:
            with working(f"writing {chosen.place} ...", stderr):
                api.save(thawed, chosen.place, force=chosen.force)
    return api.report(thawed, chosen.place)
