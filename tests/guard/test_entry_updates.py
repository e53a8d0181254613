import numpy as np
import pytest

from graphfreeze.errors import RewriteError
from graphfreeze.forward.hold_masks import HoldMasks
from graphfreeze.guard.filter_updates import FilterUpdates
from graphfreeze.model.sketch import format_node
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import AddNode, ReplaceNode
from graphfreeze.rewrite.run import run
from graphfreeze.schema import AttrValue, NodeDef
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
FIRST_COLUMN = FreezePlan(freeze_columns={"w": "0"})
G = "t/graphfreeze"
KEPT = f"{G}/kept"


def plan_of(text: str, plan: FreezePlan = FIRST_COLUMN) -> tuple[Draft, Selection]:
    draft = Draft(parse_sketch(text))
    return draft, resolve(plan, draft.variables, draft.graph)


def guard(text: str, plan: FreezePlan = FIRST_COLUMN) -> Draft:
    draft, selection = plan_of(text, plan)
    run(draft, [HoldMasks(selection), FilterUpdates(selection)])
    return draft


def told(draft: Draft, names: list[str]) -> list[str]:
    """Return nodes as lines, the guard's own scope as a dot, without types."""
    lines = [format_node(draft.graph.nodes[name]) for name in names]
    bare = (x.replace(", dtype: float32", "").replace(" {dtype: float32}", "") for x in lines)
    return [line.replace(f"{G}/", "./") for line in bare]


ASSIGN = "t = Assign(w, ./kept) {use_locking: false}"
STORE = "t = AssignVariableOp(w, ./kept"
SCATTER = "t = ScatterUpdate(w, ./ids, ./kept"
# A writer t, the op that makes the new value, and what t becomes when the second column is left.
WRITERS = {
    "Assign": (W, "Assign(w, g)", None, "t = Assign(w, ./kept)"),
    "AssignAdd": (W, "AssignAdd(w, g)", "./new = Add(./now, g)", ASSIGN),
    "AssignSub": (W, "AssignSub(w, g)", "./new = Sub(./now, g)", ASSIGN),
    "gradient descent": (
        W,
        "ApplyGradientDescent(w, a, g)",
        "./new = Sub(./now, ./step)",
        ASSIGN,
    ),
    "momentum": (
        W,
        "ApplyMomentum(w, m, a, g, a) {use_nesterov: true, use_locking: true}",
        "./apply = ApplyMomentum(./var/copy, m, a, g, a) {use_locking: true, use_nesterov: true}",
        "t = Assign(w, ./kept)",
    ),
    "Adam": (
        W,
        "ApplyAdam(w, m, v, a, a, a, a, a, a, g)",
        "./apply = ApplyAdam(./var/copy, m, v, a, a, a, a, a, a, g)",
        ASSIGN,
    ),
    "no sparse twin": (
        W,
        "ApplyAdaMax(w, m, v, a, a, a, a, a, g)",
        "./apply = ApplyAdaMax(./var/copy, m, v, a, a, a, a, a, g)",
        ASSIGN,
    ),
    "AdagradDA": (
        W,
        "ApplyAdagradDA(w, m, v, g, a, a, a, step)",
        "./apply = ApplyAdagradDA(./var/copy, m, v, g, a, a, a, step)",
        ASSIGN,
    ),
    "single places": (
        W,
        "ScatterNdUpdate(w, ids, g)",
        "./apply = ScatterNdUpdate(./ref/copy, ids, g)",
        "t = Assign(w, ./kept)",
    ),
    "a slice": (
        W,
        "StridedSliceAssign(w, ids, ids, ids, g) {shrink_axis_mask: 1}",
        "./apply = StridedSliceAssign(./ref/copy, ids, ids, ids, g) {shrink_axis_mask: 1}",
        ASSIGN,
    ),
    "ScatterUpdate": (
        W,
        "ScatterUpdate(w, ids, g)",
        "./apply = ScatterUpdate(./ref/copy, ./places, g)",
        f"{SCATTER})",
    ),
    "ScatterMul": (
        W,
        "ScatterMul(w, ids, g)",
        "./apply = ScatterMul(./ref/copy, ./places, g)",
        f"{SCATTER}) {{use_locking: false}}",
    ),
    "sparse gradient descent": (
        W,
        "ScatterSub(w, ids, g) {use_locking: true}",
        "./apply = ScatterSub(./ref/copy, ./places, g) {use_locking: true}",
        f"{SCATTER})",
    ),
    "sparse Ftrl": (
        W,
        "SparseApplyFtrl(w, m, v, g, ids, a, a, a, a)",
        "./apply = SparseApplyFtrl(./var/copy, ./accum/copy, ./linear/copy, g, ./places, a, a, a, "
        "a)",
        f"{SCATTER}, ^./accum/write, ^./linear/write) {{use_locking: false}}",
    ),
    "resource, assign": (H, "AssignVariableOp(w, g)", None, f"{STORE})"),
    "resource, assign add": (
        H,
        "AssignAddVariableOp(w, g)",
        "./new = Add(./now, g)",
        f"{STORE})",
    ),
    "resource, assign sub": (
        H,
        "AssignSubVariableOp(w, g)",
        "./new = Sub(./now, g)",
        f"{STORE})",
    ),
    "resource, gradient descent": (
        H,
        "ResourceApplyGradientDescent(w, a, g)",
        "./new = Sub(./now, ./step)",
        f"{STORE})",
    ),
    "resource, Adam": (
        H,
        "ResourceApplyAdam(w, m, v, a, a, a, a, a, a, g) {use_nesterov: true}",
        "./apply = ApplyAdam(./var/copy, ./m/copy, ./v/copy, a, a, a, a, a, a, g) "
        "{use_nesterov: true}",
        f"{STORE}, ^./m/write, ^./v/write)",
    ),
    "resource, no sparse twin": (
        H,
        "ResourceApplyPowerSign(w, m, a, a, a, a, g)",
        "./apply = ApplyPowerSign(./var/copy, ./m/copy, a, a, a, a, g)",
        f"{STORE}, ^./m/write)",
    ),
    "resource, proximal gradient descent": (
        H,
        "ResourceApplyProximalGradientDescent(w, a, a, a, g)",
        "./apply = ApplyProximalGradientDescent(./var/copy, a, a, a, g)",
        f"{STORE})",
    ),
    "resource, single places": (
        H,
        "ResourceScatterNdAdd(w, ids, g)",
        "./apply = ScatterNdAdd(./ref/copy, ids, g)",
        f"{STORE})",
    ),
    "resource, a slice": (
        H,
        "ResourceStridedSliceAssign(w, ids, ids, ids, g)",
        "./apply = StridedSliceAssign(./ref/copy, ids, ids, ids, g)",
        f"{STORE})",
    ),
    "ResourceScatterAdd": (
        H,
        "ResourceScatterAdd(w, ids, g)",
        "./apply = ScatterAdd(./resource/copy, ./places, g)",
        "t = ResourceScatterUpdate(w, ./ids, ./kept)",
    ),
    "resource, sparse Momentum": (
        H,
        "ResourceSparseApplyMomentum(w, m, a, g, ids, a)",
        "./apply = SparseApplyMomentum(./var/copy, ./accum/copy, a, g, ./places, a)",
        "t = ResourceScatterUpdate(w, ./ids, ./kept, ^./accum/write)",
    ),
}


