"""Variables that are handed to functions: the copies, and who calls them."""

import numpy as np
import pytest

from graphfreeze.errors import RewriteError
from graphfreeze.forward.freeze_functions import FreezeFunctions
from graphfreeze.forward.hold_masks import HoldMasks
from graphfreeze.forward.overlay_rows import OverlayRows
from graphfreeze.forward.stop_gradient import StopGradient
from graphfreeze.model.attrs import dtype_name, parse_shape, shape_proto
from graphfreeze.model.sketch import format_node
from graphfreeze.model.sketch_functions import format_function
from graphfreeze.prepare.recover_collections import RecoverCollections
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import AddFunction, AddGradient
from graphfreeze.rewrite.run import run
from graphfreeze.schema import TensorShapeProto
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.selection.resolve import resolve

W = "free = VarHandleOp() {shape: [2]}\nw = VarHandleOp() {shape: [8, 2]}\n"
W += "v = VarHandleOp() {shape: [8, 2]}\nx = Placeholder()\nids = Placeholder() {dtype: int32}\n"
W += "p = Placeholder() {dtype: bool}\nt = Placeholder() {dtype: string}\n"
CALL = W + "y = PartitionedCall(x, w) {Tout: [float32], f: %s}\n"
X, H = "x = _Arg()\n", "h = _Arg() {T: resource}\n"
READ = X + H + "r = ReadVariableOp(h)\nm = MatMul(x, r)\nreturn:y = _Retval(m)\n"
STOPPED = """x = _Arg()
h = _Arg() {T: resource}
r = ReadVariableOp(h)
m = MatMul(x, r/graphfreeze/stop)
r/graphfreeze/stop = StopGradient(r)
return:y = _Retval(m)
"""
NOT = X + H + "return:y = _Retval(x)\n"
FILE = 'f = Const() {value: "f"}\n'
LIBRARY = {
    "reads": READ,
    "ignores": NOT,
    "saves": X + H + FILE + "r = ReadVariableOp(h)\ns = SaveV2(f, f, f, r)\nreturn:y = _Retval(x)",
    "writes": X + H + "r = ReadVariableOp(h)\nm = Mul(r, x)\na = AssignVariableOp(h, m)\n"
    "return:y = _Retval(x)\n",
    "gives": X + H + "r = ReadVariableOp(h)\nreturn:y = _Retval(r)\n",
    "calls": X + H + "c = PartitionedCall(x, h) {Tout: [float32], f: reads}\n"
    "return:y = _Retval(c)\n",
    "is_called": X + H + "c = reads(x, h)\nreturn:y = _Retval(c)\n",
    "loops": X + H + "r = ReadVariableOp(h)\nm = MatMul(x, r)\nreturn:y = _Retval(m)\n"
    "return:h = _Retval(h)\n",
    "counts": "i = _Arg() {T: int32}\n" + X + H + "r = ReadVariableOp(h)\nm = MatMul(x, r)\n"
    "return:y = _Retval(m)\nreturn:h = _Retval(h)\n",
    "stays": X + H + "b = Const() {value: true}\nreturn:b = _Retval(b)\n",
    "two": X + H + "g = _Arg() {T: resource}\nr = ReadVariableOp(h)\nq = ReadVariableOp(g)\n"
    "m = Mul(r, q)\nreturn:y = _Retval(m)\n",
    "swaps": X + H + "g = _Arg() {T: resource}\nr = ReadVariableOp(g)\nm = Mul(x, r)\n"
    "return:y = _Retval(m)\nreturn:h = _Retval(g)\nreturn:g = _Retval(h)\n",
    "stay": X + H + "g = _Arg() {T: resource}\nb = Const() {value: true}\nreturn:b = _Retval(b)\n",
    "looks_up": "ids = _Arg() {T: int32}\n" + H + "l = ResourceGather(h, ids)\n"
    "return:y = _Retval(l)\n",
    "picks": "ids = _Arg() {T: int32}\n" + H + "l = ResourceGatherNd(h, ids) {batch_dims: 1}\n"
    "return:y = _Retval(l)\n",
    "first": H + "g = _Arg() {T: resource}\nreturn:y = _Retval(h)\n",
    "second": H + "g = _Arg() {T: resource}\nreturn:y = _Retval(g)\n",
    "one_of": "p = _Arg() {T: bool}\n" + H + "g = _Arg() {T: resource}\n"
    "c = StatelessIf(p, h, g) {Tout: [resource], then_branch: first, else_branch: second}\n"
    "r = ReadVariableOp(c)\nreturn:y = _Retval(r)\n",
    "again": X + H + "c = PartitionedCall(x, h) {Tout: [float32], f: again}\n"
    "return:y = _Retval(c)\n",
}  # fmt: skip
WHOLE = FreezePlan(freeze=("w",))
ROWS = FreezePlan(freeze_rows={"w": ":5"})


