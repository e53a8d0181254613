"""The ops that a step runs besides the optimizer."""

import pytest

from graphfreeze.model.updates import kept_updates, looped_updates
from graphfreeze.read.sketch import parse_sketch

GRAPH = """
x = Placeholder()
one = NoOp()
two = NoOp()
group = NoOp(^one, ^two)
e = Enter(x) {frame_name: "f"}
inside = Neg(e)
group_inside = Identity(inside)
out = Exit(inside)
behind = Neg(out)
"""
KEPT = {
    "all": ("one, group", [], ["one", "group"]),
    "none that writes what is frozen": ("one, two", ["one"], ["two"]),
    "the rest of a group": ("group", ["one"], ["two"]),
}
LOOPED = {
    "none": ("one, group, out:0, behind:0", []),
    "in a loop": ("inside:0, behind:0, group_inside", ["inside:0", "group_inside"]),
}


@pytest.mark.parametrize(("entries", "frozen", "kept"), KEPT.values(), ids=KEPT)
def test_kept(entries: str, frozen: list[str], kept: list[str]) -> None:
    model = parse_sketch(f"{GRAPH}update_ops: {entries}")
    assert kept_updates(model.graph, model.collections, frozen) == kept


@pytest.mark.parametrize(("entries", "looped"), LOOPED.values(), ids=LOOPED)
def test_looped(entries: str, looped: list[str]) -> None:
    model = parse_sketch(f"{GRAPH}update_ops: {entries}")
    assert looped_updates(model.graph, model.collections) == looped
