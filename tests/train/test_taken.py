"""What of a graph with gradients is taken over: exactly what calls give more, and new functions."""

import pytest

from graphfreeze.model.attrs import parse_shape
from graphfreeze.model.sketch import format_node
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.message import meta_graph
from graphfreeze.schema import FunctionDef, GraphDef, NodeDef, types_pb2
from graphfreeze.train.aliases import Aliases
from graphfreeze.train.taken import Taken

MODEL = """
n = Placeholder() {dtype: int32}
x = Placeholder()
loop = While(n, x, ^x) {T: [int32, float32], cond: less, body: add}
loss = Identity(loop:1)
call = PartitionedCall(loss) {Tin: [float32], Tout: [float32], f: half}
"""
LESS = "n = _Arg() {T: int32}\nx = _Arg()\nb = Less(n, n)\nreturn:b = _Retval(b) {T: bool}"
ADD = (
    "n = _Arg() {T: int32}\nx = _Arg()\nh = half(x)\nreturn:n = _Retval(n) {T: int32}\n"
    "return:x = _Retval(h)"
)
HALF = "x = _Arg()\ny = Neg(x)\nreturn:y = _Retval(y)"
FUNCTIONS = {"half": HALF, "less": LESS, "add": ADD}


def imported() -> tuple[Draft, Aliases, GraphDef]:
    draft = Draft(parse_sketch(MODEL, functions=FUNCTIONS))
    draft.graph.nodes["call"].attr["_output_shapes"].list.shape.add().dim.add(size=2)
    aliases, message = Aliases.of(draft.graph.functions), meta_graph(draft).graph_def
    aliases.put_on(message)
    return draft, aliases, message


def copied(graph: GraphDef, name: str, made: str) -> FunctionDef:
    function = graph.library.function.add()
    function.CopyFrom(next(f for f in graph.library.function if f.signature.name == name))
    function.signature.name = made
    return function


def differentiated(aliases: Aliases, before: GraphDef) -> GraphDef:
    """Do to a graph what TensorFlow does when a gradient passes its loop and its call."""
    after = GraphDef()
    after.CopyFrom(before)
    add, less, half = map(aliases.alias, ("add", "less", "half"))
    body = copied(after, add, f"{add}_rewritten")
    body.node_def[0].experimental_debug_info.original_func_names.append("of_this_process_7")
    copied(after, less, f"{less}_rewritten")
    copied(after, half, f"__forward_{half}_31").attr["backward_function_name"].s = b"another"
    copied(after, half, f"__inference___backward_{half}_21_32")
    copied(after, half, f"{add}_grad_99").node_def[0].op = f"__forward_{half}_31"
    copied(after, half, "of_no_use_4")
    nodes = {node.name: node for node in after.node}
    nodes["loop"].attr["body"].func.name = f"{add}_rewritten"
    nodes["loop"].attr["cond"].func.name = f"{less}_rewritten"
    nodes["loop"].attr["T"].list.type.append(types_pb2.DT_VARIANT)
    nodes["loop"].input[:] = ["n", "x", "graphfreeze/list", "^x"]
    nodes["call"].attr["f"].func.name = f"__forward_{half}_31"
    nodes["call"].attr["Tout"].list.type.append(types_pb2.DT_FLOAT)
    after.node.add(name="graphfreeze/list", op="EmptyTensorList")
    back = after.node.add(name="graphfreeze/back", op="PartitionedCall", input=["call", "call:1"])
    back.attr["f"].func.name = f"__inference___backward_{half}_21_32"
    loop = after.node.add(name="graphfreeze/loop", op="While", input=["n"])
    loop.attr["body"].func.name = f"{add}_grad_99"
    return after


def taken() -> Taken:
    draft, aliases, before = imported()
    return Taken(draft, aliases, before, differentiated(aliases, before))


def test_calls_that_give_more() -> None:
    loop, call = taken().changed()
    assert [format_node(loop), format_node(call)] == [
        "loop = While(n, x, graphfreeze/list, ^x) "
        "{body: add__graphfreeze_forward_1, cond: less__graphfreeze_forward_1}",
        "call = PartitionedCall(loss) {Tout: [float32, float32], f: half__graphfreeze_forward_1}",
    ]
    assert list(loop.attr["T"].list.type) == [
        types_pb2.DT_INT32,
        types_pb2.DT_FLOAT,
        types_pb2.DT_VARIANT,
    ]
    told = call.attr["_output_shapes"].list.shape  # one for each output, or no TensorFlow reads it
    assert [parse_shape(shape) for shape in told] == [(2,), None]
    assert "_output_shapes" not in loop.attr


def test_new_nodes_and_functions() -> None:
    found = taken()
    added = {str(node.name): node for node in found.added()}
    assert list(added) == ["graphfreeze/list", "graphfreeze/back", "graphfreeze/loop"]
    assert added["graphfreeze/back"].attr["f"].func.name == "half__graphfreeze_gradient_1"
    made = {str(function.signature.name): function for function in found.functions()}
    assert sorted(made) == [
        "add__graphfreeze_forward_1",
        "add__graphfreeze_gradient_1",
        "half__graphfreeze_forward_1",
        "half__graphfreeze_gradient_1",
        "less__graphfreeze_forward_1",
    ]
    assert [n.op for n in made["add__graphfreeze_forward_1"].node_def] == ["half"]
    assert [n.op for n in made["add__graphfreeze_gradient_1"].node_def] == [
        "half__graphfreeze_forward_1"
    ]
    assert not any(f.attr for f in made.values())
    assert not any(n.HasField("experimental_debug_info") for f in made.values() for n in f.node_def)


def test_writers_that_wait_for_more() -> None:
    draft, aliases, before = imported()
    after = GraphDef()
    after.CopyFrom(before)
    loss = next(node for node in after.node if node.name == "loss")
    loss.input.append("^n")
    loss.attr["_has_manual_control_dependencies"].b = True  # TensorFlow's own note, and left to it
    found = Taken(draft, aliases, before, after)
    assert [format_node(node) for node in found.changed()] == ["loss = Identity(loop:1, ^n)"]
    assert list(found.unforeseen()) == []


def test_names_that_are_taken() -> None:
    found = taken()
    found.draft.graph.functions["half__graphfreeze_forward_1"] = FunctionDef()
    names = {str(function.signature.name) for function in found.functions()}
    assert "half__graphfreeze_forward_2" in names


def take_another_input(node: NodeDef) -> None:
    node.input[0] = "x"


def lose_a_wait(node: NodeDef) -> None:
    del node.input[-1]


def move(node: NodeDef) -> None:
    node.device = "/cpu:0"


def say_more(node: NodeDef) -> None:
    node.attr["parallel_iterations"].i = 5


BREACHES = {
    "another input": ("loop", take_another_input),
    "a lost control edge": ("loop", lose_a_wait),
    "a device": ("call", move),
    "another attribute": ("loop", say_more),
    "a node that calls nothing": ("loss", take_another_input),
}


@pytest.mark.parametrize(("name", "change"), BREACHES.values(), ids=BREACHES)
def test_what_else_changes_is_told(name: str, change) -> None:
    draft, aliases, before = imported()
    after = differentiated(aliases, before)
    assert list(Taken(draft, aliases, before, after).unforeseen()) == []
    change(next(node for node in after.node if node.name == name))
    assert list(Taken(draft, aliases, before, after).unforeseen()) == [name]
