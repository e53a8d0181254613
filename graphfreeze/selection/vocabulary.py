"""Read which id each word of a vocabulary has, and lists of words to choose by.

===========================  ==================================  ================================
file                         a line                              the id
===========================  ==================================  ================================
``.json``                    a map {word: id}, a list of words   as given; the place in the list
``.tsv`` with tabs           ``word<TAB>id`` or ``id<TAB>word``  as given, in the all-number column
other, tab and number in     ``word<TAB>count``                  the place of the line, from 0
all lines
other                        ``word``, spaces and all            the place of the line, from 0
===========================  ==================================  ================================

All are UTF-8. A blank line keeps its id, without a word; in a map it means nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from graphfreeze.errors import PathLike, WordError, nearest_names
from graphfreeze.selection.word_file import (
    Entry,
    json_entries,
    line_entries,
    map_entries,
    read_text,
)

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The ids of words. A table needs ``size`` rows for them; not each of these needs a word."""

    path: Path
    index: Mapping[str, int]
    size: int

    def ids_of(self, words: Sequence[str]) -> tuple[Ids, tuple[str, ...]]:
        """Return the ids of the words that are known, int64 in their order, and the other words."""
        known = [self.index[word] for word in words if word in self.index]
        return np.array(known, np.int64), tuple(w for w in words if w not in self.index)


def read_vocabulary(path: PathLike) -> Vocabulary:
    """Read a vocabulary, in the formats above.

    Raises LoadError for a file that cannot be read; WordError for a line that cannot, for a word or
    an id that stands there twice, and for a file without words."""
    place = Path(path)
    text = read_text(place)
    if place.suffix.lower() == ".json":
        entries, unit = list(json_entries(place, text)), "entry"
    else:
        read = map_entries if place.suffix.lower() == ".tsv" and "\t" in text else line_entries
        entries, unit = list(read(place, text.split("\n"))), "line"
    index = _index(place, [entry for entry in entries if entry.word], unit=unit)
    return Vocabulary(place, index, size=max(index.values()) + 1)


def read_words(path: PathLike) -> tuple[str, ...]:
    """Read a list of words, one a line up to its tab; blank lines are skipped, ``#`` is a word.

    Raises LoadError, and WordError for duplicates, text that is not UTF-8, and an empty list."""
    place = Path(path)
    lines = enumerate(read_text(place).split("\n"), 1)
    # A tab at the start is the word itself, as in vocabularies of characters.
    entries = [Entry(number, number, line.split("\t")[0] or line) for number, line in lines if line]
    return tuple(_index(place, entries, unit="line"))


def get_ids(
    vocabulary: Vocabulary,
    words: Sequence[str],
    *,
    words_path: PathLike,
    missing: Literal["error", "ignore"] = "error",
) -> tuple[Ids, tuple[str, ...]]:
    """Return the ids of words, int64, sorted, each once, and the words that have none.

    Raises WordError if words are missing, or, where they are ignored, if none is left."""
    ids, unknown = vocabulary.ids_of(words)
    if unknown and missing == "error":
        near = _nearest(unknown[0], vocabulary.index)
        raise WordError.missing_words(
            words_path, unknown, total=len(words), vocabulary=vocabulary.path, near=near
        )
    if not ids.size:
        raise WordError.no_word_known(words_path, len(words), vocabulary=vocabulary.path)
    return np.unique(ids), unknown


def _index(path: Path, entries: Sequence[Entry], *, unit: str) -> dict[str, int]:
    if not entries:
        raise WordError.no_words(path)
    index = {entry.word: entry.id for entry in entries}
    if len(index) < len(entries):
        first, second = _find_twice(entries, "word")
        raise WordError.duplicate(path, first.word, (first.place, second.place), unit=unit)
    if len(set(index.values())) < len(index):
        first, second = _find_twice(entries, "id")
        raise WordError.shared_id(path, first.id, (first.word, second.word))
    return index


def _find_twice(entries: Sequence[Entry], field: str) -> tuple[Entry, Entry]:
    """Return the first two entries that have a field in common; there must be such."""
    key, seen = attrgetter(field), dict[object, Entry]()
    return next((seen[key(e)], e) for e in entries if seen.setdefault(key(e), e) is not e)


def _nearest(word: str, known: Mapping[str, int]) -> list[str]:
    """Return known words like one that is not: first those that differ by case or spaces only."""
    bare = word.strip().casefold()
    alike = [each for each in known if each.strip().casefold() == bare]
    return alike[:3] or nearest_names(word, known)
