"""Ref variables become resource variables: each row is a graph, and what changes in it."""

import pytest

from graphfreeze.errors import RewriteError
from graphfreeze.model.attrs import find_attr, shape_proto
from graphfreeze.model.collected import node_entries, variable_entries
from graphfreeze.model.control_flow import CONTEXTS
from graphfreeze.model.sketch import format_node
from graphfreeze.prepare.resource_variables import ResourceVariables
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import SetSignature
from graphfreeze.rewrite.run import run
from graphfreeze.schema import (
    AttrValue,
    CollectionDef,
    CondContextDef,
    SignatureDef,
    TensorInfo,
    VariableDef,
    types_pb2,
)

W = "w = VariableV2() {shape: [2]}\n"
X = "x = Placeholder() {shape: [2]}\n"
P = "p = Placeholder() {dtype: bool, shape: []}\n"
IDS = "at = Const() {value: [0, 1]}\naxis = Const() {value: 0}\n"
READ = "w/read = Identity(w)\n"
BRANCHES = W + P + X + "s = RefSwitch(w, p)\na = Assign(s:1, x)\nb = AssignAdd(s, x)\n"
WRITTEN = "s = Switch(w, p)\na = AssignVariableOp(s:1, x)\nb = AssignAddVariableOp(s, x)\n"
ADDED = W + X + READ + "a = AssignAdd(w, x)\n"
ADDED_TOO = "w/read = ReadVariableOp(w) {dtype: float32}\na = AssignAddVariableOp(w, x)\n"
HANDLE = 'w = VarHandleOp() {dtype: float32, shape: [2], shared_name: "w"}\n'


def convert(text: str, **collections: CollectionDef) -> Draft:
    draft = Draft(parse_sketch(text, collections=collections))
    run(draft, [ResourceVariables()])
    return draft


def lines(draft: Draft) -> str:
    """Return the nodes that are changed or new, in their order, but for the variable ``w``."""
    names = [*draft.changed_nodes(), *draft.added_nodes()]
    made = {name: format_node(draft.graph.nodes[name]) for name in names if name != "w"}
    return "".join(f"{made[name]}\n" for name in draft.graph.nodes if name in made)


