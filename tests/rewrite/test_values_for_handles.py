"""Functions that take values where they took handles, as sketches before and after."""

import pytest

from graphfreeze.errors import ExportError
from graphfreeze.model.misfits import find_misfits
from graphfreeze.model.sketch import format_sketch
from graphfreeze.model.sketch_functions import format_function
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.values_for_handles import ValuesForHandles

W = "w = VarHandleOp() {shape: [5, 3]}\nids = Placeholder() {dtype: int32}\n"
ARGS = "w = _Arg() {T: resource}\nids = _Arg() {T: int32}\n"
TYPES = "Tin: [resource, int32], Tout: [float32]"
FUNCTIONS = {
    "read": f"{ARGS}r = ReadVariableOp(w, ^ids)\nn = Neg(r)\nreturn:y = _Retval(n)",
    "look": f"{ARGS}e = ResourceGather(w, ids)\nreturn:y = _Retval(e)",
    "loop": f'{ARGS}f = Enter(w) {{T: resource, frame_name: "loop"}}\n'
    'g = Enter(ids) {T: int32, frame_name: "loop"}\n'
    "e = ResourceGather(f, g)\nx = Exit(e)\nreturn:y = _Retval(x)",
    "outer": f"{ARGS}i = Identity(w) {{T: resource}}\n"
    f"c = StatefulPartitionedCall(i, ids) {{f: look, {TYPES}}}\nreturn:y = _Retval(c)",
    "back": f"{ARGS}r = ReadVariableOp(w)\nreturn:y = _Retval(r)\n"
    "return:w = _Retval(w) {T: resource}",
    "write": f"{ARGS}r = ReadVariableOp(w)\na = AssignVariableOp(w, r)\nreturn:y = _Retval(r)",
}
READ = "w/graphfreeze/value_0 = ReadVariableOp(w)"
# what calls, what then calls, and new functions
CASES = {
    "a read": (
        f"y = StatefulPartitionedCall(w, ids) {{f: read, {TYPES}}}",
        "y = StatefulPartitionedCall(w/graphfreeze/value_0, ids) {"
        "f: read__graphfreeze_values_1}",
        {"read": ["r = Identity(w, ^ids)", "n = Neg(r)"]},
    ),
    "a lookup": (
        f"y = StatefulPartitionedCall(w, ids) {{f: look, {TYPES}}}",
        "y = StatefulPartitionedCall(w/graphfreeze/value_0, ids) {"
        "f: look__graphfreeze_values_1}",
        {"look": ["e = GatherV2(w, ids, e/graphfreeze/axis)"]},
    ),
    "a lookup in a v1 loop": (
        f"y = StatefulPartitionedCall(w, ids) {{f: loop, {TYPES}}}",
        "y = StatefulPartitionedCall(w/graphfreeze/value_0, ids) {"
        "f: loop__graphfreeze_values_1}",
        {
            "loop": [
                "e/graphfreeze/axis = Const(^g) {value: 0}",
                "e = GatherV2(f, g, e/graphfreeze/axis)",
            ]
        },
    ),
    "a call in a function": (
        f"y = StatefulPartitionedCall(w, ids) {{f: outer, {TYPES}}}",
        "y = StatefulPartitionedCall(w/graphfreeze/value_0, ids) {"
        "f: outer__graphfreeze_values_1}",
        {
            "outer": [
                "i = Identity(w)",
                "c = StatefulPartitionedCall(i, ids) {"
                "f: look__graphfreeze_values_1}",
            ],
            "look": ["e = GatherV2(w, ids, e/graphfreeze/axis)"],
        },
    ),
    "its op": ("y = look(w, ids)", "y = look__graphfreeze_values_1(w/graphfreeze/value_0, ids)",
               {"look": ["e = GatherV2(w, ids, e/graphfreeze/axis)"]}),
    "given back": (
        "y = StatefulPartitionedCall(w, ids) {f: back, Tin: [resource, int32], "
        "Tout: [float32, resource]}\nz = ReadVariableOp(y:1)",
        "y = StatefulPartitionedCall(w/graphfreeze/value_0, ids) {"
        "f: back__graphfreeze_values_1}\nz = Identity(y:1)",
        {"back": ["r = Identity(w)"]},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after", "bodies"), CASES.values(), ids=CASES)
def test_values(before: str, after: str, bodies: dict[str, list[str]]) -> None:
    draft = Draft(parse_sketch(W + before, functions=FUNCTIONS))
    ValuesForHandles(draft.graph).replace(draft.variables)
    told = format_sketch(draft.graph).splitlines()
    assert set(told) >= {*after.splitlines(), READ}
    for name, lines in bodies.items():
        body = format_function(draft.graph, f"{name}__graphfreeze_values_1").splitlines()
        assert set(body) >= set(lines)
        assert draft.graph.functions[name] == draft.base.graph.functions[name]
    assert list(find_misfits(draft.graph)) == []


def test_what_writes_takes_no_value() -> None:
    text = f"{W}y = StatefulPartitionedCall(w, ids) {{f: write, {TYPES}}}"
    draft = Draft(parse_sketch(text, functions=FUNCTIONS))
    with pytest.raises(ExportError, match="a takes a variable itself with op AssignVariableOp"):
        ValuesForHandles(draft.graph).replace(draft.variables)


def test_misfits_are_found() -> None:
    text = f"{W}y = StatefulPartitionedCall(w, ids) {{f: outer, {TYPES}}}"
    graph = parse_sketch(text, functions=FUNCTIONS).graph
    assert list(find_misfits(graph)) == []
    graph.functions["look"].signature.input_arg[0].type = 1
    assert list(find_misfits(graph)) == ["look/e", "outer/c"]
