from pathlib import Path

import pytest

from graphfreeze.model.sketch import SketchError, format_node, format_sketch, sketch_meta_graph
from graphfreeze.read import load
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.schema import AttrValue, CollectionDef, MetaGraphDef, NodeDef, types_pb2

MODELS = Path(__file__).parents[2] / "testdata" / "models"
FLOAT, INT32, DOUBLE = types_pb2.DT_FLOAT, types_pb2.DT_INT32, types_pb2.DT_DOUBLE

# A line before, a line, and the attributes that it then has.
INFERRED: dict[str, tuple[str, str, dict[str, object]]] = {
    "float32 by default": ("", "y = Placeholder()", {"dtype": FLOAT}),
    "from an input": ("x = Placeholder() {dtype: int32}", "y = Neg(x)", {"T": INT32}),
    "from a later line": ("y = Neg(x)", "x = Placeholder() {dtype: int32}", {"dtype": INT32}),
    "two types": ("i = Const() {value: 1}", "y = Gather(w, i)",
                  {"Tparams": FLOAT, "Tindices": INT32}),
    "a number": ("x = Placeholder()", "y = AddN(x, x, x)", {"N": 3, "T": FLOAT}),
    "a number, then an argument": ("i = Const() {value: 0}", "y = ConcatV2(x, x, i)",
                                   {"N": 2, "T": FLOAT, "Tidx": INT32}),
    "a number by consumers": ("y = Split(a, x)", "z = Neg(y:2)", {"T": FLOAT}),
    "types": ("x = Placeholder() {dtype: int32}", "y = SaveV2(a, a, a, x, q)",
              {"dtypes": [INT32, FLOAT]}),
    "a handle's": ("h = VarHandleOp() {dtype: float64}", "y = ReadVariableOp(h)",
                   {"dtype": DOUBLE}),
    "a handle's, in a loop": ('h = VarHandleOp() {dtype: float64}\ne = Enter(h) {frame_name: "f"}',
                              "y = ReadVariableOp(e)", {"dtype": DOUBLE}),
    "a loop": ("e = Placeholder() {dtype: int32}\nn = NextIteration(y)", "y = Merge(e, n)",
               {"N": 2, "T": INT32}),
    "what is written stays": ("x = Placeholder()", "y = Neg(x) {T: float64}", {"T": DOUBLE}),
    "an unknown op": ("", "y = Mystery(x) {a: 1, t: int32}", {"a": 1, "t": INT32}),
}  # fmt: skip


def value_of(attr: AttrValue) -> object:
    kind = attr.WhichOneof("value")
    return list(attr.list.type) if kind == "list" else getattr(attr, str(kind))


@pytest.mark.parametrize(("before", "line", "attrs"), INFERRED.values(), ids=INFERRED)
def test_inferred(before: str, line: str, attrs: dict[str, object]) -> None:
    node = parse_sketch(f"{before}\n{line}").graph.nodes[line.split()[0]]
    assert {key: value_of(attr) for key, attr in node.attr.items()} == attrs


ROUND = {
    "control, port, device": "y = Add(a:1, b, ^c) @ /device:CPU:0",
    "ints": "c = Const() {value: [1, -2]}",
    "floats": "c = Const() {value: [[1.5, 0.1], [nan, -inf]]}",
    "large and small": "c = Const() {value: [1e+20, 1e-07]}",
    "a type that is no default": "c = Const() {dtype: int64, value: 7}",
    "half": "c = Const() {dtype: float16, value: [0.5, 1.0]}",
    "strings": r'c = Const() {value: ["a, # b", "c\"d\\", "\xff\n"]}',
    "booleans": "c = Const() {value: [true, false]}",
    "one value for all": "c = Const() {shape: [1000, 16], value: 0.0}",
    "empty": "c = Const() {dtype: int32, shape: [0], value: []}",
    "an open shape": "x = Placeholder() {shape: [?, 4]}",
    "no rank": "x = VariableV2() {shape: unknown}",
    "a list": 'y = Neg(x) {_class: ["loc:@w"]}',
    "an op of a scope": "y = Scope>Op(x)",
}


