"""The command line: thin skins over the API, one file a command."""

import os
import re
import signal
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from types import FrameType

import click

from graphfreeze.cli.diff import diff
from graphfreeze.cli.explain import explain
from graphfreeze.cli.export import export
from graphfreeze.cli.freeze import freeze
from graphfreeze.cli.patch import patch
from graphfreeze.cli.show import show
from graphfreeze.cli.thaw import thaw
from graphfreeze.cli.undo import undo
from graphfreeze.cli.verify import verify
from graphfreeze.errors import GraphfreezeError

NAME = "graphfreeze"
WRONG_INPUT, INTERNAL, INTERRUPTED, TERMINATED = 2, 70, 130, 143
DEBUG = "GRAPHFREEZE_DEBUG"
_SUGGESTION = re.compile(r"\.? \(?Did you mean(?: one of:)? (.*)\?\)?")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(version(NAME), prog_name=NAME, message="%(prog)s %(version)s")
def command() -> None:
    """Freeze chosen parts of a saved TensorFlow 1 model, and train the rest.

    Exit code 0: done. 1: a check failed. 2: the input is wrong, one line on stderr says how.
    """


command.add_command(show)
command.add_command(freeze)
command.add_command(patch)
command.add_command(thaw)
command.add_command(export)
command.add_command(explain)
command.add_command(undo)
command.add_command(diff)
command.add_command(verify)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; whatever goes wrong is told in one line."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    signal.signal(signal.SIGTERM, _terminate)  # so that nothing half-written stays behind
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        return int(command.main(arguments, prog_name=NAME, standalone_mode=False) or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
    except click.UsageError as error:
        _tell(_usage_text(error))
    except (GraphfreezeError, click.ClickException) as error:
        _tell(str(error))
    except click.Abort:
        return INTERRUPTED
    except OSError as error:
        _tell(_system_text(error))
    except Exception as error:  # noqa: BLE001, a bug: the last line of defence
        return _tell_bug(error)
    return WRONG_INPUT


def _terminate(number: int, frame: FrameType | None) -> None:
    sys.exit(TERMINATED)


def _tell(message: str) -> None:
    click.echo(f"{NAME}: error: {' '.join(message.split())}", err=True)


def _usage_text(error: click.UsageError) -> str:
    path = error.ctx.command_path if error.ctx is not None else NAME
    message = _SUGGESTION.sub(r"; did you mean \1", error.format_message()).rstrip(".")
    return f"{message[:1].lower()}{message[1:]}; see '{path} --help'"


def _system_text(error: OSError) -> str:
    """Return what the system refused, and where."""
    where = f"{os.fsdecode(error.filename)}: " if error.filename is not None else ""
    return f"{where}{error.strerror or error}"


def _tell_bug(error: Exception) -> int:
    # TensorFlow's modules turn a Ctrl-C while they are loaded into an ImportError.
    if isinstance(error.__cause__, KeyboardInterrupt):
        return INTERRUPTED
    if os.environ.get(DEBUG):
        traceback.print_exception(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(frame.filename).name}:{frame.lineno}"
    told = f"{type(error).__name__} in {place}: {error}"[:300]
    _tell(f"a bug in graphfreeze, please report it: {told} (traceback: {DEBUG}=1)")
    return INTERNAL
