"""Check that vectors come out of each kind of file bit by bit, and what is said of damage."""

import gzip
import io
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest
from gensim.models import KeyedVectors
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from graphfreeze.errors import LoadError, WordError
from graphfreeze.selection.vectors import read_vectors

WORDS = ("the", "na\u00efve", "cat")
VALUES = np.array([[0.1, -2.5, 3e-9], [-0.0, 7, 1e9], [1 / 3, 0, -1]], np.float32)
Array = npt.NDArray[np.generic]


def _text(words: tuple[str, ...] = WORDS, values: Array = VALUES, *, header: bool = True) -> bytes:
    lines = [" ".join([w, *map(str, row)]) for w, row in zip(words, values.tolist(), strict=True)]
    first = [f"{len(words)} {values.shape[1]}"] if header else []
    return "".join(f"{line}\n" for line in first + lines).encode()


def _binary(words: tuple[str, ...] = WORDS, values: Array = VALUES, *, end: bytes = b"") -> bytes:
    records = [
        w.encode() + b" " + row.tobytes() + end for w, row in zip(words, values, strict=True)
    ]
    return f"{len(words)} {values.shape[1]}\n".encode() + b"".join(records)


def _npy(values: Array) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def _npz(**named: object) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **{name: np.asarray(array) for name, array in named.items()})
    return file.getvalue()


BYTES = [word.encode() for word in WORDS]
FORMATS: dict[str, tuple[str, bytes]] = {
    "word2vec text": ("d.vec", _text()),
    "word2vec text, whatever its name": ("d.bin", _text()),
    "spaces at the ends of lines": ("d.vec", _text().replace(b"\n", b" \n")),
    "Windows lines": ("d.vec", _text().replace(b"\n", b"\r\n")),
    "GloVe text": ("d.txt", _text(header=False)),
    "GloVe text, whatever its name": ("d.npy", _text(header=False)),
    "no newline at the end": ("d.txt", _text(header=False)[:-1]),
    "word2vec binary": ("d.bin", _binary()),
    "word2vec binary, whatever its name": ("d.txt", _binary()),
    "word2vec binary in lines": ("d.bin", _binary(end=b"\n")),
    "gzipped text": ("d.vec.gz", gzip.compress(_text())),
    "gzipped GloVe text": ("d.gz", gzip.compress(_text(header=False))),
    "gzipped binary": ("d.bin.gz", gzip.compress(_binary())),
    "npz": ("d.npz", _npz(words=WORDS, vectors=VALUES)),
    "npz, whatever its name": ("d.txt", _npz(words=WORDS, vectors=VALUES)),
    "npz of bytes": ("d.npz", _npz(words=BYTES, vectors=VALUES)),
    "npz with more in it": ("d.npz", _npz(words=WORDS, vectors=VALUES, counts=[1, 2, 3])),
    "odd name": ("d %20?#.txt", _text()),
}