@pytest.mark.parametrize("line", ROUND.values(), ids=ROUND)
def test_format_is_the_inverse(line: str) -> None:
    graph = parse_sketch(line).graph
    assert format_sketch(graph) == f"{line}\n"
    assert parse_sketch(format_sketch(graph)).raw == parse_sketch(line).raw


def test_format_leaves_out_what_says_nothing() -> None:
    node = NodeDef(name="y", op="MatMul", input=["a", "b"])
    node.attr["T"].type = FLOAT
    node.attr["transpose_a"].b = False
    node.attr["transpose_b"].b = True
    node.attr["_output_shapes"].list.SetInParent()
    assert format_node(node) == "y = MatMul(a, b) {transpose_b: true}"
    large = parse_sketch(f"c = Const() {{value: {list(range(99))}}}").graph
    assert format_sketch(large) == "c = Const() {dtype: int32, shape: [99], value: ...}\n"


BAD = {
    "no sketch": ("w = VariableV2", "line 2, 'w = VariableV2': write 'name = Op(inputs)"),
    "open braces": ("w = Op() {a: 1", "line 2"),
    "no value": ("w = Op() {a: }", "a value is missing"),
    "no key": ("w = Op() {1: 2}", "write {key: value}"),
    "wrong kind": ("w = VariableV2() {dtype: 3}", "3 is no type"),
    "no shape": ("w = VariableV2() {shape: 3}", "3 is no shape"),
    "no list": ("w = Squeeze(x) {squeeze_dims: 3}", "3 is no list"),
    "a bad input": ("w = Op(a:b)", "'a:b' is no tensor name"),
    "a value that was left out": ("w = Const() {shape: [99], value: ...}", "was left out"),
}


@pytest.mark.parametrize(("line", "told"), BAD.values(), ids=BAD)
def test_bad_line(line: str, told: str) -> None:
    with pytest.raises(SketchError) as caught:
        sketch_meta_graph(f"# the first line\n{line}  # why\n")
    assert told in str(caught.value)


COLLECTED = """
w = VariableV2() {shape: [2]}
h = VarHandleOp() {shape: [2]}
trainable_variables: w
variables: w, h
losses: w:0, h:0
saver: save
"""


def test_collections_and_saver() -> None:
    entry = CollectionDef()
    entry.bytes_list.value.append(b"{}")
    model = parse_sketch(COLLECTED, collections={"graphfreeze": entry})
    assert list(model.collections) == ["graphfreeze", "losses", "trainable_variables", "variables"]
    both = model.collections["variables"].bytes_list.value
    assert model.collections["trainable_variables"].bytes_list.value == both[:1]
    assert list(model.collections["losses"].node_list.value) == ["w:0", "h:0"]
    found = {v.name: v.definition for v in model.variables}
    assert found["w"] is not None
    assert (found["w"].initializer_name, found["w"].snapshot_name) == ("w/Assign", "w/read:0")
    assert found["h"] is not None
    assert (found["h"].is_resource, found["h"].trainable) == (True, False)
    assert model.saver is not None
    assert model.saver.restore_op_name == "save/restore_all"


def test_a_sketch_is_a_file() -> None:
    model = parse_sketch(COLLECTED)
    assert MetaGraphDef.FromString(model.raw) == sketch_meta_graph(COLLECTED)
    assert model.source.format == "MetaGraphDef (binary)"
    assert parse_sketch(COLLECTED).raw == model.raw


@pytest.mark.parametrize("name", ["conv_bn", "resource_mlp", "text_classifier"])
def test_real_models(name: str) -> None:
    graph = load(MODELS / name).graph
    text = format_sketch(graph).replace("value: ...", 'value: "?"')
    after = parse_sketch(text).graph
    assert list(after.nodes) == list(graph.nodes)
    assert all(after.inputs(n) == graph.inputs(n) for n in graph.nodes)
    for name, node in graph.nodes.items():
        assert after.ops.input_is_ref(after.nodes[name]) == graph.ops.input_is_ref(node)
        assert after.ops.output_types(after.nodes[name]) == graph.ops.output_types(node)
