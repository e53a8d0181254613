import pytest

from graphfreeze.errors import RewriteError
from graphfreeze.guard.filter_updates import FilterUpdates
from graphfreeze.model.names import parse_ref
from graphfreeze.model.sketch import format_node
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import ReplaceNode
from graphfreeze.rewrite.run import run
from graphfreeze.schema import NodeDef
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.selection.resolve import Selection, resolve

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
LAST_THREE = FreezePlan(train_rows={"w": "5:"})
G = "t/graphfreeze"


def plan_of(text: str, plan: FreezePlan = LAST_THREE) -> tuple[Draft, Selection]:
    draft = Draft(parse_sketch(text))
    return draft, resolve(plan, draft.variables, draft.graph)


def filter_updates(text: str, plan: FreezePlan = LAST_THREE) -> Draft:
    draft, selection = plan_of(text, plan)
    run(draft, [FilterUpdates(selection)])
    return draft


def told(draft: Draft, names: list[str]) -> list[str]:
    return [format_node(draft.graph.nodes[name]) for name in names]


# A writer t, and what it becomes when the last three rows are left to learn.
WRITERS = {
    "ScatterSub": (W, "ScatterSub(w, ids, g)", f"ScatterSub(w, {G}/ids, {G}/updates)"),
    "ScatterUpdate": (W, "ScatterUpdate(w, ids, g)", f"ScatterUpdate(w, {G}/ids, {G}/updates)"),
    "sparse Adagrad": (
        W,
        "SparseApplyAdagrad(w, m, a, g, ids)",
        f"SparseApplyAdagrad(w, m, a, {G}/updates, {G}/ids)",
    ),
    "sparse Ftrl": (
        W,
        "SparseApplyFtrl(w, m, v, g, ids, a, a, a, a)",
        f"SparseApplyFtrl(w, m, v, {G}/updates, {G}/ids, a, a, a, a)",
    ),
    "gradient descent": (
        W,
        "ApplyGradientDescent(w, a, g)",
        f"ScatterSub(w, {G}/rows, {G}/updates)",
    ),
    "momentum": (
        W,
        "ApplyMomentum(w, m, a, g, a) {use_nesterov: true}",
        f"SparseApplyMomentum(w, m, a, {G}/grad, {G}/rows, a) {{use_nesterov: true}}",
    ),
    "Adagrad": (W, "ApplyAdagrad(w, m, a, g)", f"SparseApplyAdagrad(w, m, a, {G}/grad, {G}/rows)"),
    "AdagradDA": (
        W,
        "ApplyAdagradDA(w, m, v, g, a, a, a, step)",
        f"SparseApplyAdagradDA(w, m, v, {G}/grad, {G}/rows, a, a, a, step)",
    ),
    "Adadelta": (
        W,
        "ApplyAdadelta(w, m, v, a, a, a, g)",
        f"SparseApplyAdadelta(w, m, v, a, a, a, {G}/grad, {G}/rows)",
    ),
    "RMSProp": (
        W,
        "ApplyRMSProp(w, m, v, a, a, a, a, g)",
        f"SparseApplyRMSProp(w, m, v, a, a, a, a, {G}/grad, {G}/rows)",
    ),
    "centered RMSProp": (
        W,
        "ApplyCenteredRMSProp(w, m, v, u, a, a, a, a, g)",
        f"SparseApplyCenteredRMSProp(w, m, v, u, a, a, a, a, {G}/grad, {G}/rows)",
    ),
    "Ftrl": (
        W,
        "ApplyFtrl(w, m, v, g, a, a, a, a)",
        f"SparseApplyFtrl(w, m, v, {G}/grad, {G}/rows, a, a, a, a)",
    ),
    "proximal Adagrad": (
        W,
        "ApplyProximalAdagrad(w, m, a, a, a, g)",
        f"SparseApplyProximalAdagrad(w, m, a, a, a, {G}/grad, {G}/rows)",
    ),
    "proximal gradient descent": (
        W,
        "ApplyProximalGradientDescent(w, a, a, a, g)",
        f"SparseApplyProximalGradientDescent(w, a, a, a, {G}/grad, {G}/rows)",
    ),
    "Adam": (
        W,
        "ApplyAdam(w, m, v, a, a, a, a, a, a, g)",
        f"ScatterSub(w, {G}/rows, {G}/step, ^{G}/m/write, ^{G}/v/write)",
    ),
    "Assign": (W, "Assign(w, g)", f"ScatterUpdate(w, {G}/rows, {G}/updates)"),
    "AssignAdd": (W, "AssignAdd(w, g)", f"ScatterAdd(w, {G}/rows, {G}/updates)"),
    "AssignSub": (W, "AssignSub(w, g)", f"ScatterSub(w, {G}/rows, {G}/updates)"),
    "ResourceScatterAdd": (
        H,
        "ResourceScatterAdd(w, ids, g)",
        f"ResourceScatterAdd(w, {G}/ids, {G}/updates)",
    ),
    "resource, sparse Momentum": (
        H,
        "ResourceSparseApplyMomentum(w, m, a, g, ids, a)",
        f"ResourceSparseApplyMomentum(w, m, a, {G}/updates, {G}/ids, a)",
    ),
    "resource, gradient descent": (
        H,
        "ResourceApplyGradientDescent(w, a, g)",
        f"ResourceScatterSub(w, {G}/rows, {G}/updates)",
    ),
    "resource, Ftrl": (
        H,
        "ResourceApplyFtrl(w, m, v, g, a, a, a, a)",
        f"ResourceSparseApplyFtrl(w, m, v, {G}/grad, {G}/rows, a, a, a, a)",
    ),
    "resource, proximal gradient descent": (
        H,
        "ResourceApplyProximalGradientDescent(w, a, a, a, g)",
        f"ResourceSparseApplyProximalGradientDescent(w, a, a, a, {G}/grad, {G}/rows)",
    ),
    "resource, Adam": (
        H,
        "ResourceApplyAdam(w, m, v, a, a, a, a, a, a, g)",
        f"ResourceScatterSub(w, {G}/rows, {G}/step, ^{G}/m/write, ^{G}/v/write)",
    ),
    "resource, assign": (
        H,
        "AssignVariableOp(w, g)",
        f"ResourceScatterUpdate(w, {G}/rows, {G}/updates)",
    ),
    "resource, assign add": (
        H,
        "AssignAddVariableOp(w, g)",
        f"ResourceScatterAdd(w, {G}/rows, {G}/updates)",
    ),
    "resource, assign sub": (
        H,
        "AssignSubVariableOp(w, g)",
        f"ResourceScatterSub(w, {G}/rows, {G}/updates)",
    ),
}