@pytest.mark.parametrize(("name", "data"), FORMATS.values(), ids=FORMATS)
def test_formats_hold_the_same(name: str, data: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    found = read_vectors(tmp_path / name, dtype=np.float32, width=3)
    assert (found.words, found.values.dtype) == (WORDS, np.float32)
    assert found.values.tobytes() == VALUES.tobytes()


@pytest.mark.parametrize("is_binary", [False, True])
def test_what_gensim_writes_is_read(is_binary: bool, tmp_path: Path) -> None:
    vectors = KeyedVectors(3)
    vectors.add_vectors(list(WORDS), VALUES)
    vectors.save_word2vec_format(str(tmp_path / "d"), binary=is_binary, sort_attr=None)
    found = read_vectors(tmp_path / "d", dtype=np.float32, width=3)
    # The first of them go by counts, of which there are none.
    assert dict(zip(found.words or (), found.values.tolist(), strict=True)) == dict(
        zip(WORDS, VALUES.tolist(), strict=True)
    )


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_array_has_no_words(dtype: str, tmp_path: Path) -> None:
    values = np.asfortranarray(np.random.default_rng(0).normal(size=(5, 3)).astype(dtype))
    (tmp_path / "d.bin").write_bytes(_npy(values))
    found = read_vectors(tmp_path / "d.bin", dtype=dtype, width=3)
    assert (found.words, found.values.dtype) == (None, np.dtype(dtype))
    assert found.values.tobytes() == values.tobytes()


THIRD = np.array([[1 / 3, 1e-7]])
ROUNDED = {
    "text, float64 to the last bit": (_text(("a",), THIRD), "float64", THIRD),
    "text, float32": (_text(("a",), THIRD), "float32", THIRD.astype(np.float32)),
    "text, float16 from float32": (
        _text(("a",), THIRD),
        "float16",
        THIRD.astype(np.float32).astype(np.float16),
    ),
    "binary, float64": (_binary(("a",), THIRD.astype("f4")), "float64", THIRD.astype("f4")),
    "binary, float16": (_binary(("a",), THIRD.astype("f4")), "float16", THIRD.astype("f2")),
}


@pytest.mark.parametrize(("data", "dtype", "values"), ROUNDED.values(), ids=ROUNDED)
def test_word_vectors_take_the_type_of_the_table(
    data: bytes, dtype: str, values: Array, tmp_path: Path
) -> None:
    (tmp_path / "d").write_bytes(data)
    found = read_vectors(tmp_path / "d", dtype=dtype, width=2).values
    assert found.dtype == dtype
    assert found.tobytes() == values.astype(dtype).tobytes()


def _with(value: float) -> Array:
    values = VALUES.copy()
    values[1, 2] = value
    return values


TWICE = ("the", "cat", "cat")
MALFORMED: dict[str, tuple[str, bytes, str]] = {
    "empty": ("d.vec", b"", "starts with no 'words width' and no word and numbers"),
    "prose": ("d.vec", b"the cat sat\non the mat\n", "starts with no 'words width'"),
    "pickle": ("d.kv", b"\x80\x04\x95\xff\x00\x00", "starts with no 'words width'"),
    "no words": ("d.vec", b"0 3\n", "holds no word"),
    "header alone": ("d.vec", b"3 3\n", "its first line says 3 words, it holds 0"),
    "text is cut off": (
        "d.vec",
        _text()[:-8],
        "line 4 cannot be read: 2 numbers after its word, not",
    ),
    "text lacks lines": ("d.vec", _text().rpartition(b"cat")[0], "says 3 words, it holds 2"),
    "text has more lines": ("d.vec", _text() + b"dog 1 2 3\n", "says 3 words, it holds 4"),
    "a line has one number": ("d.txt", b"a 1 2 3\nb 1\n", "line 2 cannot be read: 1 numbers after"),
    "a line is blank": ("d.txt", b"a 1 2 3\n\nb 1 2 3\n", "line 2 cannot be read: 0 numbers after"),
    "a word has a space": ("d.txt", b"a 1 2 3\nold b 1 2 3\n", "line 2 cannot be read: 4 numbers"),
    "no number": ("d.txt", b"a 1 2 3\nb 1 2 x\n", "could not convert string to float: 'x'"),
    "Latin-1 text": ("d.txt", "a 1 2 3\n\xef 1 2 3\n".encode("latin-1"), "can't decode byte 0xef"),
    "Latin-1 with header": ("d.vec", "1 3\n\xef 1 2 3\n".encode("latin-1"), "can't decode byte"),
    "first line is damaged": ("d.vec", b"1 3\na 1 2 x\n", "could not convert string to float: 'x'"),
    "binary is cut off": ("d.bin", _binary()[:-1], "unexpected end of input"),
    "binary is far too short": (
        "d.bin",
        _binary()[:30],
        "30 bytes are too few for 3 words of width",
    ),
    "binary, enormous count": (
        "d.bin",
        b"9" * 15 + b" 3\na \xff\xff",
        "bytes are too few for 999,9",
    ),
    "gzip is cut off": ("d.gz", gzip.compress(_text())[:-9], "Compressed file ended before"),
    "gzip is damaged": ("d.gz", gzip.compress(_text())[:-8] + b"\0" * 8, "CRC check failed"),
    "gzipped binary is cut off": ("d.gz", gzip.compress(_binary()[:-1]), "unexpected end of input"),
    "gzipped, under another name": (
        "d.vec",
        gzip.compress(_text()),
        "its name does not end in .gz",
    ),
    "not gzipped": ("d.gz", _text(), "named .gz, not gzipped"),
    "npy is cut off": ("d.npy", _npy(VALUES)[:-1], "d.npy: no word vectors to read ("),
    "npy of objects": ("d.npy", _npy(VALUES.astype(object)), "Object arrays cannot be loaded"),
    "npy of one vector": ("d.npy", _npy(VALUES[0]), "its shape is [3], not [rows, width]"),
    "npy of no vector": ("d.npy", _npy(VALUES[:0]), "its shape is [0, 3], not [rows, width]"),
    "npy of float64": (
        "d.npy",
        _npy(VALUES.astype("f8")),
        "are float64, the table is float32; save",
    ),
    "npy of integers": ("d.npy", _npy(VALUES.astype("i4")), "are int32, the table is float32"),
    "npy, other byte order": ("d.npy", _npy(VALUES.astype(">f4")), "are >f4, the table is float32"),
    "npz is cut off": ("d.npz", _npz(words=WORDS, vectors=VALUES)[:-30], "d.npz: no word vectors"),
    "npz of other names": (
        "d.npz",
        _npz(a=WORDS, vectors=VALUES),
        "it holds a, vectors, not words and",
    ),
    "npz without names": ("d.npz", _npz(), "d.npz: no word vectors to read ("),
    "npz lacks words": (
        "d.npz",
        _npz(words=WORDS[:2], vectors=VALUES),
        "2 words for vectors of shape",
    ),
    "npz of ids": (
        "d.npz",
        _npz(words=[1, 2, 3], vectors=VALUES),
        "its words are int64 [3], no list",
    ),
    "npz of Latin-1": (
        "d.npz",
        _npz(words=[b"\xef"], vectors=VALUES[:1]),
        "can't decode byte 0xef",
    ),
    "npz of float64": ("d.npz", _npz(words=WORDS, vectors=VALUES.astype("f8")), "are float64, the"),
    "npz, word twice": (
        "d.npz",
        _npz(words=TWICE, vectors=VALUES),
        "'cat' stands there twice, in row 1",
    ),
    "text, word twice": ("d.vec", _text(TWICE), "'cat' stands there twice, in line 3 and line 4"),
    "GloVe, word twice": ("d.txt", _text(TWICE, header=False), "twice, in line 2 and line 3"),
    "binary, word twice": ("d.bin", _binary(TWICE), "1 of its words stand there more than once"),
    "text, infinite": (
        "d.vec",
        _text(values=_with(np.inf)),
        "vector of 'na\u00efve' holds inf or nan",
    ),
    "text, too large": (
        "d.txt",
        b"a 1 2 3\nb 1 2 1e39\n",
        "vector of 'b' holds inf or nan, or a numb",
    ),
    "binary, no number": (
        "d.bin",
        _binary(values=_with(np.nan)),
        "vector of 'na\u00efve' holds inf or",
    ),
    "npy, no number": ("d.npy", _npy(_with(np.nan)), "the vector of row 1 holds inf or nan"),
    "npz, infinite": (
        "d.npz",
        _npz(words=WORDS, vectors=_with(-np.inf)),
        "vector of 'na\u00efve' holds",
    ),
    "text is wider": (
        "d.vec",
        b"1 4\na 1 2 3 4\n",
        "vectors have 4 numbers, the rows of the table 3",
    ),
    "GloVe is narrower": ("d.txt", b"a 1 2\n", "vectors have 2 numbers, the rows of the table 3"),
    "binary is wider": (
        "d.bin",
        _binary(("a",), np.ones((1, 4), "f4")),
        "have 4 numbers, the rows of",
    ),
    "npy is narrower": ("d.npy", _npy(VALUES[:, :2]), "have 2 numbers, the rows of the table 3"),
    "npz is narrower": (
        "d.npz",
        _npz(words=WORDS, vectors=VALUES[:, :2]),
        "have 2 numbers, the rows",
    ),
}


@pytest.mark.parametrize(("name", "data", "message"), MALFORMED.values(), ids=MALFORMED)
def test_malformed_vectors_say_why(name: str, data: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(WordError, match=re.escape(message)) as caught:
        read_vectors(tmp_path / name, dtype=np.float32, width=3)
    assert str(caught.value).startswith(f"{tmp_path / name}: ")


def test_number_too_large_for_float16(tmp_path: Path) -> None:
    (tmp_path / "d.vec").write_bytes(b"a 1 2\nb 65504 -70000\n")
    with pytest.raises(
        WordError, match="of 'b' holds inf or nan, or a number too large for float16"
    ):
        read_vectors(tmp_path / "d.vec", dtype=np.float16, width=2)


OTHER_TYPES = {
    "bfloat16": (ml_dtypes.bfloat16, "a table of bfloat16 takes no vectors"),
    "bfloat16 by name": ("bfloat16", "a table of bfloat16 takes no vectors"),
    "unknown name": ("float99", "a table of float99 takes no vectors"),
    "integers": (np.int32, "a table of int32 takes no vectors"),
    "complex": ("complex64", "a table of complex64 takes no vectors"),
}


@pytest.mark.parametrize(("dtype", "message"), OTHER_TYPES.values(), ids=OTHER_TYPES)
def test_table_of_another_type(dtype: npt.DTypeLike, message: str, tmp_path: Path) -> None:
    (tmp_path / "d.vec").write_bytes(_text())
    with pytest.raises(WordError, match=message):
        read_vectors(tmp_path / "d.vec", dtype=dtype, width=3)


def test_file_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "domain.vec").touch()
    with pytest.raises(LoadError, match=r"did you mean domain\.vec"):
        read_vectors(tmp_path / "domian.vec", dtype=np.float32, width=3)
    with pytest.raises(LoadError, match="cannot be read"):
        read_vectors(tmp_path, dtype=np.float32, width=3)


def test_missing_gensim_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gensim.models", None)
    (tmp_path / "d.vec").write_bytes(_text())
    with pytest.raises(WordError, match=r"run pip install 'graphfreeze\[vectors\]'"):
        read_vectors(tmp_path / "d.vec", dtype=np.float32, width=3)
    (tmp_path / "d.npy").write_bytes(_npy(VALUES))
    assert read_vectors(tmp_path / "d.npy", dtype=np.float32, width=3).words is None


def test_gensim_is_imported_where_it_is_needed(tmp_path: Path) -> None:
    (tmp_path / "d.npy").write_bytes(_npy(VALUES))
    code = (
        "import sys; from graphfreeze.selection.vectors import read_vectors;"
        f"read_vectors({str(tmp_path / 'd.npy')!r}, dtype='float32', width=3);"
        "print({'gensim', 'scipy'} & {n.partition('.')[0] for n in sys.modules})"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


@pytest.fixture
def chatter() -> Iterator[list[logging.LogRecord]]:
    records: list[logging.LogRecord] = []
    handler, logger = logging.Handler(), logging.getLogger("gensim")
    handler.emit = records.append  # type: ignore[method-assign]
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield records
    logger.setLevel(before)
    logger.removeHandler(handler)


@pytest.mark.filterwarnings("error")
def test_gensim_is_quiet(
    tmp_path: Path, chatter: list[logging.LogRecord], capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "d.vec").write_bytes(_text(TWICE))
    with pytest.raises(WordError):
        read_vectors(tmp_path / "d.vec", dtype=np.float32, width=3)
    assert (chatter, capfd.readouterr()) == ([], ("", ""))
    logging.getLogger("gensim").info("the level is as before")
    assert len(chatter) == 1


@example(values=np.frombuffer(b" :1[" * 8, np.float32).reshape(4, 2), words=["0", "1", "2", "3"])
@given(
    values=arrays(
        np.float32, (4, 2), elements=st.floats(width=32, allow_nan=False, allow_infinity=False)
    ),
    words=st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters=" \n"), min_size=1),
        min_size=4,
        max_size=4,
        unique=True,
    ),
)
def test_any_values_are_read_bit_by_bit(
    values: npt.NDArray[np.float32], words: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("vectors")
    files = {
        "text": _text(tuple(words), values),
        "binary": _binary(tuple(words), values),
        "npy": _npy(values),
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
        found = read_vectors(folder / name, dtype=np.float32, width=2)
        assert found.values.tobytes() == values.tobytes(), name
        assert found.words == (None if name == "npy" else tuple(words)), name
