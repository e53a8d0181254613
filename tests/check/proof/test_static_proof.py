"""What a step may write: the guard's own writers are proved harmless, names prove nothing."""

import numpy as np
import pytest

from graphfreeze.check.proof.static_proof import Breach, prove
from graphfreeze.forward.hold_masks import HoldMasks
from graphfreeze.guard.filter_updates import FilterUpdates
from graphfreeze.guard.gate_writers import GateWriters
from graphfreeze.model.graph import Edge
from graphfreeze.model.names import TensorRef, parse_ref
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import AddNode, ReplaceNode, Reroute
from graphfreeze.rewrite.run import run
from graphfreeze.schema import AttrValue, NodeDef, types_pb2
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.selection.resolve import Selection, resolve

INT32, INT64 = types_pb2.DT_INT32, types_pb2.DT_INT64
TABLES = "".join(f"{name} = VariableV2() {{shape: [8, 2]}}\n" for name in "wmvu")
W = (
    TABLES
    + """
g = Placeholder()
ids = Placeholder() {dtype: int32}
a = Const() {value: 0.9}
step = Const() {dtype: int64, value: 1}
trainable_variables: w
train_op: t
"""
)
H = W.replace("VariableV2", "VarHandleOp")
ELEMENTS = np.arange(16).reshape(8, 2) % 3 == 0
PLANS = {
    "first rows": FreezePlan(freeze_rows={"w": "0:5"}),
    "last rows": FreezePlan(freeze_rows={"w": "5:"}),
    "some rows": FreezePlan(freeze_rows={"w": "1,3:5,7"}),
    "a column": FreezePlan(freeze_columns={"w": "0"}),
    "rows and a column": FreezePlan(freeze_rows={"w": "0:5"}, freeze_columns={"w": "0"}),
    "elements": FreezePlan(freeze_elements={"w": ELEMENTS}),
    "all of them": FreezePlan(
        freeze_rows={"w": "::2"}, freeze_columns={"w": "1"}, freeze_elements={"w": ELEMENTS}
    ),
}
SOME_ROWS, COLUMN = PLANS["some rows"], PLANS["a column"]


def chosen(text: str, plan: FreezePlan) -> tuple[Draft, Selection]:
    draft = Draft(parse_sketch(text))
    return draft, resolve(plan, draft.variables, draft.graph)


def guarded(text: str, plan: FreezePlan) -> tuple[Draft, Selection]:
    draft, selection = chosen(text, plan)
    passes = [HoldMasks(selection), GateWriters(selection), FilterUpdates(selection)]
    run(draft, passes)
    return draft, selection


def told(text: str, plan: FreezePlan) -> list[str]:
    """Return what is wrong with a graph that nobody guarded."""
    return [str(breach) for breach in prove(*chosen(text, plan))]