@pytest.mark.parametrize(("tables", "before", "new", "after"), WRITERS.values(), ids=WRITERS)
def test_writer(tables: str, before: str, new: str | None, after: str) -> None:
    draft = guard(f"{tables}t = {before}")
    assert told(draft, ["t"]) == [after]
    mask, value, now = draft.graph.data_inputs(KEPT)
    assert str(mask).startswith(f"{G}/")
    assert str(now) == f"{G}/now"
    if new is None:
        assert str(value) == "g"
    else:
        line = next(x for x in told(draft, draft.added_nodes()) if x.startswith(new.split()[0]))
        assert line == new
        assert str(value).startswith(f"{G}/")
        assert str(value).endswith("/new")


@pytest.mark.parametrize(("tables", "before"), [w[:2] for w in WRITERS.values()], ids=WRITERS)
def test_new_nodes_are_typed(tables: str, before: str) -> None:
    """Compare the types that nodes say with those that their inputs have."""
    draft = guard(f"{tables}t = {before}")
    lines = [format_node(draft.graph.nodes[name]) for name in draft.graph.nodes]
    again = parse_sketch("\n".join(lines)).graph
    for name in [*draft.added_nodes(), "t"]:
        attrs = draft.graph.nodes[name].attr.items()
        said = {key: value.type for key, value in attrs if value.type}
        assert {key: again.nodes[name].attr[key].type for key in said} == said, name


@pytest.mark.parametrize(("tables", "before"), [w[:2] for w in WRITERS.values()], ids=WRITERS)
def test_a_second_run_changes_nothing(tables: str, before: str) -> None:
    draft, selection = plan_of(f"{tables}t = {before}")
    run(draft, [FilterUpdates(selection)])
    assert list(FilterUpdates(selection).plan(draft)) == []


