"""What an op that nobody knows writes is put back, where nobody can see it move."""

import pytest

from graphfreeze.check.proof.static_proof import prove
from graphfreeze.errors import RewriteError
from graphfreeze.guard.filter_updates import FilterUpdates
from graphfreeze.guard.pin_rows import PinRows
from graphfreeze.model.sketch import format_node
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import SetValue
from graphfreeze.rewrite.run import run
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.selection.resolve import resolve

MODEL = """
w = VariableV2() {shape: [8, 2]}
g = Placeholder()
step = Mystery(w, g)
done = NoOp(^step)
trainable_variables: w
train_op: done
"""
RESOURCE = MODEL.replace("VariableV2", "VarHandleOp")
ROWS = FreezePlan(freeze_rows={"w": "2:5"})
COLUMN = FreezePlan(freeze_columns={"w": "0"})
CASES = {
    "ref, rows": (MODEL, ROWS, "ScatterUpdate", "frozen_rows", 3),
    "resource, rows": (RESOURCE, ROWS, "ResourceScatterUpdate", "frozen_rows", 3),
    "ref, a column": (MODEL, COLUMN, "Assign", "frozen_entries", 8),
    "resource, a column": (RESOURCE, COLUMN, "AssignVariableOp", "frozen_entries", 8),
}


IN_A_BRANCH = """p = Placeholder() {dtype: bool}
s = Switch(p, p)
more = AssignSub(w, g, ^open)
open = Identity(s:1)
shut = Identity(s)
took = Identity(open, ^more)
ends = Merge(took, shut)
done = NoOp(^step, ^ends)"""


def pinned(text: str, plan: FreezePlan) -> tuple[Draft, PinRows]:
    draft = Draft(parse_sketch(text))
    selection = resolve(plan, draft.variables, draft.graph)
    pins = PinRows(selection)
    run(draft, [pins, FilterUpdates(selection)])
    return draft, pins


@pytest.mark.parametrize(("text", "plan", "op", "copy", "rows"), CASES.values(), ids=CASES)
def test_the_train_op_waits_for_a_pin(
    text: str, plan: FreezePlan, op: str, copy: str, rows: int
) -> None:
    draft, pins = pinned(text, plan)
    graph, copied = draft.graph, f"w/graphfreeze/{copy}"
    assert pins.pinned == {"w": ["step"]}
    assert format_node(graph.nodes["done"]) == "done = NoOp(^step, ^w/graphfreeze/pin)"
    assert graph.op("w/graphfreeze/pin") == op
    assert "step" in [ref.node for ref in graph.inputs("w/graphfreeze/pin") if ref.is_control]
    assert f"{copied}/read" in graph.ancestors(["w/graphfreeze/pin"])
    assert [v.shape for v in draft.variables if v.name == copied] == [(rows, 2)]
    assert [e.key for e in draft.value_edits if isinstance(e, SetValue)] == [copied]
    assert format_node(graph.nodes["step"]) == "step = Mystery(w, g)"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (MODEL + "losses: step\n", "node 'step' writes 'w' with op Mystery, which cannot be kept"),
        (
            MODEL.replace("g = Placeholder()", "g = Placeholder() @/job:worker/task:0"),
            "other workers",
        ),
        (
            MODEL.replace("done = NoOp(^step)", IN_A_BRANCH),
            "put back after it and after 'more', which is in a branch that may not be taken",
        ),
    ],
    ids=["a loss waits for it", "several workers", "another writer in a branch"],
)
def test_where_no_pin_fits(text: str, words: str) -> None:
    with pytest.raises(RewriteError, match=words):
        pinned(text, ROWS)


def test_a_known_writer_needs_none() -> None:
    draft, pins = pinned(MODEL.replace("Mystery", "Assign"), ROWS)
    assert not pins.pinned
    assert "w/graphfreeze/pin" not in draft.graph


def test_other_writers_are_guarded_and_come_before_the_pin() -> None:
    text = MODEL.replace("done = NoOp(^step)", "more = AssignSub(w, g)\ndone = NoOp(^step, ^more)")
    draft, pins = pinned(text, ROWS)
    assert pins.pinned == {"w": ["step"]}
    assert draft.graph.op("more") == "ScatterSub"
    waits = {ref.node for ref in draft.graph.inputs("w/graphfreeze/pin") if ref.is_control}
    assert waits == {"step", "more"}
    assert not prove(draft, resolve(ROWS, draft.variables, draft.graph))


def test_verify_sees_a_pin_that_nothing_waits_for() -> None:
    draft, pins = pinned(MODEL, ROWS)
    draft.graph.put(parse_sketch("done = NoOp(^step)\nstep = NoOp()").graph.nodes["done"])
    found = pins.verify(draft.base, draft)
    assert found == "the train_op does not wait for w/graphfreeze/pin"
