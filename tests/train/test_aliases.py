"""Functions and numbered gradients under other names, and under their own again."""

from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.message import meta_graph
from graphfreeze.train.aliases import Aliases, rename

F = 'x = _Arg()\ny = Relu(x) {_gradient_op_type: "CustomGradient-7"}\nreturn:y = _Retval(y)'
G = "x = _Arg()\ny = f(x)\nreturn:y = _Retval(y)"
MODEL = """
x = Placeholder()
p = Placeholder() {dtype: bool}
a = PartitionedCall(x) {f: g, Tin: [float32], Tout: [float32], _gradient_op_type: "PartitionedCall-3"}
b = If(p, a) {Tin: [float32], Tout: [float32], then_branch: f, else_branch: g}
c = f(b)
d = Relu(c) {_gradient_op_type: "GuidedRelu"}
"""  # noqa: E501


def test_there_and_back() -> None:
    model = parse_sketch(MODEL, functions={"f": F, "g": G})
    message, before = (meta_graph(Draft(model)).graph_def for _ in range(2))
    aliases = Aliases.of(model.graph.functions)
    aliases.put_on(message)
    names = {aliases.alias("f"), aliases.alias("g")}
    assert not names & {"f", "g"}
    assert {f.signature.name for f in message.library.function} == names
    nodes = {node.name: node for node in message.node}
    assert nodes["c"].op == aliases.alias("f")
    assert nodes["b"].attr["else_branch"].func.name == aliases.alias("g")
    assert nodes["a"].attr["_gradient_op_type"].s.decode() == aliases.alias("PartitionedCall-3")
    assert nodes["d"].attr["_gradient_op_type"].s == b"GuidedRelu"
    for function in message.library.function:
        function.signature.name = aliases.name(function.signature.name)
        rename(function.node_def, aliases.name)
    rename(message.node, aliases.name)
    assert message == before


def test_two_imports_share_no_name() -> None:
    first, second = Aliases.of(["f"]), Aliases.of(["f"])
    assert first.alias("f") != second.alias("f")
    assert second.name(first.alias("f")) == first.alias("f")
    assert first.alias("CustomGradient-7") != second.alias("CustomGradient-7")


def test_what_was_made_of_a_function() -> None:
    aliases = Aliases.of(["f", *(f"f_{n}" for n in range(12))])
    for name in aliases.functions:
        alias = aliases.alias(name)
        made = [f"{alias}_rewritten", f"{alias}_grad_12", f"__inference___backward_{alias}_3_4"]
        assert [aliases.find_base(each) for each in made] == [name] * 3
        assert [aliases.name(each) for each in made] == made
    assert aliases.find_base("__inference_other_3") is None