@pytest.mark.parametrize(("tables", "before", "after"), WRITERS.values(), ids=WRITERS)
def test_writer(tables: str, before: str, after: str) -> None:
    draft = filter_updates(f"{tables}t = {before}")
    (line,) = told(draft, ["t"])
    assert line.replace(", dtype: float32", "").replace(" {dtype: float32}", "") == f"t = {after}"


@pytest.mark.parametrize(("tables", "before"), [w[:2] for w in WRITERS.values()], ids=WRITERS)
def test_new_nodes_are_typed(tables: str, before: str) -> None:
    """Compare the types that nodes say with those that their inputs have."""
    draft = filter_updates(f"{tables}t = {before}")
    again = parse_sketch("\n".join(told(draft, list(draft.graph.nodes)))).graph
    for name in [*draft.added_nodes(), "t"]:
        attrs = draft.graph.nodes[name].attr.items()
        said = {key: value.type for key, value in attrs if value.type}
        assert {key: again.nodes[name].attr[key].type for key in said} == said, name


ROWS = {
    "an interval": (
        "5:",
        """
t/graphfreeze/rows/start = Const() {dtype: int64, value: 5}
t/graphfreeze/rows/limit = Const() {dtype: int64, value: 8}
t/graphfreeze/rows/delta = Const() {dtype: int64, value: 1}
t/graphfreeze/rows = Range(t/graphfreeze/rows/start, t/graphfreeze/rows/limit, \
t/graphfreeze/rows/delta)
t/graphfreeze/updates = Gather(g, t/graphfreeze/rows)
t = ScatterUpdate(w, t/graphfreeze/rows, t/graphfreeze/updates)
""",
    ),
    "scattered rows": (
        "1,3:5",
        """
t/graphfreeze/trainable_rows = Const() {value: [false, true, false, true, true, false, false, \
false]}
t/graphfreeze/places = Where(t/graphfreeze/trainable_rows)
t/graphfreeze/flat = Const() {value: [-1]}
t/graphfreeze/rows = Reshape(t/graphfreeze/places, t/graphfreeze/flat)
t/graphfreeze/updates = Gather(g, t/graphfreeze/rows)
t = ScatterUpdate(w, t/graphfreeze/rows, t/graphfreeze/updates)
""",
    ),
}