# writers t, and the slot of the ids of those that take some
WRITERS = {
    "Assign": (W, "Assign(w, g)"),
    "AssignAdd": (W, "AssignAdd(w, g)"),
    "AssignSub": (W, "AssignSub(w, g)"),
    "ScatterUpdate": (W, "ScatterUpdate(w, ids, g)"),
    "ScatterMul": (W, "ScatterMul(w, ids, g)"),
    "ScatterSub": (W, "ScatterSub(w, ids, g)"),
    "ScatterNdUpdate": (W, "ScatterNdUpdate(w, ids, g)"),
    "a slice": (W, "StridedSliceAssign(w, ids, ids, ids, g) {shrink_axis_mask: 1}"),
    "sparse Adagrad": (W, "SparseApplyAdagrad(w, m, a, g, ids)"),
    "sparse Ftrl": (W, "SparseApplyFtrl(w, m, v, g, ids, a, a, a, a)"),
    "gradient descent": (W, "ApplyGradientDescent(w, a, g)"),
    "momentum": (W, "ApplyMomentum(w, m, a, g, a) {use_nesterov: true}"),
    "AdagradDA": (W, "ApplyAdagradDA(w, m, v, g, a, a, a, step)"),
    "centered RMSProp": (W, "ApplyCenteredRMSProp(w, m, v, u, a, a, a, a, g)"),
    "Ftrl": (W, "ApplyFtrl(w, m, v, g, a, a, a, a)"),
    "proximal gradient descent": (W, "ApplyProximalGradientDescent(w, a, a, a, g)"),
    "Adam": (W, "ApplyAdam(w, m, v, a, a, a, a, a, a, g)"),
    "AdaMax": (W, "ApplyAdaMax(w, m, v, a, a, a, a, a, g)"),
    "resource, Assign": (H, "AssignVariableOp(w, g)"),
    "resource, AssignSub": (H, "AssignSubVariableOp(w, g)"),
    "resource, ScatterAdd": (H, "ResourceScatterAdd(w, ids, g)"),
    "resource, points": (H, "ResourceScatterNdAdd(w, ids, g)"),
    "resource, sparse Momentum": (H, "ResourceSparseApplyMomentum(w, m, a, g, ids, a)"),
    "resource, gradient descent": (H, "ResourceApplyGradientDescent(w, a, g)"),
    "resource, Ftrl": (H, "ResourceApplyFtrl(w, m, v, g, a, a, a, a)"),
    "resource, Adam": (H, "ResourceApplyAdam(w, m, v, a, a, a, a, a, a, g)"),
    "resource, PowerSign": (H, "ResourceApplyPowerSign(w, m, a, a, a, a, g)"),
}


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
@pytest.mark.parametrize(("tables", "writer"), WRITERS.values(), ids=WRITERS)
def test_what_the_guard_makes_is_proved(tables: str, writer: str, plan: FreezePlan) -> None:
    text = f"{tables}t = {writer}"
    (breach,) = prove(*chosen(text, plan))
    assert (breach.writer, breach.variable, breach.path) == ("t", "w", ("t",))
    assert prove(*guarded(text, plan)) == []


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
@pytest.mark.parametrize(("tables", "writer"), WRITERS.values(), ids=WRITERS)
def test_no_input_that_guards_can_be_taken_away(tables: str, writer: str, plan: FreezePlan) -> None:
    """Give the guarded writer the ids, the mask or the value of someone who knows nothing."""
    draft, selection = guarded(f"{tables}t = {writer}", plan)
    draft.apply(AddNode("any", "Placeholder", (), {"dtype": AttrValue(type=INT32)}))
    draft.apply(AddNode("yes", "Placeholder", (), {"dtype": AttrValue(type=types_pb2.DT_BOOL)}))
    graph = draft.graph
    *_, last = graph.data_inputs("t")
    if graph.op(last.node) == "SelectV2":
        edges = {Edge(last.node, 0): "yes", Edge(last.node, 2): "g", Edge("t", 1): "any"}
        if len(graph.data_inputs("t")) == 2:
            edges[Edge("t", 1)] = "g"
    else:
        names = [str(arg.name) for arg in graph.ops.find(graph.op("t")).input_arg]
        edges = {Edge("t", names.index("indices")): "any"}
    for edge, to in edges.items():
        tried = draft.copy()
        tried.apply(Reroute(edge, parse_ref(to)))
        assert [breach.writer for breach in prove(tried, selection)] == ["t"], edge


