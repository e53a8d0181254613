"""Which functions nodes call, and which of their arguments inputs become."""

from contextlib import nullcontext

import pytest

from graphfreeze.errors import LoadError
from graphfreeze.model.calls import check_functions, find_calls, is_call
from graphfreeze.read.sketch import parse_sketch

F = "x = _Arg()\nw = _Arg() {T: resource}\nr = ReadVariableOp(w)\nreturn:y = _Retval(r)"
G = "i = _Arg() {T: int32}\nx = _Arg()\nw = _Arg() {T: resource}\nreturn:y = _Retval(x)"
X = "x = Placeholder()\np = Placeholder() {dtype: bool}\ni = Placeholder() {dtype: int32}\n"
W = "w = VarHandleOp() {shape: [2]}\n"

# node, then by function: attribute, place in a list, and the argument that each input becomes
CASES = {
    "While": ("c = While(x, w) {cond: g, body: f}",
              [("body", None, "f", [0, 1]), ("cond", None, "g", [0, 1])]),
    "If": ("c = If(p, x, w) {Tout: [float32], then_branch: f, else_branch: g}",
           [("else_branch", None, "g", [None, 0, 1]), ("then_branch", None, "f", [None, 0, 1])]),
    "Case": ("c = Case(i, x, w) {Tout: [float32], branches: [f, g, f]}",
             [("branches", n, f, [None, 0, 1]) for n, f in enumerate("fgf")]),
    "PartitionedCall": ("c = PartitionedCall(x, w) {Tout: [float32], f: f}",
                        [("f", None, "f", [0, 1])]),
    "For": ("c = For(i, i, i, x, w) {T: [float32, resource], body: g}",
            [("body", None, "g", [None, None, None, 1, 2])]),
    "SymbolicGradient": ("c = SymbolicGradient(x, w, x) {Tout: [float32, resource], f: f}",
                         [("f", None, "f", [0, 1, None])]),
    "its op": ("c = f(x, w)", [("", None, "f", [0, 1])]),
    "a function that is not there": ("c = PartitionedCall(x, w) {Tout: [float32], f: h}", []),
    "no call": ('c = MapDataset(x, w) {f: f, Targuments: [resource], output_types: [float32], '
                'output_shapes: [[2]]}', []),
}  # fmt: skip


@pytest.mark.parametrize(("line", "expected"), CASES.values(), ids=CASES)
def test_find_calls(
    line: str, expected: list[tuple[str, int | None, str, list[int | None]]]
) -> None:
    graph = parse_sketch(X + W + line, functions={"f": F, "g": G}).graph
    calls, slots = find_calls(graph, graph.nodes["c"]), range(len(graph.inputs("c")))
    found = [(c.attr, c.place, c.name, [c.find_argument(s) for s in slots]) for c in calls]
    assert found == expected
    for call in calls:
        arguments = [(s, at) for s in slots if (at := call.find_argument(s)) is not None]
        assert all(call.find_slot(at) == slot for slot, at in arguments)


def test_what_a_call_is() -> None:
    lines = "c = f(x, w)\nd = If(p, x, w) {Tout: [float32]}\ne = MapDataset(x) {f: f}"
    graph = parse_sketch(X + W + lines, functions={"f": F}).graph
    assert [is_call(graph, graph.nodes[name]) for name in "cdex"] == [True, True, False, False]


def test_results_of_a_condition_are_not_those_of_its_node() -> None:
    line = "c = While(x, w) {cond: g, body: f}"
    graph = parse_sketch(X + W + line, functions={"f": F, "g": G}).graph
    calls = {call.attr: call for call in find_calls(graph, graph.nodes["c"])}
    assert (calls["body"].gives_returns, calls["cond"].gives_returns) == (True, False)
    assert (calls["body"].argument_name(1), calls["body"].find_slot(0)) == ("w", 0)
    assert find_calls(graph, graph.nodes["x"]) == []


def test_a_function_that_is_missing() -> None:
    body = "x = _Arg() {T: float32}\ny = PartitionedCall(x) {Tout: [float32], f: %s}\n"
    text = "x = Placeholder()\ny = PartitionedCall(x) {Tout: [float32], f: outer}"
    returns = "return:y = _Retval(y)"
    inner = "x = _Arg() {T: float32}\nreturn:x = _Retval(x)"
    for called, told in (("inner", ""), ("gone", "m: node 'outer/y' calls function 'gone', which")):
        functions = {"outer": body % called + returns, "inner": inner}
        graph = parse_sketch(text, functions=functions).graph
        with pytest.raises(LoadError, match=told) if told else nullcontext():
            check_functions(graph, "m")
    with pytest.raises(LoadError, match="m: node 'y' calls function 'outer', which is missing"):
        check_functions(parse_sketch(text).graph, "m")
