"""What several commands take."""

from collections.abc import Mapping, Sequence

import click

model = click.argument("model", metavar="MODEL")
checkpoint = click.option(
    "--checkpoint", metavar="PREFIX", help="The values to use, if not those beside the graph."
)
as_json = click.option("--json", is_flag=True, help="Print a JSON record to stdout, nothing else.")


def parse_rows(
    context: click.Context, parameter: click.Parameter, texts: Sequence[str]
) -> Mapping[str, str]:
    """Return rows by variable of ``VAR=ROWS``; those of one variable add up."""
    found: dict[str, str] = {}
    for text in texts:
        name, _, rows = text.rpartition("=")
        if not name or not rows:
            raise click.BadParameter(f"{text!r} is not VAR=ROWS, as in 'embedding=0:1000,-5:'")
        found[name] = f"{found[name]},{rows}" if name in found else rows
    return found
