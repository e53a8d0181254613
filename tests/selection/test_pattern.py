"""Check which names a pattern picks, row by row."""

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphfreeze.errors import SelectionError
from graphfreeze.selection.pattern import parse_pattern

CASES = {
    "a full name": ("a/kernel", "a/kernel", "a/kernel_1 b/a/kernel kernel a"),
    "a scope picks all below": (
        "encoder/layer_1",
        "encoder/layer_1 encoder/layer_1/kernel encoder/layer_1/attention/bias",
        "encoder/layer_10/kernel encoder/layer_11 encoder my/encoder/layer_1/kernel",
    ),
    "a trailing slash means the scope": ("bert/encoder/", "bert/encoder/w", "bert/encoder bert"),
    "a star stays within its segment": ("a/*/w", "a/b/w a/bc/w/part_0", "a/w a/b/c/w"),
    "a star may be nothing": ("layer*", "layer layer_1 layer_1/w", "my_layer a/layer"),
    "a question mark is one character": ("layer_?", "layer_1 layer_1/w", "layer_10 layer_ layer"),
    "a question mark is no slash": ("a?b", "a_b", "a/b ab"),
    "two stars may be no segment": ("**/kernel", "kernel a/kernel a/b/kernel", "my_kernel a/bias"),
    "two stars in the middle": ("a/**/w", "a/w a/b/w a/b/c/w", "w b/a/w aw a/b/w2"),
    "two stars at the end": ("a/**", "a a/b a/b/c", "b ab"),
    "two stars alone": ("**", "a a/b/c", ""),
    "two stars and a slash": ("**/", "a a/b a/b/c", ""),
    "a scope below a scope": ("a/**/b/", "a/b/w a/x/y/b/w", "a/b a/x/b a/w"),
    "two stars after two stars": ("**/**/w", "w a/w a/b/w", "v"),
    "a pick anywhere is a scope too": ("**/lstm", "lstm/w a/lstm/cell/w", "a/lstm_1/w"),
    "a class": ("layer_[0-3]", "layer_0 layer_3/w", "layer_4 layer_10 layer_"),
    "a class that excludes": ("[!a]", "b b/w -", "a a/w bb"),
    "a class never holds a slash": ("a[+-9]b", "a.b a1b", "a/b"),
    "an excluding class holds no slash": ("a[!b]c", "axc", "a/c"),
    "a class of regex characters": (r"a[\^.|&~-]b", "a^b a.b a-b a|b", "axb ab"),
    "a range of numbers": ("layer_{8..11}/w", "layer_8/w layer_11/w", "layer_7/w layer_1/w"),
    "a range of one": ("l{3..3}", "l3 l3/w", "l l33 l2"),
    "a range with zeros": ("l{00..10}", "l00 l07 l10", "l0 l7 l010"),
    "a range with a zero at one end": ("l{0..07}", "l00 l07", "l0 l7"),
    "several texts": ("a/{kernel,bias}", "a/kernel a/bias/part_0", "a/kernelbias a/k a"),
    "texts and ranges": ("l{0..2,7}", "l0 l2 l7", "l3 l6"),
    "a choice may be nothing": ("w{,_ema}", "w w_ema", "w_em w_ema_"),
    "a choice may hold a star": ("{a*,b}/w", "a/w ab/w b/w", "ba/w c/w"),
    "all at once": ("**/l_{0..3}/[kq]*/w?", "x/l_2/key/w1 l_0/q/w2/m", "x/l_4/key/w1 l_0/v/w1"),
    "dots and dashes are themselves": ("a.b-c+d$", "a.b-c+d$", "axb-c+d$ a.b-cd"),
    "a backslash is itself": ("a\\d", "a\\d", "a1 ad"),
    "capitals count": ("Dense", "Dense", "dense"),
    "an expression takes the whole name": (
        r"re:.*/bias(_\d+)?",
        "a/bias a/bias_1",
        "bias a/bias/m",
    ),
    "an expression knows no scopes": ("re:a|b", "a b", "a/w ab"),
    "a pasted tensor": ("a/w:0", "a/w a/w:0", "a/w:1 a/w:00"),
    "a pasted scope keeps its name": ("w:1", "", "w w:0"),
}


@pytest.mark.parametrize(("text", "picked", "passed_by"), CASES.values(), ids=CASES)
def test_pattern_picks_names(text: str, picked: str, passed_by: str) -> None:
    pattern = parse_pattern(text)
    names = picked.split() + passed_by.split()
    assert [name for name in names if pattern.matches(name)] == picked.split()


