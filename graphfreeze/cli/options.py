"""What several commands take, and how options of single tables are read."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import msgspec

from graphfreeze.emit.also import FORMS


class OutOptions(msgspec.Struct, frozen=True):
    """What the command line of a command that makes a model says of where it goes."""

    out: str | None
    dry_run: bool

    @property
    def place(self) -> Path | None:
        """Where the result goes, None if that was left out."""
        return Path(self.out) if self.out is not None else None

    def check_place(self) -> None:
        """Refuse a command line without a place; raises UsageError."""
        if self.place is None and not self.dry_run:
            raise click.UsageError("missing argument 'OUT'; only with --dry-run it may be left out")


model = click.argument("model", metavar="MODEL")
checkpoint = click.option(
    "--checkpoint", metavar="PREFIX", help="The values to use, if not those beside the graph."
)
tags = click.option(
    "--tags",
    metavar="TAGS",
    help="Choose one graph of a SavedModel: all its tags, joined by commas; '' for none.",
)
clear_devices = click.option(
    "--clear-devices", is_flag=True, help="Take devices such as /device:GPU:0 off all nodes."
)
no_backprop = click.option(
    "--no-backprop",
    metavar="FRAME",
    multiple=True,
    help="Let no gradient pass a while loop that no context describes, by its frame; repeatable.",
)
op_library = click.option(
    "--op-library",
    metavar="FILE.so",
    multiple=True,
    help="Load ops that TensorFlow does not have.",
)
as_json = click.option("--json", is_flag=True, help="Print a JSON record to stdout, nothing else.")


def _parse_forms(
    context: click.Context, parameter: click.Parameter, texts: Sequence[str]
) -> tuple[str, ...]:
    """Return the forms of lists of them, each once."""
    named = [form.strip() for text in texts for form in text.split(",")]
    unknown = [form for form in named if form not in FORMS]
    if unknown:
        raise click.BadParameter(f"{unknown[0]!r} is none of {', '.join(FORMS)}")
    return tuple(dict.fromkeys(named))


also = click.option(
    "--also",
    metavar="FORMS",
    multiple=True,
    callback=_parse_forms,
    help=f"Write into the bundle besides: {', '.join(FORMS)}, a list with commas.",
)


def parse_places(
    context: click.Context, parameter: click.Parameter, texts: Sequence[str]
) -> Mapping[str, str]:
    """Return rows or columns by variable of ``VAR=ROWS``; those of one variable add up."""
    found: dict[str, str] = {}
    for text in texts:
        name, _, places = text.rpartition("=")
        if not name or not places:
            form = parameter.make_metavar(context)
            raise click.BadParameter(f"{text!r} is not {form}, as in 'embedding=0:1000,-5:'")
        found[name] = f"{found[name]},{places}" if name in found else places
    return found


def parse_files(
    context: click.Context, parameter: click.Parameter, texts: Sequence[str]
) -> Mapping[str, str]:
    """Return paths by variable of ``VAR=FILE``; a variable has one."""
    found: dict[str, str] = {}
    for text in texts:
        name, _, path = text.partition("=")
        if not name or not path:
            form = parameter.make_metavar(context)
            example = "mask.npy" if "NPY" in form else "words.txt"
            raise click.BadParameter(f"{text!r} is not {form}, as in 'embedding={example}'")
        if name in found:
            raise click.BadParameter(
                f"{name!r} is given twice, {found[name]!r} and {path!r}; name one file a variable"
            )
        found[name] = path
    return found
