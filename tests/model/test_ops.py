import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from graphfreeze.model.op_registry import (
    attributes_known_to_tf1,
    known_to_tf1,
    load_shipped,
    strip_for_tf1,
)
from graphfreeze.model.ops import OpRegistry, OpTypeError
from graphfreeze.schema import (
    AttrValue,
    FunctionDef,
    GraphDef,
    MetaGraphDef,
    NodeDef,
    OpDef,
    OpList,
    SavedModel,
    types_pb2,
)

FLOAT, INT32, INT64 = types_pb2.DT_FLOAT, types_pb2.DT_INT32, types_pb2.DT_INT64
STRING, RESOURCE = types_pb2.DT_STRING, types_pb2.DT_RESOURCE

T = AttrValue(type=FLOAT)


def count(number: int) -> AttrValue:
    return AttrValue(i=number)


def types(*dtypes: int) -> AttrValue:
    return AttrValue(list=AttrValue.ListValue(type=dtypes))


def ints(*numbers: int) -> AttrValue:
    return AttrValue(list=AttrValue.ListValue(i=numbers))


def node(op: str, **attrs: AttrValue) -> NodeDef:
    return NodeDef(name="n", op=op, attr=attrs)


def own(name: str, gives: int) -> OpList:
    return OpList(op=[OpDef(name=name, output_arg=[OpDef.ArgDef(name="y", type=gives)])])


def function(name: str, takes: int, gives: int) -> FunctionDef:
    sides = [OpDef.ArgDef(name="x", type=takes)], [OpDef.ArgDef(name="y", type=gives)]
    return FunctionDef(signature=OpDef(name=name, input_arg=sides[0], output_arg=sides[1]))


FUNCTIONS = {"double": function("double", INT32, FLOAT)}
RESTORE = node("RestoreV2", dtypes=types(FLOAT, INT64))
WHILE = node("While", T=types(INT32, FLOAT, RESOURCE))
GATHER = node("ResourceGather", dtype=T, Tindices=AttrValue(type=INT64))
INDEX = AttrValue(type=INT64)

OUTPUTS = {
    "one type_attr": (node("Identity", T=T), (FLOAT,)),
    "a fixed type": (node("Shape", T=T), (INT32,)),
    "attribute default": (node("ArgMax", T=T), (INT64,)),
    "no outputs": (node("NoOp"), ()),
    "number_attr": (node("Split", T=T, num_split=count(3)), (FLOAT, FLOAT, FLOAT)),
    "number_attr of Unpack": (node("Unpack", T=T, num=count(2)), (FLOAT, FLOAT)),
    "number_attr is 0": (node("Unpack", T=T, num=count(0)), ()),
    "type_list_attr": (RESTORE, (FLOAT, INT64)),
    "loop values": (WHILE, (INT32, FLOAT, RESOURCE)),
    "a ref, as base type": (node("VariableV2", dtype=T), (FLOAT,)),
    "a ref type in the attribute": (node("Identity", T=AttrValue(type=FLOAT + 100)), (FLOAT,)),
    "a row lookup": (GATHER, (FLOAT,)),
    "an old op, by 1.15": (node("TopKV2", T=T), (FLOAT, INT32)),
    "its TensorFlow 2 form": (
        node("TopKV2", T=T, index_type=INDEX),
        (FLOAT, INT64),
    ),
    "a handle": (node("VarHandleOp", dtype=T), (RESOURCE,)),
    "a function call": (node("double"), (FLOAT,)),
    "an op of TensorFlow 2 only": (node("DisableCopyOnRead"), ()),
    "an op of tf.contrib": (node("GatherTree", T=AttrValue(type=INT32)), (INT32,)),
}


@pytest.mark.parametrize(("before", "outputs"), OUTPUTS.values(), ids=OUTPUTS)
def test_output_types(before: NodeDef, outputs: tuple[int, ...]) -> None:
    assert OpRegistry().output_types(before, FUNCTIONS) == outputs
    assert OpRegistry().find_output_types(before, FUNCTIONS) == outputs


