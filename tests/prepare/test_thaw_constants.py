"""Constants become variables: the edits, and what collections say of the result."""

import pytest

from graphfreeze.api import thaw
from graphfreeze.errors import ThawError
from graphfreeze.frozen import FrozenModel
from graphfreeze.model.collected import variable_entries
from graphfreeze.model.sketch import format_node
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.edits import FromConst, SetValue

V = "{value: [1.0, 2.0]}"
X = "x = Placeholder() {shape: [?, 2]}\n"
READ = f'{X}w = Const() {{shape: [2, 2]}}\nw/read = Identity(w) {{_class: ["loc:@w"]}}\n'
VARIABLE = "w = VariableV2() {dtype: float32, shape: [2, 2]}"
HANDLE = 'w = VarHandleOp() {dtype: float32, shape: [2, 2], shared_name: "w"}'
OWN = 'w/read = Identity(w) {_class: ["loc:@w"]}'
RESOURCE_READ = "w/Read/ReadVariableOp = ReadVariableOp(w) {dtype: float32}"
BARE = f"{X}w = Const() {{shape: [2, 2]}} @ /device:CPU:0\ny = MatMul(x, w)\nn = NoOp(^w)\n"
ENTERS = (
    f'{X}w = Const() {{shape: [2, 2]}}\nw/Enter = Enter(w) {{frame_name: "f"}}\n'
    "r = Identity(w/Enter)\ny = MatMul(x, r)\n"
)
WAITS = f"{X}w = Const(^x) {{shape: [2, 2]}}\nw/read = Identity(w)\ny = MatMul(x, w/read)\n"
WRITTEN = (
    "w = Const() {shape: [2, 2]}\ni = Placeholder() {dtype: int32}\n"
    "x = Placeholder()\ns = ScatterUpdate(w, i, x)\ny = MatMul(x, w)\n"
)

CASES = {
    "a read that was there": (
        READ + "y = MatMul(x, w/read)",
        "ref",
        {"w": VARIABLE, "w/read": OWN, "y": "y = MatMul(x, w/read)"},
    ),
    "the same as a resource": (
        READ + "y = MatMul(x, w/read)",
        "resource",
        {
            "w": HANDLE,
            "w/read": 'w/read = ReadVariableOp(w) {_class: ["loc:@w"], dtype: float32}',
            "w/Read/ReadVariableOp": RESOURCE_READ,
            "y": "y = MatMul(x, w/read)",
        },
    ),
    "a read that is new, on its device": (
        BARE,
        "ref",
        {
            "w": f"{VARIABLE} @ /device:CPU:0",
            "w/read": f"{OWN} @ /device:CPU:0",
            "y": "y = MatMul(x, w/read)",
            "n": "n = NoOp(^w)",
        },
    ),
    "the same as a resource, new": (
        BARE,
        "resource",
        {
            "w": f"{HANDLE} @ /device:CPU:0",
            "w/Read/ReadVariableOp": f"{RESOURCE_READ} @ /device:CPU:0",
            "y": "y = MatMul(x, w/Read/ReadVariableOp)",
        },
    ),
    "a read and readers beside it": (
        READ + "y = MatMul(x, w/read)\nz = MatMul(x, w)",
        "ref",
        {"w": VARIABLE, "w/read": OWN, "y": "y = MatMul(x, w/read)", "z": "z = MatMul(x, w/read)"},
    ),
    "a read under another name": (
        f"{X}w = Const() {{shape: [2, 2]}}\na/ReadVariableOp = Identity(w)\n"
        "y = MatMul(x, a/ReadVariableOp)",
        "ref",
        {"w": VARIABLE, "a/ReadVariableOp": "a/ReadVariableOp = Identity(w)", "w/read": ""},
    ),
    "the name of a read that is taken": (
        f"{X}w = Const() {{shape: [2, 2]}}\nw/read = Neg(x)\ny = MatMul(w/read, w)",
        "ref",
        {
            "w/read": "w/read = Neg(x)",
            "w/graphfreeze/read": 'w/graphfreeze/read = Identity(w) {_class: ["loc:@w"]}',
            "y": "y = MatMul(w/read, w/graphfreeze/read)",
        },
    ),
    "into a loop": (
        ENTERS,
        "resource",
        {
            "w/Enter": 'w/Enter = Enter(w/Read/ReadVariableOp) {frame_name: "f"}',
            "r": "r = Identity(w/Enter)",
        },
    ),
    "what it waits for": (
        WAITS,
        "ref",
        {
            "w": VARIABLE,
            "w/graphfreeze/read": 'w/graphfreeze/read = Identity(w, ^x) {_class: ["loc:@w"]}',
            "w/read": "w/read = Identity(w/graphfreeze/read)",
        },
    ),
    "an op that takes a ref": (
        WRITTEN,
        "ref",
        {"s": "s = ScatterUpdate(w, i, x)", "y": "y = MatMul(x, w/read)"},
    ),
    "near a node that is there, and one that is gone": (
        f'{X}w = Const() {{shape: [2, 2], _class: ["loc:@x", "loc:@gone"]}}\ny = MatMul(x, w)',
        "ref",
        {"w": 'w = VariableV2() {_class: ["loc:@x"], dtype: float32, shape: [2, 2]}'},
    ),
}