def freeze(text: str, plan: FreezePlan = WHOLE, **more: str) -> Draft:
    draft = Draft(parse_sketch(text, functions=LIBRARY | more))
    run(draft, [FreezeFunctions(resolve(plan, draft.variables, draft.graph))])
    return draft


def names(draft: Draft) -> list[str]:
    return [str(each.signature.name) for each in draft.added_functions]


def shown(draft: Draft, name: str) -> str:
    """Write a body, the new nodes last but for what is returned."""
    return format_function(draft.graph, name)


def test_a_body_is_stopped_in_a_copy() -> None:
    draft = freeze(CALL % "reads")
    assert names(draft) == ["reads__graphfreeze_1"]
    lines = shown(draft, "reads__graphfreeze_1").splitlines()
    assert sorted(lines) == sorted(STOPPED.splitlines())
    assert shown(draft, "reads") == READ
    assert draft.changed_nodes() == ["y"]
    assert "f: reads__graphfreeze_1" in format_node(draft.graph.nodes["y"])
    assert draft.base.graph.functions == {
        name: each for name, each in draft.graph.functions.items() if name in LIBRARY
    }


def stop_in(draft: Draft, name: str) -> bool:
    return "StopGradient" in shown(draft, f"{name}__graphfreeze_1")


STATE = "y = While(x, w) {T: [float32, resource], "
CALLS = {
    "a function as the op": ("y = reads(x, w)", ["reads"]),
    "a While, its cond too": (STATE + "cond: stays, body: loops}", ["loops", "stays"]),
    "an If, its other branch too": (
        "y = If(p, x, w) {Tout: [float32], then_branch: ignores, else_branch: reads}",
        ["reads", "ignores"],
    ),
    "a Case": (
        "y = Case(ids, x, w) {Tout: [float32], branches: [ignores, reads]}", ["ignores", "reads"]
    ),
    "a StatelessWhile": (
        "y = StatelessWhile(x, w) {T: [float32, resource], cond: stays, body: loops}",
        ["loops", "stays"],
    ),
    "a StatelessIf": (
        "y = StatelessIf(p, x, w) {Tout: [float32], then_branch: reads, else_branch: ignores}",
        ["ignores", "reads"],
    ),
    "a StatelessCase": (
        "y = StatelessCase(ids, x, w) {Tout: [float32], branches: [reads]}", ["reads"]
    ),
    "a StatefulPartitionedCall": (
        "y = StatefulPartitionedCall(x, w) {Tout: [float32], f: reads}", ["reads"]
    ),
    "a MapDefun, its handle captured": (
        "y = MapDefun(x, w) {Targuments: [float32], Tcaptured: [resource], "
        "output_types: [float32], output_shapes: [[2]], f: reads}", ["reads"]
    ),
    "a For, whose body counts first": (
        "y = For(ids, ids, ids, x, w) {T: [float32, resource], body: counts}", ["counts"]
    ),
    "a RemoteCall, whose target comes first": (
        "y = RemoteCall(t, x, w) {Tin: [float32, resource], Tout: [float32], f: reads}", ["reads"]
    ),
    "what is given back": ("y = PartitionedCall(x, w) {Tout: [float32], f: gives}", ["gives"]),
    "a call inside": (
        "y = PartitionedCall(x, w) {Tout: [float32], f: calls}", ["reads", "calls"]
    ),
    "a function as the op inside": ("y = is_called(x, w)", ["reads", "is_called"]),
    "only a saver": ("y = saves(x, w)", []),
    "only a writer": ("y = writes(x, w)", []),
    "nothing": ("y = ignores(x, w)", []),
    "a value": ("r = ReadVariableOp(w)\ny = MatMul(x, r)", []),
    "another variable": ("y = reads(x, v)", []),
    "no call": ('y = MapDataset(x, w) {f: reads, Targuments: [resource], '
                'output_types: [float32], output_shapes: [[2]]}', []),
    "gradients of a function": ("y = SymbolicGradient(x, w, x) {Tout: [float32, float32], "
                                "f: reads}", []),
}  # fmt: skip


@pytest.mark.parametrize(("line", "copied"), CALLS.values(), ids=CALLS)
def test_which_functions_are_copied(line: str, copied: list[str]) -> None:
    draft = freeze(W + line)
    assert names(draft) == [f"{name}__graphfreeze_1" for name in copied]
    assert draft.changed_nodes() == (["y"] if copied else [])
    stopped = [name for name in copied if stop_in(draft, name)]
    assert len(stopped) == (1 if copied else 0)
    called = {f"{name}__graphfreeze_1" for name in copied}
    text = format_node(draft.graph.nodes["y"])
    assert not copied or any(name in text for name in called)


