"""Slots of frozen variables stop with them, so that nobody asks for their gradients."""

import pytest

from graphfreeze.guard.gate_writers import GateWriters
from graphfreeze.guard.stop_slots import StopSlots
from graphfreeze.model.sketch import format_node
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import ReplaceNode
from graphfreeze.rewrite.run import run
from graphfreeze.rewrite.steps import Step
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.selection.resolve import resolve

MODEL = """
g = Placeholder() {shape: [4]}
zeros = Const() {shape: [4], value: 0.0}
w = VariableV2() {shape: [4]}
w/read = Identity(w)
v = VariableV2() {shape: [4]}
variables: w, v
trainable_variables: w, v
"""
REF = """
m = VariableV2() {shape: [4]}
m/Assign = Assign(m, zeros)
m/read = Identity(m)
next = Add(m/read, g)
m_step = Assign(m, next, ^g)
value = Sub(w/read, m_step)
w_step = Assign(w, value)
v_step = AssignSub(v, g)
t = NoOp(^w_step, ^v_step, ^m_step)
"""
RESOURCE = """
m = VarHandleOp() {shape: [4]}
m/Assign = AssignVariableOp(m, zeros)
m/Read/ReadVariableOp = ReadVariableOp(m) {dtype: float32}
next = Add(m/Read/ReadVariableOp, g)
m_step = AssignVariableOp(m, next)
new = ReadVariableOp(m, ^m_step) {dtype: float32}
value = Sub(w/read, new)
w_step = Assign(w, value)
v_step = AssignSub(v, g)
t = NoOp(^w_step, ^v_step, ^m_step)
"""

# more nodes, the slots that stop, what nodes are afterwards
CASES = {
    "a ref": (
        REF, ["m"],
        {"m_step": "m_step = RefIdentity(m, ^g)", "m/Assign": "m/Assign = Assign(m, zeros)"},
    ),
    "a resource": (RESOURCE, ["m"], {"m_step": "m_step = NoOp()"}),
    "one that another variable takes": (
        REF.replace("AssignSub(v, g)", "AssignSub(v, m/read)"), [],
        {"m_step": "m_step = Assign(m, next, ^g)"},
    ),
    "one that no step writes": (
        REF.replace(", ^m_step)", ")").replace("Sub(w/read, m_step)", "Sub(w/read, m/read)"), ["m"],
        {"m_step": "m_step = Assign(m, next, ^g)"},
    ),
    "one of a variable that learns": (
        REF.replace("Assign(w, value)", "Assign(v, value)"), [],
        {"m_step": "m_step = Assign(m, next, ^g)"},
    ),
}  # fmt: skip


def stopped(text: str) -> tuple[Draft, StopSlots]:
    draft = Draft(parse_sketch(MODEL + text))
    plan = FreezePlan(freeze=("w",))
    selection = resolve(plan, draft.variables, draft.graph, slots={"m"})
    step = Step(ops=("t",))
    stop = StopSlots(selection, step)
    run(draft, [stop])
    run(draft, [GateWriters(selection, step)])
    return draft, stop


@pytest.mark.parametrize(("text", "slots", "nodes"), CASES.values(), ids=CASES)
def test_slots(text: str, slots: list[str], nodes: dict[str, str]) -> None:
    draft, stop = stopped(text)
    assert stop.stopped == slots
    assert {name: format_node(draft.graph.nodes[name]) for name in nodes} == nodes


def test_verify_sees_a_slot_that_is_written() -> None:
    draft = Draft(parse_sketch(MODEL + REF))
    selection = resolve(FreezePlan(freeze=("w",)), draft.variables, draft.graph, slots={"m"})
    stop = StopSlots(selection, Step(ops=("t",)))
    assert stop.verify(draft.base, draft) == "a step still reaches m_step"
    for edit in stop.plan(draft):
        assert isinstance(edit, ReplaceNode)
        draft.apply(edit)
    assert stop.verify(draft.base, draft) is None
