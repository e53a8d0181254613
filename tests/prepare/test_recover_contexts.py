"""Contexts of loops and branches that only nodes tell of."""

import pytest

from graphfreeze.errors import RewriteError
from graphfreeze.model.sketch import format_node
from graphfreeze.prepare.part_switches import PartSwitches
from graphfreeze.prepare.recover_contexts import RecoverContexts
from graphfreeze.prepare.restore_ends import RestoreEnds
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.run import run
from graphfreeze.schema import CollectionDef, CondContextDef, WhileContextDef

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
# The predicate comes in by p/Enter; the pivots of the branches are gone.
COND = LOOP.replace(
    "mul = MatMul(y/body, k/Enter)\n",
    """p = Placeholder() {dtype: bool, shape: []}
p/Enter = Enter(p) {frame_name: "f/while_context", is_constant: true, parallel_iterations: 4}
id = Identity(p/Enter)
y/0 = Switch(y/body, id)
y/1 = Switch(y/body, id)
k/1 = Switch(k/Enter, id)
true = MatMul(y/1:1, k/1:1)
mul = Merge(y/0, true)
""",
)
# What comes into the two branches comes by one Switch, as after equal nodes were merged.
MERGED = COND.replace("y/1 = Switch(y/body, id)\n", "").replace("y/1:1", "y/0:1")
# The predicate q comes from outside of the branch that its branches are in.
INSIDE = """
x = Placeholder() {shape: [2, 2]}
p = Placeholder() {dtype: bool, shape: []}
q = Placeholder() {dtype: bool, shape: []}
s = Switch(x, p)
neg = Neg(s:1)
a = Switch(neg, q)
b = Switch(neg, q)
exp = Exp(b:1)
inner = Merge(a, exp)
t = Switch(x, p)
y = Merge(t, inner)
zero = Const() {value: 0}
i/Enter = Enter(zero) {frame_name: "f"}
i = Merge(i/Enter, i/Next)
n = Const(^i) {value: 3}
less = Less(i, n)
cond = LoopCond(less)
i/Switch = Switch(i, cond)
i/Next = NextIteration(i/Switch:1)
"""
BAD = LOOP.replace("mul = MatMul(y/body", "s = Switch(y/body, less)\nmul = MatMul(s:1")


def recovered(text: str, *no_backprop: str, **collections: CollectionDef) -> Draft:
    draft = Draft(parse_sketch(text, collections=collections))
    run(draft, [PartSwitches(), RestoreEnds(), RecoverContexts(no_backprop)])
    return draft


def loop_of(draft: Draft) -> WhileContextDef:
    (raw,) = draft.collections["while_context"].bytes_list.value
    return WhileContextDef.FromString(raw)


def entries(*contexts: WhileContextDef | CondContextDef) -> CollectionDef:
    raws = [each.SerializeToString() for each in contexts]
    return CollectionDef(bytes_list=CollectionDef.BytesList(value=raws))


def test_a_loop() -> None:
    draft = recovered(LOOP)
    context = loop_of(draft)
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


def test_branches_in_a_loop() -> None:
    draft = recovered(COND)
    assert "cond_context" not in draft.collections
    false, true = (each.cond_ctxt for each in loop_of(draft).nested_contexts)
    assert (false.branch, true.branch) == (0, 1)
    assert false.pred_name == true.pred_name == "id:0"
    assert true.pivot_name == "p/Enter/graphfreeze/branch_1:0"
    # What came in from outside the loop goes by its name there, as TensorFlow has it.
    assert dict(true.values_def.external_values) == {
        "id:0": "id:0",
        "y/body:0": "y/1:1",
        "k:0": "k/1:1",
        "k/Enter:0": "k/Enter:0",
    }
    assert set(true.values_def.values) >= {"true:0", "y/1:0", "y/1:1", true.pivot_name}
    added = [format_node(draft.graph.nodes[name]) for name in draft.added_nodes()]
    assert added[1:] == [
        "p/Enter/graphfreeze/switch = Switch(p/Enter, p/Enter)",
        "p/Enter/graphfreeze/branch_0 = Identity(p/Enter/graphfreeze/switch)",
        "p/Enter/graphfreeze/branch_1 = Identity(p/Enter/graphfreeze/switch:1)",
    ]


