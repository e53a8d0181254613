from collections.abc import Mapping

import pytest

from graphfreeze.errors import RewriteError
from graphfreeze.forward.overlay_rows import OverlayRows
from graphfreeze.forward.stop_gradient import StopGradient
from graphfreeze.model.attrs import read_numbers
from graphfreeze.model.collected import node_entries, variable_entries
from graphfreeze.model.names import parse_ref
from graphfreeze.model.sketch import format_node
from graphfreeze.prepare.recover_collections import RecoverCollections
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import Reroute, SetValue
from graphfreeze.rewrite.run import run
from graphfreeze.schema import CollectionDef, CondContextDef, WhileContextDef
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.selection.resolve import Selection, resolve

LISTED = "variables: w\ntrainable_variables: w\n"
IDS = "ids = Placeholder() {dtype: int32}\n"
W = LISTED + IDS + "w = VariableV2() {shape: [8, 2]}\nw/read = Identity(w)\n"
H = LISTED + IDS + "w = VarHandleOp() {shape: [8, 2]}\n"
INIT = "w/value = Placeholder() {shape: [8, 2]}\nw/Assign = Assign(w, w/value)\n"
AXIS = "zero = Const() {value: 0}\none = Const() {value: 1}\n"
FILE = 'f = Const() {value: "f"}\n'
BRANCH = "p = Placeholder() {dtype: bool}\ns = Switch(w/read, p)\n"
L = W + AXIS + "l = GatherV2(w/read, ids, zero)\n"


def plan_of(rows: str) -> FreezePlan:
    return FreezePlan(train_rows={"w": rows}, row_strategy="overlay")


def selected(
    text: str, rows: str = "5:", collections: Mapping[str, CollectionDef] | None = None
) -> tuple[Draft, Selection]:
    draft = Draft(parse_sketch(text, collections=collections or {}))
    chosen = resolve(plan_of(rows), draft.variables, draft.graph, saver=draft.saver_ops)
    return draft, chosen


def overlay_rows(
    text: str, rows: str = "5:", collections: Mapping[str, CollectionDef] | None = None
) -> Draft:
    draft, selection = selected(text, rows, collections)
    run(draft, [OverlayRows(selection)])
    return draft


def inputs(draft: Draft, name: str) -> str:
    return " ".join(draft.graph.nodes[name].input)


def told(draft: Draft, where: str) -> list[str]:
    """Tell the new nodes of a scope."""
    names = [name for name in draft.added_nodes() if name.startswith(where)]
    return [format_node(draft.graph.nodes[name]) for name in names]


