r"""Read the patterns that name variables and scopes.

| pattern                    | matches                                      | never                |
| -------------------------- | -------------------------------------------- | -------------------- |
| ``encoder/layer_1``        | that variable; all in that scope             | ``encoder/layer_10`` |
| ``encoder/``               | all in that scope, no variable of that name  | ``encoder``          |
| ``layer_*``, ``layer_?``   | any text, one character, within one segment  | ``layer/1``          |
| ``**/kernel``              | ``kernel``, ``a/kernel``, ``a/b/kernel``     | ``a/my_kernel``      |
| ``layer_[0-3]``, ``[!a]*`` | one character of, or not of, a class         | ``layer_4``, ``ab``  |
| ``layer_{8..11}/{w,b}``    | numbers of a range, one of several texts     | ``layer_7/w``        |
| ``re:.*/bias(_\d+)?``      | the whole name, as ``re.fullmatch`` does     | ``a/bias/part_0``    |

Patterns are anchored at the root. In ``{00..11}`` numbers are padded with zeros to one width, as
in bash. A tensor's ``:0`` at the end of a name, or of a pattern other than ``re:``, is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from graphfreeze.errors import SelectionError

_MOST_NUMBERS = 100_000  # in one {a..b}: a bigger regex takes seconds to compile

_TOKEN = re.compile(
    r"(?P<star>\*+)|(?P<one>\?)|\[(?P<members>[^\]]*)\]|\{(?P<choices>[^{}]*)\}"
    r"|(?P<stray>[\[\]{}])|(?P<literal>[^*?\[\]{}]+)",
    re.DOTALL,
)
_NUMBERS = re.compile(r"([0-9]{1,9})\.\.([0-9]{1,9})")
_MEMBER = re.compile(r"(.)-(.)|(.)", re.DOTALL)
_END = r"(?:/|\Z)"


class _Malformed(ValueError):
    """Carry the reason up to where the whole pattern is known."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One pattern as its user wrote it, and the regular expression of the names it matches."""

    text: str
    regex: re.Pattern[str]

    def matches(self, name: str) -> bool:
        """Return whether the pattern picks the variable ``name``, by itself or by its scope."""
        return self.regex.fullmatch(name.removesuffix(":0")) is not None

    def __str__(self) -> str:
        return self.text


def parse_pattern(text: str) -> Pattern:
    """Return the pattern that ``text`` spells; raise SelectionError if it spells none."""
    try:
        if text.startswith("re:"):
            return Pattern(text, _compile_regex(text.removeprefix("re:")))
        return Pattern(text, re.compile(_path(text.removesuffix(":0")), re.DOTALL))
    except _Malformed as reason:
        raise SelectionError.bad_pattern(text, str(reason)) from None


def find_matches(
    patterns: Iterable[str], names: Collection[str]
) -> list[tuple[Pattern, list[str]]]:
    """Return each pattern with the names it matches; one without is a SelectionError."""
    found = []
    for pattern in map(parse_pattern, patterns):
        matched = [name for name in names if pattern.matches(name)]
        if not matched:
            raise SelectionError.nothing_matched(pattern.text, names)
        found.append((pattern, matched))
    return found


def matching(patterns: Iterable[str], names: Collection[str]) -> set[str]:
    """Return the names that one of the patterns matches; one without is a SelectionError."""
    return {name for _, matched in find_matches(patterns, names) for name in matched}


def get_single_match(text: str, names: Collection[str]) -> str:
    """Return the name that ``text`` is, else the one that it matches; raises SelectionError.

    A name may be a scope, too: ``w`` is the variable, whatever there is in ``w/``."""
    if text.removesuffix(":0") in names:
        return text.removesuffix(":0")
    ((_, matched),) = find_matches([text], names)
    if len(matched) > 1:
        raise SelectionError.several_matched(text, matched)
    return matched[0]


def _compile_regex(source: str) -> re.Pattern[str]:
    if not source:
        raise _Malformed("the expression after 're:' is empty")
    try:
        return re.compile(source)
    except (re.error, OverflowError, RecursionError) as error:
        raise _Malformed(f"not a regular expression: {error}") from error


def _path(text: str) -> str:
    """Return the regex of a whole path; what follows its last segment lies in its scope.

    It has a group for each ``*`` and ``**``, and one for what lies in the scope."""
    if not text.strip():
        raise _Malformed("it is empty; '**' matches every variable")
    path = text.removesuffix("/")
    below = "(.+)" if path != text else "(.*)"
    segments = path.split("/")
    if "" in segments:
        raise _Malformed("it has an empty segment; paths start at the root, without a '/'")
    return "".join(_collapsed(segments)) + below


def _collapsed(segments: list[str]) -> Iterator[str]:
    """Yield the regex of each segment, and one only for ``**/**``: several would backtrack."""
    before = ""
    for segment in segments:
        if segment != "**":
            yield _segment(segment) + _END
        elif before != "**":
            yield "((?:[^/]+/)*)"
        before = segment


def _segment(text: str) -> str:
    return "".join(_token(match) for match in _TOKEN.finditer(text))


def _token(match: re.Match[str]) -> str:
    found = match[match.lastgroup or 0]
    match match.lastgroup:
        case "star" if found == "*":
            return "([^/]*)"
        case "star":
            raise _Malformed("'**' stands for whole segments and must stand alone between slashes")
        case "one":
            return "[^/]"
        case "members":
            return _character_class(found)
        case "choices":
            return "(?:" + "|".join(_choices(found)) + ")"
        case "stray":
            raise _Malformed(f"{found!r} has no partner within its segment")
        case _:
            return re.escape(found)


def _character_class(text: str) -> str:
    """Return the regex of ``[0-9]`` or ``[!a]``; neither ever matches a slash."""
    members = text.removeprefix("!")
    if not members:
        raise _Malformed(f"'[{text}]' holds no character")
    body = "".join(_member(match) for match in _MEMBER.finditer(members))
    return f"(?!/)[{'^' if members != text else ''}{body}]"


def _member(match: re.Match[str]) -> str:
    low, high, single = match.groups()
    if single is not None:
        return re.escape(single)
    if low > high:
        raise _Malformed(f"the range '{low}-{high}' runs backwards")
    return f"{re.escape(low)}-{re.escape(high)}"


def _choices(text: str) -> Iterator[str]:
    """Yield the regex of each text between braces: numbers of a range, or a pattern of its own."""
    if not text:
        raise _Malformed("'{}' offers nothing")
    for choice in text.split(","):
        if numbers := _NUMBERS.fullmatch(choice):
            yield from _numbers(*numbers.groups())
        elif ".." in choice:
            raise _Malformed(f"{choice!r} is no range of numbers, as in '{{0..7}}'")
        else:
            yield _segment(choice)


def _numbers(first: str, last: str) -> Iterator[str]:
    low, high = int(first), int(last)
    if low > high:
        raise _Malformed(f"the range '{first}..{last}' runs backwards")
    if high - low >= _MOST_NUMBERS:
        raise _Malformed(f"the range '{first}..{last}' is longer than {_MOST_NUMBERS:,}")
    is_padded = any(len(end) > 1 and end.startswith("0") for end in (first, last))
    width = max(len(first), len(last)) if is_padded else 1
    return (f"{number:0{width}}" for number in range(low, high + 1))
