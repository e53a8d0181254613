"""Which variables stand behind the handles that functions are given."""

import pytest

from graphfreeze.model.attrs import parse_shape
from graphfreeze.model.graph import Graph
from graphfreeze.model.ops import OpRegistry
from graphfreeze.model.sketch_functions import sketch_functions
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.handle_data import describe_handles, find_handles, find_returned
from graphfreeze.rewrite.message import meta_graph

X = "x = Placeholder()\np = Placeholder() {dtype: bool}\n"
SHAPES = ([2, 3], [2, 3], [5])
W = "".join(f"{n} = VarHandleOp() {{shape: {s}}}\n" for n, s in zip("wuv", SHAPES, strict=True))
READ = "x = _Arg()\nw = _Arg() {T: resource}\nr = ReadVariableOp(w)\nreturn:y = _Retval(r)"
LEAVE = "x = _Arg()\nw = _Arg() {T: resource}\nreturn:y = _Retval(x)"
NESTED = (
    "q = _Arg() {T: bool}\nh = _Arg() {T: resource}\nx = _Arg()\ni = Identity(h) {T: resource}\n"
    "c = If(q, x, i) {Tin: [float32, resource], Tout: [float32], then_branch: read, "
    "else_branch: leave}\nreturn:y = _Retval(c)"
)
FUNCTIONS = {"read": READ, "leave": LEAVE, "nested": NESTED}
CALL = "{Tin: [float32, resource], Tout: [float32], f: read}"
# the graph's calls, then the shape behind each argument, None if several come there
CASES = {
    "a call": (f"c = StatefulPartitionedCall(x, w) {CALL}", {("read", 1): (2, 3)}),
    "two variables of one shape": (
        f"c = StatefulPartitionedCall(x, w) {CALL}\nd = StatefulPartitionedCall(x, u) {CALL}",
        {("read", 1): (2, 3)},
    ),
    "two shapes": (
        f"c = StatefulPartitionedCall(x, w) {CALL}\nd = StatefulPartitionedCall(x, v) {CALL}",
        {("read", 1): None},
    ),
    "a branch in a function": (
        "c = StatefulPartitionedCall(p, w, x) {Tin: [bool, resource, float32], Tout: [float32], "
        "f: nested}",
        {("nested", 1): (2, 3), ("read", 1): (2, 3), ("leave", 1): (2, 3)},
    ),
    "its op": ("c = read(x, v)", {("read", 1): (5,)}),
    "none": ("c = Identity(x)", {}),
}  # fmt: skip


@pytest.mark.parametrize(("calls", "expected"), CASES.values(), ids=CASES)
def test_find_handles(calls: str, expected: dict[tuple[str, int], object]) -> None:
    graph = parse_sketch(X + W + calls, functions=FUNCTIONS).graph
    found = find_handles(graph)
    assert {place: parse_shape(handle.shape) for place, handle in found.items()} == expected


def test_only_the_message_is_described() -> None:
    model = parse_sketch(X + W + CASES["a branch in a function"][0], functions=FUNCTIONS)
    message = meta_graph(Draft(model)).graph_def
    given = next(f for f in message.library.function if f.signature.name == "leave")
    given.signature.input_arg[1].handle_data.add(dtype=1, shape={"unknown_rank": True})
    describe_handles(message, model.graph)
    args = {f.signature.name: f.signature.input_arg[1] for f in message.library.function}
    assert [parse_shape(d.shape) for d in args["read"].handle_data] == [(2, 3)]
    assert [parse_shape(d.shape) for d in args["leave"].handle_data] == [None]  # as it was
    for function in model.graph.functions.values():
        assert not any(arg.handle_data for arg in function.signature.input_arg)


H = "h = _Arg() {T: resource}\nx = _Arg()\n"
GIVEN = (
    f"{H}i = Identity(h) {{T: resource}}\nreturn:x = _Retval(x)\n"
    "return:h = _Retval(i) {T: resource}"
)
MORE = "{Tin: [resource, float32], Tout: [float32, resource], f: given}"
RETURNED = {
    "an argument": (GIVEN, 0),
    "what a call gives back": (
        f"{H}c = PartitionedCall(h, x) {MORE}\nreturn:x = _Retval(c)\n"
        "return:h = _Retval(c:1) {T: resource}",
        0,
    ),
    "what it makes": (
        f"{H}v = VarHandleOp() {{shape: [2]}}\nreturn:x = _Retval(x)\n"
        "return:v = _Retval(v) {T: resource}",
        None,
    ),
    "itself again": (
        f"{H}c = again(h, x)\nreturn:x = _Retval(x)\nreturn:h = _Retval(c:1) {{T: resource}}",
        None,
    ),
}


@pytest.mark.parametrize(("body", "expected"), RETURNED.values(), ids=RETURNED)
def test_find_returned(body: str, expected: int | None) -> None:
    functions = sketch_functions({"given": GIVEN, "again": GIVEN, "made": body})
    functions["again"] = functions.pop("made")
    functions["again"].signature.name = "again"
    graph = Graph((), functions, OpRegistry())
    assert find_returned(graph, graph.functions["again"], 1) == expected
