"""Keep what TensorFlow says while it starts off stderr, and nothing else.

TensorFlow's libraries write to file descriptor 2 before any log level can be set. Meanwhile a
small process of its own reads what is written there and passes on all but the known lines. So
nothing is lost, not even the last words of a library that aborts.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

LEVEL = "TF_CPP_MIN_LOG_LEVEL"
CHATTER = (
    r"WARNING: All log messages before absl::InitializeLog"
    r"|[IW]\d{4} [\d:.]+ +\d+ \S+\] "
    r"|E\d{4} .*(Unable to register cu\w+ factory|failed call to cuInit)"
    r"|To enable the following instructions"
)
_FILTER = """
import re, sys
known = re.compile(sys.argv[1].encode())
for line in sys.stdin.buffer:
    if not known.match(line):
        sys.stderr.buffer.write(line)
        sys.stderr.buffer.flush()
"""
_PATIENCE = 5.0  # seconds, should another process hold on to our stderr


@contextmanager
def without_chatter() -> Iterator[TextIO]:
    """Filter file descriptor 2, and yield the stderr behind it.

    Whoever sets TF_CPP_MIN_LOG_LEVEL below 3 wants to read it all."""
    sys.stderr.flush()
    if os.environ.get(LEVEL, "") != "3":
        yield sys.stderr
        return
    try:
        kept = os.dup(2)
    except OSError:  # stderr is closed
        yield sys.stderr
        return
    with os.fdopen(kept, "w") as stderr, _filter() as sink:
        os.dup2(sink, 2)
        try:
            yield stderr
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)


@contextmanager
def _filter() -> Iterator[int]:
    """Yield where to write; ends when all has been passed on."""
    command = [sys.executable, "-I", "-S", "-c", _FILTER, CHATTER]
    # A session of its own, so that Ctrl-C does not end it before us.
    process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
    assert process.stdin is not None
    try:
        yield process.stdin.fileno()
    finally:
        process.stdin.close()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
