"""Where nodes run, as their inputs tell."""

import pytest

from graphfreeze.model.graph import Graph
from graphfreeze.model.names import parse_ref
from graphfreeze.model.nesting import Branch, Loop, Path, find_nesting, unfetchable
from graphfreeze.model.regions import find_regions, misfits
from graphfreeze.model.undescribed import of_gradients
from graphfreeze.read.sketch import parse_sketch

X = "x = Placeholder() {shape: [2]}\np = Placeholder() {dtype: bool}\n"
LOOP = """
e = Enter(x) {frame_name: "f"}
k = Enter(x) {frame_name: "f"}
m = Merge(e, n)
l = Greater(m, k)
c = LoopCond(l)
s = Switch(m, c)
b = Identity(s:1)
a = Add(b, k)
n = NextIteration(a)
y = Exit(s)
after = Neg(y)
"""
COND = """
pivots = Switch(p, p)
t = Identity(pivots:1)
id = Identity(p)
in = Switch(x, id)
one = Const(^t) {value: [1.0, 1.0]}
add = Add(in:1, one)
other = Switch(x, id)
neg = Neg(other)
y = Merge(neg, add)
after = Neg(y)
"""
# A loop in a loop, with a cond inside; the inner one gets k by way of the outer one.
NESTED = """
e = Enter(x) {frame_name: "f"}
k = Enter(x) {frame_name: "f"}
q = Enter(p) {frame_name: "f"}
m = Merge(e, n)
c = LoopCond(p0)
p0 = Less(m, k)
s = Switch(m, c)
b = Identity(s:1)
e2 = Enter(b) {frame_name: "g"}
k2 = Enter(k) {frame_name: "g"}
q2 = Enter(q) {frame_name: "g"}
m2 = Merge(e2, n2)
c2 = LoopCond(p2)
p2 = Less(m2, k2)
s2 = Switch(m2, c2)
b2 = Identity(s2:1)
sw = Switch(b2, q2)
tanh = Tanh(sw:1)
sw1 = Switch(b2, q2)
both = Merge(sw1:0, tanh)
n2 = NextIteration(both)
y2 = Exit(s2)
n = NextIteration(y2)
y = Exit(s)
after = Neg(y)
"""


def path(text: str) -> Path:
    """Read ``f/p:0.1/g``: loops by their frames, branches by predicate and side."""
    steps = [each.rsplit(".", 1) for each in text.split("/") if each]
    return tuple(
        Loop(step[0]) if len(step) == 1 else Branch(parse_ref(step[0]), int(step[1]))
        for step in steps
    )


def graph(text: str) -> Graph:
    return parse_sketch(X + text).graph