MASK = """
./axis_1/rows/start = Const() {dtype: int64, value: 0}
./axis_1/rows/limit = Const() {dtype: int64, value: 2}
./axis_1/rows/delta = Const() {dtype: int64, value: 1}
./axis_1/rows = Range(./axis_1/rows/start, ./axis_1/rows/limit, ./axis_1/rows/delta)
./axis_1/start_row = Const() {dtype: int64, value: 1}
./axis_1/is_trainable = GreaterEqual(./axis_1/rows, ./axis_1/start_row)
./kept = SelectV2(./axis_1/is_trainable, ./var/new, ./now)
"""
WHOLE = {
    "all entries of a ref, whose slots stay where they are": (
        W + "t = ApplyMomentum(w, m, a, g, a, ^step)",
        """
./now = Identity(w, ^g, ^step)
./var/shadow = TemporaryVariable(^g, ^step) {shape: [8, 2], var_name: "./var/shadow"}
./var/copy = Assign(./var/shadow, ./now)
./apply = ApplyMomentum(./var/copy, m, a, g, a)
./var/new = DestroyTemporaryVariable(./apply) {var_name: "./var/shadow"}
"""
        + MASK
        + "t = Assign(w, ./kept, ^step) {use_locking: false}",
    ),
    "all entries of a resource": (
        H + "t = ResourceApplyAdagrad(w, m, a, g)",
        """
./now = ReadVariableOp(w, ^g)
./var/shadow = TemporaryVariable(^g) {shape: [8, 2], var_name: "./var/shadow"}
./var/copy = Assign(./var/shadow, ./now)
./accum/now = ReadVariableOp(m, ^g)
./accum/shadow = TemporaryVariable(^g) {shape: [8, 2], var_name: "./accum/shadow"}
./accum/copy = Assign(./accum/shadow, ./accum/now)
./apply = ApplyAdagrad(./var/copy, ./accum/copy, a, g)
./var/new = DestroyTemporaryVariable(./apply) {var_name: "./var/shadow"}
"""
        + MASK
        + """
./accum/new = DestroyTemporaryVariable(./accum/copy, ^./apply) {var_name: "./accum/shadow"}
./accum/write = AssignVariableOp(m, ./accum/new)
"""
        + "t = AssignVariableOp(w, ./kept, ^./accum/write)",
    ),
    "the rows of a batch": (
        W + "t = SparseApplyAdagrad(w, m, a, g, ids)",
        """
./flat = Const() {value: [-1]}
./given_ids = Reshape(ids, ./flat)
./ids = Unique(./given_ids)
./ids_shape = Shape(ids)
./places = Reshape(./ids:1, ./ids_shape)
./now = Gather(w, ./ids, ^g, ^ids)
./var/shadow = TemporaryVariable(^g, ^ids) {shape: [0, 2], var_name: "./var/shadow"}
./var/copy = Assign(./var/shadow, ./now) {validate_shape: false}
./accum/now = Gather(m, ./ids, ^g, ^ids)
./accum/shadow = TemporaryVariable(^g, ^ids) {shape: [0, 2], var_name: "./accum/shadow"}
./accum/copy = Assign(./accum/shadow, ./accum/now) {validate_shape: false}
./apply = SparseApplyAdagrad(./var/copy, ./accum/copy, a, g, ./places)
./var/new = DestroyTemporaryVariable(./apply) {var_name: "./var/shadow"}
"""
        + MASK.replace("./axis_1", "./columns/axis_1")
        + """
./accum/new = DestroyTemporaryVariable(./accum/copy, ^./apply) {var_name: "./accum/shadow"}
./accum/write = ScatterUpdate(m, ./ids, ./accum/new)
"""
        + "t = ScatterUpdate(w, ./ids, ./kept, ^./accum/write) {use_locking: false}",
    ),
}


@pytest.mark.parametrize(("text", "after"), WHOLE.values(), ids=WHOLE)
def test_all_that_is_added(text: str, after: str) -> None:
    draft = guard(text)
    lines = [line.replace("dtype: float32, ", "") for line in told(draft, draft.added_nodes())]
    assert [*lines, *told(draft, ["t"])] == [line for line in after.splitlines() if line]