@pytest.mark.parametrize("text", ["a", "a/b", "**/w", "re:a/.*"])
def test_name_may_be_a_tensor(text: str) -> None:
    pattern = parse_pattern(text)
    names = ("a", "a/b", "a/w", "w")
    assert [pattern.matches(f"{name}:0") for name in names] == [*map(pattern.matches, names)]


MALFORMED = {
    "empty": ("", "it is empty; '**' matches every variable"),
    "blank": ("  ", "it is empty"),
    "port alone": (":0", "it is empty"),
    "slash alone": ("/", "empty segment"),
    "leading slash": ("/a", "empty segment; paths start at the root, without a '/'"),
    "two slashes": ("a//b", "empty segment"),
    "two trailing slashes": ("a//", "empty segment"),
    "two stars in a segment": ("a/b**", "'**' stands for whole segments"),
    "three stars": ("***", "'**' stands for whole segments"),
    "open class": ("a[0-9", "'[' has no partner"),
    "class across segments": ("a[b/c]", "'[' has no partner"),
    "lone closing bracket": ("a]", "']' has no partner"),
    "empty class": ("a[]", "'[]' holds no character"),
    "class that excludes nothing": ("a[!]", "'[!]' holds no character"),
    "class runs backwards": ("a[9-0]", "the range '9-0' runs backwards"),
    "open brace": ("a{1,2", "'{' has no partner"),
    "lone closing brace": ("a}", "'}' has no partner"),
    "nested braces": ("a{b,{c,d}}", "'{' has no partner"),
    "empty braces": ("a{}", "'{}' offers nothing"),
    "range runs backwards": ("l{7..0}", "the range '7..0' runs backwards"),
    "open range": ("l{7..}", "'7..' is no range of numbers"),
    "range of letters": ("l{a..c}", "'a..c' is no range of numbers"),
    "huge range": ("l{0..999999999}", "longer than 100,000"),
    "empty expression": ("re:", "the expression after 're:' is empty"),
    "bad expression": ("re:(a", "not a regular expression: missing )"),
    "huge repeat": ("re:a{99999999999999}", "not a regular expression"),
}


@pytest.mark.parametrize(("text", "reason"), MALFORMED.values(), ids=MALFORMED)
def test_malformed_pattern_says_why(text: str, reason: str) -> None:
    with pytest.raises(SelectionError, match=re.escape(reason)) as caught:
        parse_pattern(text)
    assert str(caught.value).startswith(f"bad pattern {text!r}: ")
    assert len(str(caught.value).splitlines()) == 1


def test_pattern_is_a_value() -> None:
    assert parse_pattern("a/*") == parse_pattern("a/*") != parse_pattern("a/?")
    assert len({parse_pattern("a/*"), parse_pattern("a/*")}) == 1
    assert str(parse_pattern("a/w:0")) == "a/w:0"


SEGMENTS = st.text("abzAZ019_.-", min_size=1, max_size=6)
NAMES = st.lists(SEGMENTS, min_size=1, max_size=4).map("/".join)


@given(NAMES, SEGMENTS)
def test_literal_name_picks_itself_and_below(name: str, more: str) -> None:
    pattern = parse_pattern(name)
    assert pattern.matches(name)
    assert pattern.matches(f"{name}/{more}")
    assert not pattern.matches(name + more)
    assert not pattern.matches(f"{more}/{name}") or f"{more}/{name}".startswith(f"{name}/")


@given(NAMES, NAMES)
def test_two_stars_pick_at_any_depth(name: str, outer: str) -> None:
    pattern = parse_pattern(f"**/{name}")
    assert pattern.matches(name)
    assert pattern.matches(f"{outer}/{name}")


@given(NAMES, st.integers(0, 30), st.integers(0, 30), st.integers(0, 60))
def test_range_picks_its_numbers(name: str, low: int, size: int, number: int) -> None:
    pattern = parse_pattern(f"{name}_{{{low}..{low + size}}}")
    assert pattern.matches(f"{name}_{number}") == (low <= number <= low + size)


@given(st.text(max_size=12), NAMES)
def test_any_text_is_a_pattern_or_a_selection_error(text: str, name: str) -> None:
    with contextlib.suppress(SelectionError):
        parse_pattern(text).matches(name)
