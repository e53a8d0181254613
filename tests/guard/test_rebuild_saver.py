from pathlib import Path

import pytest

import graphfreeze
from graphfreeze.emit.graph_file import file_bytes
from graphfreeze.guard.rebuild_saver import RebuildSaver
from graphfreeze.model.names import parse_ref
from graphfreeze.model.saver import saved_variable
from graphfreeze.model.sketch import format_node
from graphfreeze.read.document import parse_document
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import AddNode, FromInitializer, SetCollection, SetSaver, SetValue
from graphfreeze.rewrite.new_variable import NewVariable, add_variables
from graphfreeze.rewrite.run import run
from graphfreeze.schema import CollectionDef, VariableDef, types_pb2

W = """
w = VariableV2() {shape: [2]}
w/read = Identity(w)
w/Assign = Assign(w, w/initial)
w/initial = Const() {value: [1.0, 2.0]}
"""
V2 = """
save/Const = Const() {value: "model"}
save/SaveV2/tensor_names = Const() {value: ["scope/w"]}
save/SaveV2/shape_and_slices = Const() {value: [""]}
save/SaveV2 = SaveV2(save/Const, save/SaveV2/tensor_names, save/SaveV2/shape_and_slices, w)
save/control_dependency = Identity(save/Const, ^save/SaveV2)
save/RestoreV2/tensor_names = Const() {value: ["scope/w"]}
save/RestoreV2/shape_and_slices = Const() {value: [""]}
save/RestoreV2 = RestoreV2(save/Const, save/RestoreV2/tensor_names, save/RestoreV2/shape_and_slices)
save/Assign = Assign(w, save/RestoreV2)
save/restore_all = NoOp(^save/Assign)
saver: save
"""
V1 = """
save/Const = Const() {value: "model"}
names = Const() {value: ["scope/w"]}
slices = Const() {value: ["4 0,2"]}
save/save = SaveSlices(save/Const, names, slices, w)
save/control_dependency = Identity(save/Const, ^save/save)
save/restore_slice = RestoreSlice(save/Const, names, slices)
save/Assign = Assign(w, save/restore_slice)
save/restore_all = NoOp(^save/Assign)
saver: save
"""
SHARDED = (
    V2.replace("^save/SaveV2)", "^save/SaveV2, ^save/SaveV2_1)")
    + """
u = VariableV2() {shape: [2]}
save/SaveV2_1/tensor_names = Const() {value: ["u"]}
save/SaveV2_1/shape_and_slices = Const() {value: [""]}
save/SaveV2_1 = SaveV2(save/Const, save/SaveV2_1/tensor_names, save/SaveV2_1/shape_and_slices, u)
"""
)
NEW = """
v = VariableV2() {shape: [3], dtype: float64}
v/Assign = Assign(v, v/initial)
v/initial = Const() {value: 0.0, dtype: float64}
"""
FROZEN = """
w = Const() {shape: [2, 2]}
x = Placeholder() {shape: [?, 2]}
y = MatMul(x, w)
"""
RESOURCE = NEW.replace("VariableV2", "VarHandleOp").replace(" Assign(", " AssignVariableOp(")
RESOURCE += "v/Read/ReadVariableOp = ReadVariableOp(v)\n"


def kept_keys(draft: Draft) -> dict[str | None, str]:
    """Return the key of each variable that the saver keeps."""
    assert draft.saver_ops is not None
    return {saved_variable(draft.graph, e.tensor): e.key for e in draft.saver_ops.all_entries()}


def grown(before: str, new: str, *, key: str = "variables") -> Draft:
    """Return a draft to which a variable v was added, as a train_op adds slots."""
    base, later = parse_sketch(f"{before}variables: w"), parse_sketch(f"{before}{new}{key}: w, v")
    draft = Draft(base)
    for name, node in later.graph.nodes.items():
        if name not in base.graph:
            refs = tuple(map(parse_ref, node.input))
            draft.apply(AddNode(name, str(node.op), refs, dict(node.attr)))
    draft.apply(SetCollection(key, later.collections[key]))
    return draft


def rebuilt(before: str, new: str = NEW) -> Draft:
    draft = grown(before, new)
    run(draft, [RebuildSaver()])
    return draft


def told(draft: Draft, names: list[str]) -> list[str]:
    return [format_node(draft.graph.nodes[name]) for name in names]


