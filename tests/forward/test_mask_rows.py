import pytest

from graphfreeze.errors import RewriteError
from graphfreeze.forward.mask_rows import MaskRows
from graphfreeze.model.attrs import read_numbers
from graphfreeze.model.names import parse_ref
from graphfreeze.model.sketch import format_node
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import Reroute
from graphfreeze.rewrite.run import run
from graphfreeze.schema import CollectionDef, FunctionDef, WhileContextDef
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.selection.resolve import Selection, resolve

W = "w = VariableV2() {shape: [8, 2]}\nw/read = Identity(w)\nids = Placeholder() {dtype: int32}\n"
H = "w = VarHandleOp() {shape: [8, 2]}\nids = Placeholder() {dtype: int32}\n"
AXIS = "zero = Const() {value: 0}\none = Const() {value: 1}\n"
FILE = 'f = Const() {value: "f"}\n'
L = W + AXIS + "l = GatherV2(w/read, ids, zero)\n"
LAST_THREE = FreezePlan(train_rows={"w": "5:"})


def plan_of(text: str, plan: FreezePlan = LAST_THREE) -> tuple[Draft, Selection]:
    draft = Draft(parse_sketch(text))
    return draft, resolve(plan, draft.variables, draft.graph)


def mask_rows(text: str, plan: FreezePlan = LAST_THREE) -> Draft:
    draft, selection = plan_of(text, plan)
    run(draft, [MaskRows(selection)])
    return draft


def inputs(draft: Draft, name: str) -> str:
    return " ".join(draft.graph.nodes[name].input)


LOOKUP = """
l/graphfreeze/start_row = Const() {value: 5}
l/graphfreeze/is_trainable = GreaterEqual(ids, l/graphfreeze/start_row)
l/graphfreeze/axis_1 = Const() {value: -1}
l/graphfreeze/is_trainable_1 = ExpandDims(l/graphfreeze/is_trainable, l/graphfreeze/axis_1)
l/graphfreeze/mask = Cast(l/graphfreeze/is_trainable_1) {DstT: float32}
l/graphfreeze/one_mask = Const() {value: 1.0}
l/graphfreeze/trainable = Mul(l/graphfreeze/mask, l)
l/graphfreeze/rest = Sub(l/graphfreeze/one_mask, l/graphfreeze/mask)
l/graphfreeze/frozen = Mul(l/graphfreeze/rest, l)
l/graphfreeze/stop = StopGradient(l/graphfreeze/frozen)
l/graphfreeze/masked = Add(l/graphfreeze/trainable, l/graphfreeze/stop)
y = L2Loss(l/graphfreeze/masked)
"""
DENSE = """
w/read/graphfreeze/rows/start = Const() {dtype: int64, value: 0}
w/read/graphfreeze/rows/limit = Const() {dtype: int64, value: 8}
w/read/graphfreeze/rows/delta = Const() {dtype: int64, value: 1}
w/read/graphfreeze/rows = Range(w/read/graphfreeze/rows/start, w/read/graphfreeze/rows/limit, \
w/read/graphfreeze/rows/delta)
""" + LOOKUP.replace("l/graph", "w/read/graph").replace(", l)", ", w/read)").replace(
    "(ids,", "(w/read/graphfreeze/rows,"
).replace("{value: 5}", "{dtype: int64, value: 5}")
WHOLE = {
    "behind a lookup": (L + "y = L2Loss(l)", LOOKUP),
    "at a dense reader": (W + "y = L2Loss(w/read)", DENSE),
}


@pytest.mark.parametrize(("before", "after"), WHOLE.values(), ids=WHOLE)
def test_whole_mask(before: str, after: str) -> None:
    draft = mask_rows(before)
    names = draft.added_nodes() + draft.changed_nodes()
    told = [format_node(draft.graph.nodes[name]) for name in names]
    assert told == [line for line in after.splitlines() if line]


