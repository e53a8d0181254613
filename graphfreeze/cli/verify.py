"""graphfreeze verify: prove that what is frozen stays as it is, and that nothing else changed."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TextIO

import click
import msgspec
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from graphfreeze import api
from graphfreeze.check.verify import OnStep
from graphfreeze.cli import options
from graphfreeze.cli.chatter import without_chatter
from graphfreeze.cli.console import print_json, print_lines
from graphfreeze.model.verify_records import VerifyRecord
from graphfreeze.report.verify_text import verify_lines

FAILED = 1
_RUN = ("checkpoint", "tags", "steps", "batch", "feed", "seed", "allow_unsafe_ops", "op_library")

EXAMPLES = """\b
Examples:
  graphfreeze verify model.ckpt-1000 out
  graphfreeze verify model.ckpt-1000 out --feed ids=int:0:30522 --feed mask=@mask.npy
  graphfreeze verify out/model trained/model.ckpt-9000 --record out/graphfreeze.json
"""


class VerifyOptions(msgspec.Struct, frozen=True):
    """The command line of ``verify``."""

    original: str
    out: str
    checkpoint: str | None
    tags: str | None
    steps: int
    batch: int
    feed: tuple[str, ...]
    seed: int
    allow_unsafe_ops: bool
    op_library: tuple[str, ...]
    record: str | None
    json: bool
    verbose: bool


@click.command(short_help="Prove that a bundle keeps what is frozen.", epilog=EXAMPLES)
@click.argument("original", metavar="ORIGINAL")
@click.argument("out", metavar="OUT")
@click.option("--checkpoint", metavar="PREFIX", help="The values of ORIGINAL, if not beside it.")
@options.tags
@click.option(
    "--steps", type=click.IntRange(min=1), default=5, metavar="N", help="Steps to run. Default: 5."
)
@click.option(
    "--batch",
    type=click.IntRange(min=1),
    default=8,
    metavar="N",
    help="The size of dimensions that the graph leaves open. Default: 8.",
)
@click.option(
    "--feed",
    metavar="NAME=VALUES",
    multiple=True,
    help="Feed a tensor with int:LOW:HIGH or float:LOW:HIGH (behind it :8x16, if need be, for the "
    "shape), true, false, a number, a word, or @FILE.npy.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0, max=2**31 - 2),
    default=0,
    metavar="N",
    help="Of the feeds and of random ops. Default: 0.",
)
@click.option(
    "--allow-unsafe-ops",
    is_flag=True,
    help="Run ops that read or write files, call Python or the network: code of whoever made the "
    "model.",
)
@options.op_library
@click.option(
    "--record",
    metavar="FILE",
    help="Compare two checkpoints, ORIGINAL and OUT, by a graphfreeze.json; nothing is run.",
)
@options.as_json
@click.option("-v", "--verbose", is_flag=True, help="Tell every variable and every output.")
@click.pass_context
def verify(context: click.Context, /, **_: object) -> int:
    """Check the bundle OUT against the model ORIGINAL that it was made from.

    Four checks: the graph of OUT has no way to write what is frozen; both compute the same to the
    bit; after N steps of the train_op every frozen bit is what it was; and OUT's saver keeps it
    all. What placeholders are fed with is inferred from what consumes them, and told.

    To run a graph is to run a program: ops that reach files, the network or Python are refused.
    Exit code 0: all passed. 1: a check failed. 2: the check cannot be made.
    """
    chosen = msgspec.convert(context.params, VerifyOptions)
    _check(context, chosen)
    with nullcontext(sys.stderr) if chosen.record is not None else without_chatter() as stderr:
        record = _run(chosen, stderr)
    if chosen.json:
        print_json(record)
    else:
        print_lines(verify_lines(record, verbose=chosen.verbose))
    return 0 if record.passed else FAILED


def _check(context: click.Context, chosen: VerifyOptions) -> None:
    """Refuse options that mean nothing where nothing is run; raises UsageError."""
    default = click.core.ParameterSource.DEFAULT
    given = [name for name in _RUN if context.get_parameter_source(name) != default]
    if chosen.record is not None and given:
        flag = f"--{given[0].replace('_', '-')}"
        raise click.UsageError(
            f"{flag} has no meaning with --record, which runs nothing; leave one out"
        )


def _run(chosen: VerifyOptions, stderr: TextIO) -> VerifyRecord:
    """Call the API; raises GraphfreezeError."""
    if chosen.record is not None:
        return api.verify_checkpoints(chosen.record, chosen.original, chosen.out)
    original = api.load(chosen.original, checkpoint=chosen.checkpoint, tags=chosen.tags)
    out = api.load(chosen.out)
    with _counting(chosen.steps, stderr) as on_step:
        return api.verify(
            original,
            out,
            steps=chosen.steps,
            batch=chosen.batch,
            feeds=chosen.feed,
            seed=chosen.seed,
            allow_unsafe_ops=chosen.allow_unsafe_ops,
            op_libraries=chosen.op_library,
            on_step=on_step,
        )


@contextmanager
def _counting(steps: int, stderr: TextIO) -> Iterator[OnStep]:
    """Yield what shows how many steps are done, if ``stderr`` is a terminal."""
    if not stderr.isatty():
        yield lambda _: None
        return
    text = TextColumn("{task.description}")
    columns = (text, MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=stderr), transient=True) as progress:
        task = progress.add_task("checking with TensorFlow, steps", total=steps)
        yield lambda done: progress.update(task, completed=done)
