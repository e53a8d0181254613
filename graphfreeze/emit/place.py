"""Where a result goes: checked first, written beside, then renamed into place."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from graphfreeze.errors import EmitError
from graphfreeze.model.model import Source

FILE_SUFFIXES = frozenset({".pb", ".pbtxt", ".meta"})


def is_file(out: Path) -> bool:
    """Tell whether a single graph file is asked for, and not a bundle."""
    return out.suffix in FILE_SUFFIXES


def check_place(out: Path, source: Source, *, force: bool) -> None:
    """Refuse a place that is taken, or that would change the input; raises EmitError."""
    target = out.resolve()
    if not target.parent.is_dir():
        raise EmitError.no_parent(out)
    inputs = [source.path, *_checkpoint_files(source.checkpoint)]
    for each in (path.resolve() for path in inputs):
        if target == each or target in each.parents:
            raise EmitError.out_holds_input(out, each)
    given = source.given
    if given is not None and given.is_dir() and given.resolve() in target.parents:
        raise EmitError.out_inside_input(out, given)
    if os.path.lexists(out):
        if not force:
            raise EmitError.out_exists(out)
        if out.is_dir() == is_file(out):
            raise EmitError.other_kind(out)


def _checkpoint_files(prefix: Path | None) -> list[Path]:
    return [] if prefix is None else sorted(prefix.parent.glob(f"{prefix.name}.*"))


@contextmanager
def whole_or_nothing(out: Path) -> Iterator[Path]:
    """Yield a place beside ``out`` to write to; it becomes ``out`` if all goes well."""
    folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        work = folder / "new"
        yield work
        _put(work, out, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _put(work: Path, out: Path, folder: Path) -> None:
    """Rename into place; what was there before is kept until the new one stands."""
    if work.is_file():
        os.replace(work, out)
        return
    old = folder / "old"
    if os.path.lexists(out):
        os.rename(out, old)
    try:
        os.rename(work, out)
    except OSError:
        if os.path.lexists(old):
            os.rename(old, out)
        raise