def test_a_switch_that_both_branches_take() -> None:
    draft = recovered(MERGED)
    part = "y/0/graphfreeze/side_0"
    nodes = {name: format_node(draft.graph.nodes[name]) for name in (part, "mul", "true")}
    assert nodes[part] == f"{part} = Switch(y/body, id)"
    assert nodes["mul"] == f"mul = Merge({part}, true)"
    assert nodes["true"] == "true = MatMul(y/0:1, k/1:1)"
    branches = (each.cond_ctxt for each in loop_of(draft).nested_contexts)
    false, true = sorted(branches, key=lambda each: each.branch)
    assert false.values_def.external_values["y/body:0"] == f"{part}:0"
    assert true.values_def.external_values["y/body:0"] == "y/0:1"


def test_switches_that_take_one_another() -> None:
    text = MERGED.replace(
        "true = Mat", "z = Switch(y/0:1, id)\ne = Exp(z:1)\nm = Merge(z, e)\ntrue = Mat"
    )
    draft = recovered(text.replace("MatMul(y/0:1", "MatMul(m"))
    assert format_node(draft.graph.nodes["z/graphfreeze/side_0"]).endswith("= Switch(y/0:1, id)")
    text = MERGED.replace(
        "true = Mat", "z = Switch(y/0, id)\ne = Exp(z)\nm = Merge(e, z:1)\ntrue = Mat"
    )
    draft = recovered(text.replace("Merge(y/0, true)", "Merge(m, true)"))
    part = format_node(draft.graph.nodes["z/graphfreeze/side_0"])
    assert part.endswith("= Switch(y/0/graphfreeze/side_0, id)")


def test_a_predicate_from_outside_of_the_branch_around() -> None:
    draft = recovered(INSIDE)
    around = "p/graphfreeze/branch_1"
    added = [format_node(draft.graph.nodes[name]) for name in draft.added_nodes()]
    assert f"{around}/q/graphfreeze/switch = Switch(q, q, ^{around})" in added
    raws = draft.collections["cond_context"].bytes_list.value
    inner = [
        nested.cond_ctxt
        for raw in raws
        for nested in CondContextDef.FromString(raw).nested_contexts
    ]
    assert {each.branch: each.pivot_name for each in inner} == {
        side: f"{around}/q/graphfreeze/branch_{side}:0" for side in (0, 1)
    }


@pytest.mark.parametrize("text", ["x = Placeholder()", BAD])
def test_what_is_left_out(text: str) -> None:
    draft = recovered(text)
    assert not draft.touched
    assert not draft.collections


def test_a_loop_that_is_described() -> None:
    told = recovered(COND)
    collections = {"while_context": entries(loop_of(told))}
    again = Draft(told.base)
    again.graph, again.collections = told.graph, dict(collections)
    run(again, [PartSwitches(), RestoreEnds(), RecoverContexts()])
    assert again.collections == collections
    assert not again.touched


def test_a_branch_that_the_context_of_its_loop_leaves_out() -> None:
    """So TensorFlow 1.4 wrote them: the loop, and the branches as if they were in none."""
    whole = loop_of(recovered(COND))
    whole.swap_memory = True
    whole.maximum_iterations_name = "zero:0"
    flat = WhileContextDef.FromString(whole.SerializeToString())
    flat.ClearField("nested_contexts")
    branches = [each.cond_ctxt for each in whole.nested_contexts]
    draft = recovered(COND, while_context=entries(flat), cond_context=entries(*branches))
    assert loop_of(draft) == whole
    assert "cond_context" not in draft.collections


def test_a_second_loop_without_a_context() -> None:
    first = loop_of(recovered(LOOP))
    first.back_prop = False
    second = LOOP.replace(" = ", "_2 = ")
    for name in [line.split(" = ")[0] for line in LOOP.strip().splitlines()]:
        for old, new in ((f"({name}", f"({name}_2"), (f", {name}", f", {name}_2")):
            second = second.replace(f"{old})", f"{new})").replace(f"{old},", f"{new},")
            second = second.replace(f"{old}:", f"{new}:")
        second = second.replace(f"(^{name})", f"(^{name}_2)")
    text = LOOP + second.replace("f/while_context", "g/while_context")
    draft = recovered(text, while_context=entries(first))
    raws = list(draft.collections["while_context"].bytes_list.value)
    assert raws[0] == first.SerializeToString()
    assert WhileContextDef.FromString(raws[1]).context_name == "g/while_context"


def test_no_backprop() -> None:
    assert not loop_of(recovered(LOOP, "f/while_context")).back_prop
    with pytest.raises(RewriteError, match="did you mean f/while_context"):
        recovered(LOOP, "f/while_contxt")


def test_why_a_loop_was_not_described() -> None:
    contexts = RecoverContexts()
    run(Draft(parse_sketch(BAD)), [RestoreEnds(), contexts])
    reason = contexts.recovered.misfits["f/while_context"]
    assert reason == "y/Next hands on what is not computed in each run of its body"