@pytest.mark.parametrize(("rows", "after"), ROWS.values(), ids=ROWS)
def test_rows_of_a_dense_update(rows: str, after: str) -> None:
    draft = filter_updates(W + "t = Assign(w, g)", FreezePlan(train_rows={"w": rows}))
    assert told(draft, [*draft.added_nodes(), "t"]) == [x for x in after.splitlines() if x]


IDS = """
t/graphfreeze/flat = Const() {value: [-1]}
t/graphfreeze/given_ids = Reshape(ids, t/graphfreeze/flat)
t/graphfreeze/start_row = Const() {value: 5}
t/graphfreeze/is_trainable = GreaterEqual(t/graphfreeze/given_ids, t/graphfreeze/start_row)
t/graphfreeze/places = Where(t/graphfreeze/is_trainable)
t/graphfreeze/kept = Reshape(t/graphfreeze/places, t/graphfreeze/flat)
t/graphfreeze/ids = Gather(t/graphfreeze/given_ids, t/graphfreeze/kept)
t/graphfreeze/updates_shape = Const() {value: [-1, 2]}
t/graphfreeze/flat_updates = Reshape(g, t/graphfreeze/updates_shape)
t/graphfreeze/updates = Gather(t/graphfreeze/flat_updates, t/graphfreeze/kept)
t = ScatterSub(w, t/graphfreeze/ids, t/graphfreeze/updates)
"""


def test_ids_of_a_sparse_update() -> None:
    draft = filter_updates(W + "t = ScatterSub(w, ids, g)")
    assert told(draft, [*draft.added_nodes(), "t"]) == [line for line in IDS.splitlines() if line]


def test_writer_keeps_place_device_attributes_and_control_edges() -> None:
    text = W + 't = ApplyAdagrad(w, m, a, g, ^a) {_class: ["loc:@w"], use_locking: true} @ /gpu:0'
    draft = filter_updates(text)
    after = f"SparseApplyAdagrad(w, m, a, {G}/grad, {G}/rows, ^a)"
    attrs = '{_class: ["loc:@w"], use_locking: true} @ /gpu:0'
    assert told(draft, ["t"]) == [f"t = {after} {attrs}"]
    assert {draft.graph.nodes[name].device for name in draft.added_nodes()} == {"/gpu:0"}


def test_adam_reads_writes_and_adds_as_its_formula_says() -> None:
    draft = filter_updates(W + "t = ApplyAdam(w, m, v, a, a, a, a, a, a, g)")
    lines = told(draft, [f"{G}/{role}" for role in ("m/read", "m/write", "v/read", "v/write")])
    assert lines == [
        f"{G}/m/read = Gather(m, {G}/rows)",
        f"{G}/m/write = ScatterUpdate(m, {G}/rows, {G}/m/new)",
        f"{G}/v/read = Gather(v, {G}/rows)",
        f"{G}/v/write = ScatterUpdate(v, {G}/rows, {G}/v/new)",
    ]
    nesterov = filter_updates(
        W + "t = ApplyAdam(w, m, v, a, a, a, a, a, a, g) {use_nesterov: true}"
    )
    extra = set(nesterov.added_nodes()) - set(draft.added_nodes())
    assert extra == {f"{G}/m/kept", f"{G}/m/fresh", f"{G}/m/ahead"}


