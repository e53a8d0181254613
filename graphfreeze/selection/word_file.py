"""Read words with their ids, or with the places they have, from files of several formats."""

import codecs
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from graphfreeze.errors import LoadError, WordError

_ID = re.compile(r"[0-9]{1,18}")
_COUNTED = re.compile(r"(.+)\t([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)")  # SentencePiece: scores


class Entry(NamedTuple):
    """A word and its id; ``place`` is that of its line, or in its list, counted from 1."""

    place: int
    id: int
    word: str


def read_bytes(path: Path, *, most: int = -1) -> bytes:
    """Return the first ``most`` bytes of a file, or all; raises LoadError."""
    try:
        with path.open("rb") as file:
            return file.read(most)
    except FileNotFoundError:
        parent = path.parent
        names = sorted(each.name for each in parent.iterdir()) if parent.is_dir() else []
        raise LoadError.no_such_file(path, beside=names) from None
    except OSError as error:
        raise LoadError.unreadable(path, error.strerror or str(error)) from error


def read_text(path: Path) -> str:
    """Return UTF-8 text with LF; a CR before some line ends only is a word's own character."""
    data = read_bytes(path).removeprefix(codecs.BOM_UTF8)
    if data.count(b"\r\n") == data.count(b"\n"):
        data = data.replace(b"\r\n", b"\n")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise WordError.bad_line(
            path, line, f"no UTF-8 ({error.reason}); save it as such"
        ) from None


def line_entries(path: Path, lines: Sequence[str]) -> Iterator[Entry]:
    """Return a word of each line, without its count if all have one; raises WordError."""
    matches = [_COUNTED.fullmatch(line) for line in lines]
    if any(matches):
        _check_counts(path, lines, matches)
        lines = [match[1] if match else "" for match in matches]
    return (Entry(number + 1, number, line) for number, line in enumerate(lines))


def _check_counts(
    path: Path, lines: Sequence[str], matches: Sequence[re.Match[str] | None]
) -> None:
    """Refuse a line without a count, and numbers that can only be ids."""
    for number, (line, match) in enumerate(zip(lines, matches, strict=True), 1):
        if line and match is None:
            reason = f"{line!r} has no tab and number, other lines have"
            raise WordError.bad_line(path, number, reason)
    ids = [int(match[2]) for match in matches if match and _ID.fullmatch(match[2])]
    if ids != sorted(ids) and sorted(ids) == list(
        range(sum(match is not None for match in matches))
    ):
        reason = (
            "its numbers are the ids 0 to n-1 out of order; name it .tsv, else line numbers count"
        )
        raise WordError.bad_vocabulary(path, reason)


def map_entries(path: Path, lines: Sequence[str]) -> Iterator[Entry]:
    """Yield the words of lines with a tab between word and id; raises WordError."""
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line]
    behind = [(line.rpartition("\t")[2], line.rpartition("\t")[0]) for _, line in numbered]
    before = [(line.partition("\t")[0], line.partition("\t")[2]) for _, line in numbered]
    counts = [sum(_ID.fullmatch(id_) is not None for id_, _ in p) for p in (behind, before)]
    if min(counts) == len(numbered):
        raise WordError.bad_vocabulary(path, "both its columns are numbers; write a .json map")
    pairs = behind if counts[0] >= counts[1] else before
    for (number, line), (id_, word) in zip(numbered, pairs, strict=True):
        if "\t" not in line or not _ID.fullmatch(id_):
            reason = f"no word, tab and id in {line!r}; take a header out"
            raise WordError.bad_line(path, number, reason)
        yield Entry(number, int(id_), word)


def json_entries(path: Path, text: str) -> Iterator[Entry]:
    """Yield the words of a JSON map, or of a list; raises WordError."""
    try:
        # Pairs, since a dict would swallow duplicates; a tuple of them, since a list is a list.
        data: object = json.loads(text, object_pairs_hook=tuple)
    except (ValueError, RecursionError) as error:
        raise WordError.bad_vocabulary(path, f"no JSON: {error}") from None
    if not isinstance(data, list | tuple):
        raise WordError.bad_vocabulary(path, "neither a list nor a map")
    pairs = data if isinstance(data, tuple) else [(word, id_) for id_, word in enumerate(data)]
    for place, (word, id_) in enumerate(pairs, 1):
        if not isinstance(word, str):
            raise WordError.bad_vocabulary(path, f"its entry {place:,} is no word")
        if type(id_) is not int or not 0 <= id_ < 10**18:
            raise WordError.bad_vocabulary(path, f"the id of {word!r} is no number from 0 on")
        yield Entry(place, id_, word)
