"""Check what ids words have, in each kind of file, and what is said of files that mean nothing."""

import contextlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphfreeze.errors import GraphfreezeError, LoadError, WordError
from graphfreeze.selection.vocabulary import get_ids, read_vocabulary, read_words

CASES: dict[str, tuple[str, bytes, dict[str, int], int]] = {
    "a word a line": ("v.txt", b"the\ncat\nsat\n", {"the": 0, "cat": 1, "sat": 2}, 3),
    "no newline at the end": ("v.txt", b"the\ncat", {"the": 0, "cat": 1}, 2),
    "any suffix": ("vocab", b"the\ncat\n", {"the": 0, "cat": 1}, 2),
    "blank lines keep their id": ("v.txt", b"\nthe\n\ncat\n\n\n", {"the": 1, "cat": 3}, 4),
    "spaces belong to words": ("v.txt", b" the\nold cat \n", {" the": 0, "old cat ": 1}, 2),
    "other line breaks, too": (
        "v.txt",
        "a\x0bb\na\u2028b\n".encode(),
        {"a\vb": 0, "a\u2028b": 1},
        2,
    ),
    "byte order mark": ("v.txt", b"\xef\xbb\xbfthe\ncat\n", {"the": 0, "cat": 1}, 2),
    "Windows lines": ("v.txt", b"the\r\n\r\ncat\r\n", {"the": 0, "cat": 2}, 3),
    "characters": ("v.txt", b"a\n\r\n\t\n#\n", {"a": 0, "\r": 1, "\t": 2, "#": 3}, 4),
    "counts": ("v.txt", b"the\t90\ncat\t7\n", {"the": 0, "cat": 1}, 2),
    "counts, in any order": ("v.txt", b"the\t7\ncat\t90\n", {"the": 0, "cat": 1}, 2),
    "counts and a blank line": ("v.txt", b"the\t90\n\ncat\t7\n", {"the": 0, "cat": 2}, 3),
    "counts of numbers": ("v.txt", b"7\t90\n90\t7\n", {"7": 0, "90": 1}, 2),
    "scores": ("m.vocab", b"<unk>\t0\n,\t-3.45\nof\t-4e-1\n", {"<unk>": 0, ",": 1, "of": 2}, 3),
    "line numbers for counts": ("v.txt", b"the\t0\ncat\t1\n", {"the": 0, "cat": 1}, 2),
    "map": ("v.tsv", b"cat\t1\nthe\t0\n", {"cat": 1, "the": 0}, 2),
    "map, id first": ("v.TSV", b"1\tcat\n0\tthe\n", {"cat": 1, "the": 0}, 2),
    "map with holes": ("v.tsv", b"cat\t7\n\nthe\t100\n", {"cat": 7, "the": 100}, 101),
    "map of some numbers": ("v.tsv", b"7\t1\nthe\t0\n", {"7": 1, "the": 0}, 2),
    "map of a tab": ("v.tsv", b"\t\t1\nthe\t0\n", {"\t": 1, "the": 0}, 2),
    "a word a line, in a .tsv": ("v.tsv", b"the\ncat\n", {"the": 0, "cat": 1}, 2),
    "JSON map": ("v.json", b'{"cat": 7, "the": 0}', {"cat": 7, "the": 0}, 8),
    "JSON list": ("v.json", b'["the", "", "cat"]', {"the": 0, "cat": 2}, 3),
    "JSON with a mark": ("v.JSON", b'\xef\xbb\xbf\r\n{"a\\tb": 1}', {"a\tb": 1}, 2),
}


