"""Graphs with the bodies of their functions in the place of calls."""

import pytest

from graphfreeze.model.names import TensorRef
from graphfreeze.model.reads import reads, resource_lookups, writers
from graphfreeze.model.unfolded import Unfolded
from graphfreeze.model.unfolding import unfold
from graphfreeze.read.sketch import parse_sketch

DENSE = """x = _Arg()
w = _Arg() {T: resource}
r = ReadVariableOp(w) {dtype: float32}
m = MatMul(x, r)
return:y = _Retval(m)"""
DEEP = """w = _Arg() {T: resource}
x = _Arg()
c = dense(x, w)
t = Tanh(c)
return:y = _Retval(t)"""
ROUND = """x = _Arg()
i = _Arg() {T: int32}
w = _Arg() {T: resource}
o = Const() {value: 1}
n = Add(i, o)
g = ResourceGather(w, n) {dtype: float32}
same = Identity(w)
a = AssignAddVariableOp(w, x) {dtype: float32}
return:x = _Retval(g)
return:i = _Retval(n)
return:w = _Retval(same)"""
TEST = """x = _Arg()
i = _Arg() {T: int32}
w = _Arg() {T: resource}
t = Const() {value: true}
return:t = _Retval(t)"""
SWAP = """v = _Arg() {T: resource}
w = _Arg() {T: resource}
return:v = _Retval(w)
return:w = _Retval(v)"""
PLAIN = "x = _Arg()\nw = _Arg() {T: resource}\ne = Exp(x)\nreturn:y = _Retval(e)"
WAITS = "x = _Arg()\ne = Exp(x)\nn = NoOp(^e)\ni = Identity(e, ^n)\nreturn:y = _Retval(i)"
HANDS_OUT = "w = _Arg() {T: resource}\nreturn:w = _Retval(w)"
FUNCTIONS = {
    "dense": DENSE, "deep": DEEP, "round": ROUND, "test": TEST, "swap": SWAP, "plain": PLAIN,
    "hands_out": HANDS_OUT, "waits": WAITS,
}  # fmt: skip
W = """w = VarHandleOp() {shape: [4, 4]}
v = VarHandleOp() {shape: [4, 4]}
x = Placeholder()
i = Placeholder() {dtype: int32}
p = Placeholder() {dtype: bool}
"""
# a node, then some nodes of the unfolded graph with their inputs
CASES = {
    "a call": (
        "y = PartitionedCall(x, w) {Tout: [float32], f: dense}\nz = Tanh(y)\nn = NoOp(^y)",
        {"y > x": "Identity x", "y > w": "Identity w", "y > r": "ReadVariableOp y > w",
         "y > m": "MatMul y > x, y > r", "y": "NoOp ^x, ^w, ^y > r, ^y > m",
         "y -> 0": "Identity y > m, ^y", "z": "Tanh y -> 0", "n": "NoOp ^y"},
    ),
    "an op that is a function, and one in it": (
        "y = deep(w, x)",
        {"y > x": "Identity x", "y > c > x": "Identity y > x",
         "y > c > r": "ReadVariableOp y > c > w",
         "y > c": "NoOp ^y > x, ^y > w, ^y > c > r, ^y > c > m",
         "y > c -> 0": "Identity y > c > m, ^y > c", "y > t": "Tanh y > c -> 0",
         "y": "NoOp ^w, ^x, ^y > c, ^y > t", "y -> 0": "Identity y > t, ^y"},
    ),
    "branches": (
        "y = If(p, x, w, ^i) {Tout: [float32], then_branch: dense, else_branch: plain}",
        {"y[then_branch] > r": "ReadVariableOp y[then_branch] > w",
         "y[else_branch] > x": "Identity x",
         "y -> 0": "Merge y[else_branch] > e, y[then_branch] > m, ^y"},
    ),
    "what waits in a body": (
        "y = PartitionedCall(x) {Tout: [float32], f: waits}",
        {"y > n": "NoOp ^y > e", "y > i": "Identity y > e, ^y > n",
         "y": "NoOp ^x, ^y > e, ^y > n, ^y > i", "y -> 0": "Identity y > i, ^y"},
    ),
    "cases": (
        "y = Case(i, x, w) {Tout: [float32], branches: [plain, plain]}\nz = Tanh(y)",
        {"y[1] > e": "Exp y[1] > x", "y -> 0": "Merge y[0] > e, y[1] > e, ^y"},
    ),
    "a loop": (
        "y = While(x, i, w) {cond: test, body: round}\nz = Tanh(y)\nh = Identity(y:2)",
        {"y[body] > x": "Merge x, y[body] > g", "y[body] > w": "Identity w",
         "y[cond] > i": "Identity y[body] > i", "y -> 0": "Merge x, y[body] > g, ^y",
         "y -> 2": "Identity w, ^y", "h": "Identity y -> 2"},
    ),
    "a loop that counts": (
        "y = For(i, i, i, x) {T: [float32], body: count}",
        {"y > i": "Placeholder ", "y > x": "Merge x, y > a", "y -> 0": "Merge x, y > a, ^y"},
    ),
    "handles that change places": (
        "y = While(v, w) {cond: either, body: swap}",
        {"y[body] > v": "Merge v, y[body] > w", "y[body] > w": "Merge w, y[body] > v"},
    ),
}  # fmt: skip
COUNT = "i = _Arg() {T: int32}\nx = _Arg()\na = Exp(x)\nreturn:x = _Retval(a)"
EITHER = TEST.replace("x = _Arg()\ni = _Arg() {T: int32}", "v = _Arg() {T: resource}")


