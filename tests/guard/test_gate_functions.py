"""What functions write of a frozen variable in a step is gated in copies of them."""

import pytest

from graphfreeze.errors import RewriteError
from graphfreeze.forward.freeze_functions import FreezeFunctions
from graphfreeze.guard.gate_writers import GateWriters
from graphfreeze.model.sketch_functions import format_function
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.run import run
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.selection.resolve import resolve

MODEL = """
x = Placeholder()
p = Placeholder() {dtype: bool}
w = VarHandleOp() {shape: [4]}
v = VarHandleOp() {shape: [4]}
variables: w, v
trainable_variables: w, v
losses: y:0
"""
TAKES = "x = _Arg()\nh = _Arg() {T: resource}\n"
MOVE = "m = Neg(x)\na = AssignSubVariableOp(h, m, ^m)\n"
LIBRARY = {
    "moves": TAKES + MOVE + "i = Identity(x, ^a)\nreturn:y = _Retval(i)\n",
    "keeps": TAKES + "r = ReadVariableOp(h)\nz = Mul(r, x)\nreturn:y = _Retval(z)\n",
    "calls": TAKES + "c = moves(x, h)\nreturn:y = _Retval(c)\n",
    "trains": TAKES + "g = _Arg() {T: resource}\nt = Mystery(h, g)\n"
    "i = Identity(x, ^t)\nreturn:y = _Retval(i)\n",
    "moves_both": TAKES + "g = _Arg() {T: resource}\n" + MOVE + "b = AssignVariableOp(g, x)\n"
    "i = Identity(x, ^a, ^b)\nreturn:y = _Retval(i)\n",
    "needs": TAKES + "t = ResourceCountUpTo(h) {limit: 3, T: int32}\nreturn:y = _Retval(t)\n",
}  # fmt: skip
PLAN = FreezePlan(freeze=("w",))


def gate(lines: str, *, forward: bool = False) -> Draft:
    draft = Draft(parse_sketch(MODEL + lines, functions=LIBRARY))
    selection = resolve(PLAN, draft.variables, draft.graph)
    run(draft, [FreezeFunctions(selection)] if forward else [])
    run(draft, [GateWriters(selection)])
    return draft


def names(draft: Draft) -> list[str]:
    return [str(each.signature.name) for each in draft.added_functions]


CALLS = {
    "a call": ("y = moves(x, w)", {"moves__graphfreeze_1": "a = NoOp(^m)"}),
    "a branch": (
        "y = If(p, x, w) {Tout: [float32], then_branch: moves, else_branch: keeps}",
        {"keeps__graphfreeze_1": "z = Mul(r, x)", "moves__graphfreeze_1": "a = NoOp(^m)"},
    ),
    "a call in a call": (
        "y = calls(x, w)",
        {
            "moves__graphfreeze_1": "a = NoOp(^m)",
            "calls__graphfreeze_1": "c = moves__graphfreeze_1(x, h)",
        },
    ),
    "another goes on": (
        "y = moves_both(x, w, v)",
        {"moves_both__graphfreeze_1": "b = AssignVariableOp(g, x)"},
    ),
    "another's call": ("y = moves(x, v)", {}),
    "what no step reaches": ("y = Neg(x)\nz = moves(x, w)", {}),
}  # fmt: skip


@pytest.mark.parametrize(("lines", "copies"), CALLS.values(), ids=CALLS)
def test_copies(lines: str, copies: dict[str, str]) -> None:
    draft = gate(lines)
    assert names(draft) == list(copies)
    for name, line in copies.items():
        assert line in format_function(draft.graph, name)
    assert {n: f for n, f in draft.graph.functions.items() if n in LIBRARY} == (
        draft.base.graph.functions
    )


def test_only_what_a_step_reaches_is_gated() -> None:
    draft = gate("y = moves(x, w)\nz = moves(x, w)")
    assert (draft.graph.op("y"), draft.graph.op("z")) == ("moves__graphfreeze_1", "moves")


def test_copies_that_were_stopped_make_way_for_those_that_write_nothing_too() -> None:
    line = "y = If(p, x, w) {Tout: [float32], then_branch: moves, else_branch: keeps}"
    draft = gate(line, forward=True)
    assert names(draft) == ["keeps__graphfreeze_2", "moves__graphfreeze_2"]
    assert "z = Mul(r/graphfreeze/stop, x)" in format_function(draft.graph, "keeps__graphfreeze_2")
    assert "a = NoOp(^m)" in format_function(draft.graph, "moves__graphfreeze_2")
    draft = gate(f"{line}\nz = keeps(x, w)", forward=True)
    assert names(draft) == [
        "keeps__graphfreeze_2",
        "keeps__graphfreeze_3",
        "moves__graphfreeze_2",
    ]


REFUSED = {
    "a writer of another that goes on": (
        "y = trains(x, w, v)",
        r"in function 'trains', where 'w' is 'h': node 't' \(op Mystery\) writes 'h' and 'g'",
    ),
    "a result that is taken": (
        "y = needs(x, w)",
        "in function 'needs', where 'w' is 'h': node 't' writes 'h' in each step, with op "
        "ResourceCountUpTo",
    ),
}


@pytest.mark.parametrize(("lines", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_gated(lines: str, message: str) -> None:
    with pytest.raises(RewriteError, match=message):
        gate(lines)
