"""A dropout that is off passes on what it is given, under its own name."""

import pytest

from graphfreeze.forward.dropout import DropoutOff
from graphfreeze.model.sketch import format_node
from graphfreeze.model.sketch_functions import format_function
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import ReplaceNode
from graphfreeze.rewrite.run import run
from graphfreeze.schema import NodeDef
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.selection.resolve import Selection, resolve

BASE = """
w = VariableV2() {shape: [3]}
a/w = VariableV2() {shape: [3]}
a/w/read = Identity(a/w)
x = Placeholder()
p = Placeholder() {dtype: bool}
shape = Const() {value: [2, 3]}
a/u = RandomUniform(shape) {dtype: float32}
rate = Const() {value: 0.25}
keep = Const() {value: 0.75}
scale = Const() {value: 1.3333334}
zero = Const() {value: 0.0}
a/h = Mul(x, a/w/read)
trainable_variables: w, a/w
variables: w, a/w
"""
TEST = "a/test = GreaterEqual(a/u, rate)\na/mask = Cast(a/test) {DstT: float32}\n"
NEW = TEST + "a/s = Mul(a/h, scale)\na/y = Mul(a/s, a/mask)\nz = L2Loss(a/y)\n"
PASSING = "a/y = Identity(a/h)"

# sketch, then what some nodes are afterwards
CASES = {
    "1.4": (
        "a/k = Add(keep, a/u)\na/mask = Floor(a/k)\na/s = RealDiv(a/h, keep)\n"
        "a/y = Mul(a/s, a/mask)\nz = L2Loss(a/y)\n", {"a/y": PASSING, "z": "z = L2Loss(a/y)"}),
    "1.15": (NEW, {"a/y": PASSING}),
    "2.x": ("a/test = GreaterEqual(a/u, rate)\na/s = Mul(a/h, scale)\n"
            "a/y = SelectV2(a/test, a/s, zero)\n", {"a/y": PASSING}),
    "control edges and a device stay": (
        NEW.replace("a/mask)\nz", "a/mask, ^p) @ /gpu:0\nz") + "n = NoOp(^a/y)",
        {"a/y": "a/y = Identity(a/h, ^p) @ /gpu:0", "n": "n = NoOp(^a/y)"}),
    "in a branch": (
        "s = Switch(a/h, p)\n" + NEW.replace("Mul(a/h,", "Mul(s:1,") + "m = Merge(s, a/y)",
        {"a/y": "a/y = Identity(s:1)", "m": "m = Merge(s, a/y)"}),
    "one of another scope is left alone": (
        NEW.replace("a/y", "y").replace("a/s", "s"), {"y": "y = Mul(s, a/mask)"}),
}  # fmt: skip


def planned(text: str, option: str = "off") -> tuple[Draft, Selection]:
    draft = Draft(parse_sketch(BASE + text))
    plan = FreezePlan(freeze=("a/w",), dropout=option)  # type: ignore[arg-type]
    return draft, resolve(plan, draft.variables, draft.graph)


@pytest.mark.parametrize(("text", "after"), CASES.values(), ids=CASES)
def test_off(text: str, after: dict[str, str]) -> None:
    draft, selection = planned(text)
    run(draft, [DropoutOff(selection)])
    assert {name: format_node(draft.graph.nodes[name]) for name in after} == after
    assert list(DropoutOff(selection).plan(draft)) == []


LIBRARY = {
    "drops": """h = _Arg()
shape = Const() {value: [2, 3]}
u = RandomUniform(shape) {dtype: float32}
rate = Const() {value: 0.25}
scale = Const() {value: 1.3333334}
test = GreaterEqual(u, rate)
mask = Cast(test) {DstT: float32}
s = Mul(h, scale)
y = Mul(s, mask)
return:y = _Retval(y)
""",
    "passes": "h = _Arg()\nreturn:y = _Retval(h)\n",
    "calls": "h = _Arg()\nc = PartitionedCall(h) {Tout: [float32], f: drops}\n"
    "return:y = _Retval(c)\n",
}
IF = "a/c = If(p, a/h) {Tout: [float32], then_branch: calls, else_branch: passes}\n"
OTHER = "b = PartitionedCall(x) {Tout: [float32], f: drops}\n"


def test_off_in_functions() -> None:
    """Only the call of a frozen scope gets copies; what another one calls stays as it is."""
    draft = Draft(parse_sketch(f"{BASE}{IF}{OTHER}", functions=LIBRARY))
    asked = FreezePlan(freeze=("a/w",), dropout="off")
    selection = resolve(asked, draft.variables, draft.graph)
    assert selection.dropouts == ("a/c[then_branch] > c > y",)
    run(draft, [DropoutOff(selection)])
    graph = draft.graph
    assert "y = Identity(h)\n" in format_function(graph, "drops__graphfreeze_1")
    assert "f: drops__graphfreeze_1" in format_function(graph, "calls__graphfreeze_1")
    call = graph.nodes["a/c"].attr
    assert call["then_branch"].func.name == "calls__graphfreeze_1"
    assert call["else_branch"].func.name == "passes__graphfreeze_1"
    assert graph.nodes["b"].attr["f"].func.name == "drops"
    assert {n: f for n, f in graph.functions.items() if n in LIBRARY} == draft.base.graph.functions
    assert list(DropoutOff(selection).plan(draft)) == []
    draft.apply(ReplaceNode(draft.base.graph.nodes["a/c"]))
    wrong = DropoutOff(selection).verify(draft.base, draft)
    assert wrong == "a/c[then_branch] > c > y still drops"


def test_nothing_needs_the_noise_any_more() -> None:
    draft, selection = planned(NEW)
    run(draft, [DropoutOff(selection)])
    assert "a/u" not in draft.graph.ancestors(["z"])


def test_kept_unless_asked() -> None:
    draft, selection = planned(NEW, "keep")
    run(draft, [DropoutOff(selection)])
    assert not draft.touched


SABOTAGE = {
    "back again": (None, "a/y still drops"),
    "something else": (
        NodeDef(name="a/y", op="Mul", input=["a/h", "scale"]),
        "a/y does not pass on what it is given",
    ),
}


@pytest.mark.parametrize(("node", "wrong"), SABOTAGE.values(), ids=SABOTAGE)
def test_verify_sees(node: NodeDef | None, wrong: str) -> None:
    draft, selection = planned(NEW)
    old = draft.graph.nodes["a/y"]
    run(draft, [DropoutOff(selection)])
    draft.apply(ReplaceNode(node or old))
    assert DropoutOff(selection).verify(draft.base, draft) == wrong