M, D = "l/graphfreeze/masked", "w/read/graphfreeze/masked"
# sketch, then what some nodes take when rows of w are frozen
PLACES = {
    "a lookup": (L + "y = L2Loss(l)", {"l": "w/read ids zero", "y": M}),
    "an old Gather": (W + "l = Gather(w/read, ids)\ny = L2Loss(l)", {"l": "w/read ids", "y": M}),
    "a Gather on the ref itself": (
        W + "l = Gather(w, ids)\ny = L2Loss(l)", {"l": "w ids", "y": M, "w/read": "w"}
    ),
    "a lookup through Identity": (
        W + "i = Identity(w/read)\nl = Gather(i, ids)\ny = L2Loss(l)",
        {"i": "w/read", "l": "i ids", "y": M},
    ),
    "two readers of a lookup share a mask": (
        L + "y = L2Loss(l)\nz = Square(l)", {"y": M, "z": M}
    ),
    "two lookups": (
        L + "k = Gather(w/read, one)\ny = Mul(l, k)", {"y": f"{M} k/graphfreeze/masked"}
    ),
    "a lookup along another axis": (
        W + AXIS + "l = GatherV2(w/read, ids, one)\ny = L2Loss(l)",
        {"l": "w/read ids one", "y": M},
    ),
    "a lookup along the last axis": (
        W + "last = Const() {value: -1}\nl = GatherV2(w/read, ids, last)\ny = L2Loss(l)",
        {"l": "w/read ids last", "y": M},
    ),
    "a lookup by batches": (
        W + AXIS + "l = GatherV2(w/read, ids, one) {batch_dims: 1}\ny = L2Loss(l)",
        {"l": "w/read ids one", "y": M},
    ),
    "a lookup through a cast": (
        W + "c = Cast(w/read) {DstT: float16}\nl = Gather(c, ids)\ny = L2Loss(l)",
        {"c": "w/read", "l": "c ids", "y": M},
    ),
    "a cast to integers has no gradient": (
        W + "c = Cast(w/read) {DstT: int32}\nl = Gather(c, ids)\ny = L2Loss(w/read)\nz = Abs(l)",
        {"c": "w/read", "l": "c ids", "z": "l", "y": D},
    ),
    "a lookup in a branch": (
        W + "p = Placeholder() {dtype: bool}\ns = Switch(w/read, p)\nl = Gather(s:1, ids)\n"
        "y = L2Loss(l)\nz = L2Loss(s)",
        {"s": "w/read p", "l": "s:1 ids", "y": M, "z": "s/graphfreeze/masked"},
    ),
    "dense readers in both branches": (
        W + "p = Placeholder() {dtype: bool}\ns = Switch(w/read, p)\ny = L2Loss(s:1)\n"
        "z = L2Loss(s)",
        {"y": "s/graphfreeze/port_1/masked", "z": "s/graphfreeze/masked"},
    ),
    "a slice": (
        W + "b = Const() {value: [2, 0]}\nn = Const() {value: [3, -1]}\n"
        "l = Slice(w/read, b, n)\ny = L2Loss(l)",
        {"l": "w/read b n", "y": M},
    ),
    "a strided slice": (
        W + "b = Const() {value: [2]}\ne = Const() {value: [5]}\ns = Const() {value: [1]}\n"
        "l = StridedSlice(w/read, b, e, s)\ny = L2Loss(l)",
        {"l": "w/read b e s", "y": M},
    ),
    "a slice with bounds that are fed": (
        W + "n = Const() {value: [3, -1]}\nl = Slice(w/read, ids, n)\ny = L2Loss(l)",
        {"l": f"{D} ids n", "y": "l"},
    ),
    "a lookup along an axis that is fed": (
        W + "a = Placeholder() {dtype: int32}\nl = GatherV2(w/read, ids, a)\ny = L2Loss(l)",
        {"l": f"{D} ids a"},
    ),
    "entries picked one by one": (
        W + "l = GatherNd(w/read, ids)\ny = L2Loss(l)", {"l": "w/read ids", "y": M}
    ),
    "entries of a resource": (
        H + "l = ResourceGatherNd(w, ids)\ny = L2Loss(l)", {"l": "w ids", "y": M}
    ),
    "batches of a resource": (
        H + "l = ResourceGather(w, ids) {batch_dims: 1}\ny = L2Loss(l)", {"l": "w ids", "y": M}
    ),
    "a dense reader": (W + "y = MatMul(x, w/read)\nx = Placeholder()", {"y": f"x {D}"}),
    "dense readers share a mask": (W + "y = L2Loss(w/read)\nz = Square(w/read)",
                                   {"y": D, "z": D}),
    "both ways: tied softmax": (L + "y = MatMul(l, w/read) {transpose_b: true}",
                                {"l": "w/read ids zero", "y": f"{M} {D}"}),
    "a read without readers": (L + "again = Identity(w)\ny = L2Loss(l)", {"again": "w", "y": M}),
    "control edges stay": (
        L + "y = L2Loss(l)\nz = L2Loss(w/read)\nn = NoOp(^w/read)\no = NoOp(^l)",
        {"n": "^w/read", "o": "^l", "y": M, "z": D},
    ),
    "savers and summaries keep the raw table": (
        L + FILE + "y = L2Loss(l)\nz = L2Loss(w/read)\ns = SaveV2(f, f, f, w)\n"
        "t = SaveV2(f, f, f, w/read)\nh = HistogramSummary(f, w/read)",
        {"s": "f f f w", "t": "f f f w/read", "h": "f w/read", "y": M, "z": D},
    ),
    "a writer keeps the raw table": (
        L + "y = L2Loss(l)\nd = Mul(w/read, rate)\nrate = Const()\na = AssignSub(w, d)",
        {"d": "w/read rate", "a": "w d", "y": M},
    ),
    "a lookup in a resource": (
        H + "l = ResourceGather(w, ids)\ny = L2Loss(l)", {"l": "w ids", "y": M}
    ),
    "a lookup in a read of a resource": (
        H + "r = ReadVariableOp(w)\nl = Gather(r, ids)\ny = L2Loss(l)", {"l": "r ids", "y": M}
    ),
    "a dense reader of a resource": (
        H + "r = ReadVariableOp(w)\ny = L2Loss(r)", {"y": "r/graphfreeze/masked"}
    ),
    "a resource both ways": (
        H + "r = ReadVariableOp(w)\nl = ResourceGather(w, ids)\ny = MatMul(l, r)",
        {"y": f"{M} r/graphfreeze/masked"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after"), PLACES.values(), ids=PLACES)
def test_place_of_the_mask(before: str, after: dict[str, str]) -> None:
    draft = mask_rows(before)
    assert {name: inputs(draft, name) for name in after} == after


TESTS = {
    "from the start": (":5", "Less", {"stop_row": [5]}),
    "to the end": ("5:", "GreaterEqual", {"start_row": [5]}),
    "few intervals of many rows": ("3:7,90:95", "Reshape", {"bounds": [3, 7, 90, 95]}),
    "one interval amid": ("3:7", "Reshape", {"bounds": [3, 7]}),
    "scattered rows": ("::2", "Gather", {"trainable_rows": [1, 0] * 50}),
}


@pytest.mark.parametrize("dtype", ["int32", "int64"])
@pytest.mark.parametrize(("rows", "op", "constants"), TESTS.values(), ids=TESTS)
def test_test_of_ids(rows: str, op: str, constants: dict[str, list[int]], dtype: str) -> None:
    text = L.replace("[8, 2]", "[100, 2]").replace("int32", dtype) + "y = L2Loss(l)"
    nodes = mask_rows(text, FreezePlan(train_rows={"w": rows})).graph.nodes
    assert nodes["l/graphfreeze/is_trainable"].op == op
    for role, values in constants.items():
        assert read_numbers(nodes[f"l/graphfreeze/{role}"].attr["value"].tensor).tolist() == values


SHAPES = {"a vector": ("[8]", 0), "a matrix": ("[8, 2]", 1), "four axes": ("[8, 2, 3, 4]", 3)}


@pytest.mark.parametrize(("shape", "axes"), SHAPES.values(), ids=SHAPES)
def test_mask_has_as_many_axes_as_the_table(shape: str, axes: int) -> None:
    draft = mask_rows(L.replace("[8, 2]", shape) + "y = L2Loss(l)")
    ops = [draft.graph.op(name) for name in draft.added_nodes()]
    assert ops.count("ExpandDims") == axes


def test_types_and_devices_are_those_of_the_reader() -> None:
    text = W.replace("[8, 2]}", "[8, 2], dtype: float64} @ /gpu:1")
    draft = mask_rows(text + "l = Gather(w/read, ids) @ /gpu:0\ny = L2Loss(l)\nz = L2Loss(w/read)")
    assert {draft.graph.nodes[name].device for name in draft.added_nodes()} == {"/gpu:0", "/gpu:1"}
    assert draft.graph.nodes[M].device == "/gpu:0"
    float64 = draft.graph.dtype(parse_ref("w"))
    assert [draft.graph.dtype(parse_ref(name)) for name in (M, D)] == [float64, float64]


def test_wholly_frozen_and_trainable_tables_have_no_mask() -> None:
    text = L + "y = L2Loss(l)\nv = VariableV2() {shape: [4]}\nv/read = Identity(v)"
    draft = mask_rows(text, FreezePlan(freeze=("v",)))
    assert not draft.added_nodes()


BODY = FunctionDef()
BODY.signature.name = "body"
BODY.signature.input_arg.add(name="handle", type=20)
REFUSED = {
    "a function": (
        H + "y = PartitionedCall(w) {f: body, Tout: [float32]}",
        "node 'y' reads 'w' with op PartitionedCall",
    ),
    "an unknown op": (H + "y = Mystery(w)", "node 'y' reads 'w' with op Mystery"),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_reader_that_no_mask_fits(text: str, message: str) -> None:
    with pytest.raises(RewriteError, match=message):
        mask_rows(text)


def while_context(*values: str) -> CollectionDef:
    context = WhileContextDef(context_name="loop", pivot_name="pivot")
    context.values_def.values.extend(values)
    raws = [context.SerializeToString()]
    return CollectionDef(bytes_list=CollectionDef.BytesList(value=raws))


LOOPS = {
    "a lookup of a ref": (
        W + 'e = RefEnter(w) {frame_name: "f"}\nr = Identity(e)\nl = Gather(r, ids)\ny = L2Loss(l)',
        ("e:0", "r:0", "l:0", "y:0"),
        "l",
    ),
    "a lookup of a read that enters": (
        W + 'e = Enter(w/read) {frame_name: "f"}\nl = Gather(e, ids)\ny = L2Loss(l)',
        ("e:0", "l:0", "y:0"),
        "l",
    ),
    "a dense reader of a ref": (
        W + 'e = RefEnter(w) {frame_name: "f"}\nr = Identity(e)\ny = L2Loss(r)',
        ("e:0", "r:0", "y:0"),
        "r",
    ),
    "a lookup of a resource": (
        H + 'e = Enter(w) {frame_name: "f"}\nl = ResourceGather(e, ids)\ny = L2Loss(l)',
        ("e:0", "l:0", "y:0"),
        "l",
    ),
}


@pytest.mark.parametrize(("text", "values", "where"), LOOPS.values(), ids=LOOPS)
def test_new_nodes_in_a_loop_join_its_context(
    text: str, values: tuple[str, ...], where: str
) -> None:
    model = parse_sketch(text, collections={"while_context": while_context(*values)})
    draft = Draft(model)
    run(draft, [MaskRows(resolve(LAST_THREE, draft.variables, draft.graph))])
    (raw,) = draft.collections["while_context"].bytes_list.value
    joined = set(WhileContextDef.FromString(raw).values_def.values)
    assert joined == {*values, *(f"{name}:0" for name in draft.added_nodes())}
    assert inputs(draft, "y") == f"{where}/graphfreeze/masked"
    constants = [name for name in draft.added_nodes() if draft.graph.op(name) == "Const"]
    assert {inputs(draft, name) for name in constants} == {f"^{where}"}


def test_table_that_enters_a_loop_for_a_dense_reader_is_masked_before_it() -> None:
    text = W + 'e = Enter(w/read) {frame_name: "f"}\nl = Gather(e, ids)\ny = L2Loss(e)'
    model = parse_sketch(text, collections={"while_context": while_context("e:0", "l:0", "y:0")})
    draft = Draft(model)
    run(draft, [MaskRows(resolve(LAST_THREE, draft.variables, draft.graph))])
    assert {name: inputs(draft, name) for name in "ely"} == {"e": D, "l": "e ids", "y": "e"}


SABOTAGE = {
    "behind a lookup": (L + "y = L2Loss(l)", M, "l"),
    "at a dense reader": (W + "y = L2Loss(w/read)", D, "w/read"),
    "in a resource": (H + "l = ResourceGather(w, ids)\ny = L2Loss(l)", M, "l"),
}


@pytest.mark.parametrize(("text", "masked", "raw"), SABOTAGE.values(), ids=SABOTAGE)
def test_verify_sees_a_mask_passed_by(text: str, masked: str, raw: str) -> None:
    draft, selection = plan_of(text)
    run(draft, [MaskRows(selection)])
    for edge in draft.graph.edges_from(masked):
        draft.apply(Reroute(edge, parse_ref(raw)))
    wrong = MaskRows(selection).verify(draft.base, draft)
    assert wrong == "y takes rows of w past their mask"
