"""Read the values that rows of a table start with; what a file is, its first bytes say.

===========================  ============================  ========================================
file                         it starts with                which type its table must have
===========================  ============================  ========================================
word2vec, text or binary     a line ``words width``        any: read as float32 (a float64 table:
GloVe, text                  a word and its numbers        float64), rounded for a float16 table
``.npy``                     the mark of numpy             exactly its own; row i is of id i
``.npz``                     the mark of a zip             exactly its own; ``words``, ``vectors``
===========================  ============================  ========================================

Text and binary may be gzipped if their names end in ``.gz``."""

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from graphfreeze.errors import PathLike, WordError
from graphfreeze.selection.word2vec import read_word_vectors
from graphfreeze.selection.word_file import read_bytes

_NPY, _ZIP = b"\x93NUMPY", b"PK\x03\x04"
_DAMAGED = (OSError, EOFError, ValueError, MemoryError, zlib.error, zipfile.BadZipFile)

Values = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True, eq=False)
class Vectors:
    """Vectors [n, width] of n words; where ``words`` is None, row i is of id i."""

    words: tuple[str, ...] | None
    values: Values


def read_vectors(path: PathLike, *, dtype: npt.DTypeLike, width: int) -> Vectors:
    """Read vectors for a table of ``dtype`` [height, width], in the formats above.

    Raises LoadError for a file that cannot be read; WordError for one that is damaged or of no such
    format, another width or type, a word that stands there twice, and a value that is not finite.
    """
    place, wanted = Path(path), _get_type(path, dtype)
    head = read_bytes(place, most=8)
    try:
        if head.startswith((_NPY, _ZIP)):
            words, values = _read_arrays(place, is_zip=head.startswith(_ZIP))
            _check_array(place, values, wanted)
        else:
            precise = np.promote_types(wanted, np.float32)
            words, values = read_word_vectors(place, dtype=precise, width=width)
    except _DAMAGED as error:
        raise WordError.bad_vectors(place, str(error) or type(error).__name__) from error
    if values.shape[1] != width:
        raise WordError.other_width(place, values.shape[1], width)
    with np.errstate(over="ignore"):
        values = values.astype(wanted, copy=False)
    _check_finite(place, words, values)
    return Vectors(None if words is None else tuple(words), values)


def _get_type(path: PathLike, dtype: npt.DTypeLike) -> np.dtype[np.floating]:
    """Return a numpy type; bfloat16 is none, though TensorFlow teaches numpy that name."""
    try:
        found = np.dtype(dtype)
    except TypeError:
        raise WordError.no_vectors_of(path, str(dtype)) from None
    for known in (np.float16, np.float32, np.float64):
        if found == known:
            return np.dtype(known)
    raise WordError.no_vectors_of(path, str(found))


def _read_arrays(path: Path, *, is_zip: bool) -> tuple[list[str] | None, Values]:
    if not is_zip:
        array: Values = np.load(path, allow_pickle=False)
        return None, array
    with np.load(path, allow_pickle=False) as archive:
        if not {"words", "vectors"} <= set(archive.files):
            reason = f"it holds {', '.join(archive.files) or 'no array'}, not words and vectors"
            raise WordError.bad_vectors(path, reason)
        words, values = _get_words(path, archive["words"]), archive["vectors"]
    if values.shape[:1] != (len(words),):
        reason = f"{len(words):,} words for vectors of shape {list(values.shape)}"
        raise WordError.bad_vectors(path, reason)
    return words, values


def _get_words(path: Path, array: npt.NDArray[np.generic]) -> list[str]:
    if array.dtype.kind not in "SU" or array.ndim != 1:
        reason = f"its words are {array.dtype} {list(array.shape)}, no list of text"
        raise WordError.bad_vectors(path, reason)
    words = [w.decode() if isinstance(w, bytes) else str(w) for w in array.tolist()]
    seen: dict[str, int] = {}
    for row, word in enumerate(words):
        if seen.setdefault(word, row) != row:
            raise WordError.duplicate(path, word, (seen[word], row), unit="row")
    return words


def _check_array(path: Path, values: Values, wanted: np.dtype[np.floating]) -> None:
    if values.ndim != 2 or not len(values):
        reason = f"its shape is {list(values.shape)}, not [rows, width]"
        raise WordError.bad_vectors(path, reason)
    if values.dtype != wanted:
        raise WordError.other_dtype(path, str(values.dtype), str(wanted))


def _check_finite(path: Path, words: Sequence[str] | None, values: Values) -> None:
    is_wrong = ~np.isfinite(values).all(axis=1)
    if is_wrong.any():
        row = int(is_wrong.argmax())
        where = f"row {row}" if words is None else repr(words[row])
        raise WordError.not_finite(path, where, dtype=str(values.dtype))