LOOKUP = """
l/graphfreeze/flat = Const() {value: [-1]}
l/graphfreeze/given_ids = Reshape(ids, l/graphfreeze/flat)
l/graphfreeze/start_row = Const() {value: 5}
l/graphfreeze/is_trainable = GreaterEqual(l/graphfreeze/given_ids, l/graphfreeze/start_row)
l/graphfreeze/places = Where(l/graphfreeze/is_trainable)
l/graphfreeze/trainable_places = Reshape(l/graphfreeze/places, l/graphfreeze/flat)
l/graphfreeze/trainable_ids = Gather(l/graphfreeze/given_ids, l/graphfreeze/trainable_places)
l/graphfreeze/first_row = Const() {value: 5}
l/graphfreeze/local_ids = Sub(l/graphfreeze/trainable_ids, l/graphfreeze/first_row)
l/graphfreeze/trainable = Gather(w/graphfreeze/rows/read, l/graphfreeze/local_ids)
l/graphfreeze/rows_shape = Const() {value: [-1, 2]}
l/graphfreeze/given_rows = Reshape(l, l/graphfreeze/rows_shape)
l/graphfreeze/count = Size(l/graphfreeze/given_ids)
l/graphfreeze/first = Const() {value: 0}
l/graphfreeze/step = Const() {value: 1}
l/graphfreeze/every_place = Range(l/graphfreeze/first, l/graphfreeze/count, l/graphfreeze/step)
l/graphfreeze/at = Cast(l/graphfreeze/trainable_places) {DstT: int32}
l/graphfreeze/stitched = DynamicStitch(l/graphfreeze/every_place, l/graphfreeze/at, \
l/graphfreeze/given_rows, l/graphfreeze/trainable)
l/graphfreeze/shape = Shape(l)
l/graphfreeze/overlaid = Reshape(l/graphfreeze/stitched, l/graphfreeze/shape)
"""
DENSE = """
r/count = Const() {value: 8}
r/first = Const() {value: 0}
r/step = Const() {value: 1}
r/every_place = Range(r/first, r/count, r/step)
r/at = Cast(w/graphfreeze/trainable/rows) {DstT: int32}
r/stitched = DynamicStitch(r/every_place, r/at, w/read, w/graphfreeze/rows/read)
r/shape = Const() {value: [8, 2]}
r/overlaid = Reshape(r/stitched, r/shape)
""".replace("r/", "w/read/graphfreeze/").replace(
    "w/graphfreeze/trainablew/read/graphfreeze/ows", "w/graphfreeze/trainable/rows"
)
VARIABLE = """
w/graphfreeze/trainable/rows/start = Const() {dtype: int64, value: 5}
w/graphfreeze/trainable/rows/limit = Const() {dtype: int64, value: 8}
w/graphfreeze/trainable/rows/delta = Const() {dtype: int64, value: 1}
w/graphfreeze/trainable/rows = Range(w/graphfreeze/trainable/rows/start, \
w/graphfreeze/trainable/rows/limit, w/graphfreeze/trainable/rows/delta)
w/graphfreeze/trainable/initial = Gather(w/value, w/graphfreeze/trainable/rows)
w/graphfreeze/merge = ScatterUpdate(w, w/graphfreeze/trainable/rows, w/graphfreeze/rows/read)
w/graphfreeze/rows = VariableV2() {dtype: float32, shape: [3, 2]}
w/graphfreeze/rows/read = Identity(w/graphfreeze/rows) {_class: ["loc:@w/graphfreeze/rows"]}
w/graphfreeze/rows/Assign = Assign(w/graphfreeze/rows, w/graphfreeze/trainable/initial) \
{_class: ["loc:@w/graphfreeze/rows"]}
"""
WHOLE = {
    "at a lookup": (L + "y = L2Loss(l)", "l/", LOOKUP),
    "at a dense reader": (W + "y = L2Loss(w/read)", "w/read/", DENSE),
    "the variable": (L + INIT + "y = L2Loss(l)", "w/", VARIABLE),
}


@pytest.mark.parametrize(("before", "where", "after"), WHOLE.values(), ids=WHOLE)
def test_whole_overlay(before: str, where: str, after: str) -> None:
    assert told(overlay_rows(before), where) == [line for line in after.splitlines() if line]


