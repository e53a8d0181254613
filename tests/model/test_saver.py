import pytest

from graphfreeze.model.model import Model
from graphfreeze.model.saver import find_saver, restore_ops, save_ops, saved_variable
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.schema import SaverDef

VARIABLES = """
w = VariableV2() {shape: [2]}
h = VarHandleOp() {shape: [3]}
h/Read/ReadVariableOp = ReadVariableOp(h)
save/Const = Const() {value: "model"}
"""
V2 = """
save/SaveV2/tensor_names = Const() {value: ["h", "scope/w"]}
save/SaveV2/shape_and_slices = Const() {shape: [2], value: ""}
save/SaveV2 = SaveV2(save/Const, save/SaveV2/tensor_names, save/SaveV2/shape_and_slices, SAVED)
save/control_dependency = Identity(save/Const, ^save/SaveV2)
save/RestoreV2/tensor_names = Const() {value: ["h", "scope/w"]}
save/RestoreV2/shape_and_slices = Const() {value: ["", ""]}
save/RestoreV2 = RestoreV2(save/Const, save/RestoreV2/tensor_names, save/RestoreV2/shape_and_slices)
save/Identity = Identity(save/RestoreV2)
save/AssignVariableOp = AssignVariableOp(h, save/Identity)
save/Assign = Assign(w, save/RestoreV2:1)
save/restore_all = NoOp(^save/AssignVariableOp, ^save/Assign)
saver: save
"""
COPY = "save/Read = ReadVariableOp(h)\nsave/Copy = Identity(save/Read)\n"
FULL = VARIABLES + V2.replace("SAVED", "h/Read/ReadVariableOp, w")
COPIED = VARIABLES + COPY + V2.replace("SAVED", "save/Copy, w")
V1 = (
    VARIABLES
    + """
names = Const() {value: ["w", "part"]}
slices = Const() {value: ["", "4 2 0,2:0,2"]}
save/save = SaveSlices(save/Const, names, slices, w, w)
save/control_dependency = Identity(save/Const, ^save/save)
one = Const() {value: ["w"]}
save/restore_slice = RestoreSlice(save/Const, one, slices) {dt: float32}
save/Assign = Assign(w, save/restore_slice)
save/restore_all = NoOp(^save/Assign)
saver: save
"""
)
SECOND = FULL + 'other/SaveV2 = SaveV2(save/Const, n, s, w)\nn = Const() {value: ["q"]}\n'
SECOND += 's = Const() {value: [""]}\n'

KEYS = {
    "format V2": (FULL, {"h": "h", "w": "scope/w"}),
    "a copy of a resource": (COPIED, {"h": "h", "w": "scope/w"}),
    "another saver's op is not counted": (SECOND, {"h": "h", "w": "scope/w"}),
    "format V1": (V1, {"w": "part"}),
    "no saver": (FULL.replace("saver: save\n", ""), {}),
    "its ops are gone": (VARIABLES + "saver: save", {}),
}


@pytest.mark.parametrize(("text", "keys"), KEYS.values(), ids=KEYS)
def test_keys_of_variables(text: str, keys: dict[str, str]) -> None:
    model = parse_sketch(text)
    entries = list(model.saver_ops.all_entries()) if model.saver_ops is not None else []
    assert {saved_variable(model.graph, e.tensor): e.key for e in entries} == keys


def test_entries_by_op() -> None:
    saver = parse_sketch(FULL).saver_ops
    assert saver is not None
    assert list(saver.entries) == ["save/SaveV2"]
    told = [(e.key, e.slice, str(e.tensor)) for e in saver.all_entries()]
    assert told == [("h", "", "h/Read/ReadVariableOp"), ("scope/w", "", "w")]
    assert saver.keys == {"save/RestoreV2": ("h", "scope/w")}


def test_slices_of_format_v1() -> None:
    saver = parse_sketch(V1).saver_ops
    assert saver is not None
    told = [(e.key, e.slice, str(e.tensor)) for e in saver.all_entries()]
    assert told == [("w", "", "w"), ("part", "4 2 0,2:0,2", "w")]


def test_all_savers_of_the_graph() -> None:
    graph = parse_sketch(SECOND).graph
    assert {n: [e.key for e in entries] for n, entries in save_ops(graph).items()} == {
        "save/SaveV2": ["h", "scope/w"],
        "other/SaveV2": ["q"],
    }
    assert restore_ops(graph) == {"save/RestoreV2": ("h", "scope/w")}


def unknown(model: Model, definition: SaverDef | None) -> bool:
    return find_saver(model.graph, definition) is None


def test_no_saver() -> None:
    model = parse_sketch(FULL)
    assert unknown(model, None)
    assert unknown(model, SaverDef())
    assert unknown(model, SaverDef(save_tensor_name="q:0", restore_op_name="save/restore_all"))


def test_names_that_are_no_constants_are_not_told() -> None:
    text = FULL.replace('save/SaveV2/tensor_names = Const() {value: ["h", "scope/w"]}', "")
    model = parse_sketch(
        text.replace("save/SaveV2/tensor_names", "given") + "given = Placeholder()"
    )
    assert save_ops(model.graph) == {"save/SaveV2": ()}
