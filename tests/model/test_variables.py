import pytest

from graphfreeze.model.variables import Variable
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.schema import CollectionDef, CondContextDef, VariableDef

W = "w = VariableV2() {shape: [4, 2]}\n"
B = "b = VariableV2() {shape: [2]}\n"
H = "h = VarHandleOp() {shape: [3]}\n"
C = "c = VariableV2() {dtype: complex64, shape: [2]}\n"
STEP = "step = VariableV2() {dtype: int64, shape: []}\n"


def find(text: str, **collections: CollectionDef) -> dict[str, Variable]:
    return {v.name: v for v in parse_sketch(text, collections=collections).variables}


KINDS = {
    "VariableV2": (W, "ref", (4, 2), 8, "float32"),
    "Variable": ("w = Variable() {shape: [3]}", "ref", (3,), 3, "float32"),
    "VarHandleOp": ("w = VarHandleOp() {shape: [3]}", "resource", (3,), 3, "float32"),
    "scalar": ("w = VariableV2() {dtype: int64, shape: []}", "ref", (), 1, "int64"),
    "half": ("w = VariableV2() {dtype: float16, shape: [2]}", "ref", (2,), 2, "float16"),
    "complex": ("w = VariableV2() {dtype: complex64, shape: [2]}", "ref", (2,), 2, "complex64"),
    "a size not known": ("w = VariableV2() {shape: [?, 2]}", "ref", (None, 2), None, "float32"),
    "a rank not known": ("w = VariableV2() {shape: unknown}", "ref", None, None, "float32"),
    "no shape": ("w = VarHandleOp()", "resource", None, None, "float32"),
}


@pytest.mark.parametrize(("text", "kind", "shape", "count", "dtype"), KINDS.values(), ids=KINDS)
def test_what_a_variable_is(
    text: str, kind: str, shape: tuple[int, ...], count: int, dtype: str
) -> None:
    variable = find(text)["w"]
    assert (variable.kind, variable.shape, variable.parameters) == (kind, shape, count)
    assert variable.type_name == dtype
    assert variable.is_differentiable == dtype.startswith(("float", "complex"))


TRAINABLE = {
    "no collections: all that float": (W + H + STEP, "w h"),
    "trainable_variables": (W + B + "trainable_variables: w", "w"),
    "trainable_resource_variables": (W + H + "trainable_resource_variables: h", "h"),
    "both": (W + H + "trainable_variables: w\ntrainable_resource_variables: h", "w h"),
    "only variables: none": (W + B + "variables: w, b", ""),
    "only a tensor collection: all": (W + B + "losses: w:0", "w b"),
    "no collections: complex, too": ("w = VariableV2() {dtype: complex128}", "w"),
    "complex": (C + W + "trainable_variables: c", "c"),
    "an int never learns": (STEP + W + "trainable_variables: step, w", "w"),
    "trainable and local": (W + "trainable_variables: w\nlocal_variables: w", "w"),
}


@pytest.mark.parametrize(("text", "names"), TRAINABLE.values(), ids=TRAINABLE)
def test_which_are_trainable(text: str, names: str) -> None:
    assert [v.name for v in find(text).values() if v.is_trainable] == names.split()


LOCAL = {
    "local_variables": ("local_variables: w\nvariables: b", "w"),
    "metric_variables": ("metric_variables: w", "w"),
    "trainable goes first": ("trainable_variables: w\nlocal_variables: w", ""),
}


@pytest.mark.parametrize(("lines", "names"), LOCAL.values(), ids=LOCAL)
def test_which_are_local(lines: str, names: str) -> None:
    assert [v.name for v in find(W + B + lines).values() if v.is_local] == names.split()


def test_order_is_the_graphs() -> None:
    assert list(find(B + H + W + "trainable_variables: w, b")) == ["b", "h", "w"]


def test_definition_comes_from_any_collection() -> None:
    found = find(W + B + "model_variables: w")
    definition = found["w"].definition
    assert definition is not None
    assert definition.initializer_name == "w/Assign"
    assert found["b"].definition is None


def test_part_of_a_partitioned_variable() -> None:
    part = VariableDef(variable_name="emb/part_0:0", initializer_name="emb/part_0/Assign")
    part.save_slice_info_def.full_name = "emb"
    entry = CollectionDef()
    entry.bytes_list.value.append(part.SerializeToString())
    found = find("emb/part_0 = VariableV2() {shape: [2]}\n" + B, trainable_variables=entry)
    assert found["emb/part_0"].partition_of == "emb"
    assert found["b"].partition_of == ""


def test_other_bytes_are_passed_over() -> None:
    context = CondContextDef(context_name="cond/c", pred_name="p:0", pivot_name="t:0")
    entry = CollectionDef()
    entry.bytes_list.value.extend([context.SerializeToString(), b"\xff\xff", b"{}", b""])
    assert [v.is_trainable for v in find(W, anything=entry).values()] == [True]