def test_only_what_the_train_op_reaches_is_guarded() -> None:
    text = W + "t = Assign(w, g)\ninit = Assign(w, g)\nother = NoOp(^init)"
    draft = filter_updates(text)
    assert draft.changed_nodes() == ["t"]
    assert draft.graph.op("init") == "Assign"


def test_several_writers_are_all_guarded() -> None:
    text = W.replace("train_op: t", "train_op: all")
    text += "s = ScatterSub(w, ids, g)\nt = ScatterAdd(w, ids, g)\nall = NoOp(^s, ^t)"
    draft = filter_updates(text)
    assert sorted(draft.changed_nodes()) == ["s", "t"]


def test_writer_of_the_ref_that_another_writer_gives_back() -> None:
    text = W.replace("train_op: t", "train_op: last") + "t = Assign(w, g)\nlast = AssignAdd(t, g)"
    draft = filter_updates(text)
    assert [draft.graph.op(name) for name in ("t", "last")] == ["ScatterUpdate", "ScatterAdd"]


def test_a_wholly_trainable_table_is_left_alone() -> None:
    draft = filter_updates(
        W.replace("w\n", "w, m\n") + "t = Assign(w, g)", FreezePlan(freeze=("m",))
    )
    assert not draft.changed_nodes()


# no op does this to some rows: it is done to a copy, of which those that learn are stored
ON_A_COPY = {
    "no sparse twin": (W, "ApplyAdaMax(w, m, v, a, a, a, a, a, g)", "Assign"),
    "entries": (W, "ScatterNdUpdate(w, ids, g)", "Assign"),
    "resource, no sparse twin": (H, "ResourceApplyPowerSign(w, m, a, a, a, a, g)",
                                 "AssignVariableOp"),
    "resource, entries": (H, "ResourceScatterNdUpdate(w, ids, g)", "AssignVariableOp"),
    "resource, slices": (H, "ResourceStridedSliceAssign(w, ids, ids, ids, g)", "AssignVariableOp"),
}  # fmt: skip


@pytest.mark.parametrize(("tables", "writer", "op"), ON_A_COPY.values(), ids=ON_A_COPY)
def test_rows_that_only_a_copy_keeps(tables: str, writer: str, op: str) -> None:
    draft = filter_updates(f"{tables}t = {writer}")
    assert draft.graph.op("t") == op
    assert draft.graph.data_inputs("t")[1] == parse_ref("t/graphfreeze/kept")
    again = draft.copy()
    run(again, [FilterUpdates(plan_of(f"{tables}t = {writer}")[1])])
    assert again.changed_nodes() == draft.changed_nodes()


REFUSED = {
    "an unknown op": (W, "Mystery(w, g)", "Mystery"),
    "resource, an unknown op": (H, "Mystery(w, g)", "Mystery"),
}


@pytest.mark.parametrize(("tables", "writer", "op"), REFUSED.values(), ids=REFUSED)
def test_writer_that_cannot_be_guarded(tables: str, writer: str, op: str) -> None:
    message = f"node 't' writes 'w' with op {op}, which cannot be kept to some entries"
    with pytest.raises(RewriteError, match=message):
        filter_updates(f"{tables}t = {writer}")


def test_verify_sees_an_unguarded_writer() -> None:
    draft, selection = plan_of(W + "t = ScatterSub(w, ids, g)")
    guard = FilterUpdates(selection)
    assert guard.verify(draft.base, draft) == "t writes w without a guard"
    run(draft, [guard])
    assert guard.verify(draft.base, draft) is None
    twin = NodeDef()
    twin.CopyFrom(draft.graph.nodes["t"])
    twin.input[1] = "ids"
    draft.apply(ReplaceNode(twin))
    assert guard.verify(draft.base, draft) == "t writes w without a guard"
