r"""Find checkpoints by their prefix, and the one that a folder's ``checkpoint`` file names.

==============================  ====================================================
the file names                  the checkpoint is looked for
==============================  ====================================================
``model.ckpt-7``                beside the file
``/data/run/model.ckpt-7``      there, then as ``model.ckpt-7`` and
                                ``run/model.ckpt-7`` beside the file: it was moved
``C:\run\model.ckpt-7``         beside the file, by its last parts too
``model-7-?????-of-00002``      as ``model-7``: so TensorFlow names shards of V1
==============================  ====================================================
"""

import glob
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

from google.protobuf import text_encoding

from graphfreeze.read.kind import TABLE_END

_SHARDS = re.compile(r"-\?{5}-of-\d{5}\Z")
_LATEST, _ALL = "model_checkpoint_path", "all_model_checkpoint_paths"
_QUOTED = r'\s*:\s*("(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\')'
_ESCAPED = re.compile(r"""(?:[^\\]|\\[abfnrtv?\\'"]|\\[0-7]{1,3}|\\[xX][0-9a-fA-F]{1,2})*""")


def as_prefix(named: str | Path) -> Path:
    """Return the prefix of what TensorFlow calls a checkpoint: of V1 shards that is a pattern."""
    return Path(_SHARDS.sub("", str(named)))


def latest_checkpoint(state: Path) -> Path | None:
    """Return the prefix that a ``checkpoint`` file names, None if it names none.

    One that is nowhere to be found is returned as it is named. Raises OSError."""
    named = next(_named(state, _LATEST), None)
    return None if named is None else _find(state.parent, named)


def other_checkpoints(state: Path) -> list[Path]:
    """Return the checkpoints that there are beside a ``checkpoint`` file, as it names them first.

    Raises OSError."""
    named = (_find(state.parent, each) for each in _named(state, _ALL))
    beside = (path.with_suffix("") for path in sorted(state.parent.glob("*.index")))
    return [prefix for prefix in dict.fromkeys([*named, *beside]) if is_there(prefix)]


def is_there(prefix: Path) -> bool:
    """Tell whether there is a checkpoint or a graph with a prefix."""
    return has_checkpoint(prefix) or Path(f"{prefix}.meta").is_file()


def has_checkpoint(prefix: Path) -> bool:
    """Tell whether there is a checkpoint with that prefix, of format V2 or V1."""
    if Path(f"{prefix}.index").is_file():
        return True
    shards = sorted(prefix.parent.glob(f"{glob.escape(prefix.name)}-?????-of-?????"))
    tables = [prefix, *shards] if prefix.suffix != ".meta" else []
    return any(each.is_file() and is_table(each) for each in tables)


def is_table(path: Path) -> bool:
    """Tell by its last bytes whether a file is a table: a V1 checkpoint, the index of another."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 8))
        return file.read() == TABLE_END


def _named(state: Path, field: str) -> Iterator[list[str]]:
    """Yield the paths of a field, each unquoted, and as it stands if somebody forgot to escape."""
    text = state.read_text(errors="replace")
    for match in re.finditer(rf"^\s*{field}{_QUOTED}", text, re.MULTILINE):
        inside = match.group(1)[1:-1]
        is_escaped = _ESCAPED.fullmatch(inside) is not None
        read = [text_encoding.CUnescape(inside).decode(errors="replace")] if is_escaped else []
        yield [*read, inside]


def _find(folder: Path, named: list[str]) -> Path:
    """Return the first place where a checkpoint is that has these names, else the first of all."""
    first, *others = (place for name in named for place in _places(folder, name))
    return next((place for place in [first, *others] if _is_there(place)), first)


def _is_there(place: Path) -> bool:
    try:
        return is_there(place)
    except (OSError, ValueError):  # what was no path may be one too long, or hold a NUL
        return False


def _places(folder: Path, name: str) -> Iterator[Path]:
    """Yield where a named checkpoint may be: there, or beside by its last parts."""
    name = _SHARDS.sub("", name)
    yield folder / name
    for kind in (PurePosixPath, PureWindowsPath):
        parts = kind(name).parts
        for start in range(len(parts) - 1, -1, -1):
            if ".." not in parts[start:]:
                yield folder.joinpath(*parts[start:])