# sketch, then nodes by the path where they run
PATHS = {
    "a loop": (
        LOOP,
        {"": "x after", "f": "e k m l c s b a n y"},
    ),
    "a cond": (
        COND,
        {"": "p pivots id y after", "p.1": "t in one add", "p.0": "other neg"},
    ),
    "nested": (
        NESTED,
        {
            "": "after",
            "f": "e k q m c p0 s b n y",
            "f/g": "e2 k2 q2 m2 c2 s2 b2 both n2 y2",
            "f/g/q2.1": "sw tanh",
            "f/g/q2.0": "sw1",
        },
    ),
    "conds on one predicate": (
        COND + "id2 = Identity(p)\nin2 = Switch(after, id2)\nexp = Exp(in2:1)\n",
        {"p.1": "t in one add in2 exp"},
    ),
    "a predicate that waits": (
        COND.replace("Identity(p)", "Identity(p, ^x)"), {"p.1": "t in one add"}
    ),
    "a predicate inside a branch": (
        COND + "q = Switch(p, id)\nq1 = Identity(q:1)\nsub = Switch(add, q1)\nexp = Exp(sub:0)",
        {"p.1": "q q1", "p.1/q:1.0": "sub exp"},
    ),
    "what waits for all": (
        COND + "sync = ControlTrigger(^add, ^neg)\nafter2 = NoOp(^sync)", {"": "sync after2"}
    ),
    "waiting is running": (LOOP + "one = Const(^b) {value: 1}", {"f": "one"}),
    "refs": (
        "v = VariableV2() {shape: [2]}\nr = RefEnter(v) {frame_name: \"f\"}\n"
        "rs = RefSwitch(v, p)\nri = RefIdentity(rs:1)\n",
        {"": "v", "f": "r", "p.1": "rs ri"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "told"), PATHS.values(), ids=PATHS)
def test_paths(text: str, told: dict[str, str]) -> None:
    nesting = find_nesting(graph(text))
    paths = {name: path(where) for where, names in told.items() for name in names.split()}
    assert {name: nesting.paths[name] for name in paths} == paths
    assert not nesting.misfits


@pytest.mark.parametrize("text", [LOOP, NESTED])
def test_the_order_of_nodes_tells_nothing(text: str) -> None:
    told = graph(text)
    backwards = Graph(reversed(list(told.nodes.values())), {}, told.ops)
    assert find_nesting(backwards).paths == find_nesting(told).paths


def test_what_comes_into_regions() -> None:
    (outer,) = find_regions(find_nesting(graph(NESTED)))
    (inner,) = outer.inner
    assert {str(k): str(v) for k, v in outer.brought.items()} == {"k": "x", "q": "p"}
    assert {str(k): str(v) for k, v in inner.brought.items()} == {"k2": "k", "q2": "q"}
    brought = [{str(k): str(v) for k, v in each.brought.items()} for each in inner.inner]
    assert brought == [{"sw:1": "b2"}, {"sw1": "b2"}]


UNFETCHABLE = {
    "a loop": (LOOP, "e k m l c s b a n"),
    "a cond": (COND, "pivots t in one add other neg"),
    "nested": (NESTED, "e k q m c p0 s b n e2 k2 q2 m2 c2 p2 s2 b2 sw tanh sw1 both n2 y2"),
    "what waits for itself": ("a = Neg(b)\nb = Neg(a)", "a b"),
}


@pytest.mark.parametrize(("text", "names"), UNFETCHABLE.values(), ids=UNFETCHABLE)
def test_what_cannot_be_fetched(text: str, names: str) -> None:
    assert unfetchable(graph(text)) == set(names.split())


def test_loops_of_gradients_and_nodes_aside_are_left_out() -> None:
    told = graph(LOOP + "h = StackV2(x)\nv = StackPopV2(h, ^b)\nz = Add(a, v)\n")
    nesting = find_nesting(told)
    assert find_regions(nesting) == []
    assert of_gradients(nesting) == {
        "f": "it is a loop of gradients, which TensorFlow does not take gradients of"
    }
    told = graph(COND)
    told.aside = frozenset({"in", "one", "t", "add"})
    (region,) = find_regions(find_nesting(told))
    assert region.nodes == ("other", "neg")


MISFITS = {
    "two LoopConds": (
        LOOP + "c2 = LoopCond(l)\n", "a loop has one LoopCond, and its frame has c, c2"
    ),
    "no LoopCond": ('e = Enter(x) {frame_name: "f"}\ny = Neg(e)', "its frame has none"),
    "a frame and what is outside": (
        LOOP + 'z = Enter(x) {frame_name: "g"}\nw = Add(z, b)',
        "w takes values of loop 'g' and of loop 'f'",
    ),
    "a body in a branch": (
        LOOP.replace("a = Add(b, k)", "w = Switch(b, l)\na = Add(w:1, k)"),
        "n hands on what is not computed in each run of its body",
    ),
    "no Enter": (LOOP.replace("m = Merge(e, n)", "m = Merge(n, ^k)"), "no Enter begins what m"),
    "another loop's LoopCond": (
        LOOP + 'e2 = Enter(b) {frame_name: "g"}\ns2 = Switch(e2, c)',
        "s2 goes by c of another loop or branch",
    ),
    "a circle": (LOOP.replace("a = Add(b, k)", "a = Add(b, a2)\na2 = Neg(a)"), "waits for itself"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "reason"), MISFITS.values(), ids=MISFITS)
def test_misfits(text: str, reason: str) -> None:
    nesting = find_nesting(graph(text))
    told = [each.reason for top in find_regions(nesting) for each in misfits(top)]
    assert any(reason in each for each in told), told