def unfolded(line: str) -> Unfolded:
    functions = FUNCTIONS | {"count": COUNT, "either": EITHER}
    return unfold(parse_sketch(W + line, functions=functions).graph)


@pytest.mark.parametrize(("line", "expected"), CASES.values(), ids=CASES)
def test_bodies_stand_in_the_place_of_calls(line: str, expected: dict[str, str]) -> None:
    graph = unfolded(line).graph
    taken = {n: f"{node.op} {', '.join(node.input)}" for n, node in graph.nodes.items()}
    assert {name: taken.get(name) for name in expected} == expected
    assert list(graph.dangling()) == []


def test_what_is_asked_of_variables() -> None:
    line = (
        "y = While(x, i, w) {cond: test, body: round}\n"
        "z = StatefulPartitionedCall(y:2, y) {Tout: [float32], f: deep}\n"
    )
    told = unfolded(line)
    (w,) = [v for v in parse_sketch(W).variables if v.name == "w"]
    assert reads(told.graph, w) == [TensorRef("z > c > r")]
    assert resource_lookups(told.graph, w) == ["y[body] > g"]
    assert writers(told.graph, w) == ["y[body] > a"]
    assert "y[body] > a" in told.graph.ancestors(["z -> 0"])


def test_handles_that_change_places_are_written_by_what_cannot_be_told() -> None:
    line = "y = While(v, w) {cond: either, body: swap}\na = AssignVariableOp(y, x) {dtype: float32}"
    told = unfolded(line)
    (w,) = [v for v in parse_sketch(W).variables if v.name == "w"]
    assert "y[body] > w" in writers(told.graph, w)


def test_a_graph_without_calls_is_itself() -> None:
    graph = parse_sketch(W + "y = Tanh(x)").graph
    assert unfold(graph).graph is graph


KEPT = {
    "a gradient": "y = SymbolicGradient(x, w, x) {Tout: [float32, resource], f: dense}",
    "a function that is not there": "y = PartitionedCall(x) {Tout: [float32], f: lost}",
    "a data set's": "y = MapDataset(x, w) {f: dense, Targuments: [resource], "
    "output_types: [float32], output_shapes: [[2]]}",
}


@pytest.mark.parametrize("line", KEPT.values(), ids=KEPT)
def test_what_stays_a_call(line: str) -> None:
    told = unfolded(f"{line}\nz = PartitionedCall(x, w) {{Tout: [float32], f: plain}}")
    assert told.graph.op("y") == line.split(" = ")[1].partition("(")[0]
    assert list(told.calls) == ["z"]


def test_a_function_that_calls_itself_is_a_call_in_its_own_body() -> None:
    model = parse_sketch("x = Placeholder()\nz = Exp(x)", functions={"again": PLAIN})
    function = model.graph.functions["again"]
    del function.signature.input_arg[1]
    function.node_def[0].op = "again"
    model.graph.nodes["z"].op = "again"
    told = unfold(model.graph)
    assert (told.graph.op("z"), told.graph.op("z > e")) == ("NoOp", "again")


def test_functions_that_call_others_twice_level_for_level() -> None:
    leaf = "x = _Arg()\ne = Exp(x)\nreturn:y = _Retval(e)"
    twice = "x = _Arg()\na = {0}(x)\nb = {0}(a)\nreturn:y = _Retval(b)"
    library = {"f0": leaf} | {f"f{n}": twice.format(f"f{n - 1}") for n in range(1, 30)}
    graph = parse_sketch("x = Placeholder()\ny = f29(x)", functions=library).graph
    told = unfold(graph, most=500).graph
    assert 500 < len(told.nodes) < 1000
    assert list(told.dangling()) == []
    assert any(node.op in library for node in told.nodes.values())


def test_paths_name_each_call_once() -> None:
    told = unfolded("y = deep(w, x)\nz = Tanh(y)\nl = While(z, i, w) {cond: test, body: round}")
    into = ["w", "y > w", "y > c > w", "y > c > r", "y > c -> 0", "y > t", "y -> 0", "z"]
    assert told.steps(into) == ["w", "y", "y > c", "y > c > r", "y > t", "z"]
    assert [told.op(name) for name in ("y", "y > c", "y > t", "z")] == [
        "deep",
        "dense",
        "Tanh",
        "Tanh",
    ]
    assert told.steps(["z", "l -> 0", "l", "l[body] > a"]) == ["z", "l", "l[body] > a"]
    assert told.ref(TensorRef("l", 1)) == TensorRef("l -> 1")
    assert told.ref(TensorRef("z")) == TensorRef("z")
    assert told.givers("l") == ["l -> 0", "l -> 1", "l -> 2"]
    assert told.givers("z") == ["z"]