ROWS_AND_COLUMNS = FreezePlan(freeze_rows={"w": "0:5"}, freeze_columns={"w": "0"})
ALL_THREE = FreezePlan(
    freeze_rows={"w": "0:5"},
    freeze_columns={"w": "0"},
    freeze_elements={"w": np.arange(16).reshape(8, 2) % 3 == 0},
)
MASKS = {
    "rows and columns of all": (
        ROWS_AND_COLUMNS,
        "Assign(w, g)",
        ["./is_trainable_1", "./axis_1/is_trainable"],
    ),
    "all three of all": (
        ALL_THREE,
        "Assign(w, g)",
        ["./is_trainable_1", "./axis_1/is_trainable", "./trainable_elements"],
    ),
    "rows and columns of a batch": (
        ROWS_AND_COLUMNS,
        "ScatterAdd(w, ids, g)",
        ["./rows/is_trainable_1", "./columns/axis_1/is_trainable"],
    ),
    "all three of a batch": (
        ALL_THREE,
        "ScatterAdd(w, ids, g)",
        ["./rows/is_trainable_1", "./columns/axis_1/is_trainable", "./elements"],
    ),
}


@pytest.mark.parametrize(("plan", "writer", "masks"), MASKS.values(), ids=MASKS)
def test_masks_are_put_together(plan: FreezePlan, writer: str, masks: list[str]) -> None:
    draft = guard(f"{W}t = {writer}", plan)
    graph, whole = draft.graph, draft.graph.data_inputs(KEPT)[0]
    found: list[str] = []
    while "is_trainable_in_all" in whole.node:
        whole, other = graph.data_inputs(whole.node)
        found.insert(0, str(other))
    assert [name.replace(f"{G}/", "./") for name in [str(whole), *found]] == masks


def test_ids_of_the_batch_decide_on_its_rows() -> None:
    lines = told(draft := guard(f"{W}t = ScatterAdd(w, ids, g)", ALL_THREE), draft.added_nodes())
    assert "./rows/is_trainable = GreaterEqual(./ids, ./rows/start_row)" in lines
    assert "./elements = Gather(./trainable_elements, ./ids)" in lines


@pytest.mark.parametrize("kind", ["VariableV2", "VarHandleOp"])
@pytest.mark.parametrize("writer", ["dense", "sparse"])
def test_a_large_mask_is_read_from_its_variable(kind: str, writer: str) -> None:
    text = f"""
w = {kind}() {{shape: [1100, 1000]}}
g = Placeholder()
ids = Placeholder() {{dtype: int64}}
trainable_variables: w
train_op: t
"""
    ops = {
        ("VariableV2", "dense"): "AssignSub(w, g)",
        ("VariableV2", "sparse"): "ScatterSub(w, ids, g)",
        ("VarHandleOp", "dense"): "AssignSubVariableOp(w, g)",
        ("VarHandleOp", "sparse"): "ResourceScatterSub(w, ids, g)",
    }
    mask = np.random.default_rng(0).random((1100, 1000)) < 0.5
    draft = guard(f"{text}t = {ops[kind, writer]}", FreezePlan(freeze_elements={"w": mask}))
    ref = draft.graph.data_inputs(KEPT)[0]
    if writer == "sparse":
        ref, ids = draft.graph.data_inputs(ref.node)
        assert str(ids) == f"{G}/ids"
    assert str(ref) == "w/graphfreeze/trainable_elements/read"


def test_writer_keeps_place_device_attributes_and_control_edges() -> None:
    text = W + 't = ApplyAdagrad(w, m, a, g, ^step) {_class: ["loc:@w"], use_locking: true}'
    draft = guard(text + " @ /gpu:0")
    after = 't = Assign(w, ./kept, ^step) {_class: ["loc:@w"]} @ /gpu:0'
    assert told(draft, ["t"]) == [after]
    assert {draft.graph.nodes[name].device for name in draft.added_nodes()} == {"/gpu:0"}


def test_an_assign_keeps_its_attributes() -> None:
    text = W + 't = Assign(w, g) {_class: ["loc:@w"], use_locking: false, validate_shape: false}'
    attrs = '{_class: ["loc:@w"], use_locking: false, validate_shape: false}'
    assert told(guard(text), ["t"]) == [f"t = Assign(w, ./kept) {attrs}"]


def test_writer_of_the_ref_that_another_writer_gives_back() -> None:
    text = W.replace("train_op: t", "train_op: last") + "t = Assign(w, g)\nlast = AssignAdd(t, g)"
    draft = guard(text)
    lines = [format_node(draft.graph.nodes[n]) for n in ("last/graphfreeze/now", "last")]
    assert lines == [
        "last/graphfreeze/now = Identity(t, ^g)",
        "last = Assign(t, last/graphfreeze/kept) {use_locking: false}",
    ]


def test_only_what_the_train_op_reaches_is_guarded() -> None:
    draft = guard(W + "t = Assign(w, g)\ninit = Assign(w, g)\nother = NoOp(^init)")
    assert draft.changed_nodes() == ["t"]


