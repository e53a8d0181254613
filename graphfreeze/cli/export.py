"""graphfreeze export: give a trained model to whoever serves it."""

from contextlib import nullcontext

import click
import msgspec

from graphfreeze import api
from graphfreeze.api.exporting import KINDS
from graphfreeze.cli import options
from graphfreeze.cli.chatter import without_chatter
from graphfreeze.cli.console import print_json, print_lines, working
from graphfreeze.emit.exporting import CHECKPOINT, FORMATS, FROZEN, GRAPH, SAVED_MODEL
from graphfreeze.errors import LoadError
from graphfreeze.model.model import Model
from graphfreeze.read.tags import parse_tags
from graphfreeze.report.exported_text import export_lines
from graphfreeze.selection.served import DEFAULT

_ONLY_FOR = {
    "checkpoint": (SAVED_MODEL, CHECKPOINT, FROZEN),
    "output": (SAVED_MODEL, FROZEN),
    "input": (SAVED_MODEL,),
    "signature": (SAVED_MODEL, FROZEN),
}
EXAMPLES = """\b
Examples:
  graphfreeze export tuned served
  graphfreeze export tuned served --checkpoint 9000 --variables resource
  graphfreeze export tuned model.pb --format frozen-pb --output predictions:0
  graphfreeze export tuned plain --format checkpoint --checkpoint trained/model.ckpt-9000
"""


class ExportOptions(msgspec.Struct, frozen=True):
    """The command line of ``export``."""

    model: str
    dest: str
    format: str
    checkpoint: str | None
    variables: str
    clear_devices: bool
    op_library: tuple[str, ...]
    input: tuple[str, ...]
    output: tuple[str, ...]
    signature: str | None
    tags: str | None
    force: bool
    json: bool


@click.command(short_help="Write a trained model without its training.", epilog=EXAMPLES)
@click.argument("model", metavar="BUNDLE")
@click.argument("dest", metavar="DEST")
@click.option(
    "--format",
    type=click.Choice(FORMATS),
    default=SAVED_MODEL,
    help="A folder: savedmodel (default), or a checkpoint with its model.meta. A file: frozen-pb, "
    "a GraphDef with constants for variables, or the graph alone.",
)
@click.option(
    "--checkpoint",
    metavar="STEP|PREFIX",
    help="The values: of a step that BUNDLE has a checkpoint of, or a prefix. Default: the latest.",
)
@click.option(
    "--variables",
    type=click.Choice(KINDS),
    default=KINDS[0],
    help="Of the kind that they are (kept, default), or resource, that of TensorFlow 2.",
)
@click.option(
    "--output",
    metavar="[NAME=]TENSOR",
    multiple=True,
    help="What comes out. Default: as signatures say, else what evidently does.",
)
@click.option(
    "--input",
    metavar="[NAME=]TENSOR",
    multiple=True,
    help="What goes in. Default: placeholders that the outputs need.",
)
@click.option(
    "--signature",
    metavar="NAME",
    help=f"The signature that is meant, or made. Default: {DEFAULT}.",
)
@click.option(
    "--tags",
    metavar="TAGS",
    help="Of the SavedModel that is written, with commas; where BUNDLE is one of several graphs, "
    "they choose one too. Default: the original's but for 'train', or 'serve'.",
)
@options.clear_devices
@options.op_library
@click.option("--force", is_flag=True, help="Replace DEST, a file or what was exported before.")
@options.as_json
@click.pass_context
def export(context: click.Context, /, **_: object) -> None:
    """Write what BUNDLE was trained to: the model that it was made of, with its new values.

    Masks, pins, overlays and training ops are gone, trained rows are in their tables; names, keys
    and signatures are the original's. BUNDLE is what 'freeze' or 'patch' wrote, trained or not, or
    any model with a checkpoint, which is exported without its training.
    """
    chosen = msgspec.convert(context.params, ExportOptions)
    _check_options(chosen)
    quiet = nullcontext() if chosen.format == GRAPH else without_chatter()
    with quiet as stderr, nullcontext() if stderr is None else working("exporting ...", stderr):
        record = api.export(
            _load(chosen),
            chosen.dest,
            format=chosen.format,
            checkpoint=chosen.checkpoint,
            variables=chosen.variables,
            clear_devices=chosen.clear_devices,
            op_libraries=chosen.op_library,
            inputs=chosen.input,
            outputs=chosen.output,
            signature=chosen.signature,
            tags=chosen.tags,
            force=chosen.force,
        )
    if chosen.json:
        print_json(record)
    else:
        print_lines(export_lines(record))


def _check_options(chosen: ExportOptions) -> None:
    """Refuse options that mean nothing for the format; raises UsageError."""
    for name, formats in _ONLY_FOR.items():
        if getattr(chosen, name) and chosen.format not in formats:
            raise _no_meaning(f"--{name}", chosen.format)


def _no_meaning(option: str, form: str) -> click.UsageError:
    return click.UsageError(f"{option} has no meaning with --format {form}; leave it out")


def _load(chosen: ExportOptions) -> Model:
    """Read what is to be exported: of several graphs the one with the tags that are wanted.

    Raises LoadError, and UsageError for tags that choose nothing and are written nowhere."""
    try:
        model = api.load(chosen.model)
    except LoadError:
        if chosen.tags is None:
            raise
        return api.load(chosen.model, tags=chosen.tags)
    tags = parse_tags(chosen.tags)
    if tags is not None and chosen.format != SAVED_MODEL and set(tags) != set(model.tags):
        raise _no_meaning("--tags", f"{chosen.format} and a BUNDLE of one graph")
    return model