EXTENDED = """
save/SaveV2/tensor_names = Const() {value: ["scope/w", "v"]}
save/SaveV2/shape_and_slices = Const() {value: ["", ""]}
save/SaveV2 = SaveV2(save/Const, save/SaveV2/tensor_names, save/SaveV2/shape_and_slices, w, v)
save/RestoreV2/tensor_names = Const() {value: ["scope/w", "v"]}
save/RestoreV2/shape_and_slices = Const() {value: ["", ""]}
save/RestoreV2 = RestoreV2(save/Const, save/RestoreV2/tensor_names, \
save/RestoreV2/shape_and_slices) {dtypes: [float32, float64]}
v/graphfreeze/restore = Assign(v, save/RestoreV2:1) {_class: ["loc:@v"]}
save/restore_all = NoOp(^save/Assign, ^v/graphfreeze/restore)
"""
FRESH = """
graphfreeze/save/filename/input = Const() {value: "model"}
graphfreeze/save/filename = PlaceholderWithDefault(graphfreeze/save/filename/input) {shape: []}
graphfreeze/save/tensor_names = Const() {value: ["w", "v"]}
graphfreeze/save/shape_and_slices = Const() {value: ["", ""]}
graphfreeze/save/SaveV2 = SaveV2(graphfreeze/save/filename, graphfreeze/save/tensor_names, \
graphfreeze/save/shape_and_slices, w, v)
graphfreeze/save/control_dependency = Identity(graphfreeze/save/filename, ^graphfreeze/save/SaveV2)
graphfreeze/save/RestoreV2 = RestoreV2(graphfreeze/save/filename, graphfreeze/save/tensor_names, \
graphfreeze/save/shape_and_slices) {dtypes: [float32, float64]}
w/graphfreeze/restore = Assign(w, graphfreeze/save/RestoreV2) {_class: ["loc:@w"]}
v/graphfreeze/restore = Assign(v, graphfreeze/save/RestoreV2:1) {_class: ["loc:@v"]}
graphfreeze/save/restore_all = NoOp(^w/graphfreeze/restore, ^v/graphfreeze/restore)
"""


def as_resource(text: str) -> str:
    text = text.replace("shape_and_slices, w, v)", "shape_and_slices, w, v/Read/ReadVariableOp)")
    text = text.replace("restore = Assign(v", "restore = AssignVariableOp(v")
    return text.replace(':1) {_class: ["loc:@v"]}', ":1)")


SAVERS = {
    "format V2": (V2, NEW, EXTENDED),
    "format V2, a resource": (V2, RESOURCE, as_resource(EXTENDED)),
    "none": ("", NEW, FRESH),
    "none, a resource": ("", RESOURCE, as_resource(FRESH)),
    "format V1: keys and slices stay": (
        V1,
        NEW,
        FRESH.replace('["w", "v"]', '["scope/w", "v"]').replace('["", ""]', '["4 0,2", ""]'),
    ),
}


@pytest.mark.parametrize(("saver", "new", "after"), SAVERS.values(), ids=SAVERS)
def test_saver_takes_the_new_variable(saver: str, new: str, after: str) -> None:
    draft = rebuilt(W + saver, new)
    wanted = [line for line in after.splitlines() if line]
    assert told(draft, [line.split(" = ")[0] for line in wanted]) == wanted
    before = grown(W + saver, new).graph.nodes
    changed = [name for name, node in draft.graph.nodes.items() if before.get(name) != node]
    assert sorted(changed) == sorted(line.split(" = ")[0] for line in wanted)


def test_definition_of_a_fresh_saver() -> None:
    saver = rebuilt(W).saver
    assert saver is not None
    assert saver.filename_tensor_name == "graphfreeze/save/filename:0"
    assert saver.save_tensor_name == "graphfreeze/save/control_dependency:0"
    assert saver.restore_op_name == "graphfreeze/save/restore_all"
    assert saver.version == saver.V2


KEYS = {
    "format V2": (V2, {"w": "scope/w", "v": "v"}),
    "format V2, sharded": (SHARDED, {"w": "scope/w", "u": "u", "v": "v"}),
    "format V1": (V1, {"w": "scope/w", "v": "v"}),
    "none": ("", {"w": "w", "v": "v"}),
}


@pytest.mark.parametrize(("saver", "keys"), KEYS.values(), ids=KEYS)
def test_keys(saver: str, keys: dict[str, str]) -> None:
    draft = rebuilt(W + saver)
    assert kept_keys(draft) == keys


def test_part_of_a_partitioned_variable_is_a_slice_of_the_whole() -> None:
    draft = grown(W + V2, NEW)
    definition = VariableDef(variable_name="v:0", initializer_name="v/Assign", snapshot_name="v:0")
    info = definition.save_slice_info_def
    info.full_name = "whole"
    info.full_shape.extend([11, 4])
    info.var_offset.extend([4, 0])
    info.var_shape.extend([4, 4])
    raws = [*draft.collections["variables"].bytes_list.value[:1], definition.SerializeToString()]
    entry = CollectionDef(bytes_list=CollectionDef.BytesList(value=raws))
    draft.apply(SetCollection("variables", entry))
    run(draft, [RebuildSaver()])
    assert draft.saver_ops is not None
    told = [(e.key, e.slice) for e in draft.saver_ops.all_entries()]
    assert told == [("scope/w", ""), ("whole", "11 4 4,4:0,4")]


# an op, and whether it waits for the new initializer at the end
INITS = {
    "initializes all": ("init = NoOp(^w/Assign)", "init = NoOp(^w/Assign, ^v/Assign)"),
    "initializes all, and more": (
        "x = NoOp()\ninit = NoOp(^w/Assign, ^x)",
        "init = NoOp(^w/Assign, ^x, ^v/Assign)",
    ),
    "initializes nothing": ("init = NoOp()", "init = NoOp()"),
    "restores": ("init = NoOp(^w/read)", "init = NoOp(^w/read)"),
}