def test_a_read_that_is_given_back_is_stopped_before() -> None:
    text = shown(freeze(W + "y = gives(x, w)"), "gives__graphfreeze_1")
    assert "return:y = _Retval(r/graphfreeze/stop)" in text


def test_equal_needs_share_a_copy() -> None:
    lines = W + "a = two(x, w, v)\nb = two(x, w, v)\nc = two(x, v, w)\nd = two(x, v, free)\n"
    draft = freeze(lines)
    ops = {name: str(draft.graph.nodes[name].op) for name in "abcd"}
    first, second = "two__graphfreeze_1", "two__graphfreeze_2"
    assert ops == {"a": first, "b": first, "c": second, "d": "two"}
    assert "Mul(r/graphfreeze/stop, q)" in shown(draft, first)
    assert "Mul(r, q/graphfreeze/stop)" in shown(draft, second)
    both = freeze(lines, FreezePlan(freeze=("w", "v")))
    assert [str(both.graph.nodes[name].op) for name in "abcd"] == [first, first, first, second]


def test_variables_with_the_same_rows_share_a_copy() -> None:
    lines = W + "a = looks_up(ids, w)\nb = looks_up(ids, v)\nc = looks_up(ids, v)\n"
    same = freeze(lines, FreezePlan(freeze_rows={"w": ":5", "v": ":5"}))
    assert names(same) == ["looks_up__graphfreeze_1"]
    others = freeze(lines, FreezePlan(freeze_rows={"w": ":5", "v": ":4"}))
    assert names(others) == ["looks_up__graphfreeze_1", "looks_up__graphfreeze_2"]


def test_a_lookup_is_masked_behind_it() -> None:
    draft = freeze(W + "y = looks_up(ids, w)", ROWS)
    text = shown(draft, "looks_up__graphfreeze_1")
    assert "l/graphfreeze/is_trainable = GreaterEqual(ids, l/graphfreeze/start_row)" in text
    assert "return:y = _Retval(l/graphfreeze/masked)" in text


def test_rows_are_scaled() -> None:
    scale = np.linspace(0.0, 1.0, 8)
    text = shown(
        freeze(W + "y = looks_up(ids, w)", FreezePlan(row_scale={"w": scale})),
        "looks_up__graphfreeze_1",
    )
    assert "return:y = _Retval(l/graphfreeze/scaled)" in text


def test_a_handle_that_comes_back_is_followed() -> None:
    call = "c = While(x, w) {T: [float32, resource], cond: stays, body: loops}\n"
    draft = freeze(W + call + "y = reads(x, c:1)\nr = ReadVariableOp(c:1)\nz = Neg(r)")
    run(draft, [StopGradient(resolve(WHOLE, draft.variables, draft.graph))])
    assert draft.graph.op("y") == "reads__graphfreeze_1"
    assert list(draft.graph.nodes["z"].input) == ["r/graphfreeze/stop"]


def test_an_old_training_keeps_its_functions() -> None:
    draft = Draft(parse_sketch(CALL % "reads", functions=LIBRARY))
    draft.graph.aside = frozenset({"y"})
    run(draft, [FreezeFunctions(resolve(WHOLE, draft.variables, draft.graph))])
    assert names(draft) == []


def test_a_copy_has_the_gradient_of_its_source() -> None:
    draft = Draft(parse_sketch(CALL % "calls", functions=LIBRARY))
    draft.apply(AddGradient("reads", "looks_up"))
    run(draft, [FreezeFunctions(resolve(WHOLE, draft.variables, draft.graph))])
    pairs = [(str(each.function_name), str(each.gradient_func)) for each in draft.gradients]
    assert pairs == [("reads", "looks_up"), ("reads__graphfreeze_1", "looks_up")]


def test_no_other_implementation_stands_in_for_a_copy() -> None:
    draft = Draft(parse_sketch(CALL % "reads", functions=LIBRARY))
    marked = draft.graph.functions["reads"]
    marked.attr["api_implements"].s = b"lstm"
    marked.attr["_noinline"].b = True
    run(draft, [FreezeFunctions(resolve(WHOLE, draft.variables, draft.graph))])
    assert list(draft.added_functions[0].attr) == ["_noinline"]


