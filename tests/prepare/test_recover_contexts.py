"""Contexts of loops that only nodes tell of."""

import pytest

from graphfreeze.model.sketch import format_node
from graphfreeze.prepare.recover_contexts import RecoverContexts
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.run import run
from graphfreeze.schema import CollectionDef, WhileContextDef

LOOP = """
x = Placeholder() {shape: [2, 2]}
k = Const() {shape: [2, 2]}
zero = Const() {value: 0}
i/Enter = Enter(zero) {frame_name: "f/while_context", parallel_iterations: 4}
y/Enter = Enter(x) {frame_name: "f/while_context", parallel_iterations: 4}
k/Enter = Enter(k) {frame_name: "f/while_context", is_constant: true, parallel_iterations: 4}
i = Merge(i/Enter, i/Next)
y = Merge(y/Enter, y/Next)
n = Const(^i) {value: 3}
less = Less(i, n)
cond = LoopCond(less)
i/Switch = Switch(i, cond)
y/Switch = Switch(y, cond)
i/body = Identity(i/Switch:1)
y/body = Identity(y/Switch:1)
one = Const(^i/body) {value: 1}
add = Add(i/body, one)
mul = MatMul(y/body, k/Enter)
i/Next = NextIteration(add)
y/Next = NextIteration(mul)
y/Exit = Exit(y/Switch)
after = Neg(y/Exit)
"""
BRANCH = LOOP.replace("mul = MatMul(y/body", "s = Switch(y/body, less)\nmul = MatMul(s:1")
INNER = LOOP.replace(
    "mul = MatMul(y/body",
    'in = Enter(y/body) {frame_name: "g"}\nout = Exit(in)\nmul = MatMul(out',
)


def recovered(text: str, **collections: CollectionDef) -> Draft:
    draft = Draft(parse_sketch(text, collections=collections))
    run(draft, [RecoverContexts()])
    return draft


def test_a_loop() -> None:
    draft = recovered(LOOP)
    (raw,) = draft.collections["while_context"].bytes_list.value
    context = WhileContextDef.FromString(raw)
    assert (context.context_name, context.parallel_iterations) == ("f/while_context", 4)
    assert context.back_prop
    assert context.pivot_name == "cond:0"
    assert (context.pivot_for_pred_name, context.pivot_for_body_name) == ("i:0", "i/body:0")
    assert list(context.loop_enter_names) == ["i/Enter:0", "y/Enter:0"]
    assert list(context.loop_exit_names) == ["i/Switch/graphfreeze/exit:0", "y/Exit:0"]
    assert dict(context.values_def.external_values) == {"k:0": "k/Enter:0"}
    values = set(context.values_def.values)
    assert {"k:0", "n:0", "one:0", "i/Switch:1", "y/Exit:0", "mul:0"} <= values
    assert values.isdisjoint({"x:0", "zero:0", "after:0"})
    added = format_node(draft.graph.nodes["i/Switch/graphfreeze/exit"])
    assert added == "i/Switch/graphfreeze/exit = Exit(i/Switch)"


@pytest.mark.parametrize("text", ["x = Placeholder()", BRANCH, INNER])
def test_what_is_left_out(text: str) -> None:
    assert "while_context" not in recovered(text).collections


def test_a_loop_that_is_described() -> None:
    told = CollectionDef(bytes_list=CollectionDef.BytesList(value=[b""]))
    draft = recovered(LOOP, while_context=told)
    assert draft.collections["while_context"] == told
    assert not draft.touched