def test_each_variable_is_guarded_in_its_own_way() -> None:
    text = W.replace("train_op: t", "train_op: all").replace("variables: w", "variables: w, m")
    text += "t = ScatterSub(w, ids, g)\ns = ScatterSub(m, ids, g)\nall = NoOp(^s, ^t)"
    draft = guard(text, FreezePlan(freeze_columns={"w": "0"}, freeze_rows={"m": "0:5"}))
    assert [draft.graph.op(name) for name in "ts"] == ["ScatterUpdate", "ScatterSub"]


REFUSED = {
    "an unknown op": (W, "Mystery(w, g)", "Mystery"),
    "neither store nor update": (W, "SdcaShrinkL1(w) {num_features: 1}", "SdcaShrinkL1"),
    "in a loop": (W + 'e = RefEnter(w) {frame_name: "f"}\n', "AssignSub(e, g)", "AssignSub"),
    "resource, in a loop": (
        H + 'e = Enter(w) {frame_name: "f"}\n',
        "AssignSubVariableOp(e, g)",
        "AssignSubVariableOp",
    ),
    "resource, an unknown op": (H, "Mystery(w, g)", "Mystery"),
    "resource, no twin for refs": (
        H,
        "ResourceApplyKerasMomentum(w, m, a, g, a)",
        "ResourceApplyKerasMomentum",
    ),
    "resource, no twin for refs either": (
        H,
        "ResourceApplyAdamWithAmsgrad(w, m, v, u, a, a, a, a, a, a, g)",
        "ResourceApplyAdamWithAmsgrad",
    ),
}


@pytest.mark.parametrize(("tables", "writer", "op"), REFUSED.values(), ids=REFUSED)
def test_writer_that_cannot_be_guarded(tables: str, writer: str, op: str) -> None:
    message = f"node 't' writes 'w' with op {op}, which cannot be kept to some entries"
    with pytest.raises(RewriteError, match=message):
        guard(f"{tables}t = {writer}")


def changed(draft: Draft, name: str, slot: int, text: str) -> ReplaceNode:
    twin = NodeDef()
    twin.CopyFrom(draft.graph.nodes[name])
    twin.input[slot] = text
    return ReplaceNode(twin)


# What is broken in a guarded ScatterSub: a node, and which of its inputs is another.
BROKEN = {
    "the value stored": ("t", 2, "g"),
    "the ids stored at": ("t", 1, "ids"),
    "the mask": (KEPT, 0, "other"),
    "the values swapped": (KEPT, 2, f"{G}/ref/new"),
    "what the mask tests": (f"{G}/columns/axis_1/is_trainable", 1, "number"),
    "the rows read": (f"{G}/now", 1, "ids"),
    "the variable read": (f"{G}/now", 0, "m"),
}


@pytest.mark.parametrize(("node", "slot", "text"), BROKEN.values(), ids=BROKEN)
def test_verify_sees_a_broken_guard(node: str, slot: int, text: str) -> None:
    more = "other = Placeholder() {dtype: bool}\nnumber = Const() {dtype: int64, value: 0}\n"
    draft, selection = plan_of(f"{W}{more}t = ScatterSub(w, ids, g)")
    check = FilterUpdates(selection)
    assert check.verify(draft.base, draft) == "t writes w without a guard"
    run(draft, [check])
    assert check.verify(draft.base, draft) is None
    draft.apply(changed(draft, node, slot, text))
    assert check.verify(draft.base, draft) == "t writes w without a guard"


def test_verify_sees_the_mask_of_another_selection() -> None:
    draft, selection = plan_of(W + "t = AssignSub(w, g)")
    run(draft, [FilterUpdates(selection)])
    other = resolve(FreezePlan(freeze_columns={"w": "1"}), draft.variables, draft.graph)
    wrong = FilterUpdates(other).verify(draft.base, draft)
    assert wrong == "t writes w without a guard"


def test_verify_sees_a_further_writer() -> None:
    draft, selection = plan_of(W + "t = AssignSub(w, g)")
    run(draft, [FilterUpdates(selection)])
    types = {"T": AttrValue(type=1)}
    (w, g) = (draft.graph.data_inputs("t")[0], draft.graph.data_inputs(f"{G}/new")[1])
    draft.apply(AddNode("more", "AssignSub", (w, g), types))
    twin = NodeDef()
    twin.CopyFrom(draft.graph.nodes["t"])
    twin.input.append("^more")
    draft.apply(ReplaceNode(twin))
    wrong = FilterUpdates(selection).verify(draft.base, draft)
    assert wrong == "more writes w without a guard"