REFUSED = {
    "a reader": (
        W + "y = picks(ids, w)",
        ROWS,
        "in function 'picks', where 'w' is 'h': node 'l' reads 'h' with op ResourceGatherNd",
    ),
    "a function that calls itself": (
        CALL % "again", WHOLE, "function 'again' calls itself and hands 'w' on"
    ),
    "a loop that moves the handle": (
        W + "y = While(x, w, v) {T: [float32, resource, resource], cond: stay, body: swaps}",
        WHOLE, "loop 'y' hands 'w' on in the place of another variable"
    ),
    "a loop that moves the handle of rows": (
        W + "y = While(x, w, v) {T: [float32, resource, resource], cond: stay, body: swaps}",
        ROWS, "loop 'y' hands 'w' on in the place of another variable"
    ),
    "one of two handles": (
        W + "h = StatelessIf(p, w, v) {Tout: [resource], then_branch: first, else_branch: second}\n"
        "y = ReadVariableOp(h)",
        WHOLE, "node 'h' gives 'w' or 'v', and what is read behind it cannot be stopped for one"
    ),
    "one of two handles in a body": (
        W + "y = PartitionedCall(p, v, w) {Tout: [float32], f: one_of}",
        ROWS, "node 'c' gives 'w' or 'h'"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "plan", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_done(text: str, plan: FreezePlan, message: str) -> None:
    with pytest.raises(RewriteError, match=message):
        freeze(text, plan)


BIG = W + "big = VarHandleOp() {shape: [1048576, 2]}\n"
HELD = FreezePlan(freeze_elements={"big": np.arange(2 << 20).reshape(1 << 20, 2) % 3 == 0})
LED = "big/graphfreeze/trainable_elements/read"
TAKES = "ids = _Arg() {T: int32}\n" + H
HOLDERS = {
    "chooses": TAKES + "p = _Arg() {T: bool}\n"
    "c = If(p, ids, h) {Tout: [float32], then_branch: looks_up, else_branch: zeros, "
    "_lower: true}\nreturn:y = _Retval(c)\n",
    "zeros": TAKES + "z = Const() {value: 0.0}\nreturn:y = _Retval(z)\n",
    "runs": TAKES + "l = ResourceGather(h, ids)\nb = Neg(l)\nq = Mystery(b)\n"
    "return:ids = _Retval(ids)\nreturn:h = _Retval(h)\n",
    "ends": TAKES + "b = Const() {value: true}\nreturn:b = _Retval(b)\n",
}


def hold(line: str) -> Draft:
    draft = Draft(parse_sketch(BIG + line, functions=LIBRARY | HOLDERS))
    selection = resolve(HELD, draft.variables, draft.graph)
    run(draft, [HoldMasks(selection), FreezeFunctions(selection)])
    return draft


def arguments(draft: Draft, name: str) -> list[str]:
    signature = draft.graph.functions[f"{name}__graphfreeze_1"].signature
    return [str(arg.name) for arg in signature.input_arg]


def test_a_large_mask_is_led_into_a_function() -> None:
    draft = hold("y = PartitionedCall(ids, big, ^p) {Tout: [float32], f: looks_up}")
    assert list(draft.graph.nodes["y"].input) == ["ids", "big", LED, "^p"]
    types = draft.graph.nodes["y"].attr["Tin"].list.type
    assert [dtype_name(each) for each in types] == ["int32", "resource", "bool"]
    assert arguments(draft, "looks_up") == ["ids", "h", "graphfreeze_trainable_elements"]
    text = shown(draft, "looks_up__graphfreeze_1")
    assert "GatherV2(graphfreeze_trainable_elements, ids, " in text


def test_shapes_of_arguments_are_told_for_what_is_led_in_too() -> None:
    base = parse_sketch(BIG + "y = PartitionedCall(ids, big) {f: looks_up}", functions=LIBRARY)
    shapes = base.graph.functions["looks_up"].attr["_input_shapes"].list.shape
    shapes.extend([shape_proto((3,)), TensorShapeProto(unknown_rank=True)])
    draft = Draft(base)
    selection = resolve(HELD, draft.variables, draft.graph)
    run(draft, [HoldMasks(selection), FreezeFunctions(selection)])
    told = draft.graph.functions["looks_up__graphfreeze_1"].attr["_input_shapes"].list.shape
    assert list(told) == [*shapes, shape_proto((1 << 20, 2))]
    assert len(shapes) == 2


def test_a_large_mask_goes_through_branches() -> None:
    draft = hold("y = PartitionedCall(ids, big, p) {Tout: [float32], f: chooses}")
    assert arguments(draft, "chooses")[3:] == arguments(draft, "zeros")[2:]
    text = shown(draft, "chooses__graphfreeze_1")
    assert "If(p, ids, h, graphfreeze_trainable_elements)" in text
    assert "GatherV2" not in shown(draft, "zeros__graphfreeze_1")


def test_a_large_mask_goes_round_a_loop() -> None:
    line = "c = While(ids, big) {T: [int32, resource], cond: ends, body: runs, "
    draft = hold(line + "output_shapes: [[2], []]}")
    node = draft.graph.nodes["c"]
    assert list(node.input) == ["ids", "big", LED]
    assert [parse_shape(each) for each in node.attr["output_shapes"].list.shape] == [
        (2,),
        (),
        (1 << 20, 2),
    ]
    body, cond = (draft.graph.functions[f"{name}__graphfreeze_1"] for name in ("runs", "ends"))
    assert body.ret["graphfreeze_trainable_elements"] == "graphfreeze_trainable_elements"
    returned = [str(arg.name) for arg in body.signature.output_arg]
    assert returned == ["ids", "h", "graphfreeze_trainable_elements"]
    assert list(cond.ret) == ["b"]
    assert arguments(draft, "ends") == arguments(draft, "runs")


def test_a_large_mask_that_nobody_takes_stays_outside() -> None:
    draft = hold("y = PartitionedCall(ids, big) {Tout: [float32], f: zeros}")
    assert names(draft) == []


OVERLAY = FreezePlan(freeze_rows={"w": ":5"}, row_strategy="overlay")


def lay_over(line: str) -> Draft:
    draft = Draft(parse_sketch(W + "s = Const() {value: 0.0}\n" + line, functions=LIBRARY))
    selection = resolve(OVERLAY, draft.variables, draft.graph)
    run(draft, [RecoverCollections(), OverlayRows(selection), FreezeFunctions(selection)])
    return draft


def test_rows_are_laid_over_what_a_function_looks_up() -> None:
    draft = lay_over("y = PartitionedCall(ids, w) {Tout: [float32], f: looks_up}")
    assert list(draft.graph.nodes["y"].input) == ["ids", "w", "w/graphfreeze/rows"]
    (name,) = names(draft)
    assert [str(arg.name) for arg in draft.graph.functions[name].signature.input_arg] == [
        "ids",
        "h",
        "graphfreeze_rows",
    ]
    text = shown(draft, name)
    assert "ResourceGather(graphfreeze_rows, l/graphfreeze/local_ids)" in text
    assert "l/graphfreeze/stop = StopGradient(l)" in text
    assert "return:y = _Retval(l/graphfreeze/overlaid)" in text


def test_rows_are_laid_over_what_a_function_reads() -> None:
    draft = lay_over("y = PartitionedCall(x, w) {Tout: [float32], f: calls}")
    inner, outer = names(draft)
    text = shown(draft, inner)
    assert "h/graphfreeze/rows/read = ReadVariableOp(graphfreeze_rows)" in text
    assert "m = MatMul(x, r/graphfreeze/overlaid)" in text
    assert f"PartitionedCall(x, h, graphfreeze_rows) {{f: {inner}}}" in shown(draft, outer)


@pytest.mark.parametrize("outputs", [2, 1])
def test_gradients_of_a_loop_count_the_rows_in(outputs: int) -> None:
    line = STATE + f"cond: stays, body: loops, _num_original_outputs: {outputs}}}"
    if outputs == 1:  # the other one is of gradients that are gone
        with pytest.raises(RewriteError, match="loop 'y' was saved with what its gradients keep"):
            lay_over(line)
        return
    node = lay_over(line).graph.nodes["y"]
    assert len(node.attr["T"].list.type) == node.attr["_num_original_outputs"].i == 3


def test_no_rows_are_laid_over_what_nobody_reads() -> None:
    assert names(lay_over("y = ignores(x, w)")) == []


@pytest.mark.parametrize(("plan", "wrong"), [(WHOLE, "StopGradient"), (ROWS, "mask")])
def test_verify_looks_into_functions(plan: FreezePlan, wrong: str) -> None:
    draft = freeze(CALL % "calls", plan)
    rewrite = FreezeFunctions(resolve(plan, draft.variables, draft.graph))
    assert rewrite.verify(draft.base, draft) is None
    inner = draft.graph.functions["reads__graphfreeze_1"]
    draft.apply(AddFunction(draft.base.graph.functions["reads"]))
    again = type(inner)()
    again.CopyFrom(draft.base.graph.functions["reads"])
    again.signature.name = "reads__graphfreeze_1"
    draft.apply(AddFunction(again))
    told = rewrite.verify(draft.base, draft)
    assert told is not None
    assert told.startswith("m takes")
    assert wrong in told
    assert told.endswith("in function reads__graphfreeze_1")
