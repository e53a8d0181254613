from collections.abc import Sequence

import pytest

from graphfreeze.errors import RewriteError
from graphfreeze.model.attrs import type_attr
from graphfreeze.model.graph import Edge
from graphfreeze.model.names import TensorRef, control
from graphfreeze.model.sketch import format_sketch
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import (
    AddFunction,
    AddGradient,
    AddNode,
    DropKey,
    Edit,
    RemoveFunction,
    RemoveNode,
    ReplaceNode,
    Reroute,
    SetCollection,
    SetSaver,
)
from graphfreeze.schema import (
    CollectionDef,
    FunctionDef,
    GradientDef,
    NodeDef,
    OpDef,
    SaverDef,
    types_pb2,
)

BEFORE = """\
w = VariableV2() {shape: [2]}
w/read = Identity(w)
a = Square(w/read)
b = Mul(w/read, a)
c = NoOp(^a, ^b)
"""
FLOAT = {"T": type_attr(types_pb2.DT_FLOAT)}
READ, STOP = TensorRef("w/read"), TensorRef("w/read/graphfreeze/stop")
ADD = AddNode(STOP.node, "StopGradient", (READ,), FLOAT)
# edits, the graph after, and what was added, removed, changed
EDITS: dict[str, tuple[list[Edit], str, str, str, str]] = {
    "none": ([], BEFORE, "", "", ""),
    "add": ([ADD], f"{BEFORE}{STOP} = StopGradient(w/read)\n", str(STOP), "", ""),
    "add on a device, with a control edge": (
        [AddNode("d", "NoOp", (control("a"),), device="/cpu:0")],
        f"{BEFORE}d = NoOp(^a) @ /cpu:0\n", "d", "", ""),
    "add and reroute": (
        [ADD, Reroute(Edge("b", 0), STOP)],
        BEFORE.replace("Mul(w/read", f"Mul({STOP}") + f"{STOP} = StopGradient(w/read)\n",
        str(STOP), "", "b"),
    "reroute a control edge": (
        [Reroute(Edge("c", 1), control("w"))], BEFORE.replace("^b", "^w"), "", "", "c"),
    "reroute there and back": (
        [Reroute(Edge("b", 1), READ), Reroute(Edge("b", 1), TensorRef("a"))], BEFORE, "", "", ""),
    "replace": (
        [ReplaceNode(NodeDef(name="a", op="Neg", input=["w/read"], attr=FLOAT))],
        BEFORE.replace("Square", "Neg"), "", "", "a"),
    "remove a node that others wait for": (
        [RemoveNode("b")],
        BEFORE.replace("b = Mul(w/read, a)\n", "").replace(", ^b", ""), "", "b", "c"),
    "remove what was added": ([ADD, RemoveNode(STOP.node)], BEFORE, "", "", ""),
    "remove and add again": (
        [RemoveNode("c"), AddNode("c", "NoOp", (control("b"),))],
        BEFORE.replace("^a, ", ""), "", "", "c"),
}  # fmt: skip


def draft_of(text: str, edits: Sequence[Edit] = ()) -> Draft:
    draft = Draft(parse_sketch(text))
    for edit in edits:
        draft.apply(edit)
    return draft


@pytest.mark.parametrize(
    ("edits", "after", "added", "removed", "changed"), EDITS.values(), ids=EDITS
)
def test_edits(edits: list[Edit], after: str, added: str, removed: str, changed: str) -> None:
    draft = draft_of(BEFORE, edits)
    assert format_sketch(draft.graph) == after
    assert draft.added_nodes() == added.split()
    assert draft.removed_nodes() == removed.split()
    assert draft.changed_nodes() == changed.split()
    assert format_sketch(draft.base.graph) == BEFORE


REFUSED: dict[str, tuple[Edit, str]] = {
    "add a name twice": (AddNode("a", "NoOp"), "already has a node 'a'"),
    "reroute a node that is not there": (Reroute(Edge("q", 0), READ), "no node 'q'"),
    "replace it": (ReplaceNode(NodeDef(name="q", op="NoOp")), "no node 'q'"),
    "remove it": (RemoveNode("w/raed"), "did you mean w/read"),
}


@pytest.mark.parametrize(("edit", "told"), REFUSED.values(), ids=REFUSED)
def test_refused(edit: Edit, told: str) -> None:
    draft = draft_of(BEFORE)
    with pytest.raises(RewriteError, match=told):
        draft.apply(edit)
    assert format_sketch(draft.graph) == BEFORE


def test_collections_are_the_drafts_own() -> None:
    draft = draft_of(BEFORE + "trainable_variables: w\nlosses: b:0")
    assert [v.is_trainable for v in draft.variables] == [True]
    draft.apply(SetCollection("trainable_variables", None))
    draft.apply(SetCollection("variables", draft.base.collections["trainable_variables"]))
    draft.apply(SetCollection("gone before", None))
    assert [v.is_trainable for v in draft.variables] == [False]
    assert list(draft.collections) == ["losses", "variables"]
    assert list(draft.base.collections) == ["losses", "trainable_variables"]


def test_collections_keep_their_place() -> None:
    draft = draft_of(BEFORE + "losses: b:0\nother: a:0")
    draft.apply(SetCollection("losses", CollectionDef()))
    assert list(draft.collections) == ["losses", "other"]


def test_functions_saver_and_values() -> None:
    draft = draft_of(BEFORE)
    function = FunctionDef(signature=OpDef(name="f"))
    saver = SaverDef(save_tensor_name="save")
    edits: list[Edit] = [AddFunction(function), SetSaver(saver), DropKey("w/Adam")]
    edits.append(AddGradient("f", "g"))
    for edit in edits:
        draft.apply(edit)
    assert draft.added_functions == [function]
    assert draft.graph.functions == {"f": function}
    assert draft.base.graph.functions == {}
    assert (draft.saver, draft.base.saver) == (saver, None)
    assert draft.value_edits == [DropKey("w/Adam")]
    assert draft.gradients == [GradientDef(function_name="f", gradient_func="g")]
    assert draft.copy().gradients == draft.gradients


def test_an_added_function_can_go_again() -> None:
    draft = draft_of(BEFORE)
    draft.apply(AddFunction(FunctionDef(signature=OpDef(name="f"))))
    draft.apply(AddFunction(FunctionDef(signature=OpDef(name="g"))))
    draft.apply(AddGradient("f", "g"))
    draft.apply(RemoveFunction("f"))
    assert [each.signature.name for each in draft.added_functions] == ["g"]
    assert list(draft.graph.functions) == ["g"]
    assert draft.gradients == []


def test_reads_and_forward_edges_see_the_edits() -> None:
    draft = draft_of(BEFORE, [ADD, Reroute(Edge("b", 0), STOP)])
    assert draft.reads(draft.variables) == [READ]
    assert draft.forward_edges(READ) == [Edge("a", 0), Edge(STOP.node, 0)]


def test_loose_colocations() -> None:
    text = BEFORE + 'd = Neg(w/read) {_class: ["loc:@b"]}\ne = Neg(w/read) {_class: ["loc:@gone"]}'
    assert draft_of(text).loose_colocations() == []
    assert draft_of(text, [RemoveNode("b")]).loose_colocations() == ["d"]
