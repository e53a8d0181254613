"""graphfreeze freeze: freeze chosen parts of a model, and write it ready to train."""

import sys
from contextlib import nullcontext
from pathlib import Path

import click
import msgspec

from graphfreeze import api
from graphfreeze.cli import options
from graphfreeze.cli.chatter import without_chatter
from graphfreeze.cli.console import print_json, print_lines, warn, working
from graphfreeze.emit.place import is_file
from graphfreeze.model.records import FreezeRecord
from graphfreeze.report.freeze_text import freeze_lines
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.train.optimizers import OPTIMIZERS
from graphfreeze.train.request import TOTAL

DEFAULT = "adam"


class FreezeOptions(msgspec.Struct, frozen=True):
    """The command line of ``freeze``."""

    model: str
    out: str | None
    freeze: tuple[str, ...]
    except_: tuple[str, ...]
    train_only: tuple[str, ...]
    stop_gradient: tuple[str, ...]
    freeze_rows: dict[str, str]
    train_rows: dict[str, str]
    loss: tuple[str, ...]
    optimizer: str | None
    learning_rate: float | None
    no_train_op: bool
    checkpoint: str | None
    force: bool
    dry_run: bool
    json: bool
    verbose: bool

    @property
    def plan(self) -> FreezePlan:
        """What is to stop learning."""
        return FreezePlan(
            freeze=self.freeze,
            except_=self.except_,
            train_only=self.train_only,
            stop_gradient=self.stop_gradient,
            freeze_rows=self.freeze_rows,
            train_rows=self.train_rows,
        )

    @property
    def place(self) -> Path | None:
        """Where the result goes, None if that was left out."""
        return Path(self.out) if self.out is not None else None

    @property
    def is_graph_file(self) -> bool:
        """Tell whether OUT is a file that holds a graph alone."""
        return self.place is not None and is_file(self.place)


EXAMPLES = """\b
Examples:
  graphfreeze freeze model.ckpt-1000 out --freeze 'bert/encoder/layer_{0..7}'
  graphfreeze freeze model.ckpt-1000 out --train-rows embedding=30000: --loss loss:0
  graphfreeze freeze model.ckpt-1000 out.meta --train-only classifier
"""


@click.command(short_help="Freeze parts of a model, and write it ready to train.", epilog=EXAMPLES)
@options.model
@click.argument("out", metavar="OUT", required=False)
@click.option("--freeze", metavar="P", multiple=True, help="Freeze what a pattern matches.")
@click.option("--except", "except_", metavar="P", multiple=True, help="Leave this trainable.")
@click.option("--train-only", metavar="P", multiple=True, help="Freeze all but this.")
@click.option(
    "--stop-gradient", metavar="TENSOR", multiple=True, help="Nothing learns through this tensor."
)
@click.option(
    "--freeze-rows",
    metavar="VAR=ROWS",
    multiple=True,
    callback=options.parse_rows,
    help="Freeze rows of a table: 'embedding=0:1000,1012,-5:'.",
)
@click.option(
    "--train-rows",
    metavar="VAR=ROWS",
    multiple=True,
    callback=options.parse_rows,
    help="Freeze all rows of a table but these.",
)
@click.option(
    "--loss",
    metavar="TENSOR",
    multiple=True,
    help=f"What to minimize, several are summed; '{TOTAL}' is the sum of all losses of the graph. "
    "May be left out where the graph's 'losses' leave no doubt.",
)
@click.option("--optimizer", metavar="NAME", help=f"{', '.join(OPTIMIZERS)}. Default: {DEFAULT}.")
@click.option(
    "--learning-rate",
    type=float,
    metavar="X",
    help="Default: 0.001 for adam and adadelta; the others need one.",
)
@click.option("--no-train-op", is_flag=True, help="Write a bundle without a train_op.")
@options.checkpoint
@click.option("--force", is_flag=True, help="Replace OUT if it exists.")
@click.option("--dry-run", is_flag=True, help="Do all but write; OUT may be left out.")
@options.as_json
@click.option("-v", "--verbose", is_flag=True, help="Tell every variable, op and key.")
@click.pass_context
def freeze(context: click.Context, /, **_: object) -> None:
    """Freeze parts of MODEL, add a train_op for the rest, and write the bundle OUT.

    OUT is a new folder with model.meta, a checkpoint and graphfreeze.json. With the suffix .pb,
    .pbtxt or .meta it is that one file, without a train_op.

    P is a pattern of whole path segments: 'bert/encoder/layer_1' is that scope and not layer_10.
    '*' is any text within a segment, '**/' any scopes, '[0-3]' and '{8..11}' are choices, 're:'
    starts a regular expression. Options that take P, TENSOR or VAR=ROWS may be repeated. What
    --train-only leaves out is frozen first, then what --freeze names; --except takes out again.
    Options for rows decide for their table, whatever the others say.
    """
    chosen = msgspec.convert(context.params, FreezeOptions)
    _check(chosen)
    if chosen.plan == FreezePlan():
        warn("nothing is frozen; name what to freeze with --freeze, --train-only or --freeze-rows")
    record = _run(chosen)
    if record.newer_ops:
        ops = ", ".join(record.newer_ops)
        warn(f"TensorFlow 1.15 cannot run the train_op, it lacks these ops: {ops}")
    if chosen.json:
        print_json(record)
    else:
        out = None if chosen.dry_run else chosen.place
        print_lines(freeze_lines(record, out, verbose=chosen.verbose))


def _check(chosen: FreezeOptions) -> None:
    """Refuse options that do not go together."""
    if chosen.place is None and not chosen.dry_run:
        raise click.UsageError("missing argument 'OUT'; only with --dry-run it may be left out")
    given = {
        "--loss": chosen.loss,
        "--optimizer": chosen.optimizer,
        "--learning-rate": chosen.learning_rate,
    }
    name = next((name for name, value in given.items() if value not in (None, ())), None)
    if name is not None and chosen.is_graph_file:
        raise click.UsageError(
            f"{name} needs a bundle: the graph file {chosen.out} carries no train_op; "
            "give OUT without a suffix"
        )
    if name is not None and chosen.no_train_op:
        raise click.UsageError(f"{name} has no meaning with --no-train-op; leave one out")


def _run(chosen: FreezeOptions) -> FreezeRecord:
    """Call the stages; raises GraphfreezeError."""
    model = api.load(chosen.model, checkpoint=chosen.checkpoint)
    if chosen.place is not None:
        api.check_out(model, chosen.place, force=chosen.force)
    keep = [name for name in chosen.loss if name != TOTAL]
    frozen = api.freeze(model, chosen.plan, keep=keep)
    with nullcontext(sys.stderr) if chosen.is_graph_file else without_chatter() as stderr:
        if not (chosen.no_train_op or chosen.is_graph_file):
            with working("building the train_op with TensorFlow ...", stderr):
                api.add_train_op(
                    frozen,
                    loss=chosen.loss,
                    optimizer=chosen.optimizer or DEFAULT,
                    learning_rate=chosen.learning_rate,
                )
        api.complete(frozen, chosen.place or "bundle")
        if chosen.place is not None and not chosen.dry_run:
            with working(f"writing {chosen.place} ...", stderr):
                api.save(frozen, chosen.place, force=chosen.force)
    return api.report(frozen)