SPARSE = node("SparseApplyAdagrad", T=T, Tindices=AttrValue(type=INT32))
REFS = {
    "VariableV2": (node("VariableV2", dtype=T), (), (True,)),
    "Identity": (node("Identity", T=T), (False,), (False,)),
    "RefIdentity": (node("RefIdentity", T=T), (True,), (True,)),
    "Assign": (node("Assign", T=T), (True, False), (True,)),
    "RefSwitch": (node("RefSwitch", T=T), (True, False), (True, True)),
    "a slot": (SPARSE, (True, True, False, False, False), (True,)),
    "a resource is no ref": (node("AssignVariableOp", dtype=T), (False, False), ()),
}


@pytest.mark.parametrize(("before", "inputs", "outputs"), REFS.values(), ids=REFS)
def test_refs(before: NodeDef, inputs: tuple[bool, ...], outputs: tuple[bool, ...]) -> None:
    assert OpRegistry().input_is_ref(before) == inputs
    assert OpRegistry().output_is_ref(before) == outputs


PLACEHOLDER = node("Identity", T=AttrValue(placeholder="T"))
ERRORS = {
    "unknown op": (node("ZeroOut"), ["'n'", "'ZeroOut'", "1.15.5", "export a MetaGraphDef"]),
    "no attribute": (node("Identity"), ["'n'", "'Identity'", "'T'", "set the attribute"]),
    "a function's placeholder": (PLACEHOLDER, ["'n'", "'Identity'", "'T'"]),
}


@pytest.mark.parametrize(("before", "words"), ERRORS.values(), ids=ERRORS)
def test_says_what_cannot_be_typed(before: NodeDef, words: list[str]) -> None:
    with pytest.raises(OpTypeError) as caught:
        OpRegistry().output_types(before)
    assert [word for word in words if word not in str(caught.value)] == []


def test_find_returns_none_for_an_unknown_op() -> None:
    assert OpRegistry().find("ZeroOut") is None
    assert OpRegistry().find_output_types(node("ZeroOut")) is None


OWN = {
    "a custom op": ("ZeroOut", (INT32,)),
    "before the shipped ones": ("Identity", (INT32,)),
    "but after a function": ("double", (FLOAT,)),
}


@pytest.mark.parametrize(("op", "outputs"), OWN.values(), ids=OWN)
def test_the_model_s_own_list_comes_first(op: str, outputs: tuple[int, ...]) -> None:
    assert OpRegistry(own(op, INT32)).output_types(node(op), FUNCTIONS) == outputs


YES = AttrValue(b=True)
MARKS = {"_class": YES, "_output_shapes": YES, "_has_manual_control_dependencies": YES}
POOL = {"T": T, "ksize": ints(1, 2)}
STRIPS = {
    "empty paddings": (node("MaxPoolGrad", explicit_paddings=ints(), **POOL), set(POOL)),
    "debug name": (node("VarHandleOp", dtype=T, debug_name=AttrValue(s=b"w")), {"dtype"}),
    "shape check": (node("AssignVariableOp", dtype=T, validate_shape=YES), {"dtype"}),
    "gradient hints": (node("MatMul", T=T, grad_a=YES, grad_b=YES), {"T"}),
    "an older op of that name": (node("Assign", T=T, validate_shape=YES), {"T", "validate_shape"}),
    "underscores": (node("Identity", T=T, **MARKS), {"T", "_class"}),
    "an op 1.15 lacks": (node("ZeroOut", T=T, grad_a=YES, **MARKS), {"T", "grad_a", "_class"}),
}


@pytest.mark.parametrize(("before", "kept"), STRIPS.values(), ids=STRIPS)
def test_strip_for_tf1(before: NodeDef, kept: set[str]) -> None:
    before.experimental_debug_info.original_node_names.append("o")
    before.experimental_type.type_id = 1
    original = before.SerializeToString(deterministic=True)
    after = strip_for_tf1(before)
    assert set(after.attr) == kept
    assert all(after.attr[name] == before.attr[name] for name in kept)
    assert not after.HasField("experimental_debug_info")
    assert not after.HasField("experimental_type")
    assert before.SerializeToString(deterministic=True) == original