@pytest.mark.parametrize(("before", "after"), INITS.values(), ids=INITS)
def test_init_op(before: str, after: str) -> None:
    assert told(rebuilt(f"{W}{V2}{before}\n"), ["init"]) == [after]


def test_running_twice_changes_nothing_more() -> None:
    draft = rebuilt(W + V2 + "init = NoOp(^w/Assign)\n")
    nodes = dict(draft.graph.nodes)
    run(draft, [RebuildSaver()])
    assert draft.graph.nodes == nodes


def test_nothing_new_nothing_done() -> None:
    draft = Draft(parse_sketch(W + V2 + "init = NoOp(^w/Assign)\nvariables: w"))
    run(draft, [RebuildSaver()])
    assert not draft.touched


def test_saver_takes_what_it_left_out_before() -> None:
    """Take a variable of the base as a new one, and give it a value where it has none."""
    draft = Draft(parse_sketch(W + V2 + NEW + "variables: w, v"))
    run(draft, [RebuildSaver()])
    wanted = [line for line in EXTENDED.splitlines() if line]
    assert told(draft, [line.split(" = ")[0] for line in wanted]) == wanted
    values = [SetValue("v", FromInitializer("v"), if_missing=True)]
    assert draft.value_edits == values
    run(draft, [RebuildSaver()])
    assert draft.value_edits == values


# of the saver, what it left out and its key
TAKEN = {
    "the key of another": (V2.replace("scope/w", "v"), "v_1"),
    "the key of a part": (V1.replace("scope/w", "v"), "v_1"),
    "a key of its own": (V2, "v"),
}


@pytest.mark.parametrize(("saver", "key"), TAKEN.values(), ids=TAKEN)
def test_key_of_what_was_left_out(saver: str, key: str) -> None:
    draft = Draft(parse_sketch(W + saver + NEW + "variables: w, v"))
    run(draft, [RebuildSaver()])
    assert draft.saver_ops is not None
    assert [entry.key for entry in draft.saver_ops.all_entries()][1:] == [key]


def test_what_is_restored_in_another_way_is_not_restored_twice() -> None:
    """Leave a variable alone that the saver casts on its way."""
    saver = V2.replace("save/SaveV2/shape_and_slices, w)", "save/SaveV2/shape_and_slices, half)")
    saver += "half = Cast(w/read) {DstT: float16}\n"
    draft = Draft(parse_sketch(W + saver + "variables: w"))
    run(draft, [RebuildSaver()])
    assert not draft.touched


def test_a_resource_that_nothing_reads_is_read() -> None:
    resource = RESOURCE.replace("v/Read/ReadVariableOp = ReadVariableOp(v)\n", "")
    draft = Draft(parse_sketch(W + V2 + resource + "variables: w, v"))
    run(draft, [RebuildSaver()])
    assert told(draft, ["v/graphfreeze/read"]) == [
        "v/graphfreeze/read = ReadVariableOp(v) {dtype: float64}"
    ]


def test_local_variables_are_not_saved() -> None:
    draft = grown(W + V2, NEW, key="local_variables")
    run(draft, [RebuildSaver()])
    assert kept_keys(draft) == {"w": "scope/w"}


def test_verify_sees_a_variable_that_is_not_saved() -> None:
    draft = grown(W + V2, NEW)
    assert RebuildSaver().verify(draft.base, draft) == "v is not saved"
    run(draft, [RebuildSaver()])
    assert RebuildSaver().verify(draft.base, draft) is None


def test_verify_sees_that_there_is_no_saver() -> None:
    draft = rebuilt(W)
    draft.apply(SetSaver(type(draft.saver)()))
    assert RebuildSaver().verify(draft.base, draft) == "no saver was made"


def test_what_restores_is_no_initializer(tmp_path: Path) -> None:
    """A thawed variable has no other initializer; what is added later has one."""
    thawed = graphfreeze.thaw(parse_sketch(FROZEN))
    raw = file_bytes(thawed.draft, ".meta")
    draft = Draft(parse_document(raw, tmp_path / "model.meta", None))
    step = NewVariable("step", (2,), types_pb2.DT_FLOAT, "ref")
    for edit in add_variables(draft, [step]):
        draft.apply(edit)
    run(draft, [RebuildSaver()])
    restoring = [str(ref) for ref in draft.graph.inputs("graphfreeze/save/restore_all")]
    assert restoring == ["^w/graphfreeze/restore", "^step/graphfreeze/restore"]


def test_an_init_op_restores_nothing() -> None:
    text = f"{W}{V2}{FROZEN.replace('w', 'k')}init = NoOp(^w/Assign)\nvariables: w"
    graph = graphfreeze.thaw(parse_sketch(text)).draft.graph
    assert graph.op("k") == "VariableV2"
    assert [str(ref) for ref in graph.inputs("init")] == ["^w/Assign"]