CASES = {
    "an initializer and a read": (
        W + X + 'w/Assign = Assign(w, x) {validate_shape: false, _class: ["loc:@w"]}\n'
        + 'w/read = Identity(w) {_class: ["loc:@w"]}\ny = Neg(w/read)\n',
        'w/Assign = AssignVariableOp(w, x) {_class: ["loc:@w"]}\n'
        'w/read = ReadVariableOp(w) {_class: ["loc:@w"], dtype: float32}\n',
    ),
    "a read that waits": (
        W + X + "a = AssignAdd(w, x)\nr = Identity(w, ^a)\n",
        "a = AssignAddVariableOp(w, x)\nr = ReadVariableOp(w, ^a) {dtype: float32}\n",
    ),
    "a read on another device": (
        W + "r = Identity(w) @ /cpu:1\n",
        "r = Identity(w/graphfreeze/read) @ /cpu:1\n"
        "w/graphfreeze/read = ReadVariableOp(w) {dtype: float32}\n",
    ),
    "a ref by value takes the read that is there": (
        W + READ + "y = Neg(w)\n",
        "w/read = ReadVariableOp(w) {dtype: float32}\ny = Neg(w/read)\n",
    ),
    "else a new one, once": (
        W + "y = Neg(w)\nz = Mul(w, w)\n",
        "y = Neg(w/graphfreeze/read)\nz = Mul(w/graphfreeze/read, w/graphfreeze/read)\n"
        "w/graphfreeze/read = ReadVariableOp(w) {dtype: float32}\n",
    ),
    "which is none that waits": (
        W + P + "r = Identity(w, ^p)\ny = Neg(w)\n",
        "r = ReadVariableOp(w, ^p) {dtype: float32}\ny = Neg(w/graphfreeze/read)\n"
        "w/graphfreeze/read = ReadVariableOp(w) {dtype: float32}\n",
    ),
    "a consumer that waits has a read of its own": (
        W + READ + P + "y = Neg(w, ^p)\n",
        "w/read = ReadVariableOp(w) {dtype: float32}\n"
        "y = Neg(y/graphfreeze/read, ^p)\n"
        "y/graphfreeze/read = ReadVariableOp(w, ^p) {dtype: float32}\n",
    ),
    "and one that takes a value which comes after a writer": (
        W + READ + X + "a = AssignAdd(w, x)\ny = Neg(a)\nz = Mul(y, w)\nn = Mul(x, w)\n",
        "w/read = ReadVariableOp(w) {dtype: float32}\n"
        "a = AssignAddVariableOp(w, x)\ny = Neg(a/graphfreeze/value)\n"
        "z = Mul(y, z/graphfreeze/read_1)\nn = Mul(x, w/read)\n"
        "a/graphfreeze/value = ReadVariableOp(w, ^a) {dtype: float32}\n"
        "z/graphfreeze/read_1 = ReadVariableOp(w, ^y) {dtype: float32}\n",
    ),
    "but not after a writer of another variable": (
        W + READ + X + "v = VarHandleOp() {dtype: float32, shape: [2]}\n"
        "a = AssignAddVariableOp(v, x)\ny = Neg(x, ^a)\nz = Mul(y, w)\n",
        "w/read = ReadVariableOp(w) {dtype: float32}\nz = Mul(y, w/read)\n",
    ),
    "two refs by value after a wait": (
        W + P + "y = Pack(w, w, ^p)\n",
        "y = Pack(y/graphfreeze/read, y/graphfreeze/read_1, ^p)\n"
        "y/graphfreeze/read = ReadVariableOp(w, ^p) {dtype: float32}\n"
        "y/graphfreeze/read_1 = ReadVariableOp(w, ^p) {dtype: float32}\n",
    ),
    "what a writer yields, by value and by ref": (
        W + X + "a = Assign(w, x)\nb = AssignAdd(a, x)\nr = Identity(b)\ny = Neg(b)\n",
        "a = AssignVariableOp(w, x)\nb = AssignAddVariableOp(w, x, ^a)\n"
        "r = ReadVariableOp(w, ^b) {dtype: float32}\n"
        "y = Neg(r)\n",
    ),
    "a variable assigned to itself": (
        W + "a = Assign(w, w)\n",
        "a = AssignVariableOp(w, w/graphfreeze/read)\n"
        "w/graphfreeze/read = ReadVariableOp(w) {dtype: float32}\n",
    ),
    "whether it has a value": (
        W + "is = IsVariableInitialized(w)\n",
        "is = VarIsInitializedOp(w)\n",
    ),
    "scatter and optimizers": (
        W + X + "v = VariableV2() {shape: [2]}\n"
        "at = Const() {value: [0, 1]}\nc = Const() {value: 1.0}\n"
        "s = ScatterSub(w, at, x) {use_locking: true}\n"
        "m = SparseApplyMomentum(w, v, c, x, at, c) {use_nesterov: true}\n",
        'v = VarHandleOp() {dtype: float32, shape: [2], shared_name: "v"}\n'
        "s = ResourceScatterSub(w, at, x)\n"
        "m = ResourceSparseApplyMomentum(w, v, c, x, at, c) {use_nesterov: true}\n",
    ),
    "a loop": (
        W + 'e = RefEnter(w) {frame_name: "f", is_constant: true}\ny = Neg(e)\n'
        'n = Enter(w) {frame_name: "f"}\n',
        'e = Enter(w) {frame_name: "f", is_constant: true}\ny = Neg(e/graphfreeze/value)\n'
        'n = Enter(w/graphfreeze/read) {frame_name: "f"}\n'
        "e/graphfreeze/value = ReadVariableOp(e) {dtype: float32}\n"
        "w/graphfreeze/read = ReadVariableOp(w) {dtype: float32}\n",
    ),
    "a branch": (
        W + P + X + "s = RefSwitch(w, p)\na = Assign(s:1, x)\ny = Neg(s)\nz = Neg(s:1)\n",
        "s = Switch(w, p)\na = AssignVariableOp(s:1, x)\ny = Neg(s/graphfreeze/value)\n"
        "z = Neg(s/graphfreeze/value_1)\n"
        "s/graphfreeze/value = ReadVariableOp(s) {dtype: float32}\n"
        "s/graphfreeze/value_1 = ReadVariableOp(s:1) {dtype: float32}\n",
    ),
    "two branches that write": (
        BRANCHES + "m = RefMerge(b, a)\nr = Identity(m)\ny = Neg(m)\n",
        WRITTEN + "m = Merge(b/graphfreeze/value, a/graphfreeze/value)\n"
        "b/graphfreeze/value = ReadVariableOp(s, ^b) {dtype: float32}\n"
        "a/graphfreeze/value = ReadVariableOp(s:1, ^a) {dtype: float32}\n",
    ),
    "two branches, one of two": (
        BRANCHES + "m = RefMerge(b, a)\nt = RefSwitch(w, p)\nn = RefMerge(m, t)\n",
        WRITTEN + "m = Merge(b/graphfreeze/value, a/graphfreeze/value)\n"
        "t = Switch(w, p)\nn = Merge(m, t/graphfreeze/value)\n"
        "b/graphfreeze/value = ReadVariableOp(s, ^b) {dtype: float32}\n"
        "a/graphfreeze/value = ReadVariableOp(s:1, ^a) {dtype: float32}\n"
        "t/graphfreeze/value = ReadVariableOp(t) {dtype: float32}\n",
    ),
    "two branches, and a writer of what comes out": (
        BRANCHES + "m = RefMerge(b, a)\nr = Identity(m)\nc = AssignAdd(m, x)\n",
        WRITTEN + "m = Merge(b/graphfreeze/handle, a/graphfreeze/handle)\n"
        "r = ReadVariableOp(m) {dtype: float32}\nc = AssignAddVariableOp(m, x)\n"
        "b/graphfreeze/handle = Identity(s, ^b)\na/graphfreeze/handle = Identity(s:1, ^a)\n",
    ),
    "two branches, and a reader that waits": (
        BRANCHES + "m = RefMerge(b, a)\ny = Neg(m, ^x)\n",
        WRITTEN + "m = Merge(b/graphfreeze/handle, a/graphfreeze/handle)\n"
        "y = Neg(y/graphfreeze/read, ^x)\n"
        "b/graphfreeze/handle = Identity(s, ^b)\na/graphfreeze/handle = Identity(s:1, ^a)\n"
        "y/graphfreeze/read = ReadVariableOp(m, ^x) {dtype: float32}\n",
    ),
    "a read that is written before it is used": (
        ADDED + "y = Neg(w/read, ^a)\nz = Neg(y)\nb = NoOp(^w/read, ^a)\n",
        ADDED_TOO + "y = Neg(y/graphfreeze/read, ^a)\n"
        "y/graphfreeze/read = ReadVariableOp(w, ^a) {dtype: float32}\n",
    ),
    "written by what comes before a value beside it": (
        ADDED + "n = Neg(x, ^a)\ny = Mul(n, w/read)\nz = Mul(x, w/read)\n",
        ADDED_TOO + "y = Mul(n, y/graphfreeze/read_1)\n"
        "y/graphfreeze/read_1 = ReadVariableOp(w, ^n) {dtype: float32}\n",
    ),
    "used behind an Identity": (
        ADDED + "i = Identity(w/read)\nj = StopGradient(i)\ny = Neg(j, ^a)\nz = Neg(i)\n",
        ADDED_TOO + "y = Neg(y/graphfreeze/read, ^a)\n"
        "y/graphfreeze/read = ReadVariableOp(w, ^a) {dtype: float32}\n",
    ),
    "a read that waited for the writer itself": (
        ADDED + "r = Identity(w, ^a)\ny = Neg(r, ^a)\nb = AssignAdd(w, x, ^r)\nz = Neg(r, ^b)\n",
        ADDED_TOO + "r = ReadVariableOp(w, ^a) {dtype: float32}\n"
        "b = AssignAddVariableOp(w, x, ^r)\nz = Neg(z/graphfreeze/read, ^b)\n"
        "z/graphfreeze/read = ReadVariableOp(w, ^b) {dtype: float32}\n",
    ),
    "what is read on another device is a copy": (
        W + X + "r = Identity(w) @ /cpu:1\na = AssignAdd(w, x)\ny = Neg(r, ^a)\n",
        "r = Identity(w/graphfreeze/read) @ /cpu:1\na = AssignAddVariableOp(w, x)\n"
        "w/graphfreeze/read = ReadVariableOp(w) {dtype: float32}\n",
    ),
    "used in a branch": (
        ADDED + P + "s = Switch(w/read, p)\nn = Neg(x, ^a)\ny = Mul(s:1, n)\nz = Neg(s)\n",
        ADDED_TOO + "y = Mul(y/graphfreeze/read, n)\n"
        "s/graphfreeze/handle = Switch(w, p)\n"
        "y/graphfreeze/read = ReadVariableOp(s/graphfreeze/handle:1, ^n) {dtype: float32}\n",
    ),
    "used in a loop": (
        ADDED + 'e = Enter(w/read) {frame_name: "f", is_constant: true}\ny = Neg(e, ^a)\n'
        'v = Enter(w/read) {frame_name: "f"}\nz = Neg(v, ^a)\n',
        ADDED_TOO + "y = Neg(y/graphfreeze/read, ^a)\n"
        'e/graphfreeze/handle = Enter(w) {frame_name: "f", is_constant: true}\n'
        "y/graphfreeze/read = ReadVariableOp(e/graphfreeze/handle, ^a) {dtype: float32}\n",
    ),
    "a lookup of rows, of the read and of the ref": (
        W + READ + IDS + "y = GatherV2(w/read, at, axis, ^at)\nz = Gather(w, at)\n",
        "w/read = ReadVariableOp(w) {dtype: float32}\n"
        "y = ResourceGather(w, at, ^at) {dtype: float32}\n"
        "z = ResourceGather(w, at) {dtype: float32}\n",
    ),
    "lookups that are of another kind": (
        W + P + IDS + "r = Identity(w, ^p)\ny = GatherV2(r, at, axis)\n"
        "i = StopGradient(w)\nz = GatherV2(i, at, axis)\nn = GatherV2(at, at, axis)\n"
        "d = GatherV2(w, at, axis) @ /cpu:1\nt = GatherV2(w, at, p)\n",
        "r = ReadVariableOp(w, ^p) {dtype: float32}\ni = StopGradient(w/graphfreeze/read)\n"
        "d = GatherV2(w/graphfreeze/read, at, axis) @ /cpu:1\n"
        "t = GatherV2(w/graphfreeze/read, at, p)\n"
        "w/graphfreeze/read = ReadVariableOp(w) {dtype: float32}\n",
    ),
    "a lookup after a writer": (
        ADDED + IDS + "y = GatherV2(w/read, at, axis, ^a)\nz = Gather(a, at)\n",
        ADDED_TOO + "y = ResourceGather(w, at, ^a) {dtype: float32}\n"
        "z = ResourceGather(w, at, ^a) {dtype: float32}\n",
    ),
    "a lookup by what a variable holds": (
        ADDED + IDS + "n = VariableV2() {dtype: int32, shape: [2]}\nn/read = Identity(n)\n"
        "y = Gather(w/read, n/read, ^a)\n",
        ADDED_TOO + 'n = VarHandleOp() {dtype: int32, shape: [2], shared_name: "n"}\n'
        "n/read = ReadVariableOp(n) {dtype: int32}\n"
        "y = Gather(y/graphfreeze/read, n/read, ^a)\n"
        "y/graphfreeze/read = ReadVariableOp(w, ^a) {dtype: float32}\n",
    ),
    "a branch that writes, and one that does not": (
        W + P + X + "s = RefSwitch(w, p)\na = Assign(s:1, x)\nt = Switch(x, p)\nm = Merge(t, a)\n",
        "s = Switch(w, p)\na = AssignVariableOp(s:1, x)\nm = Merge(t, a/graphfreeze/value)\n"
        "a/graphfreeze/value = ReadVariableOp(s:1, ^a) {dtype: float32}\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_rewrite(text: str, expected: str) -> None:
    draft = convert(text)
    assert format_node(draft.graph.nodes["w"]) + "\n" == HANDLE
    assert lines(draft) == expected
    assert list(draft.graph.dangling()) == []


SAVER = """
save/Const = Const() {value: "model"}
save/names = Const() {value: ["w", "v"]}
save/slices = Const() {value: ["4 0,2", ""]}
save/SaveV2 = SaveV2(save/Const, save/names, save/slices, w, v)
save/control_dependency = Identity(save/Const, ^save/SaveV2)
save/RestoreV2 = RestoreV2(save/Const, save/names, save/slices)
save/w = Assign(w, save/RestoreV2)
save/v = Assign(v, save/RestoreV2:1)
save/restore_all = NoOp(^save/w, ^save/v)
saver: save
"""


def test_a_saver_keeps_its_keys_and_slices() -> None:
    draft = convert(W + READ + "v = VariableV2() {shape: []}\n" + SAVER)
    saver = draft.saver_ops
    assert saver is not None
    told = [(e.key, e.slice, str(e.tensor)) for e in saver.all_entries()]
    assert told == [("w", "4 0,2", "w/read"), ("v", "", "v/graphfreeze/read")]
    assert saver.keys == {"save/RestoreV2": ("w", "v")}
    assert draft.saved_keys() == {"w": "w", "v": "v"}
    assert draft.graph.op("save/w") == "AssignVariableOp"
    assert draft.value_edits == []


def test_collections() -> None:
    text = (
        W
        + READ
        + X
        + "w/Assign = Assign(w, x)\nup = AssignSub(w, x)\nv = VariableV2() {shape: []}\n"
    )
    draft = convert(
        text + "trainable_variables: w\nlocal_variables: v\nupdate_ops: up:0, up, w:0, x:0\n"
    )
    (w,) = variable_entries(draft.collections, "trainable_variables")
    assert (w.is_resource, w.trainable) == (True, True)
    assert (w.variable_name, w.initializer_name, w.snapshot_name) == ("w:0", "w/Assign", "w/read:0")
    (v,) = variable_entries(draft.collections, "local_variables")
    assert (v.is_resource, v.snapshot_name) == (True, "v/graphfreeze/read:0")
    assert [each.kind for each in draft.variables] == ["resource", "resource"]
    found = node_entries(draft.collections, "update_ops")
    assert found == ["up/graphfreeze/value:0", "up", "w/read:0", "x:0"]


def test_what_an_old_collection_trains_is_trainable() -> None:
    told = VariableDef(variable_name="w:0", initializer_name="w/Assign", snapshot_name="w/read:0")
    entry = CollectionDef()
    entry.bytes_list.value.append(told.SerializeToString())
    text = W + READ + X + "w/Assign = Assign(w, x)\n"
    draft = convert(text, variables=entry, trainable_variables=entry)
    for key in ("variables", "trainable_variables"):
        (found,) = variable_entries(draft.collections, key)
        assert found.trainable


def test_signatures() -> None:
    refs = {"w": "w:0", "up": "up:0"}
    infos = {n: TensorInfo(name=t, dtype=types_pb2.DT_FLOAT_REF) for n, t in refs.items()}
    infos["y"] = TensorInfo(name="y:0", dtype=types_pb2.DT_FLOAT)
    draft = Draft(parse_sketch(W + READ + X + "up = AssignSub(w, x)\ny = Neg(x)\n"))
    draft.apply(SetSignature("serve", SignatureDef(outputs=infos)))
    draft.apply(SetSignature("main", SignatureDef(outputs={"main": TensorInfo(name="up")})))
    run(draft, [ResourceVariables()])
    made = draft.signatures["serve"].outputs
    names = {key: info.name for key, info in made.items()}
    assert names == {"w": "w/read:0", "up": "up/graphfreeze/value:0", "y": "y:0"}
    assert {info.dtype for info in made.values()} == {types_pb2.DT_FLOAT}
    assert draft.signatures["main"].outputs["main"].name == "up"


def test_what_is_new_in_a_branch_joins_its_context() -> None:
    context = CondContextDef(context_name="c", pred_name="p:0", pivot_name="p:0")
    context.values_def.values.extend(["p:0", "w:0", "s:1", "a:0", "y:0"])
    context.values_def.external_values["w:0"] = "s:1"
    entry = CollectionDef()
    entry.bytes_list.value.append(context.SerializeToString())
    text = W + P + X + "s = RefSwitch(w, p)\na = Assign(s:1, x)\ny = Neg(a)\n"
    draft = convert(text, cond_context=entry)
    (raw,) = draft.collections["cond_context"].bytes_list.value
    values = CONTEXTS["cond_context"].FromString(raw).values_def.values
    assert list(values)[5:] == ["a/graphfreeze/value:0"]


def test_a_handle_is_listed_beside_the_value_that_it_stands_for() -> None:
    context = CondContextDef(context_name="c", pred_name="p:0", pivot_name="p:0")
    context.values_def.values.extend(["p:0", "w/read:0", "s:1", "n:0", "y:0"])
    context.values_def.external_values["w/read:0"] = "s:1"
    entry = CollectionDef()
    entry.bytes_list.value.append(context.SerializeToString())
    text = ADDED + P + "s = Switch(w/read, p)\nn = Neg(x, ^a)\ny = Mul(s:1, n)\n"
    draft = convert(text, cond_context=entry)
    (raw,) = draft.collections["cond_context"].bytes_list.value
    values = CONTEXTS["cond_context"].FromString(raw).values_def
    new = ["w:0", "s/graphfreeze/handle:1", "y/graphfreeze/read:0"]
    assert sorted(values.values) == sorted([*context.values_def.values, *new])
    assert dict(values.external_values) == {"w/read:0": "s:1", "w:0": "s/graphfreeze/handle:1"}


SHAPES = {
    "VariableV2, in part": ("VariableV2() {shape: [?, 3]}", "[?, 3]"),
    "VariableV2, a scalar": ("VariableV2() {shape: []}", "[]"),
    "VariableV2, not known": ("VariableV2() {shape: unknown}", "?"),
    "Variable": ("Variable() {shape: [3]}", "[3]"),
    "Variable, a scalar or not known": ("Variable() {shape: []}", "?"),
}


@pytest.mark.parametrize(("variable", "shape"), SHAPES.values(), ids=SHAPES)
def test_shapes(variable: str, shape: str) -> None:
    assert shape_of(convert(f"w = {variable}")) == shape


def shape_of(draft: Draft) -> str:
    made = find_attr(draft.graph.nodes["w"], "shape").shape
    dims = ", ".join("?" if dim.size < 0 else str(dim.size) for dim in made.dim)
    return "?" if made.unknown_rank else f"[{dims}]"


def hint(*shape: int) -> AttrValue:
    return AttrValue(list=AttrValue.ListValue(shape=[shape_proto(shape)]))


def test_a_hint_tells_a_scalar_from_what_is_not_known() -> None:
    model = parse_sketch("w = Variable() {shape: []}")
    model.graph.nodes["w"].attr["_output_shapes"].CopyFrom(hint())
    draft = Draft(model)
    run(draft, [ResourceVariables()])
    assert shape_of(draft) == "[]"


def test_attributes_of_the_variable() -> None:
    text = 'w = VariableV2(^x) {dtype: int64, shape: [2], container: "c", shared_name: "s", '
    text += '_class: ["loc:@x"]} @ /cpu:0\n'
    node = convert(X + text).graph.nodes["w"]
    attrs = {key: find_attr(node, key) for key in ("container", "shared_name", "dtype")}
    assert (attrs["container"].s, attrs["shared_name"].s) == (b"c", b"s")
    assert attrs["dtype"].type == types_pb2.DT_INT64
    assert (list(node.input), node.device) == (["^x"], "/cpu:0")
    assert sorted(node.attr) == ["_class", "container", "dtype", "shape", "shared_name"]


def test_hints_of_shapes_stay_where_the_output_does() -> None:
    model = parse_sketch(W + X + "a = Assign(w, x)\nr = Identity(a)\n")
    for name in "war":
        model.graph.nodes[name].attr["_output_shapes"].CopyFrom(hint(2))
    draft = Draft(model)
    run(draft, [ResourceVariables()])
    assert [n for n in "war" if "_output_shapes" in draft.graph.nodes[n].attr] == ["r"]


REFUSED = {
    "ZeroInitializer": W + "n = ZeroInitializer(w)\n",
    "RefSelect": W + "i = Const() {value: 0}\nn = RefSelect(i, w, w)\n",
    "ApplyNobodyKnows": W + "n = ApplyNobodyKnows(w)\n",
}


@pytest.mark.parametrize(("op", "text"), REFUSED.items(), ids=REFUSED)
def test_ops_without_a_twin_are_named(op: str, text: str) -> None:
    with pytest.raises(RewriteError, match=f"node 'n' takes the ref variable 'w' with op {op}"):
        convert(text)


def test_other_refs_stay() -> None:
    text = "q = FIFOQueue()\nn = QueueSize(q)\nt = TemporaryVariable() {shape: [2]}\n" + X
    text += "a = AssignAdd(t, x)\nd = DestroyTemporaryVariable(a)\n"
    assert lines(convert(text)) == ""
    assert lines(convert("r = VarHandleOp() {dtype: float32, shape: [2]}\n" + text)) == ""


def test_a_second_run_has_nothing_to_do() -> None:
    draft = convert(CASES["two branches that write"][0] + "variables: w\n")
    before = dict(draft.graph.nodes)
    assert list(ResourceVariables().plan(draft)) == []
    assert draft.graph.nodes == before