@pytest.mark.parametrize(("name", "data", "index", "size"), CASES.values(), ids=CASES)
def test_words_have_ids(
    name: str, data: bytes, index: dict[str, int], size: int, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(data)
    found = read_vocabulary(tmp_path / name)
    assert (found.path, dict(found.index), found.size) == (tmp_path / name, index, size)


BOTH = "both its columns are numbers; write a .json map"
MALFORMED = {
    "empty": ("v.txt", b"", "holds no word"),
    "blank": ("v.txt", b"\n\n", "holds no word"),
    "no map": ("v.tsv", b"\n", "holds no word"),
    "empty list": ("v.json", b"[]", "holds no word"),
    "empty map": ("v.json", b"{}", "holds no word"),
    "Latin-1": ("v.txt", b"the\nna\xefve\n", "line 2 cannot be read: no UTF-8 (invalid cont"),
    "UTF-16": ("v.txt", "the\n".encode("utf-16"), "line 1 cannot be read: no UTF-8"),
    "word twice": ("v.txt", b"the\n\ncat\nthe\n", "'the' stands there twice, in line 1 and line 4"),
    "counted twice": (
        "v.txt",
        b"the\t9\nthe\t3\n",
        "'the' stands there twice, in line 1 and line 2",
    ),
    "mapped twice": ("v.tsv", b"the\t9\n\nthe\t3\n", "twice, in line 1 and line 3"),
    "JSON key twice": ("v.json", b'{"a": 1, "b": 2, "a": 3}', "'a' stands there twice, in entry 1"),
    "JSON word twice": (
        "v.json",
        b'["a", "b", "b"]',
        "'b' stands there twice, in entry 2 and entry 3",
    ),
    "id twice": ("v.tsv", b"the\t9\ncat\t3\ndog\t9\n", "'the' and 'dog' both have the id 9"),
    "JSON id twice": ("v.json", b'{"a": 1, "b": 1}', "'a' and 'b' both have the id 1"),
    "a line without count": ("v.txt", b"the\t9\ncat\n", "line 2 cannot be read: 'cat' has no tab"),
    "a count without word": ("v.txt", b"the\t9\n\t8\n", "line 2 cannot be read: '\\t8' has no tab"),
    "ids, not counts": (
        "v.txt",
        b"the\t1\ncat\t2\na\t0\n",
        "ids 0 to n-1 out of order; name it .tsv",
    ),
    "two columns of numbers": ("v.tsv", b"1\t2\n2\t3\n", BOTH),
    "header": ("v.tsv", b"word\tid\nthe\t0\n", "line 1 cannot be read: no word, tab and id in"),
    "map line without tab": ("v.tsv", b"the\t0\n7\n", "line 2 cannot be read: no word, tab and id"),
    "negative id": ("v.tsv", b"the\t0\ncat\t-1\n", "line 2 cannot be read: no word, tab and id"),
    "foreign digit": ("v.tsv", "the\t0\ncat\t٣\n".encode(), "line 2 cannot be read"),
    "enormous id": ("v.tsv", b"the\t0\ncat\t" + b"9" * 19, "line 2 cannot be read"),
    "no JSON": ("v.json", b"the\ncat\n", "not a vocabulary (no JSON: Expecting value"),
    "deep JSON": ("v.json", b"[" * 100_000, "not a vocabulary (no JSON: "),
    "JSON text": ("v.json", b'"the"', "neither a list nor a map"),
    "JSON list of numbers": ("v.json", b'["the", 7]', "its entry 2 is no word"),
    "JSON list of maps": ("v.json", b'[{"the": 7}]', "its entry 1 is no word"),
    "JSON ids to words": ("v.json", b'{"0": "the"}', "the id of '0' is no number from 0 on"),
    "JSON truth": ("v.json", b'{"the": true}', "the id of 'the' is no number from 0 on"),
    "JSON fraction": ("v.json", b'{"the": 1.0}', "the id of 'the' is no number from 0 on"),
    "JSON negative": ("v.json", b'{"the": -1}', "the id of 'the' is no number from 0 on"),
}


@pytest.mark.parametrize(("name", "data", "message"), MALFORMED.values(), ids=MALFORMED)
def test_malformed_vocabulary_says_why(
    name: str, data: bytes, message: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(WordError, match=re.escape(message)) as caught:
        read_vocabulary(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: ")


WORDS: dict[str, tuple[bytes, tuple[str, ...] | str]] = {
    "in the order of the file": (b"the\ncat\n", ("the", "cat")),
    "no comments": (b"# words\n#\n", ("# words", "#")),
    "blank lines": (b"\n\nthe\n\ncat\n\n", ("the", "cat")),
    "up to the tab": (b"the\t90\ncat\tnoun\tanimal\n", ("the", "cat")),
    "a tab": (b"\t\nthe\n", ("\t", "the")),
    "Windows lines": (b"\xef\xbb\xbfthe\r\ncat\r\n", ("the", "cat")),
    "twice": (b"the\n\ncat\nthe\t8\n", "'the' stands there twice, in line 1 and line 4"),
    "empty": (b"\n", "holds no word"),
    "Latin-1": (b"\xef\n", "line 1 cannot be read: no UTF-8"),
}


@pytest.mark.parametrize(("data", "result"), WORDS.values(), ids=WORDS)
def test_list_of_words(data: bytes, result: tuple[str, ...] | str, tmp_path: Path) -> None:
    (tmp_path / "w.txt").write_bytes(data)
    if isinstance(result, tuple):
        assert read_words(tmp_path / "w.txt") == result
    else:
        with pytest.raises(WordError, match=re.escape(result)):
            read_words(tmp_path / "w.txt")


@pytest.mark.parametrize("read", [read_vocabulary, read_words])
def test_file_that_cannot_be_opened(read: object, tmp_path: Path) -> None:
    assert callable(read)
    (tmp_path / "vocab.txt").touch()
    with pytest.raises(LoadError, match=r"did you mean vocab\.txt"):
        read(tmp_path / "vocb.txt")
    with pytest.raises(LoadError, match="check the path"):
        read(tmp_path / "none" / "vocab.txt")
    with pytest.raises(LoadError, match="cannot be read"):
        read(tmp_path)


IDS: dict[str, tuple[list[str], str, tuple[list[int], tuple[str, ...]] | str]] = {
    "sorted": (["sat", "the"], "error", ([0, 2], ())),
    "each once": (["sat", "the", "sat"], "error", ([0, 2], ())),
    "missing, left out": (["sat", "dog", "a"], "ignore", ([2], ("dog", "a"))),
    "missing": (["sat", "dog", "a"], "error", "w.txt: 2 of 3 words are not in v.txt: 'dog', 'a'"),
    "near": (
        ["catt"],
        "error",
        "w.txt: 1 of 1 words are not in v.txt: 'catt' (near 'catt': 'cat')",
    ),
    "other case": (["sat", "nasa "], "error", "'nasa ' (near 'nasa ': 'NASA'); go on without them"),
    "many": (list("bcdefgh"), "error", "7 of 7 words are not in v.txt: 'b', 'c', 'd' and 4 more"),
    "none left": (["dog", "a"], "ignore", "w.txt: not one of 2 words is in v.txt"),
}


@pytest.mark.parametrize(("words", "missing", "result"), IDS.values(), ids=IDS)
def test_ids_of_words(
    words: list[str],
    missing: str,
    result: tuple[list[int], tuple[str, ...]] | str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("v.txt").write_text("the\ncat\nsat\nNASA\n")
    vocabulary = read_vocabulary("v.txt")
    choice = "ignore" if missing == "ignore" else "error"
    if isinstance(result, str):
        with pytest.raises(GraphfreezeError, match=re.escape(result)):
            get_ids(vocabulary, words, words_path="w.txt", missing=choice)
        return
    ids, unknown = get_ids(vocabulary, words, words_path="w.txt", missing=choice)
    assert (ids.tolist(), ids.dtype, unknown) == (result[0], np.int64, result[1])


def test_ids_keep_the_order_of_words(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("the\ncat\nsat\n")
    ids, unknown = read_vocabulary(tmp_path / "v.txt").ids_of(["sat", "dog", "the", "a"])
    assert (ids.tolist(), ids.dtype, unknown) == ([2, 0], np.int64, ("dog", "a"))


TOKENS = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="\n\t"), min_size=1)
    # These two belong to the file where all lines agree, or at its start.
    .filter(lambda word: not word.endswith("\r") and not word.startswith("\ufeff")),
    min_size=1,
    unique=True,
)


@given(words=TOKENS)
def test_any_words_keep_their_ids(
    words: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("vocabulary")
    index = {word: place for place, word in enumerate(words)}
    texts = {
        "lines.txt": "\n".join(words),
        "windows.txt": "".join(f"{word}\r\n" for word in words),
        "counts.txt": "".join(
            f"{word}\t{len(words) - place + 7}\n" for word, place in index.items()
        ),
        "list.json": json.dumps(words),
        "map.json": json.dumps(index, ensure_ascii=False),
    }
    # Of two columns of numbers none can be told to be the ids.
    if not all(re.fullmatch("[0-9]{1,18}", word) for word in words):
        texts["map.tsv"] = "".join(f"{word}\t{place}\n" for word, place in reversed(index.items()))
        texts["turned.tsv"] = "".join(f"{place}\t{word}\n" for word, place in index.items())
    for name, text in texts.items():
        (folder / name).write_bytes(text.encode())
        assert read_vocabulary(folder / name).index == index, name
        assert read_vocabulary(folder / name).size == len(words), name


@given(data=st.binary(max_size=40), suffix=st.sampled_from(["", ".txt", ".tsv", ".json"]))
def test_any_bytes_are_a_vocabulary_or_a_word_error(
    data: bytes, suffix: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("vocabulary") / f"v{suffix}"
    path.write_bytes(data)
    with contextlib.suppress(WordError):
        found = read_vocabulary(path)
        ids, missing = found.ids_of(list(found.index))
        assert len(np.unique(ids)) == len(found.index) > 0
        assert (int(ids.max()) + 1, missing) == (found.size, ())