DEFAULTS = {
    "at its default": (node("MatMul", T=T, grad_a=AttrValue(b=False)), "grad_a", True),
    "not at its default": (node("MatMul", T=T, grad_a=YES), "grad_a", False),
    "no default": (node("MatMul", T=T), "T", False),
    "absent": (node("MatMul", T=T), "grad_b", True),
    "an empty list": (node("MaxPoolGrad", explicit_paddings=ints()), "explicit_paddings", True),
    "unknown op": (node("ZeroOut", x=YES), "x", False),
}


@pytest.mark.parametrize(("before", "attr", "is_default"), DEFAULTS.values(), ids=DEFAULTS)
def test_is_default(before: NodeDef, attr: str, is_default: bool) -> None:
    assert OpRegistry().is_default(before, attr) is is_default


KNOWN = {"AddV2": True, "GatherTree": True, "DisableCopyOnRead": False, "Simple": False}


@pytest.mark.parametrize(("op", "known"), KNOWN.items(), ids=KNOWN)
def test_known_to_tf1(op: str, known: bool) -> None:
    assert known_to_tf1(op) is known


def test_attributes_known_to_tf1() -> None:
    assert attributes_known_to_tf1("MatMul") == {"T", "transpose_a", "transpose_b"}
    assert attributes_known_to_tf1("DisableCopyOnRead") == set()


def test_shipped_releases() -> None:
    shipped = load_shipped()
    assert shipped.tf1.version.startswith("1.15.")
    assert shipped.tf2.version.startswith("2.")
    assert list(shipped.tf1.ops) == sorted(shipped.tf1.ops)


def test_the_shipped_file_is_read_on_first_use_and_without_tensorflow() -> None:
    script = (
        "import sys; from graphfreeze.model import op_registry, ops;"
        "assert not op_registry.load_shipped.cache_info().currsize;"
        "assert ops.OpRegistry().find('MatMul') is not None;"
        "assert 'tensorflow' not in sys.modules and 'tensorflow.python' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)


ROOT = Path(__file__).parents[2]
FOLDERS = (ROOT / "testdata/models", ROOT.parent / "shared/corpus")
FILES = {
    str(path.relative_to(folder)): path
    for folder in FOLDERS
    for path in sorted(folder.glob("**/*"))
    if path.suffix in (".meta", ".pb") and path.name != "tfhub_module.pb"
}
# Ops that only the model's own list defines.
CUSTOM = {
    "tobegit3hub+simple_tensorflow_serving/examples/custom_op/model/1/saved_model.pb": {"ZeroOut"}
}


def parse_graphs(path: Path) -> list[tuple[GraphDef, OpList | None]]:
    raw = path.read_bytes()
    if path.suffix == ".pb" and path.name != "saved_model.pb":
        return [(GraphDef.FromString(raw), None)]
    if path.suffix == ".meta":
        metas = [MetaGraphDef.FromString(raw)]
    else:
        metas = list(SavedModel.FromString(raw).meta_graphs)
    return [(meta.graph_def, meta.meta_info_def.stripped_op_list) for meta in metas]


def unknown_ops(graph: GraphDef, registry: OpRegistry) -> Iterator[str]:
    functions = {function.signature.name: function for function in graph.library.function}
    bodies = [graph.node, *(function.node_def for function in graph.library.function)]
    for each in (each for body in bodies for each in body):
        if registry.find_output_types(each, functions) is None:
            yield each.op
            continue
        data = [edge for edge in each.input if not edge.startswith("^")]
        assert len(registry.input_is_ref(each, functions)) == len(data), each.name


@pytest.mark.parametrize("name", FILES)
def test_every_node_of_real_graphs_has_types(name: str) -> None:
    for graph, own_ops in parse_graphs(FILES[name]):
        if own_ops is not None and own_ops.op:
            assert set(unknown_ops(graph, OpRegistry(own_ops))) == set()
        assert set(unknown_ops(graph, OpRegistry())) == CUSTOM.get(name, set())
