"""A function that is handed a variable's handle: does it write there?"""

import pytest
from google.protobuf import text_format

from graphfreeze.model.functions import handed_back, writes_argument
from graphfreeze.model.graph import Edge, Graph
from graphfreeze.model.ops import OpRegistry
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.schema import FunctionDef, NodeDef


def function(name: str, *lines: str) -> FunctionDef:
    """Return a function of ``(x, v)``; a line is ``name Op input...``, or ends in ``@function``."""
    body = FunctionDef()
    text_format.Parse(
        f'signature {{ name: "{name}" input_arg {{ name: "x" type: DT_FLOAT }} '
        'input_arg { name: "v" type: DT_RESOURCE } }',
        body,
    )
    for line in lines:
        text, _, called = line.partition("@")
        name, op, *inputs = text.split()
        node = body.node_def.add(name=name, op=op, input=inputs)
        if called:
            node.attr["f"].func.name = called
    return body


LIBRARY = [
    function("reads", "r ReadVariableOp v", "i Identity r:value:0"),
    function("looks_up", "r ResourceGather v x"),
    function("ignores", "r Identity x", "n NoOp ^v"),
    function("writes", "a AssignVariableOp v x"),
    function("passes_on", "i Identity v", "a AssignVariableOp i:output:0 x"),
    function("disordered", "a AssignVariableOp i:output:0 x", "i Identity v"),
    function("loops", "e Enter v", "r ReadVariableOp e:output:0"),
    function("loops_and_writes", "e Enter v", "a AssignVariableOp e:output:0 x"),
    function("calls_reader", "c PartitionedCall x v @reads"),
    function("calls_writer", "c PartitionedCall x v @writes"),
    function("called_by_name", "c writes x v"),
    function("elsewhere", "c PartitionedCall x v @gone"),
    function("itself", "c PartitionedCall x v @itself"),
    function("branches", "c If x x v @writes"),
    function("unknown", "c Mystery v"),
]
CALLS = {
    "ReadVariableOp": ("reads", False),
    "ResourceGather": ("looks_up", False),
    "nothing": ("ignores", False),
    "AssignVariableOp": ("writes", True),
    "Identity, then an Assign": ("passes_on", True),
    "an Assign before the Identity": ("disordered", True),
    "a read in a loop": ("loops", False),
    "a loop and an Assign": ("loops_and_writes", True),
    "a call of a reader": ("calls_reader", False),
    "a call of a writer": ("calls_writer", True),
    "a writer as its op": ("called_by_name", True),
    "a function that is not there": ("elsewhere", True),
    "recursion": ("itself", False),
    "If, whose condition comes first": ("branches", True),
    "an unknown op": ("unknown", True),
}


@pytest.mark.parametrize(("name", "writes"), CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("way", ["PartitionedCall", "by name", "If", "If's other branch"])
def test_writes_argument(name: str, writes: bool, way: str) -> None:
    node = NodeDef(name="call", op="PartitionedCall", input=["x", "v"])
    slot = 1
    match way:
        case "PartitionedCall":
            node.attr["f"].func.name = name
        case "by name":
            node.op = name
        case "If" | "If's other branch":
            node.op, slot = "If", 2
            node.input.insert(0, "condition")
            order = (name, "reads") if way == "If" else ("reads", name)
            for key, each in zip(("then_branch", "else_branch"), order, strict=True):
                node.attr[key].func.name = each
    graph = Graph([node], {str(f.signature.name): f for f in LIBRARY}, OpRegistry())
    assert writes_argument(graph, Edge("call", slot)) == writes


@pytest.mark.parametrize(("name", "writes"), [("reads", False), ("writes", True)])
def test_an_op_that_is_no_call_may_pass_a_handle_to_any_argument(name: str, writes: bool) -> None:
    node = NodeDef(name="data", op="MapDataset", input=["input", "v"])
    node.attr["f"].func.name = name
    graph = Graph([node], {str(f.signature.name): f for f in LIBRARY}, OpRegistry())
    assert writes_argument(graph, Edge("data", 1)) == writes


GIVING = {
    "it": "return:h = _Retval(h)",
    "through Identity": "i = Identity(h)\nreturn:h = _Retval(i)",
    "through a branch of version 1": "p = Const() {value: true}\ns = Switch(h, p)\n"
    "return:no = _Retval(s)\nreturn:yes = _Retval(s:1)",
    "another one": "return:g = _Retval(g)",
    "its value": "r = ReadVariableOp(h)\nreturn:r = _Retval(r)",
    "what a call gives back": "c = PartitionedCall(g, h) {Tout: [resource, resource], f: swaps}\n"
    "return:first = _Retval(c)\nreturn:second = _Retval(c:1)",
    "what comes round": "c = While(g, h) {T: [resource, resource], cond: swaps, body: stays}\n"
    "return:first = _Retval(c)\nreturn:second = _Retval(c:1)",
}  # fmt: skip
HANDED = {
    "it": {0}, "through Identity": {0}, "through a branch of version 1": {0, 1},
    "another one": set(), "its value": set(), "what a call gives back": {0},
    "what comes round": {1},
}  # fmt: skip
TWO = "h = _Arg() {T: resource}\ng = _Arg() {T: resource}\n"


@pytest.mark.parametrize("name", GIVING)
def test_handed_back(name: str) -> None:
    library = {
        "swaps": TWO + "return:g = _Retval(g)\nreturn:h = _Retval(h)",
        "stays": TWO + "return:h = _Retval(h)\nreturn:g = _Retval(g)",
        "f": TWO + GIVING[name],
    }
    text = "w = VarHandleOp() {shape: [2]}\nv = VarHandleOp() {shape: [2]}\ny = f(w, v)"
    graph = parse_sketch(text, functions=library).graph
    assert handed_back(graph, graph.nodes["y"], 0) == HANDED[name]
