import pytest

from graphfreeze.guard.prune_collections import PruneCollections
from graphfreeze.model.collected import node_entries, variable_entries
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import SetCollection
from graphfreeze.rewrite.run import run
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.selection.resolve import Selection, resolve

MODEL = """
a/w = VariableV2() {shape: [4, 2]}
a/b = VariableV2() {shape: [2]}
b/w = VarHandleOp() {shape: [4, 2]}
x = Placeholder()
a/move = AssignSub(a/w, x)
b/move = AssignSubVariableOp(b/w, x)
both = NoOp(^a/move, ^b/move)
group = NoOp(^b/move, ^more)
more = NoOp(^a/move)
after = Identity(x, ^a/move)
variables: a/w, a/b, b/w
trainable_variables: a/w, a/b, b/w
trainable_resource_variables: b/w
"""


def plan_of(text: str, plan: FreezePlan) -> tuple[Draft, Selection]:
    draft = Draft(parse_sketch(text))
    return draft, resolve(plan, draft.variables, draft.graph)


def pruned(text: str, plan: FreezePlan) -> Draft:
    draft, selection = plan_of(text, plan)
    run(draft, [PruneCollections(selection)])
    return draft


def names(draft: Draft, key: str) -> str:
    found = (d.variable_name for d in variable_entries(draft.collections, key))
    return " ".join(name.removesuffix(":0") for name in found)


# plan, then what stays in trainable_variables and trainable_resource_variables
TRAINABLE = {
    "none": (FreezePlan(), "a/w a/b b/w", "b/w"),
    "one": (FreezePlan(freeze=("a/w",)), "a/b b/w", "b/w"),
    "a scope": (FreezePlan(freeze=("a",)), "b/w", "b/w"),
    "a resource": (FreezePlan(freeze=("b",)), "a/w a/b", ""),
    "all but one": (FreezePlan(train_only=("a/b",)), "a/b", ""),
    "some rows": (FreezePlan(freeze_rows={"a/w": "0:2"}), "a/w a/b b/w", "b/w"),
    "all rows": (FreezePlan(freeze_rows={"a/w": ":"}), "a/b b/w", "b/w"),
}


@pytest.mark.parametrize(("plan", "trainable", "resources"), TRAINABLE.values(), ids=TRAINABLE)
def test_lists_of_trainable_variables(plan: FreezePlan, trainable: str, resources: str) -> None:
    draft = pruned(MODEL, plan)
    assert names(draft, "trainable_variables") == trainable
    assert names(draft, "trainable_resource_variables") == resources
    assert names(draft, "variables") == "a/w a/b b/w"
    assert not any(entry.WhichOneof("kind") is None for entry in draft.collections.values())


def test_an_empty_list_goes() -> None:
    draft = pruned(MODEL, FreezePlan(freeze=("b",)))
    assert "trainable_resource_variables" not in draft.collections


def test_entries_that_stay_keep_their_bytes() -> None:
    draft = pruned(MODEL, FreezePlan(freeze=("a/w",)))
    before = draft.base.collections["trainable_variables"].bytes_list.value
    assert draft.collections["trainable_variables"].bytes_list.value == before[1:]


# update_ops, then what stays when a is frozen
UPDATES = {
    "a writer of it": ("a/move", []),
    "a writer of another": ("b/move", ["b/move"]),
    "both": ("a/move, b/move", ["b/move"]),
    "a group": ("both", ["b/move"]),
    "a group of groups": ("group", ["b/move"]),
    "a tensor behind the writer": ("after:0", []),
    "a tensor": ("x:0", ["x:0"]),
}


@pytest.mark.parametrize(("updates", "stay"), UPDATES.values(), ids=UPDATES)
def test_update_ops(updates: str, stay: list[str]) -> None:
    draft = pruned(f"{MODEL}update_ops: {updates}", FreezePlan(freeze=("a",)))
    assert node_entries(draft.collections, "update_ops") == stay
    assert ("update_ops" in draft.collections) == bool(stay)


def test_update_ops_of_a_partly_frozen_table_stay() -> None:
    draft = pruned(f"{MODEL}update_ops: a/move", FreezePlan(freeze_rows={"a/w": "0:2"}))
    assert node_entries(draft.collections, "update_ops") == ["a/move"]


def test_verify_sees_a_frozen_variable_that_is_listed() -> None:
    draft, selection = plan_of(MODEL, FreezePlan(freeze=("b",)))
    run(draft, [PruneCollections(selection)])
    key = "trainable_resource_variables"
    draft.apply(SetCollection(key, draft.base.collections[key]))
    wrong = PruneCollections(selection).verify(draft.base, draft)
    assert wrong == f"b/w is frozen and still in {key}"