SELECT = "m8 = Const() {dtype: bool, value: [[false, true]]}\nw/now = Identity(w)\n"
BOOLS = "[false, false, false, false, false, true, true, true]"
FILTER = f"""
flat = Const() {{value: [-1]}}
all = Reshape(ids, flat)
table = Const() {{dtype: bool, value: {BOOLS}}}
test = Gather(table, all)
where = Where(test)
places = Reshape(where, flat)
kept = Gather(all, places)
"""
LAST_THREE = FreezePlan(train_rows={"w": "5:"})
ROWS_OF_W = "rows = Gather(w, ids)\n"
# a graph that somebody guarded by hand, and what is wrong with t
BY_HAND = {
    "a mask by hand": (COLUMN, SELECT + "k = SelectV2(m8, g, w/now)\nt = Assign(w, k)", ""),
    "kept from another": (
        COLUMN,
        "m8 = Const() {dtype: bool, value: [[false, true]]}\nw/now = Identity(m)\n"
        "k = SelectV2(m8, g, w/now)\nt = Assign(w, k)",
        "what it keeps is not the variable's own value",
    ),
    "a mask the other way": (
        COLUMN,
        SELECT + "k = SelectV2(m8, w/now, g)\nt = Assign(w, k)",
        "what it keeps is not the variable's own value",
    ),
    "a mask of the other column": (
        FreezePlan(freeze_columns={"w": "1"}),
        SELECT + "k = SelectV2(m8, g, w/now)\nt = Assign(w, k)",
        "its mask lets frozen entries pass, the first at [0, 1]",
    ),
    "Select pairs masks with rows": (
        COLUMN,
        "m8 = Const() {dtype: bool, value: [false, true]}\nw/now = Identity(w)\n"
        "k = Select(m8, g, w/now)\nt = Assign(w, k)",
        "its mask cannot be shown to spare them",
    ),
    "Select by a whole mask": (
        COLUMN,
        f"m8 = Const() {{dtype: bool, value: [{', '.join(['[false, true]'] * 8)}]}}\n"
        "w/now = Identity(w)\nk = Select(m8, g, w/now)\nt = Assign(w, k)",
        "",
    ),
    "rows kept of other ids": (
        COLUMN,
        "m8 = Const() {dtype: bool, value: [[false, true]]}\nother = Placeholder() {dtype: int32}\n"
        "rows = Gather(w, other)\nk = SelectV2(m8, g, rows)\nt = ScatterUpdate(w, ids, k)",
        "what it keeps is not the variable's own value",
    ),
    "a mask of the batch, not of rows": (
        LAST_THREE,
        ROWS_OF_W + f"m8 = Const() {{dtype: bool, value: {BOOLS}}}\n"
        "k = SelectV2(m8, g, rows)\nt = ScatterUpdate(w, ids, k)",
        "its mask is of another shape",
    ),
    "constant ids": (
        LAST_THREE,
        "few = Const() {value: [7, 5]}\nt = ScatterSub(w, few, g)",
        "",
    ),
    "constant ids of frozen rows": (
        LAST_THREE,
        "few = Const() {value: [7, 4]}\nt = ScatterSub(w, few, g)",
        "its ids hold the frozen row 4",
    ),
    "a filter by hand": (LAST_THREE, FILTER + "t = ScatterSub(w, kept, g)", ""),
    "a filter of the slot's rows": (
        LAST_THREE,
        FILTER + "t = SparseApplyAdagrad(m, w, a, g, kept)",
        "",
    ),
    "a filter of other rows": (
        FreezePlan(train_rows={"w": "6:"}),
        FILTER + "t = ScatterSub(w, kept, g)",
        "its filter lets the frozen row 5 pass",
    ),
    "a filter of other ids": (
        LAST_THREE,
        FILTER.replace("test = Gather(table, all)", "o = Placeholder() {dtype: int32}\n"
                       "all_o = Reshape(o, flat)\ntest = Gather(table, all_o)")
        + "t = ScatterSub(w, kept, g)",
        "its ids may hold frozen rows",
    ),
    "a filter by place": (
        LAST_THREE,
        FILTER.replace("where = Where(test)", "where = Where(table)")
        + "t = ScatterSub(w, kept, g)",
        "its ids may hold frozen rows",
    ),
    "a filter of ids that may be a matrix": (
        LAST_THREE,
        FILTER.replace("Gather(table, all)", "Gather(table, ids)")
        .replace("kept = Gather(all,", "kept = Gather(ids,")
        + "t = ScatterSub(w, kept, g)",
        "its ids may hold frozen rows",
    ),
    "a filter that mixes ids": (
        LAST_THREE,
        FILTER.replace(
            "test = Gather(table, all)",
            "two = Const() {value: [2, -1]}\npairs = Reshape(all, two)\n"
            "mixed = Gather(table, pairs)\ntest = Reshape(mixed, flat)",
        )
        + "t = ScatterSub(w, kept, g)",
        "its ids may hold frozen rows",
    ),
    "points are no rows": (
        LAST_THREE,
        "few = Const() {value: [7, 5]}\nt = ScatterNdUpdate(w, few, g)",
        "nothing keeps it to what learns",
    ),
    "an op that nobody knows": (
        LAST_THREE,
        "few = Const() {value: [7, 5]}\nt = Mystery(w, few, g)",
        "nothing keeps it to what learns",
    ),
    "a mask that the step writes": (
        COLUMN,
        "h = VariableV2() {dtype: bool, shape: [8, 2]}\nh/read = Identity(h)\n"
        "y = Placeholder() {dtype: bool}\nh/Assign = Assign(h, y)\nw/now = Identity(w)\n"
        "k = SelectV2(h/read, g, w/now, ^h/Assign)\nt = Assign(w, k)",
        "its mask cannot be shown to spare them",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("plan", "text", "fault"), BY_HAND.values(), ids=BY_HAND)
def test_by_hand(plan: FreezePlan, text: str, fault: str) -> None:
    breaches = prove(*chosen(W + text, plan))
    assert [breach.reason for breach in breaches] == ([fault] if fault else [])
    assert all(breach.writer == "t" for breach in breaches)


def test_the_ref_that_a_writer_gives_back_is_the_variable() -> None:
    text = W.replace("train_op: t", "train_op: last") + "t = Assign(w, g)\nlast = AssignAdd(t, g)"
    draft, selection = guarded(text, COLUMN)
    assert prove(draft, selection) == []
    draft.apply(Reroute(Edge("last/graphfreeze/kept", 2), TensorRef("g")))
    assert [breach.writer for breach in prove(draft, selection)] == ["last"]


MODEL = """
x = Placeholder() {shape: [4]}
w = VariableV2() {shape: [4]}
w/Assign = Assign(w, x)
r = VarHandleOp() {shape: [4]}
v = VariableV2() {shape: [4]}
variables: w, r, v
trainable_variables: w, r, v
"""
# what is in a graph besides, and what is told of it when w and r are frozen
WHOLE = {
    "an initializer that no step runs": ("t = NoOp()\ntrain_op: t", []),
    "a writer of another": ("s = Assign(v, x)\nt = NoOp(^s)\ntrain_op: t", []),
    "the shortest of two ways": (
        "s = Assign(w, x)\na = NoOp(^s)\nb = NoOp(^a)\nt = NoOp(^b, ^a)\ntrain_op: t",
        ["s (op Assign) writes the frozen w; path t -> a -> s"],
    ),
    "a way from the loss": (
        "s = AssignSub(w, x)\ny = L2Loss(x, ^s)\nt = NoOp()\ntrain_op: t\nlosses: y:0",
        ["s (op AssignSub) writes the frozen w; path y -> s"],
    ),
    "the train_op's way before the loss's": (
        "s = Assign(w, x)\nn = NoOp(^s)\ny = L2Loss(x, ^s)\nt = NoOp(^n)\ntrain_op: t\nlosses: y:0",
        ["s (op Assign) writes the frozen w; path t -> n -> s"],
    ),
    "an update that is fetched": (
        "s = AssignSub(w, x)\nupdate_ops: s",
        ["s (op AssignSub) writes the frozen w; path s"],
    ),
    "a resource": (
        "s = AssignVariableOp(r, x)\nt = NoOp(^s)\ntrain_op: t",
        ["s (op AssignVariableOp) writes the frozen r; path t -> s"],
    ),
    "an op that nobody knows": (
        "s = Mystery(r)\nt = NoOp(^s)\ntrain_op: t",
        ["s (op Mystery) writes the frozen r; path t -> s"],
    ),
    "another node of the same storage": (
        'z = VarHandleOp() {shape: [4], shared_name: "r"}\ns = AssignVariableOp(z, x)\n'
        "t = NoOp(^s)\ntrain_op: t",
        ["s (op AssignVariableOp) writes the frozen r; path t -> s"],
    ),
    "another ref of the same storage": (
        'z = VariableV2() {shape: [4], shared_name: "w"}\ns = Assign(z, x)\n'
        "t = NoOp(^s)\ntrain_op: t",
        ["s (op Assign) writes the frozen w; path t -> s"],
    ),
    "the same container by its name": (
        'z = VariableV2() {shape: [4], shared_name: "w", container: "localhost"}\n'
        "s = Assign(z, x)\nt = NoOp(^s)\ntrain_op: t",
        ["s (op Assign) writes the frozen w; path t -> s"],
    ),
    "another container": (
        'z = VariableV2() {shape: [4], shared_name: "w", container: "c"}\ns = Assign(z, x)\n'
        "t = NoOp(^s)\ntrain_op: t",
        [],
    ),
}


@pytest.mark.parametrize(("text", "breaches"), WHOLE.values(), ids=WHOLE)
def test_wholly_frozen(text: str, breaches: list[str]) -> None:
    assert told(MODEL + text, FreezePlan(freeze=("w", "r"))) == breaches


def test_a_gated_update_that_is_put_back() -> None:
    """Turn the RefIdentity that a moving average's update became into the update again."""
    text = MODEL + "move = AssignSub(w, x)\nloss = L2Loss(x, ^move)\nlosses: loss:0"
    draft, selection = guarded(text, FreezePlan(freeze=("w",)))
    assert draft.graph.op("move") == "RefIdentity"
    assert prove(draft, selection) == []
    draft.apply(ReplaceNode(draft.base.graph.nodes["move"]))
    assert prove(draft, selection) == [Breach("move", "AssignSub", "w", ("loss", "move"))]


def test_a_table_under_an_overlay_has_no_writer() -> None:
    plan = FreezePlan(train_rows={"w": "5:"}, row_strategy="overlay")
    text = "few = Const() {value: [7]}\nt = ScatterUpdate(w, few, g)"
    assert told(W + text, plan) == ["t (op ScatterUpdate) writes the frozen w; path t"]


WRITES = """h = _Arg() {T: resource}
v = _Arg()
a = AssignVariableOp(h, v)
return:v = _Retval(v)"""
DEEP = """v = _Arg()
h = _Arg() {T: resource}
c = writes(h, v)
t = Exp(c)
return:v = _Retval(t)"""
READS = """h = _Arg() {T: resource}
v = _Arg()
r = ReadVariableOp(h) {dtype: float32}
return:v = _Retval(r)"""
GIVES = """h = _Arg() {T: resource}
v = _Arg()
same = Identity(h)
return:h = _Retval(same)"""
MAP = """size = Const() {value: 3}
d = RangeDataset(size, size, size) {output_types: [int64], output_shapes: [[]]}
m = MapDataset(d, r) {f: writes, Targuments: [resource], output_types: [float32], \
output_shapes: [[4]]}
begun = AssignVariableOp(r, x)
i2 = IteratorV2() {output_types: [float32], output_shapes: [[4]]}
made = MakeIterator(m, i2, ^begun)
"""
CARRIES = """v = _Arg()
h = _Arg() {T: resource}
a = AssignAddVariableOp(h, v)
return:v = _Retval(v)
return:h = _Retval(h)"""
IS_DONE = """v = _Arg()
h = _Arg() {T: resource}
t = Const() {value: true}
return:t = _Retval(t)"""
WRITES_IN_TEST = IS_DONE.replace("t = Const", "a = AssignAddVariableOp(h, v)\nt = Const")
OPENS = """o = VarHandleOp() {shape: [4], shared_name: "r"}
i = Identity(o)
c = Const() {value: 1.0}
s = AssignVariableOp(i, c)
return:c = _Retval(c)"""
OPENS_TO_READ = OPENS.replace(
    "s = AssignVariableOp(i, c)", "s = ReadVariableOp(i) {dtype: float32}"
)
GIVES_OPENED = 'o = VarHandleOp() {shape: [4], shared_name: "r"}\nreturn:o = _Retval(o)'
FUNCTIONS = {
    "writes": WRITES, "deep": DEEP, "reads": READS, "gives": GIVES, "carries": CARRIES,
    "is_done": IS_DONE, "writes_in_test": WRITES_IN_TEST, "opens": OPENS,
    "opens_to_read": OPENS_TO_READ, "gives_opened": GIVES_OPENED,
    "opens_another": OPENS.replace('"r"', '"q"'),
}  # fmt: skip
# what a train_op t runs, and what is told of it when r is frozen
IN_FUNCTIONS = {
    "a call": (
        "c = StatefulPartitionedCall(r, x) {Tout: [float32], f: writes}\nt = NoOp(^c)",
        "c > a (op AssignVariableOp) writes the frozen r; path t -> c -> c > a",
    ),
    "a call of another variable": (
        "c = StatefulPartitionedCall(q, x) {Tout: [float32], f: writes}\nt = NoOp(^c)",
        "",
    ),
    "a call that is not run": (
        "c = StatefulPartitionedCall(r, x) {Tout: [float32], f: writes}\nt = NoOp()",
        "",
    ),
    "a call in a call, by what it gives": (
        "c = deep(x, r)\nt = Tanh(c)",
        "c > c > a (op AssignVariableOp) writes the frozen r; path t -> c -> c > c -> c > c > a",
    ),
    "a call that only reads": (
        "c = StatefulPartitionedCall(r, x) {Tout: [float32], f: reads}\nt = Tanh(c)",
        "",
    ),
    "a loop": (
        "c = While(x, r) {cond: is_done, body: carries}\nt = NoOp(^c)",
        "c[body] > a (op AssignAddVariableOp) writes the frozen r; path t -> c -> c[body] > a",
    ),
    "the test of a loop": (
        "c = While(x, q) {cond: is_done, body: carries}\n"
        "d = While(x, r) {cond: writes_in_test, body: is_kept}\nt = NoOp(^c, ^d)",
        "d[cond] > a (op AssignAddVariableOp) writes the frozen r; path t -> d -> d[cond] > a",
    ),
    "what a loop gives back": (
        "c = While(x, r) {cond: is_done, body: is_kept}\nt = AssignVariableOp(c:1, x)",
        "t (op AssignVariableOp) writes the frozen r; path t",
    ),
    "a branch": (
        "c = If(p, r, x) {Tout: [float32], then_branch: reads, else_branch: writes}\nt = Exp(c)",
        "c[else_branch] > a (op AssignVariableOp) writes the frozen r; path t -> c -> "
        "c[else_branch] > a",
    ),
    "a case": (
        "c = Case(i, r, x) {Tout: [float32], branches: [reads, writes]}\nt = Exp(c)",
        "c[1] > a (op AssignVariableOp) writes the frozen r; path t -> c -> c[1] > a",
    ),
    "what a function hands on": (
        "c = StatefulPartitionedCall(r, x) {Tout: [resource], f: gives}\n"
        "t = AssignVariableOp(c, x)",
        "t (op AssignVariableOp) writes the frozen r; path t",
    ),
    "what a function hands on, read": (
        "c = StatefulPartitionedCall(r, x) {Tout: [resource], f: gives}\n"
        "t = ReadVariableOp(c) {dtype: float32}",
        "",
    ),
    "a variable that a function opens": (
        "c = StatefulPartitionedCall() {Tout: [float32], f: opens}\nt = NoOp(^c)",
        "c > s (op AssignVariableOp) writes the frozen r; path t -> c -> c > s",
    ),
    "a variable that a function opens to read": (
        "c = StatefulPartitionedCall() {Tout: [float32], f: opens_to_read}\nt = NoOp(^c)",
        "",
    ),
    "another that a function opens": (
        "c = StatefulPartitionedCall() {Tout: [float32], f: opens_another}\nt = NoOp(^c)",
        "",
    ),
    "a variable that a function opens and gives away": (
        "c = StatefulPartitionedCall() {Tout: [resource], f: gives_opened}\n"
        "t = AssignVariableOp(c, x)",
        "t (op AssignVariableOp) writes the frozen r; path t",
    ),
    "a gradient of a function": (
        "t = SymbolicGradient(r, x, x) {Tout: [resource, float32], f: writes}",
        "t (op SymbolicGradient) writes the frozen r; path t",
    ),
    "a gradient of a function that opens it": (
        "t = SymbolicGradient(x) {Tout: [], f: opens}",
        "t (op SymbolicGradient) writes r without a guard: function opens opens it by its name; "
        "path t",
    ),
    "a data set that a step takes from": (
        MAP + "n = IteratorGetNext(i2) {output_types: [float32], output_shapes: [[4]]}\n"
        "t = NoOp(^n)",
        "m (op MapDataset) writes the frozen r; path m",
    ),
    "a data set that is not taken from": (MAP + "t = NoOp(^x)", ""),
    "a function that is not there": (
        "t = StatefulPartitionedCall(r) {Tout: [float32], f: lost}",
        "t (op StatefulPartitionedCall) writes the frozen r; path t",
    ),
}
IS_KEPT = CARRIES.replace("a = AssignAddVariableOp(h, v)\n", "")


@pytest.mark.parametrize(("line", "breach"), IN_FUNCTIONS.values(), ids=IN_FUNCTIONS)
def test_writers_in_functions(line: str, breach: str) -> None:
    text = MODEL + "q = VarHandleOp() {shape: [4]}\np = Placeholder() {dtype: bool}\n"
    text += f"i = Placeholder() {{dtype: int32}}\n{line}\ntrain_op: t"
    draft = Draft(parse_sketch(text, functions=FUNCTIONS | {"is_kept": IS_KEPT}))
    selection = resolve(FreezePlan(freeze=("r",)), draft.variables, draft.graph)
    assert [str(each) for each in prove(draft, selection)] == [breach] * bool(breach)


IN_BRANCHES = {
    "a switch": "s = RefSwitch(u, p)\nt = Assign(s:1, g)",
    "an identity": "s = RefIdentity(u)\nt = Assign(s, g)",
    "a loop": 's = RefEnter(u) {frame_name: "f"}\nt = Assign(s, g)',
}


@pytest.mark.parametrize("text", IN_BRANCHES.values(), ids=IN_BRANCHES)
def test_a_writer_of_what_another_one_gave_back(text: str) -> None:
    """So does a branch of tf.cond take the result of tf.scatter_update."""
    few = "p = Placeholder() {dtype: bool}\nfew = Const() {value: [6, 7]}\n"
    text = W.replace("u = VariableV2() {shape: [8, 2]}\n", "") + few + text
    (wrong,) = told(text + "\nu = ScatterUpdate(w, few, g)", PLANS["first rows"])
    assert wrong.startswith("t (op Assign) writes w without a guard: nothing keeps it")


@pytest.mark.parametrize("copy", ["var", "accum"])
def test_a_copy_that_is_written_when_it_is_gone(copy: str) -> None:
    draft, selection = guarded(W + "t = SparseApplyAdagrad(w, m, a, g, ids)", COLUMN)
    assert prove(draft, selection) == []
    end = next(n for n in draft.graph.nodes if n.endswith(f"/{copy}/new"))
    twin = NodeDef()
    twin.CopyFrom(draft.graph.nodes[end])
    del twin.input[:]
    twin.input.append(end.replace("/new", "/copy"))
    draft.apply(ReplaceNode(twin))
    (breach,) = prove(draft, selection)
    assert breach.reason == "a temporary copy may be written when its memory is given away"


@pytest.mark.parametrize("kind", ["VariableV2", "VarHandleOp"])
@pytest.mark.parametrize("writer", ["AssignSub(w, g)", "ScatterSub(w, ids, g)"])
def test_a_mask_that_lies_in_the_checkpoint(kind: str, writer: str) -> None:
    if kind == "VarHandleOp":
        writer = writer.replace("AssignSub", "AssignSubVariableOp").replace("Scatter", "ResourceSca"
                                                                            "tter")  # fmt: skip
    tables = W.replace("[8, 2]", "[1100, 1000]").replace("VariableV2", kind)
    mask = np.random.default_rng(0).random((1100, 1000)) < 0.5
    draft, selection = guarded(f"{tables}t = {writer}", FreezePlan(freeze_elements={"w": mask}))
    assert prove(draft, selection) == []
    draft.value_edits[0].source.values[tuple(np.argwhere(mask)[-1])] = True  # type: ignore[union-attr]
    (breach,) = prove(draft, selection)
    assert breach.reason.startswith("its mask lets frozen entries pass, the first at [1099,")
    draft.value_edits.clear()
    (breach,) = prove(draft, selection)
    assert breach.reason == "its mask cannot be shown to spare them"
