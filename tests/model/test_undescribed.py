"""Loops and branches that no context describes."""

from graphfreeze.model.undescribed import find_in_functions
from graphfreeze.read.sketch import parse_sketch

BRANCH = "x = _Arg()\np = _Arg() {T: bool}\ns = Switch(x, p)\nm = Merge(s, s:1)\n"
LIBRARY = {
    "branches": BRANCH + "return:y = _Retval(m)\n",
    "calls": "x = _Arg()\np = _Arg() {T: bool}\n"
    "c = PartitionedCall(x, p) {Tout: [float32], f: branches}\nreturn:y = _Retval(c)\n",
    "plain": "x = _Arg()\nn = Neg(x)\nreturn:y = _Retval(n)\n",
}


def test_what_begins_a_branch_in_a_function_is_found_below_what_runs_it() -> None:
    text = "x = Placeholder()\np = Placeholder() {dtype: bool}\n"
    text += "a = PartitionedCall(x, p) {Tout: [float32], f: calls}\n"
    text += "b = PartitionedCall(x) {Tout: [float32], f: plain}\n"
    graph = parse_sketch(text, functions=LIBRARY).graph
    found = [(str(node.name), function) for node, function in find_in_functions(graph, ["a"])]
    assert found == [("s", "branches")]
    assert not list(find_in_functions(graph, ["b"]))
