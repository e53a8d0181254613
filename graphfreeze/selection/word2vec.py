"""Read word2vec text, word2vec binary and GloVe text through gensim, told apart by content.

gensim takes what it finds: a line with one number fills its whole row with it, later vectors of a
word are left out, lines past the count are not read. So text is checked before, line by line."""

import gzip
import io
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from graphfreeze.errors import WordError

_GZIP = b"\x1f\x8b"
_HEADER = re.compile(rb"\s*([0-9]{1,18})\s+([0-9]{1,9})\s*")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")
_SNIFFED = 1 << 20  # bytes; more than a line of text has


@dataclass(frozen=True, slots=True)
class _Format:
    count: int | None  # None without a header, as in GloVe text
    width: int
    is_binary: bool


def read_word_vectors(
    path: Path, *, dtype: npt.DTypeLike, width: int
) -> tuple[list[str], npt.NDArray[np.floating]]:
    """Return words and their vectors [n, width].

    Raises WordError; ValueError, EOFError, OSError, MemoryError or zlib.error for damage."""
    with _open(path) as file:
        head = file.read(_SNIFFED)
    found = _get_format(path, head)
    if found.width != width:
        raise WordError.other_width(path, found.width, width)
    count = _check_binary(path, found) if found.is_binary else _check_text(path, found)
    if not count:
        raise WordError.no_words(path)
    words, values = _load(path, found, dtype=dtype)
    if len(words) < count:
        _refuse_duplicates(path, found, count - len(words))
    return words, values


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Silence a logger: what it would warn of is an error here."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _load(
    path: Path, found: _Format, *, dtype: npt.DTypeLike
) -> tuple[list[str], npt.NDArray[np.floating]]:
    try:
        from gensim.models import KeyedVectors
    except ImportError as error:
        raise WordError.no_gensim(path, str(error)) from error
    with _quiet("gensim"), np.errstate(over="ignore"):
        loaded = KeyedVectors.load_word2vec_format(
            str(path.absolute()),
            binary=found.is_binary,
            no_header=found.count is None,
            datatype=np.dtype(dtype).type,
        )
    return list(loaded.key_to_index), loaded.vectors  # index_to_key keeps room for duplicates


def _open(path: Path) -> io.BufferedIOBase:
    """Open a file that may be gzipped; gensim goes by the name, so the name must be right."""
    with path.open("rb") as file:
        is_gzip = file.read(2) == _GZIP
    if is_gzip != (path.suffix.lower() == ".gz"):
        reason = (
            "gzipped, but its name does not end in .gz" if is_gzip else "named .gz, not gzipped"
        )
        raise WordError.bad_vectors(path, reason)
    return gzip.open(path) if is_gzip else path.open("rb")


def _get_format(path: Path, head: bytes) -> _Format:
    first, _, rest = head.partition(b"\n")
    if header := _HEADER.fullmatch(first):
        count, width = int(header[1]), int(header[2])
        is_binary = _has_bytes_of_numbers(rest) or _is_laid_out(rest, count, width)
        return _Format(count, width, is_binary and not _is_text_line(rest))
    if not _is_text_line(head):
        raise WordError.bad_vectors(path, "it starts with no 'words width' and no word and numbers")
    return _Format(None, first.rstrip().count(b" "), is_binary=False)


def _is_text_line(data: bytes) -> bool:
    """Return whether the first line is a word and numbers."""
    numbers = data.partition(b"\n")[0].rstrip().split(b" ")[1:]
    try:
        return bool([float(number) for number in numbers])
    except ValueError:
        return False


def _has_bytes_of_numbers(data: bytes) -> bool:
    """Return whether data is no text; its end may be a piece of a character."""
    if _CONTROL.search(data):
        return True
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return error.end < len(data) or error.reason != "unexpected end of data"
    return False


def _is_laid_out(data: bytes, count: int, width: int) -> bool:
    """Return whether data is words and as many bytes as their numbers have, to its end.

    A few numbers can have bytes that are letters all of them."""
    for _ in range(count):
        word, space, data = data.removeprefix(b"\n").partition(b" ")
        if not word or not space or len(data) < 4 * width:
            return False
        data = data[4 * width :]
    return not data.strip()


def _check_binary(path: Path, found: _Format) -> int:
    """Return the count of words; refuse a file that ends before them."""
    count, size = found.count or 0, path.stat().st_size
    if path.suffix.lower() != ".gz" and size < count * (4 * found.width + 1):
        reason = f"{size:,} bytes are too few for {count:,} words of width {found.width:,}"
        raise WordError.bad_vectors(path, reason)
    return count


def _check_text(path: Path, found: _Format) -> int:
    """Return the count of words, each of which has all its numbers."""
    count = 0
    for number, line in _text_lines(path, found):
        numbers = line.rstrip().count(b" ")
        if numbers != found.width:
            reason = f"{numbers:,} numbers after its word, not {found.width:,}"
            raise WordError.bad_line(path, number, reason)
        count += 1
    if found.count not in (None, count):
        reason = f"its first line says {found.count:,} words, it holds {count:,}"
        raise WordError.bad_vectors(path, reason)
    return count


def _text_lines(path: Path, found: _Format) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of words, numbered as in the file from 1."""
    with _open(path) as file:
        yield from (pair for pair in enumerate(file, 1) if found.count is None or pair[0] > 1)


def _refuse_duplicates(path: Path, found: _Format, count: int) -> None:
    """Name the first word that stands twice in text; in binary, count them."""
    seen: dict[bytes, int] = {}
    for number, line in () if found.is_binary else _text_lines(path, found):
        word = line.rstrip().split(b" ")[0]
        if (first := seen.setdefault(word, number)) != number:
            raise WordError.duplicate(path, word.decode(), (first, number))
    raise WordError.bad_vectors(path, f"{count:,} of its words stand there more than once")
