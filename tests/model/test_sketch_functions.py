"""Functions as sketches of their bodies."""

from graphfreeze.model.sketch_functions import format_function, sketch_functions
from graphfreeze.read.sketch import parse_sketch

F = """x = _Arg()
w = _Arg() {T: resource}
r = ReadVariableOp(w)
m = MatMul(x, r)
return:y = _Retval(m)
"""
G = """w = _Arg() {T: resource}
x = _Arg()
c = f(x, w)
return:y = _Retval(c)
"""


def test_a_function_is_written_as_tensorflow_does() -> None:
    made = sketch_functions({"f": F, "g": G})
    f, g = made["f"], made["g"]
    assert [(arg.name, arg.type) for arg in f.signature.input_arg] == [("x", 1), ("w", 20)]
    assert [(arg.name, arg.type) for arg in f.signature.output_arg] == [("y", 1)]
    assert {node.name: list(node.input) for node in f.node_def} == {
        "r": ["w"],
        "m": ["x", "r:value:0"],
    }
    assert dict(f.ret) == {"y": "m:product:0"}
    assert dict(g.ret) == {"y": "c:y:0"}


def test_a_function_is_shown_as_it_was_sketched() -> None:
    model = parse_sketch("x = Placeholder()", functions={"f": F, "g": G})
    assert format_function(model.graph, "f") == F
    assert format_function(model.graph, "g") == G
