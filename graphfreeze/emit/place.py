"""Where a result goes: checked first, written beside, then renamed into place."""

import glob
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from graphfreeze.errors import EmitError
from graphfreeze.model.model import Source
from graphfreeze.model.records import RECORD as RECORD

FILE_SUFFIXES = frozenset({".pb", ".pbtxt", ".meta"})


def is_file(out: Path) -> bool:
    """Tell whether a single graph file is asked for, and not a bundle."""
    return out.suffix in FILE_SUFFIXES


def is_bundle(folder: Path) -> bool:
    """Tell whether graphfreeze wrote a folder as a bundle."""
    return (folder / RECORD).is_file()


def check_place(
    out: Path,
    source: Source,
    *,
    force: bool,
    is_folder: bool | None = None,
    is_ours: Callable[[Path], bool] = is_bundle,
) -> None:
    """Refuse a place that is taken, or that would change the input; raises EmitError.

    A folder is written unless ``out`` has the suffix of a graph file, or ``is_folder`` says so.
    ``force`` allows to replace a file, an empty folder or one that ``is_ours``, and nothing else.
    """
    target = out.resolve()
    if not target.parent.is_dir():
        raise EmitError.no_parent(out)
    _check_input(out, target, source)
    if not os.path.lexists(out):
        return
    if target in (Path.cwd(), *Path.cwd().parents) or os.path.ismount(out):
        raise EmitError.out_in_use(out)
    if not force:
        raise EmitError.out_exists(out)
    if out.is_symlink():
        raise EmitError.out_is_link(out)
    if out.is_dir() != (not is_file(out) if is_folder is None else is_folder):
        raise EmitError.other_kind(out)
    if out.is_dir() and any(out.iterdir()) and not is_ours(out):
        raise EmitError.not_a_bundle(out)


def _check_input(out: Path, target: Path, source: Source) -> None:
    """Refuse the input, what is around it or inside it, and names that would hide it."""
    inputs = [source.path, *_checkpoint_files(source.checkpoint)]
    for each in (path.resolve() for path in inputs):
        if target == each or target in each.parents:
            raise EmitError.out_holds_input(out, each)
    # A folder of a prefix's name would be taken for the model instead.
    names = [source.given, source.checkpoint]
    if source.path.suffix == ".meta":
        names.append(source.path.with_suffix(""))
    for name in names:
        if name is not None and target == name.resolve():
            raise EmitError.out_holds_input(out, name)
    given = source.given
    if given is not None and given.is_dir() and given.resolve() in target.parents:
        raise EmitError.out_inside_input(out, given)


def _checkpoint_files(prefix: Path | None) -> list[Path]:
    """Return the files of a checkpoint: of format V2, of V1, and of V1 with shards."""
    if prefix is None:
        return []
    name = glob.escape(prefix.name)
    patterns = (name, f"{name}.*", f"{name}-?????-of-?????")
    return sorted(path for pattern in patterns for path in prefix.parent.glob(pattern))


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
