"""Print to stdout, and show on a terminal that something takes its time."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TextIO

import click
import msgspec
from rich.console import Console
from rich.text import Text

BROKEN_PIPE = 141


class _Stdout(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to ``_printing``."""
        raise  # noqa: PLE0704, Console calls this where it handles BrokenPipeError


def print_lines(lines: Iterable[Text]) -> None:
    """Print lines: in colour on a terminal, which wraps them by itself; never cut off."""
    with _printing():
        console = _Stdout(highlight=False, soft_wrap=True)
        for line in lines:
            console.print(line)


def print_json(record: msgspec.Struct) -> None:
    """Print a record as JSON."""
    with _printing():
        click.echo(msgspec.json.format(msgspec.json.encode(record), indent=2))


def warn(message: str) -> None:
    """Print a warning to stderr."""
    click.echo(f"graphfreeze: warning: {message}", err=True)


@contextmanager
def working(what: str, stderr: TextIO) -> Iterator[None]:
    """Show a spinner, if ``stderr`` is a terminal."""
    if not stderr.isatty():
        yield
        return
    with Console(file=stderr).status(Text(what)):
        yield


@contextmanager
def _printing() -> Iterator[None]:
    """End quietly if nobody reads any more, as in ``graphfreeze show ... | head``."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # Python itself flushes stdout once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise click.exceptions.Exit(BROKEN_PIPE) from None