@pytest.mark.parametrize(("text", "kind", "nodes"), CASES.values(), ids=CASES)
def test_nodes(text: str, kind: str, nodes: dict[str, str]) -> None:
    graph = thaw(parse_sketch(text), (), kind).draft.graph
    assert {n: format_node(graph.nodes[n]) if n in graph else "" for n in nodes} == nodes


def described(thawed: FrozenModel, key: str) -> list[str]:
    return [str(each.variable_name) for each in variable_entries(thawed.draft.collections, key)]


NORM = f"""
x = Placeholder() {{shape: [?, 4, 4, 2]}}
g = Const() {V}
b = Const() {V}
m = Const() {V}
v = Const() {V}
n = FusedBatchNorm(x, g, b, m, v) {{is_training: false}}
"""


@pytest.mark.parametrize("kind", ["ref", "resource"])
def test_what_collections_say(kind: str) -> None:
    thawed = thaw(parse_sketch(NORM), (), kind)
    assert described(thawed, "variables") == ["g:0", "b:0", "m:0", "v:0"]
    assert described(thawed, "trainable_variables") == ["g:0", "b:0"]
    first = variable_entries(thawed.draft.collections, "variables")[0]
    read = "g/read:0" if kind == "ref" else "g/Read/ReadVariableOp:0"
    assert (first.snapshot_name, first.is_resource) == (read, kind == "resource")
    assert first.initializer_name == "g/graphfreeze/restore"
    assert thawed.draft.graph.op("g/graphfreeze/restore").startswith("Assign")
    sources = [(edit.key, edit.source) for edit in thawed.draft.value_edits]
    assert sources == [(name, FromConst(name)) for name in "gbmv"]
    assert all(isinstance(edit, SetValue) for edit in thawed.draft.value_edits)


LEFT_OVER = """
k = VariableV2() {shape: [2, 2]}
k/read = Identity(k)
z = MatMul(x, k/read)
"""


def test_variables_that_are_left() -> None:
    text = READ + "y = MatMul(x, w/read)" + LEFT_OVER
    bare = thaw(parse_sketch(text))
    assert described(bare, "variables") == ["k:0", "w:0"]
    assert sorted(bare.draft.saved_keys()) == ["k", "w"]
    told = thaw(
        parse_sketch(f"{text}k/Assign = Assign(k, w)\nvariables: k\ntrainable_variables: k")
    )
    assert described(told, "trainable_variables") == ["k:0", "w:0"]


SAVED = """
keys = Const() {value: ["w"]}
slices = Const() {value: [""]}
save/Const = Const() {value: "f"}
save/SaveV2 = SaveV2(save/Const, keys, slices, k)
save/control_dependency = Identity(save/Const, ^save/SaveV2)
save/RestoreV2 = RestoreV2(save/Const, keys, slices) {dtypes: [float32]}
save/Assign = Assign(k, save/RestoreV2)
save/restore_all = NoOp(^save/Assign)
saver: save
"""


def test_a_key_that_is_taken() -> None:
    text = READ + "y = MatMul(x, w/read)" + LEFT_OVER + SAVED
    with pytest.raises(ThawError, match="keeps 'k' under the key 'w'"):
        thaw(parse_sketch(text))


def test_a_signature_asks_for_a_handle() -> None:
    model = parse_sketch(READ + "y = MatMul(x, w/read)\nlosses: w:0")
    assert thaw(model).thaw is not None
    with pytest.raises(ThawError, match="collection 'losses' names w:0, which would be the handle"):
        thaw(model, ["w"], "resource")
