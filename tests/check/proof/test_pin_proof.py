"""A pin makes good what a writer moved, if it comes last and its copy is the variable's own."""

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from graphfreeze.check.proof.static_proof import prove
from graphfreeze.guard.filter_updates import FilterUpdates
from graphfreeze.guard.pin_rows import PinRows
from graphfreeze.model.graph import Edge
from graphfreeze.model.model import Source
from graphfreeze.model.names import TensorRef, control
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import FromRows, Inline, ReplaceNode, Reroute, SetValue
from graphfreeze.rewrite.run import run
from graphfreeze.rewrite.steps import Step
from graphfreeze.schema import NodeDef
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.selection.resolve import Selection, resolve
from graphfreeze.selection.rows import RowSet

MODEL = """
w = VariableV2() {shape: [8, 2]}
g = Placeholder() {shape: [8, 2]}
ids = Placeholder() {dtype: int32}
step = Mystery(w, g)
done = NoOp(^step)
trainable_variables: w
train_op: done
"""
TABLES = {"ref": MODEL, "resource": MODEL.replace("VariableV2", "VarHandleOp")}
ROWS = FreezePlan(freeze_rows={"w": "2:5"})
PLANS = {"rows": ROWS, "a column": FreezePlan(freeze_columns={"w": "0"})}
PIN = "w/graphfreeze/pin"
Change = Callable[[Draft], None]


def pinned(text: str, plan: FreezePlan) -> tuple[Draft, Selection]:
    draft = Draft(parse_sketch(text))
    selection = resolve(plan, draft.variables, draft.graph)
    run(draft, [PinRows(selection), FilterUpdates(selection)])
    return draft, selection


@pytest.mark.parametrize("text", TABLES.values(), ids=TABLES)
@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_a_pin_is_proved(plan: FreezePlan, text: str) -> None:
    assert prove(*pinned(text, plan)) == []


def node(text: str) -> Change:
    """Put a node, or another one of its name, into the graph."""

    def change(draft: Draft) -> None:
        (made,) = parse_sketch(text).graph.nodes.values()
        draft.apply(ReplaceNode(made)) if made.name in draft.graph else draft.graph.put(made)

    return change


def without_waiting(draft: Draft) -> None:
    """Let the pin run before the writer, or along with it."""
    twin = NodeDef()
    twin.CopyFrom(draft.graph.nodes[PIN])
    twin.input.remove(str(control("step")))
    draft.apply(ReplaceNode(twin))


def write_copy(draft: Draft) -> None:
    node("x = Assign(w/graphfreeze/frozen_rows, g)")(draft)
    node(f"done = NoOp(^step, ^{PIN}, ^x)")(draft)


def other_copy(draft: Draft) -> None:
    draft.apply(Reroute(Edge(PIN, 2), TensorRef("g")))


def other_rows(draft: Draft) -> None:
    """Let the copy have the rows before the frozen ones."""
    rows = RowSet.from_mask(np.isin(np.arange(8), [1, 2, 3]))
    draft.apply(SetValue("w/graphfreeze/frozen_rows", FromRows("w", rows)))


def other_value(draft: Draft) -> None:
    zeros = np.zeros((3, 2), np.float32)
    draft.apply(SetValue("w/graphfreeze/frozen_rows", Inline(zeros)))


def write_later(draft: Draft) -> None:
    node("x = Mystery(w, g)")(draft)
    node(f"done = NoOp(^step, ^{PIN}, ^x)")(draft)


def store_early(draft: Draft) -> None:
    """Let a guarded store of another moment of the step write after the pin."""
    for line in (
        "m = Const() {dtype: bool, value: [[true], [true], [false], [false], [false], [true], "
        "[true], [true]]}",
        "now = Identity(w) {T: float32}",
        "kept = SelectV2(m, g, now) {T: float32}",
        f"x = Assign(w, kept, ^{PIN}) {{T: float32}}",
        f"done = NoOp(^step, ^{PIN}, ^x)",
    ):
        node(line)(draft)


