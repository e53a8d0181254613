import pytest

from graphfreeze.model.names import TensorRef
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.lookups import GATHER, GATHER_ND, SLICE, Lookup, find_lookup

TEXT = """
w = VariableV2() {shape: [8, 4, 2]}
w/read = Identity(w)
ids = Placeholder() {dtype: int32}
zero = Const() {value: 0}
one = Const() {value: 1}
last = Const() {value: -1}
"""
IDS = TensorRef("ids")


def slices(begin: str, end: str, strides: str, attrs: str = "") -> str:
    """Write a strided slice of constant bounds."""
    given = {"b": begin, "e": end, "s": strides}
    consts = "".join(f"{name} = Const() {{value: [{value}]}}\n" for name, value in given.items())
    return f"{consts}l = StridedSlice(w/read, b, e, s) {{{attrs}}}"


def cut(begin: str, size: str) -> str:
    bounds = f"b = Const() {{value: [{begin}]}}\nn = Const() {{value: [{size}]}}\n"
    return f"{bounds}l = Slice(w/read, b, n)"


EVERY = (range(8), range(4), range(2))
LOOKUPS = {
    "Gather": ("l = Gather(w/read, ids)", Lookup("l", GATHER, 3, IDS)),
    "GatherV2": ("l = GatherV2(w/read, ids, zero)", Lookup("l", GATHER, 3, IDS)),
    "of another axis": ("l = GatherV2(w/read, ids, one)", Lookup("l", GATHER, 3, IDS, axis=1)),
    "of the last axis": ("l = GatherV2(w/read, ids, last)", Lookup("l", GATHER, 3, IDS, axis=2)),
    "by batches": (
        "l = GatherV2(w/read, ids, one) {batch_dims: 1}",
        Lookup("l", GATHER, 3, IDS, axis=1, batch_dims=1),
    ),
    "of a handle": ("l = ResourceGather(w, ids)", Lookup("l", GATHER, 3, IDS)),
    "of a handle by batches": (
        "l = ResourceGather(w, ids) {batch_dims: 1}",
        Lookup("l", GATHER, 3, IDS, axis=1, batch_dims=1),
    ),
    "of points": ("l = GatherNd(w/read, ids)", Lookup("l", GATHER_ND, 3, IDS)),
    "an axis that is fed": ("l = GatherV2(w/read, ids, ids)", None),
    "batches behind the axis": ("l = GatherV2(w/read, ids, zero) {batch_dims: 1}", None),
    "another op": ("l = Square(w/read)", None),
    "a cut": (
        cut("2, 0, 1", "3, -1, 1"),
        Lookup("l", SLICE, 3, spans=(range(2, 5), range(4), range(1, 2))),
    ),
    "a slice": (
        slices("2", "5", "1"),
        Lookup("l", SLICE, 3, spans=(range(2, 5), *EVERY[1:])),
    ),
    "a slice with a step, backwards": (
        slices("-1, 0", "0, 4", "-3, 2"),
        Lookup("l", SLICE, 3, spans=(range(7, 0, -3), range(0, 4, 2), EVERY[2])),
    ),
    "open ends": (
        slices("3", "5", "1", "begin_mask: 1, end_mask: 1"),
        Lookup("l", SLICE, 3, spans=EVERY),
    ),
    "one row": (
        slices("-3", "-2", "1", "shrink_axis_mask: 1"),
        Lookup("l", SLICE, 3, spans=(5, *EVERY[1:])),
    ),
    "a new axis": (slices("0", "0", "1", "new_axis_mask: 1"), None),
    "an ellipsis": (slices("0, 1", "0, 2", "1, 1", "ellipsis_mask: 1"), None),
    "a bound that is fed": ("s = Const() {value: [1]}\nl = Slice(w/read, ids, s)", None),
}


@pytest.mark.parametrize(("text", "lookup"), LOOKUPS.values(), ids=LOOKUPS)
def test_lookup(text: str, lookup: Lookup | None) -> None:
    model = parse_sketch(TEXT + text)
    (variable,) = model.variables
    assert find_lookup(model.graph, "l", variable) == lookup


def test_only_the_first_axis_is_by_rows() -> None:
    assert Lookup("l", GATHER, 2, IDS).is_by_rows
    assert not Lookup("l", GATHER, 2, IDS, axis=1).is_by_rows
    assert not Lookup("l", GATHER_ND, 2, IDS).is_by_rows


LOOKED_AT = {
    "GatherNd": "l = GatherNd(w/read, ids)",
    "Gather": "l = Gather(w/read, ids)",
    "StridedSlice": slices("2", "5", "1"),
}


@pytest.mark.parametrize("text", LOOKED_AT.values(), ids=LOOKED_AT)
def test_nodes_get_no_attribute_by_being_looked_at(text: str) -> None:
    """TensorFlow 1.15 refuses a Gather with batch_dims."""
    model = parse_sketch(TEXT + text)
    before = model.graph.nodes["l"].SerializeToString(deterministic=True)
    find_lookup(model.graph, "l", model.variables[0])
    assert model.graph.nodes["l"].SerializeToString(deterministic=True) == before


def test_a_slice_of_nothing_is_no_lookup() -> None:
    model = parse_sketch(TEXT.replace("[8, 4, 2]", "[0, 4, 2]") + slices("0", "1", "1"))
    assert find_lookup(model.graph, "l", model.variables[0]) is None
