"""Say why a file of words, ids or word vectors cannot be used."""

from __future__ import annotations

from collections.abc import Sequence

from graphfreeze.errors.base import PathLike, listed, shape_text
from graphfreeze.errors.selecting import SelectionError


class WordError(SelectionError):
    """Say why a file of words, ids or word vectors cannot be used."""

    @classmethod
    def bad_line(cls, path: PathLike, line: int, reason: str) -> WordError:
        """Name a line that cannot be read, counted from 1, and why."""
        return cls(f"{path}: line {line:,} cannot be read: {reason}")

    @classmethod
    def bad_vocabulary(cls, path: PathLike, reason: str) -> WordError:
        """Name a file that is no vocabulary, and why."""
        return cls(
            f"{path}: not a vocabulary ({reason}); give one word a line, "
            "or a .tsv or .json map of words to ids"
        )

    @classmethod
    def no_words(cls, path: PathLike) -> WordError:
        """Name a file without a word in it."""
        return cls(f"{path}: holds no word; give one word a line")

    @classmethod
    def duplicate(
        cls, path: PathLike, word: str, places: tuple[int, int], *, unit: str = "line"
    ) -> WordError:
        """Name a word that stands in a file twice, and the two lines, counted from 1."""
        first, second = places
        return cls(
            f"{path}: {word!r} stands there twice, in {unit} {first:,} and {unit} {second:,}; "
            "take one out"
        )

    @classmethod
    def shared_id(cls, path: PathLike, number: int, words: Sequence[str]) -> WordError:
        """Name an id that a map gives to two words."""
        quoted = " and ".join(repr(word) for word in words)
        return cls(f"{path}: {quoted} both have the id {number}; give each word a row of its own")

    @classmethod
    def missing_words(
        cls,
        words_path: PathLike,
        missing: Sequence[str],
        *,
        total: int,
        vocabulary: PathLike,
        near: Sequence[str] = (),
    ) -> WordError:
        """Count and name words without an id; ``near`` are the known ones most like the first."""
        names = listed([repr(word) for word in missing], most=3)
        hint = f" (near {missing[0]!r}: {listed([repr(word) for word in near])})" if near else ""
        return cls(
            f"{words_path}: {len(missing):,} of {total:,} words are not in {vocabulary}: "
            f"{names}{hint}; go on without them with --missing-words ignore, or add them with "
            "--add-words"
        )

    @classmethod
    def known_words(
        cls, words_path: PathLike, known: Sequence[str], *, total: int, vocabulary: PathLike
    ) -> WordError:
        """Count and name words that are to be added and have an id already."""
        return cls(
            f"{words_path}: {len(known):,} of {total:,} words to add are in {vocabulary} already: "
            f"{listed([repr(word) for word in known], most=3)}; take them out"
        )

    @classmethod
    def no_word_known(cls, words_path: PathLike, total: int, *, vocabulary: PathLike) -> WordError:
        """Name a list of words of which a vocabulary has none."""
        return cls(
            f"{words_path}: not one of {total:,} words is in {vocabulary}, so nothing is chosen; "
            "give the vocabulary of this table"
        )

    @classmethod
    def bad_vectors(cls, path: PathLike, reason: str) -> WordError:
        """Name a file that cannot be read as word vectors, and why."""
        return cls(
            f"{path}: no word vectors to read ({reason}); give word2vec text or binary, "
            "GloVe text, .npy or .npz"
        )

    @classmethod
    def no_gensim(cls, path: PathLike, reason: str) -> WordError:
        """Say how to install the reader of word vectors."""
        return cls(
            f"{path}: word vectors are read by gensim, which cannot be imported ({reason}); "
            "run pip install 'graphfreeze[vectors]'"
        )

    @classmethod
    def other_width(cls, path: PathLike, found: int, wanted: int) -> WordError:
        """Name vectors that are wider or narrower than the rows of their table."""
        return cls(
            f"{path}: its vectors have {found:,} numbers, the rows of the table {wanted:,}; "
            "give vectors of that width"
        )

    @classmethod
    def other_dtype(cls, path: PathLike, found: str, wanted: str) -> WordError:
        """Name an array whose type is not that of the table."""
        return cls(
            f"{path}: its vectors are {found}, the table is {wanted}; "
            f"save them as array.astype(numpy.{wanted})"
        )

    @classmethod
    def no_vectors_of(cls, path: PathLike, dtype: str) -> WordError:
        """Refuse a table whose type no file of vectors can hold."""
        return cls(
            f"{path}: a table of {dtype} takes no vectors from a file; "
            "only float16, float32 and float64 do"
        )

    @classmethod
    def not_finite(cls, path: PathLike, where: str, *, dtype: str) -> WordError:
        """Name the first vector, by word or row, with a number that ``dtype`` does not have."""
        return cls(
            f"{path}: the vector of {where} holds inf or nan, or a number too large for {dtype}; "
            "take it out"
        )

    @classmethod
    def not_a_matrix(cls, table: str, shape: Sequence[int]) -> WordError:
        """Refuse vectors for a table whose rows are none."""
        return cls(
            f"variable {table!r} has shape {shape_text(shape)}, and --vectors needs rows of one "
            "axis; leave the option out"
        )

    @classmethod
    def too_many_vectors(cls, path: PathLike, count: int, height: int, *, table: str) -> WordError:
        """Name an array with more rows than its table: row i is of id i."""
        return cls(
            f"{path}: has {count:,} rows, one an id, and {table!r} has {height:,}; "
            "give an .npz with words and vectors, or add rows with --add-words"
        )

    @classmethod
    def no_vector_used(cls, path: PathLike, count: int, *, table: str) -> WordError:
        """Name a file of vectors none of whose words the vocabulary has."""
        return cls(
            f"{path}: the vocabulary of {table!r} has none of its {count:,} words; is it the right "
            "file? new words come in with --add-words"
        )
