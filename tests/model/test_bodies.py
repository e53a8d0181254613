"""Bodies of functions as graphs, and back."""

from google.protobuf import text_format

from graphfreeze.model.bodies import open_body
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef, parse_ref
from graphfreeze.model.ops import OpRegistry
from graphfreeze.model.reads import reads, resource_lookups
from graphfreeze.model.sketch import format_sketch
from graphfreeze.model.variables import Variable
from graphfreeze.schema import FunctionDef, NodeDef, types_pb2

DEF = """
signature {
  name: "f"
  input_arg { name: "x" type: DT_FLOAT }
  input_arg { name: "w" type: DT_RESOURCE handle_data { dtype: DT_FLOAT } }
  output_arg { name: "y" type: DT_FLOAT }
  output_arg { name: "half" type: DT_FLOAT }
  control_output: "wrote"
}
node_def { name: "axis" op: "Const" attr { key: "dtype" value { type: DT_INT32 } } }
node_def { name: "r" op: "ReadVariableOp" input: "w" input: "^axis"
           attr { key: "dtype" value { type: DT_FLOAT } } }
node_def { name: "s" op: "Split" input: "axis:output:0" input: "r:value:0"
           attr { key: "num_split" value { i: 2 } } attr { key: "T" value { type: DT_FLOAT } } }
node_def { name: "q" op: "Mystery" input: "x" input: "s:output:1" }
node_def { name: "z" op: "Later" input: "q:second:0" input: "q:first:0" }
ret { key: "y" value: "x" }
ret { key: "half" value: "s:output:1" }
control_ret { key: "wrote" value: "q" }
attr { key: "_noinline" value { b: true } }
"""
FUNCTION = FunctionDef()
text_format.Parse(DEF, FUNCTION)
GRAPH = Graph((), {"f": FUNCTION}, OpRegistry())
W = Variable("w", "resource", types_pb2.DT_FLOAT, (2, 2), None, True, False)


def test_a_body_is_a_graph() -> None:
    body = open_body(GRAPH, FUNCTION)
    graph = body.graph
    assert body.arguments == ("x", "w")
    assert body.returns == ("return:y", "return:half")
    taken = {name: list(node.input) for name, node in graph.nodes.items()}
    assert taken == {
        "x": [], "w": [], "axis": [], "r": ["w", "^axis"], "s": ["axis", "r"], "q": ["x", "s:1"],
        "z": ["q", "q:1"], "return:y": ["x"], "return:half": ["s:1"], "return:^wrote": ["^q"],
    }  # fmt: skip
    assert reads(graph, W) == [TensorRef("r")]
    assert resource_lookups(graph, W) == []
    assert graph.dtype(TensorRef("w")) == types_pb2.DT_RESOURCE
    assert graph.ancestors(["return:y"]) == {"return:y", "x"}
    assert "s = Split(axis, r)\n" in format_sketch(graph)


def test_what_nobody_edits_comes_back() -> None:
    body = open_body(GRAPH, FUNCTION)
    assert not body.is_changed
    assert body.written("f") == FUNCTION
    renamed = body.written("g")
    assert renamed.signature.name == "g"
    renamed.signature.name = "f"
    assert renamed == FUNCTION


def test_edits_are_written_as_bodies_write_them() -> None:
    body = open_body(GRAPH, FUNCTION)
    stop = NodeDef(name="stop", op="StopGradient", input=["s:1"])
    stop.attr["T"].type = types_pb2.DT_FLOAT
    body.graph.put(stop)
    for name, inputs in (("return:half", ["stop"]), ("z", ["q:1", "stop", "w", "^stop"])):
        node = NodeDef()
        node.CopyFrom(body.graph.nodes[name])
        node.input[:] = inputs
        body.graph.put(node)
    assert body.is_changed
    made = body.written("g")
    assert dict(made.ret) == {"y": "x", "half": "stop:output:0"}
    nodes = {str(node.name): list(node.input) for node in made.node_def}
    assert nodes["stop"] == ["s:output:1"]
    assert nodes["z"] == ["q:first:0", "stop:output:0", "w", "^stop"]
    assert list(made.node_def)[:4] == list(FUNCTION.node_def)[:4]
    again = open_body(GRAPH, made).graph
    assert list(again.nodes["return:half"].input) == ["stop"]
    assert [str(ref) for ref in map(parse_ref, again.nodes["stop"].input)] == ["s:1"]


def test_a_whole_body_of_new_nodes_is_written() -> None:
    body = open_body(GRAPH, FUNCTION)
    body.graph.drop("z")
    assert body.is_changed
    assert [str(node.name) for node in body.written("g").node_def] == ["axis", "r", "s", "q"]


def test_another_op_in_a_nodes_place_calls_its_outputs_otherwise() -> None:
    body = open_body(GRAPH, FUNCTION)
    twin = NodeDef(name="r", op="Identity", input=["x"])
    twin.attr["T"].type = types_pb2.DT_FLOAT
    body.graph.put(twin)
    made = {node.name: list(node.input) for node in body.written("g").node_def}
    assert (made["r"], made["s"]) == (["x"], ["axis:output:0", "r:output:0"])