def scatter_later(draft: Draft) -> None:
    """Let rows that learn be stored at any time."""
    node("few = Const() {value: [0, 7]}")(draft)
    node("x = ScatterUpdate(w, few, g)")(draft)
    node(f"done = NoOp(^step, ^{PIN}, ^x)")(draft)


def pin_in_branch(draft: Draft) -> None:
    """Let the pin run only where a test is true."""
    for line in (
        "p = Placeholder() {dtype: bool}",
        "s = Switch(p, p)",
        "open = Identity(s:1)",
        "shut = Identity(s)",
        "ends = Merge(open, shut)",
    ):
        node(line)(draft)
    twin = NodeDef()
    twin.CopyFrom(draft.graph.nodes[PIN])
    twin.input.append("^open")
    draft.apply(ReplaceNode(twin))


def both_in_branch(draft: Draft) -> None:
    pin_in_branch(draft)
    node("step = Mystery(w, g, ^open)")(draft)


def pin_after_branches(draft: Draft) -> None:
    pin_in_branch(draft)
    twin = NodeDef()
    twin.CopyFrom(draft.graph.nodes[PIN])
    twin.input[-1] = "^ends"
    draft.apply(ReplaceNode(twin))


# what is changed, and the writers that are then not harmless
CHANGES = {
    "the train_op does not wait": (node("done = NoOp(^step)"), ["step"]),
    "the pin does not wait": (without_waiting, ["step"]),
    "the copy is written": (write_copy, ["step", PIN]),
    "the copy is no variable": (other_copy, ["step", PIN]),
    "the copy has other rows": (other_rows, ["step", PIN]),
    "the copy has another value": (other_value, ["step", PIN]),
    "another writer after the pin": (write_later, ["x"]),
    "a store of what was read before the pin": (store_early, ["x"]),
    "rows that learn, stored after the pin": (scatter_later, []),
    "a pin in a branch": (pin_in_branch, ["step"]),
    "a pin and its writer in a branch": (both_in_branch, []),
    "a pin after both branches": (pin_after_branches, []),
    "what no step runs": (node("y = Mystery(w, g)"), []),
}


@pytest.mark.parametrize(("change", "writers"), CHANGES.values(), ids=CHANGES)
def test_a_pin_that_makes_nothing_good(change: Change, writers: list[str]) -> None:
    draft, selection = pinned(MODEL, ROWS)
    change(draft)
    assert sorted(breach.writer for breach in prove(draft, selection)) == sorted(writers)


def test_a_writer_that_is_fetched_without_the_pin() -> None:
    draft, selection = pinned(MODEL, ROWS)
    assert prove(draft, selection, Step([TensorRef("done")])) == []
    (breach,) = prove(draft, selection, Step([TensorRef("step")]))
    assert (breach.writer, breach.path) == ("step", ("done", "step"))


@pytest.mark.parametrize("is_own", [True, False], ids=["its own rows", "others"])
@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_the_copy_in_a_checkpoint(plan: FreezePlan, is_own: bool, tmp_path: Path) -> None:
    path = Path(__file__).parents[2] / "read" / "conftest.py"
    spec = importlib.util.spec_from_file_location("checkpoint_writer", path)
    assert spec is not None
    assert spec.loader is not None
    files = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(files)
    draft, selection = pinned(MODEL, plan)
    values = np.arange(16, dtype=np.float32).reshape(8, 2)
    copy = values[2:5].copy() if plan is ROWS else values.copy()
    copy[-1, 1] += 1 if plan is not ROWS else 0  # it learns
    copy[-1, 0] += not is_own
    key = draft.value_edits[0].key
    files.Writer().v2(tmp_path / "m", {"w": files.Tensor(values), key: files.Tensor(copy)})
    source = Source(tmp_path / "m.meta", "MetaGraphDef", tmp_path / "m")
    draft.base, draft.value_edits = replace(draft.base, source=source), []
    assert [breach.writer for breach in prove(draft, selection)] == (
        [] if is_own else ["step", PIN]
    )
