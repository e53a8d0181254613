"""What is told as one. A row is a text of variables and the lines of the tree that tells them."""

from collections.abc import Sequence

import pytest

from graphfreeze.model.records import VariableRecord
from graphfreeze.report.tree import Branch, fold, gather, grow, walk
from graphfreeze.selection.pattern import parse_pattern


def variables(text: str) -> list[VariableRecord]:
    """Read ``name shape [state]``, shapes as in ``2x3``."""
    rows = [line.split() for line in text.splitlines()]
    return [
        VariableRecord(
            name=name,
            kind="ref",
            dtype="float32",
            shape=[int(size) for size in shape.split("x")],
            parameters=1,
            state=more[0] if more else "trainable",
        )
        for name, shape, *more in rows
    ]


def lines(branches: Sequence[Branch]) -> list[str]:
    return [
        f"{'  ' * depth}{branch.name}{'' if branch.own else '/'} {len(branch.variables)}"
        for depth, branch in walk(branches)
    ]


FOLDED = {
    "equal layers": ("l_0/w 2\nl_0/b 2\nl_1/w 2\nl_1/b 2", ["l_{0..1}/ 4", "  w 1", "  b 1"]),
    "one differs": ("l_0/w 2\nl_1/w 3\nl_2/w 2\nl_3/w 2", ["l_{0,2..3}/w 3", "l_1/w 1"]),
    "10 comes after 9": ("l_9/w 2\nl_10/w 2\nl_8/w 2", ["l_{8..10}/w 3"]),
    "a suffix": ("conv1_a 2\nconv2_a 2\nconv1_b 2", ["conv{1..2}_a 2", "conv1_b 1"]),
    "no padded numbers": ("l_00 2\nl_01 2", ["l_00 1", "l_01 1"]),
    "different states": ("l_0 2\nl_1 2 frozen", ["l_0 1", "l_1 1"]),
    "slots": ("w 2\nw/Adam 2 slot\nw/Adam_1 2 slot", ["w 3", "  {Adam,Adam_1} 2"]),
    "a scope that holds one thing": ("a/b/c 2\na/b/d 2", ["a/b/ 2", "  c 1", "  d 1"]),
    "a variable that is a scope": ("a/b 2\na/b/c 2", ["a/b 2", "  c 1"]),
    "numbers within numbers": (
        "a_0/b_0 2\na_0/b_1 2\na_1/b_0 2\na_1/b_1 2",
        ["a_{0..1}/b_{0..1} 4"],
    ),
}


@pytest.mark.parametrize(("text", "told"), FOLDED.values(), ids=FOLDED)
def test_fold(text: str, told: list[str]) -> None:
    assert lines(fold(grow(variables(text)))) == told


@pytest.mark.parametrize(("text", "told"), FOLDED.values(), ids=FOLDED)
def test_names_stay_patterns(text: str, told: list[str]) -> None:
    for branch in fold(grow(variables(text))):
        pattern = parse_pattern(branch.name)
        found = [v.name for v in variables(text) if pattern.matches(v.name)]
        assert found == sorted((v.name for v in branch.variables), key=found.index)


GATHERED = {
    "all the same": ("a/w 2\na/b 3", ["a/ 2"]),
    "one frozen": (
        "a/w 2\na/b 3\na/c/x 2 frozen\na/c/y 3 frozen",
        ["a/ 4", "  w 1", "  b 1", "  c/ 2"],
    ),
    "a single one keeps its shape": ("a/w 2", ["a/w 1"]),
    "unlike layers of one state": ("l_0/w 2\nl_0/b 2\nl_1/w 3\nl_1/b 4", ["l_{0..1}/ 4"]),
    "a frozen layer": (
        "e/l_0/w 2\ne/l_0/b 2\ne/l_1/w 2 frozen\ne/l_1/b 2 frozen\ne/l_2/w 2\ne/l_2/b 2",
        ["e/ 6", "  l_{0,2}/ 4", "  l_1/ 2"],
    ),
}


@pytest.mark.parametrize(("text", "told"), GATHERED.values(), ids=GATHERED)
def test_gather(text: str, told: list[str]) -> None:
    assert lines(fold(gather(grow(variables(text))))) == told