TOP, D, N = "l/graphfreeze/overlaid", "w/read/graphfreeze/overlaid", "l/graphfreeze/looked_up"
# sketch, then what some nodes take when rows of w are laid over it
PLACES = {
    "a lookup": (L + "y = L2Loss(l)", {"l": "w/read ids zero", "y": TOP}),
    "an old Gather": (W + "l = Gather(w/read, ids)\ny = L2Loss(l)", {"l": "w/read ids", "y": TOP}),
    "a Gather on the ref itself": (
        W + "l = Gather(w, ids)\ny = L2Loss(l)", {"l": "w ids", "y": TOP, "w/read": "w"}
    ),
    "a lookup through Identity": (
        W + "i = Identity(w/read)\nl = Gather(i, ids)\ny = L2Loss(l)",
        {"i": "w/read", "l": "i ids", "y": TOP, "i/graphfreeze/rows": "w/graphfreeze/rows/read"},
    ),
    "a lookup through a cast": (
        W + "c = Cast(w/read) {DstT: float16}\nl = Gather(c, ids)\ny = L2Loss(l)",
        {"y": TOP, "l/graphfreeze/trainable": "c/graphfreeze/rows l/graphfreeze/local_ids"},
    ),
    "two lookups": (
        L + "k = Gather(w/read, one)\ny = Mul(l, k)", {"y": f"{TOP} k/graphfreeze/overlaid"}
    ),
    "a lookup along another axis is a dense reader": (
        W + AXIS + "l = GatherV2(w/read, ids, one)\ny = L2Loss(l)", {"l": f"{D} ids one", "y": "l"}
    ),
    "a lookup by batches is a dense reader": (
        W + AXIS + "l = GatherV2(w/read, ids, one) {batch_dims: 1}\ny = L2Loss(l)",
        {"l": f"{D} ids one"},
    ),
    "entries picked one by one": (
        W + "l = GatherNd(w/read, ids)\ny = L2Loss(l)", {"l": f"{D} ids", "y": "l"}
    ),
    "a slice": (
        W + "b = Const() {value: [2, 0]}\nn = Const() {value: [3, -1]}\n"
        "l = Slice(w/read, b, n)\ny = L2Loss(l)",
        {"l": f"{D} b n", "y": "l"},
    ),
    "dense readers share an overlay": (
        W + "y = L2Loss(w/read)\nz = Square(w/read)", {"y": D, "z": D}
    ),
    "both ways: tied softmax": (
        L + "y = MatMul(l, w/read) {transpose_b: true}",
        {"l": "w/read ids zero", "y": f"{TOP} {D}"},
    ),
    "control edges stay": (
        L + "y = L2Loss(l)\nz = L2Loss(w/read)\nn = NoOp(^w/read)\no = NoOp(^l)",
        {"n": "^w/read", "o": "^l", "y": TOP, "z": D},
    ),
    "savers keep the table, summaries show the overlay": (
        L + FILE + "y = L2Loss(l)\ns = SaveV2(f, f, f, w)\nt = SaveV2(f, f, f, w/read)\n"
        "h = HistogramSummary(f, w/read)\nk = HistogramSummary(f, l)",
        {"s": "f f f w", "t": "f f f w/read", "h": f"f {D}", "k": f"f {TOP}", "y": TOP},
    ),
    "a value that no gradient comes to": (
        L + "c = Cast(w/read) {DstT: int32}\nz = Abs(c)\ny = L2Loss(l)\nlosses: z:0",
        {"c": "w/read", "z": "c/graphfreeze/overlaid"},
    ),
    "a copy that a step makes is one of the overlay, one that begins with the table is not": (
        L + "y = L2Loss(l)\nv = VariableV2() {shape: [8, 2]}\na = Assign(v, w/read)\n"
        "d = Sub(v, w/read)\nb = AssignSub(v, d)\nupdate_ops: b",
        {"a": "v w/read", "d": f"v {D}", "y": TOP},
    ),
    "a lookup in a branch": (
        W + BRANCH + "l = Gather(s:1, ids)\ny = L2Loss(l)",
        {
            "l": "s:1 ids",
            "s/graphfreeze/rows": "w/graphfreeze/rows/read p",
            "l/graphfreeze/trainable": "s/graphfreeze/rows:1 l/graphfreeze/local_ids",
            "y": TOP,
        },
    ),
    "dense readers in both branches": (
        W + BRANCH + "y = L2Loss(s:1)\nz = L2Loss(s)",
        {
            "y": "s/graphfreeze/port_1/overlaid",
            "z": "s/graphfreeze/overlaid",
            "s/graphfreeze/stitched": "s/graphfreeze/every_place s/graphfreeze/at s "
            "s/graphfreeze/rows",
        },
    ),
    "a lookup in a resource": (
        H + "l = ResourceGather(w, ids)\ny = L2Loss(l)",
        {"y": TOP, "l/graphfreeze/trainable": "w/graphfreeze/rows l/graphfreeze/local_ids"},
    ),
    "a lookup in a read of a resource": (
        H + "r = ReadVariableOp(w)\nl = Gather(r, ids)\ny = L2Loss(l)", {"l": "r ids", "y": TOP}
    ),
    "a dense reader of a resource": (
        H + "r = ReadVariableOp(w)\ny = L2Loss(r)", {"y": "r/graphfreeze/overlaid"}
    ),
    "entries of a resource": (
        H + "l = ResourceGatherNd(w, ids)\ny = L2Loss(l)", {"l": "w ids", "y": N, N: f"{TOP} ids"}
    ),
    "batches of a resource": (
        H + "l = ResourceGather(w, ids) {batch_dims: 1}\ny = L2Loss(l)",
        {"y": N, N: f"{TOP} ids l/graphfreeze/axis"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after"), PLACES.values(), ids=PLACES)
def test_place_of_the_overlay(before: str, after: dict[str, str]) -> None:
    draft = overlay_rows(before)
    assert {name: inputs(draft, name) for name in after} == after


LOCAL = {
    "from the start": (":5", "Sub", {"first_row": [0]}),
    "one interval": ("3:7", "Sub", {"first_row": [3]}),
    "few intervals": ("3:7,90:95,97", "Sub", {"starts": [3, 90, 97], "shifts": [0, 3, 86, 88]}),
    "scattered rows": (
        "::2", "Cast", {"places_of_rows": [number // 2 for number in range(100)]}
    ),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["int32", "int64"])
@pytest.mark.parametrize(("rows", "op", "constants"), LOCAL.values(), ids=LOCAL)
def test_place_of_an_id_among_the_rows(
    rows: str, op: str, constants: dict[str, list[int]], dtype: str
) -> None:
    text = L.replace("[8, 2]", "[100, 2]").replace("int32", dtype) + "y = L2Loss(l)"
    graph = overlay_rows(text, rows).graph
    assert graph.op("l/graphfreeze/local_ids") == op
    assert graph.dtype(parse_ref("l/graphfreeze/local_ids")) == graph.dtype(parse_ref("ids"))
    for role, values in constants.items():
        tensor = graph.nodes[f"l/graphfreeze/{role}"].attr["value"].tensor
        assert read_numbers(tensor).tolist() == values


SAVED = """
save/Const = Const() {value: "f"}
save/SaveV2/tensor_names = Const() {value: ["scope/p"]}
save/SaveV2/shape_and_slices = Const() {value: ["SLICE"]}
save/SaveV2 = SaveV2(save/Const, save/SaveV2/tensor_names, save/SaveV2/shape_and_slices, w)
save/control_dependency = Identity(save/Const, ^save/SaveV2)
save/RestoreV2 = RestoreV2(save/Const, save/SaveV2/tensor_names, save/SaveV2/shape_and_slices) \
{dtypes: [float32]}
save/Assign = Assign(w, save/RestoreV2)
save/restore_all = NoOp(^save/Assign)
saver: save
"""
KEYS = {
    "without a saver": ("", "w", "FromRows(key='w', rows=RowSet(5:8 of 8))"),
    "under another key": (
        SAVED.replace("SLICE", ""), "w", "FromRows(key='scope/p', rows=RowSet(5:8 of 8))"
    ),
    "a part": (
        SAVED.replace("SLICE", "20 2 4,8:0,2"),
        "scope/p",
        "FromRows(key='scope/p', rows=RowSet(9:12 of 20))",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("saver", "table", "source"), KEYS.values(), ids=KEYS)
def test_value_in_the_checkpoint(saver: str, table: str, source: str) -> None:
    draft = Draft(parse_sketch(L + "y = L2Loss(l)\n" + saver))
    rows = {table: "5:" if table == "w" else "9:12"}
    plan = FreezePlan(train_rows=rows, row_strategy="overlay")
    run(draft, [OverlayRows(resolve(plan, draft.variables, draft.graph, saver=draft.saver_ops))])
    (edit,) = [each for each in draft.value_edits if isinstance(each, SetValue)]
    assert (edit.key, str(edit.source)) == ("w/graphfreeze/rows", source)


def test_the_variable_learns_and_a_merge_is_listed() -> None:
    draft = overlay_rows(L + "y = L2Loss(l)")
    by_name = {variable.name: variable for variable in draft.variables}
    rows = by_name["w/graphfreeze/rows"]
    assert (rows.is_trainable, rows.kind, rows.shape) == (True, "ref", (3, 2))
    assert by_name["w"].is_trainable
    for key in ("variables", "trainable_variables"):
        names = [str(each.variable_name) for each in variable_entries(draft.collections, key)]
        assert names == ["w:0", "w/graphfreeze/rows:0"]
    assert node_entries(draft.collections, "graphfreeze_merge") == ["graphfreeze/merge"]
    assert inputs(draft, "graphfreeze/merge") == "^w/graphfreeze/merge"


INITIAL = {
    "what its description says": (L + INIT, "w/value"),
    "a resource": (H + INIT.replace("Assign(", "AssignVariableOp("), "w/value"),
    "none: the ref itself": (W, "w"),
    "none: a read of the resource": (H, "w/graphfreeze/trainable/value"),
}


@pytest.mark.parametrize(("text", "value"), INITIAL.values(), ids=INITIAL)
def test_initial_value(text: str, value: str) -> None:
    lookup = "ResourceGather(w, ids)" if "VarHandleOp" in text else "Gather(w, ids)"
    draft = overlay_rows(text + f"k = {lookup}\ny = L2Loss(k)")
    ids = "w/graphfreeze/trainable/rows"
    assert inputs(draft, "w/graphfreeze/trainable/initial") == f"{value} {ids}"


def test_bare_graph_begins_with_what_is_restored() -> None:
    text = L.removeprefix(LISTED) + "y = L2Loss(l)\n"
    draft = Draft(parse_sketch(text))
    selection = resolve(plan_of("5:"), draft.variables, draft.graph)
    run(draft, [RecoverCollections(), OverlayRows(selection)])
    initial = "w/graphfreeze/trainable/initial"
    assert inputs(draft, initial) == "graphfreeze/save/RestoreV2 w/graphfreeze/trainable/rows"
    assert {v.name: v.is_trainable for v in draft.variables} == {
        "w": True,
        "w/graphfreeze/rows": True,
    }


def test_types_and_devices_are_those_of_the_table_and_its_reader() -> None:
    text = W.replace("[8, 2]}", "[8, 2], dtype: float64} @ /gpu:1")
    text += "l = Gather(w/read, ids) @ /gpu:0\ny = L2Loss(l)\nz = L2Loss(w/read)"
    draft = overlay_rows(text)
    devices = {n: draft.graph.nodes[n].device for n in draft.added_nodes()}
    assert devices.pop("graphfreeze/merge") == ""
    assert {device for n, device in devices.items() if n.startswith("l/")} == {"/gpu:0"}
    assert {device for n, device in devices.items() if n.startswith("w/")} == {"/gpu:1"}
    float64 = draft.graph.dtype(parse_ref("w"))
    found = [draft.graph.dtype(parse_ref(name)) for name in (TOP, D, "w/graphfreeze/rows/read")]
    assert found == [float64] * 3


def test_table_of_its_own_for_each_of_two() -> None:
    text = L.replace(": w\n", ": w, v\n") + "v = VariableV2() {shape: [4]}\ny = L2Loss(l)\n"
    draft = Draft(parse_sketch(text + "v/read = Identity(v)\nk = Gather(v/read, ids)\nz = Abs(k)"))
    plan = FreezePlan(train_rows={"w": "5:", "v": "1"}, row_strategy="overlay")
    run(draft, [OverlayRows(resolve(plan, draft.variables, draft.graph))])
    assert inputs(draft, "graphfreeze/merge") == "^w/graphfreeze/merge ^v/graphfreeze/merge"
    assert [inputs(draft, name) for name in "yz"] == [TOP, "k/graphfreeze/overlaid"]
    listed = [str(v.variable_name) for v in variable_entries(draft.collections, "variables")]
    assert listed == ["w:0", "v:0", "w/graphfreeze/rows:0", "v/graphfreeze/rows:0"]


def test_nothing_is_added_where_nothing_is_overlaid() -> None:
    draft = Draft(parse_sketch(L + "y = L2Loss(l)"))
    plan = FreezePlan(train_rows={"w": "5:"})
    run(draft, [OverlayRows(resolve(plan, draft.variables, draft.graph))])
    assert not draft.added_nodes()
    assert "graphfreeze_merge" not in draft.collections


REFUSED = {
    "an unknown op": (H + "y = Mystery(w)", "node 'y' reads 'w' with op Mystery"),
    "a writer that a step runs": (
        L + "y = L2Loss(l)\na = AssignSub(w, l)\nupdate_ops: a",
        "node 'a' writes 'w' in each step, with op AssignSub, and an overlay would hide",
    ),
    "a part that holds columns": (
        L + "y = L2Loss(l)\n" + SAVED.replace("SLICE", "8 4 0,8:2,2"),
        "part 'w' of 'scope/p' holds some columns only",
    ),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_what_no_overlay_fits(text: str, message: str) -> None:
    draft = Draft(parse_sketch(text))
    table = "scope/p" if "SaveV2" in text else "w"
    plan = FreezePlan(train_rows={table: "5:"}, row_strategy="overlay")
    selection = resolve(plan, draft.variables, draft.graph, saver=draft.saver_ops)
    with pytest.raises(RewriteError, match=message):
        run(draft, [OverlayRows(selection)])


def while_context(external: str, *values: str) -> CollectionDef:
    context = WhileContextDef(context_name="loop", pivot_name="pivot")
    context.values_def.values.extend([external, "e:0", *values])
    context.values_def.external_values[external] = "e:0"
    raws = [context.SerializeToString()]
    return CollectionDef(bytes_list=CollectionDef.BytesList(value=raws))


E = 'e = {}({}) {{frame_name: "f", is_constant: true}}\n'
LOOPS = {
    "a lookup of a ref": (
        W + E.format("RefEnter", "w") + "r = Identity(e)\nl = Gather(r, ids)\ny = L2Loss(l)",
        "w:0",
        ("r:0", "l:0", "y:0"),
        "l",
    ),
    "a lookup of a read that enters": (
        W + E.format("Enter", "w/read") + "l = Gather(e, ids)\ny = L2Loss(l)",
        "w/read:0",
        ("l:0", "y:0"),
        "l",
    ),
    "a dense reader of a ref": (
        W + E.format("RefEnter", "w") + "r = Identity(e)\ny = L2Loss(r)",
        "w:0",
        ("r:0", "y:0"),
        "r",
    ),
    "a lookup of a resource": (
        H + E.format("Enter", "w") + "l = ResourceGather(e, ids)\ny = L2Loss(l)",
        "w:0",
        ("l:0", "y:0"),
        "l",
    ),
    "a dense reader of a resource": (
        H + E.format("Enter", "w") + "r = ReadVariableOp(e)\ny = L2Loss(r)",
        "w:0",
        ("r:0", "y:0"),
        "r",
    ),
}


@pytest.mark.parametrize(("text", "external", "values", "where"), LOOPS.values(), ids=LOOPS)
def test_rows_enter_a_loop_as_their_table_does(
    text: str, external: str, values: tuple[str, ...], where: str
) -> None:
    contexts = {"while_context": while_context(external, *values)}
    draft = overlay_rows(text, collections=contexts)
    (raw,) = draft.collections["while_context"].bytes_list.value
    listed = WhileContextDef.FromString(raw).values_def
    twin = external.replace("w", "w/graphfreeze/rows", 1)
    entered = "e/graphfreeze/rows:0"
    assert dict(listed.external_values) == {external: "e:0", twin: entered}
    inside = [n for n in draft.added_nodes() if n.startswith((f"{where}/", "r/"))]
    added = {twin, entered, *(f"{name}:0" for name in inside)}
    assert sorted(listed.values) == sorted({external, "e:0", *values, *added})
    assert inputs(draft, "y") == f"{where}/graphfreeze/overlaid"
    assert inputs(draft, "e/graphfreeze/rows") == twin.removesuffix(":0")
    constants = [name for name in inside if draft.graph.op(name) == "Const"]
    assert {inputs(draft, name) for name in constants} == {f"^{where}"}


def test_rows_enter_a_branch_inside_a_loop() -> None:
    context = WhileContextDef(context_name="loop", pivot_name="pivot")
    context.values_def.values.extend(["w/read:0", "e:0", "s:1", "l:0", "y:0"])
    context.values_def.external_values["w/read:0"] = "e:0"
    branch = CondContextDef(context_name="branch", pivot_name="t", pred_name="p:0", branch=1)
    branch.values_def.values.extend(["w/read:0", "e:0", "s:1", "l:0", "y:0"])
    branch.values_def.external_values["w/read:0"] = "s:1"
    context.nested_contexts.add().cond_ctxt.CopyFrom(branch)
    listed = CollectionDef.BytesList(value=[context.SerializeToString()])
    text = W + E.format("Enter", "w/read") + "p = Placeholder() {dtype: bool}\n"
    text += "s = Switch(e, p)\nl = Gather(s:1, ids)\ny = L2Loss(l)"
    draft = overlay_rows(text, collections={"while_context": CollectionDef(bytes_list=listed)})
    (raw,) = draft.collections["while_context"].bytes_list.value
    loop = WhileContextDef.FromString(raw)
    inner = loop.nested_contexts[0].cond_ctxt.values_def
    twin = "w/graphfreeze/rows/read:0"
    assert loop.values_def.external_values[twin] == "e/graphfreeze/rows:0"
    assert inner.external_values[twin] == "s/graphfreeze/rows:1"
    for values in (loop.values_def.values, inner.values):
        assert {"s/graphfreeze/rows:1", f"{TOP}:0", "l/graphfreeze/flat:0"} <= set(values)


def test_table_that_enters_a_loop_for_a_dense_reader_is_overlaid_before_it() -> None:
    text = W + E.format("Enter", "w/read") + "l = Gather(e, ids)\ny = L2Loss(e)"
    contexts = {"while_context": while_context("w/read:0", "y:0")}
    draft = overlay_rows(text, collections=contexts)
    assert {name: inputs(draft, name) for name in "ely"} == {"e": D, "l": "e ids", "y": "e"}
    assert draft.collections["while_context"] == contexts["while_context"]


def test_gradients_stop_between_the_table_and_its_overlay() -> None:
    draft, selection = selected(L + "y = MatMul(l, w/read)")
    run(draft, [OverlayRows(selection), StopGradient(selection)])
    stop = "w/read/graphfreeze/stop"
    assert inputs(draft, "l") == f"{stop} ids zero"
    assert inputs(draft, "w/read/graphfreeze/stitched").split()[2] == stop
    assert inputs(draft, "y") == f"{TOP} {D}"


SABOTAGE = {
    "behind a lookup": (L + "y = L2Loss(l)", TOP, "l"),
    "at a dense reader": (W + "y = L2Loss(w/read)", D, "w/read"),
    "in a resource": (H + "l = ResourceGather(w, ids)\ny = L2Loss(l)", TOP, "l"),
    "entries of a resource": (H + "l = ResourceGatherNd(w, ids)\ny = L2Loss(l)", N, "l"),
}


@pytest.mark.parametrize(("text", "overlaid", "raw"), SABOTAGE.values(), ids=SABOTAGE)
def test_verify_sees_an_overlay_passed_by(text: str, overlaid: str, raw: str) -> None:
    draft, selection = selected(text)
    run(draft, [OverlayRows(selection)])
    for edge in draft.graph.edges_from(overlaid):
        draft.apply(Reroute(edge, parse_ref(raw)))
    wrong = OverlayRows(selection).verify(draft.base, draft)
    assert wrong == "y takes rows of w past their overlay"


def test_verify_sees_a_step_that_merges() -> None:
    draft, selection = selected(L + "y = L2Loss(l, ^n)\nn = NoOp(^w/read)\nlosses: y:0")
    run(draft, [OverlayRows(selection)])
    (edge,) = [each for each in draft.graph.edges_from("w/read") if each.consumer == "n"]
    draft.apply(Reroute(edge, parse_ref("^graphfreeze/merge")))
    wrong = OverlayRows(selection).verify(draft.base, draft)
    assert wrong == "a step reaches w/graphfreeze/merge, which writes w under its overlay"
