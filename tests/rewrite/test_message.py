"""A part of a graph can be imported by itself."""

import pytest

from graphfreeze.model.attrs import colocations
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.message import importable_part

MODEL = """\
other = Placeholder() {dtype: float32}
w = VariableV2() {shape: [2]} @/job:ps
a = Identity(w) {_class: ["loc:@w"]} @/job:ps
b = Neg(a) {_class: ["loc:@other"]}
c = Neg(b) {_class: ["loc:@other", "loc:@w"]}
"""


@pytest.mark.parametrize("keep_devices", [False, True])
def test_a_part(keep_devices: bool) -> None:
    part = importable_part(Draft(parse_sketch(MODEL)), ["c"], keep_devices=keep_devices)
    found = {node.name: colocations(node) for node in part.node}
    assert found == {"w": [], "a": ["w"], "b": [], "c": ["w"]}
    assert [node.name for node in part.node if "_class" in node.attr] == ["a", "c"]
    assert {node.device for node in part.node} == ({"/job:ps", ""} if keep_devices else {""})
