"""What writes a frozen variable in a step stops writing; names, refs and control edges stay."""

import pytest

from graphfreeze.errors import RewriteError
from graphfreeze.guard.gate_writers import GateWriters
from graphfreeze.model.sketch import format_node
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import ReplaceNode
from graphfreeze.rewrite.run import run
from graphfreeze.schema import NodeDef
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.selection.resolve import resolve

MODEL = """
x = Placeholder() {shape: [4]}
w = VariableV2() {shape: [4]}
w/Assign = Assign(w, x)
r = VarHandleOp() {shape: [4]}
v = VariableV2() {shape: [4]}
variables: w, r, v
trainable_variables: w, r, v
"""

# more nodes, then what the gated nodes are
GATED = {
    "what the loss waits for": (
        "move = AssignSub(w, x, ^x)\nloss = L2Loss(x, ^move)\nlosses: loss:0",
        {"move": "move = RefIdentity(w, ^x)"},
    ),
    "what the train_op runs": (
        "move = AssignVariableOp(r, x, ^x)\nt = NoOp(^move)\ntrain_op: t",
        {"move": "move = NoOp(^x)"},
    ),
    "a ref that goes on": (
        "move = Assign(w, x)\nloss = L2Loss(move)\nlosses: loss:0",
        {"move": "move = RefIdentity(w)", "loss": "loss = L2Loss(move)"},
    ),
    "an op that nobody knows": (
        "move = Mystery(w, x)\nt = NoOp(^move)\ntrain_op: t",
        {"move": "move = NoOp()"},
    ),
    "a ref that an earlier writer gives back": (
        "a = Assign(w, x)\nmove = AssignSub(a, x)\nloss = L2Loss(move)\nlosses: loss:0",
        {"a": "a = RefIdentity(w)", "move": "move = RefIdentity(a)"},
    ),
    "an op in a loop, which only its handle ties to it": (
        "e = Enter(r) {frame_name: f}\nm = AssignVariableOp(e, x)\nt = NoOp(^m)\ntrain_op: t",
        {"m": "m = NoOp(^e)"},
    ),
    "an op that writes its own slot too": (
        "m = VariableV2() {shape: [4]}\nmove = ApplyMomentum(w, m, x, x, x)\nt = NoOp(^move)\n"
        "variables: w, r, v, m\ntrain_op: t",
        {"move": "move = RefIdentity(w)"},
    ),
    "what a value waited for, which is moved too": (
        "first = AssignSub(v, x)\nvalue = Neg(x, ^first)\nmove = Assign(w, value)\n"
        "t = NoOp(^move)\ntrain_op: t",
        {"move": "move = RefIdentity(w, ^first)"},
    ),
    "what a value waited for, as another that stops did": (
        "first = AssignSub(v, x)\nvalue = Neg(x, ^first)\na = Assign(w, value)\n"
        "more = Neg(x, ^a)\nmove = AssignSub(w, more)\nt = NoOp(^move)\ntrain_op: t",
        {"move": "move = RefIdentity(w, ^first)"},
    ),
    "what a value waited for, as it waits itself": (
        "first = AssignSub(v, x)\nvalue = Neg(x, ^first)\nmove = Assign(w, value, ^first)\n"
        "t = NoOp(^move)\ntrain_op: t",
        {"move": "move = RefIdentity(w, ^first)"},
    ),
    "what a value waited for, as a group": (
        "first = AssignSub(v, x)\nagain = AssignAdd(v, x)\nboth = NoOp(^first, ^again)\n"
        "value = Neg(x, ^both)\nmove = Assign(w, value)\nt = NoOp(^move)\ntrain_op: t",
        {"move": "move = RefIdentity(w, ^both)"},
    ),
    "what a value waited for, in a branch that may not be taken": (
        "p = Placeholder() {dtype: bool, shape: []}\ns = Switch(x, p)\n"
        "first = AssignSub(v, s:1)\nyes = Identity(s:1, ^first)\nend = Merge(s, yes)\n"
        "value = Neg(x, ^end)\nmove = Assign(w, value)\nt = NoOp(^move)\ntrain_op: t",
        {"move": "move = RefIdentity(w, ^end)"},
    ),
    "a value that a writer yields": (
        "first = AssignSub(v, x)\nmove = AssignSub(w, first)\nt = NoOp(^move)\ntrain_op: t",
        {"move": "move = RefIdentity(w)"},
    ),
    "a value that is read as it is written": (
        "h = VarHandleOp() {shape: [4]}\nfirst = AssignVariableOp(h, x)\n"
        "new = ReadVariableOp(h, ^first) {dtype: float32}\nmove = AssignSub(w, new)\n"
        "t = NoOp(^move)\ntrain_op: t",
        {"move": "move = RefIdentity(w)"},
    ),
    "not an initializer by itself": ("", {"w/Assign": "w/Assign = Assign(w, x)"}),
    "not a writer of another": (
        "move = AssignSub(v, x)\nt = NoOp(^move)\ntrain_op: t",
        {"move": "move = AssignSub(v, x)"},
    ),
}


def gated(text: str) -> tuple[Draft, GateWriters]:
    draft = Draft(parse_sketch(MODEL + text))
    selection = resolve(FreezePlan(freeze=("w", "r")), draft.variables, draft.graph)
    guard = GateWriters(selection)
    run(draft, [guard])
    return draft, guard


@pytest.mark.parametrize(("text", "nodes"), GATED.values(), ids=GATED)
def test_gates(text: str, nodes: dict[str, str]) -> None:
    draft, guard = gated(text)
    assert {name: format_node(draft.graph.nodes[name]) for name in nodes} == nodes
    assert list(guard.plan(draft)) == []


def test_an_output_that_is_needed_is_an_error() -> None:
    with pytest.raises(RewriteError, match="'move' writes 'w' in each step, with op Mystery"):
        gated("move = Mystery(w, x)\ny = L2Loss(move)\nt = NoOp(^y)\ntrain_op: t")


def test_verify_sees_a_writer() -> None:
    draft, guard = gated("t = NoOp()\ntrain_op: t")
    draft.apply(ReplaceNode(NodeDef(name="t", op="NoOp", input=["^w/Assign"])))
    wrong = "a step reaches w/Assign, which writes the frozen w"
    assert guard.verify(draft.base, draft) == wrong


@pytest.mark.parametrize("other", ["v", "count"])
def test_a_writer_of_something_else_is_an_error(other: str) -> None:
    text = "count = VariableV2() {dtype: int32, shape: []}\n"
    text += f"move = Mystery(w, {other})\nt = NoOp(^move)\ntrain_op: t\nvariables: w, r, v, count"
    with pytest.raises(RewriteError, match=f"writes 'w' and '{other}' at once"):
        gated(text)
