"""No reader takes what is frozen past its stop or its mask."""

from pathlib import Path

import numpy as np
import pytest

import graphfreeze
from graphfreeze.check.proof.forward_proof import find_unmasked, find_unstopped, forward_graph
from graphfreeze.check.proof.values_at_rest import make_evaluator
from graphfreeze.forward.mask_rows import MaskRows
from graphfreeze.forward.stop_gradient import StopGradient
from graphfreeze.model.bodies import open_body
from graphfreeze.model.graph import Edge, Graph
from graphfreeze.model.names import TensorRef, parse_ref
from graphfreeze.model.unfolding import unfold
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import ReplaceNode, Reroute
from graphfreeze.rewrite.mask_kernels import Kernel
from graphfreeze.rewrite.run import run
from graphfreeze.rewrite.steps import LISTED
from graphfreeze.schema import FunctionDef, NodeDef, types_pb2
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.selection.resolve import Selection, resolve

MODEL = Path(__file__).parents[3] / "testdata" / "models" / "control_flow_v2"
ELEMENTS = np.arange(16).reshape(8, 2) % 3 == 0
PLANS = {
    "first rows": FreezePlan(freeze_rows={"w": "0:5"}),
    "some rows": FreezePlan(freeze_rows={"w": "1,3:5,7"}),
    "a column": FreezePlan(freeze_columns={"w": "0"}),
    "elements": FreezePlan(freeze_elements={"w": ELEMENTS}),
    "all of them": FreezePlan(
        freeze_rows={"w": "::2"}, freeze_columns={"w": "1"}, freeze_elements={"w": ELEMENTS}
    ),
}
LAST_THREE = FreezePlan(train_rows={"w": "5:"})


def chosen(text: str, plan: FreezePlan) -> tuple[Draft, Selection]:
    draft = Draft(parse_sketch(text))
    return draft, resolve(plan, draft.variables, draft.graph)


READERS = {
    "a lookup": "l = Gather(w/read, ids)",
    "a lookup of a column": "one = Const() {value: 1}\nl = GatherV2(w/read, ids, one)",
    "points": "l = GatherNd(w/read, points)",
    "a slice": "b = Const() {value: [1, 0]}\ne = Const() {value: [7, 1]}\nl = Slice(w/read, b, e)",
    "one row": "b = Const() {value: [3]}\ne = Const() {value: [0]}\nd = Const() {value: [1]}\n"
    "l = StridedSlice(w/read, b, e, d) {shrink_axis_mask: 1}",
    "all of it": "l = Tanh(w/read)",
    "both": "k = Gather(w/read, ids)\nl = MatMul(k, w/read) {transpose_b: true}",
    "through a cast": "c = Cast(w/read) {DstT: float16}\nl = Gather(c, ids)",
}
READ = (
    "w = VariableV2() {shape: [8, 2]}\nw/read = Identity(w)\nids = Placeholder() {dtype: int32}\n"
    "points = Placeholder() {dtype: int32, shape: [?, 2]}\n"
    "y = L2Loss(l)\nlosses: y:0\ntrainable_variables: w\n"
)


@pytest.mark.parametrize("kernel", ["multiply", "select"])
@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_masks_of_readers(reader: str, plan: FreezePlan, kernel: str) -> None:
    """Mask them, then lead each consumer past its mask."""
    draft, selection = chosen(READ + reader, plan)
    run(draft, [MaskRows(selection, {"w": Kernel(kernel)})])
    evaluator = make_evaluator(draft, LISTED, draft.graph)
    assert list(find_unmasked(draft.graph, selection, evaluator)) == []
    tests = [n for n in draft.added_nodes() if n.endswith("/masked")]
    assert tests
    for name in tests:
        tried = draft.copy()
        for edge in draft.graph.edges_from(name):
            place = parse_ref(name.partition("/graphfreeze/")[0])
            tried.apply(Reroute(edge, place))
            (wrong,) = find_unmasked(
                tried.graph, selection, make_evaluator(tried, LISTED, tried.graph)
            )
            assert wrong == f"{edge.consumer} takes rows of w past their mask"


def test_a_mask_that_lets_frozen_rows_pass() -> None:
    draft, selection = chosen(READ + READERS["a lookup"], LAST_THREE)
    run(draft, [MaskRows(selection)])
    bound = draft.graph.nodes["l/graphfreeze/start_row"]
    twin = NodeDef()
    twin.CopyFrom(bound)
    twin.attr["value"].tensor.tensor_content = np.int32(2).tobytes()
    draft.apply(ReplaceNode(twin))
    (wrong,) = find_unmasked(draft.graph, selection, make_evaluator(draft, LISTED, draft.graph))
    assert wrong == (
        "l/graphfreeze/trainable takes rows of w past their mask: its mask lets frozen entries "
        "pass, the first at [2, 0]"
    )


def test_a_stop_that_stops_nothing() -> None:
    text = "w = VariableV2() {shape: [4]}\nw/read = Identity(w)\ny = L2Loss(w/read)\nlosses: y:0"
    draft, selection = chosen(f"{text}\nv = VariableV2()", FreezePlan(freeze=("w",)))
    run(draft, [StopGradient(selection)])
    assert list(find_unstopped(draft.graph, selection)) == []
    past, other = draft.copy(), draft.copy()
    past.apply(Reroute(Edge("y", 0), TensorRef("w/read")))
    assert list(find_unstopped(past.graph, selection)) == ["y takes w/read past its StopGradient"]
    stop = "w/read/graphfreeze/stop"
    node = NodeDef(name=stop, op="Tanh", input=["w/read"])
    node.attr["T"].type = types_pb2.DT_FLOAT
    other.apply(ReplaceNode(node))
    assert list(find_unstopped(other.graph, selection)) == [
        f"{stop} takes w/read past its StopGradient"
    ]


NO_READERS = {
    "gradients of a train_op": "g = Mul(w/read, w/read)\nt = NoOp(^g)\ntrain_op: t",
    "gradients that an update waits for": "g = Mul(w/read, w/read)\nu = AssignAdd(v, one, ^g)\n"
    "t = NoOp(^u)\ntrain_op: t\nupdate_ops: u",
    "the value of an update": "g = Sqrt(w/read)\nu = Assign(w, g)\nt = NoOp(^u)\n"
    "train_op: t\nupdate_ops: u",
    "the value of an update, without a train_op": "g = Sqrt(w/read)\nu = Assign(w, g)\n"
    "update_ops: u",
}


@pytest.mark.parametrize("text", NO_READERS.values(), ids=NO_READERS)
def test_what_no_loss_takes_is_no_reader(text: str) -> None:
    v = "v = VariableV2() {shape: []}\none = Const() {value: 1.0}\n"
    draft, selection = chosen(READ + READERS["a lookup"] + f"\n{v}{text}", LAST_THREE)
    graph = forward_graph(draft, [], unfold(draft.graph))
    assert "g" not in graph
    (wrong,) = find_unmasked(graph, selection, make_evaluator(draft, LISTED, draft.graph))
    assert wrong == "y takes rows of w past their mask"


DENSE = """x = _Arg()
h = _Arg() {T: resource}
r = ReadVariableOp(h) {dtype: float32}
s = StopGradient(r)
m = MatMul(x, s)
return:m = _Retval(m)"""
ROUND = """x = _Arg()
h = _Arg() {T: resource}
zero = Const() {value: [0, 1]}
l = ResourceGather(h, zero) {dtype: float32}
s = StopGradient(l)
d = dense(s, h)
a = Add(x, d)
return:x = _Retval(a)
return:h = _Retval(h)"""
IS_DONE = """x = _Arg()
h = _Arg() {T: resource}
t = ReadVariableOp(h) {dtype: float32}
d = Cast(t) {DstT: bool}
return:d = _Retval(d)"""
LOOP = """w = VarHandleOp() {shape: [2, 2]}
x = Placeholder()
c = While(x, w) {cond: is_done, body: round}
loss = L2Loss(c)
v = VariableV2()
losses: loss:0
trainable_variables: w, v"""
UNSTOPPED = {
    "all are stopped": ("", "", []),
    "a read in a call in a loop": (
        "MatMul(x, s)", "MatMul(x, r)",
        ["c[body] > d > m takes c[body] > d > r past its StopGradient"],
    ),
    "a lookup in a loop": (
        "dense(s, h)", "dense(l, h)",
        ["c[body] > d > x takes c[body] > l past its StopGradient"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "wrong"), UNSTOPPED.values(), ids=UNSTOPPED)
def test_readers_in_functions(old: str, new: str, wrong: list[str]) -> None:
    functions = {"dense": DENSE, "round": ROUND, "is_done": IS_DONE}
    functions = {name: text.replace(old or "\0", new) for name, text in functions.items()}
    draft = Draft(parse_sketch(LOOP, functions=functions))
    selection = resolve(FreezePlan(freeze=("w",)), draft.variables, draft.graph)
    loss = TensorRef("loss")
    graph = forward_graph(draft, [loss], unfold(draft.graph))
    assert list(find_unstopped(graph, selection)) == wrong


def test_a_call_that_is_not_looked_into() -> None:
    functions = {"dense": DENSE, "round": ROUND, "is_done": IS_DONE}
    draft = Draft(parse_sketch(LOOP, functions=functions))
    selection = resolve(FreezePlan(freeze=("w",)), draft.variables, draft.graph)
    told = unfold(draft.graph, without=("dense",))
    graph = forward_graph(draft, [TensorRef("loss")], told)
    assert list(find_unstopped(graph, selection)) == [
        "what c[body] > d does with w cannot be looked into"
    ]


MASKED = """h = _Arg() {T: resource}
ids = _Arg() {T: int32}
l = ResourceGather(h, ids) {dtype: float32}
bound = Const() {value: 5}
is_free = GreaterEqual(ids, bound)
axis = Const() {value: -1}
wide = ExpandDims(is_free, axis)
s = StopGradient(l)
m = SelectV2(wide, l, s)
return:m = _Retval(m)"""
CALLED = """w = VarHandleOp() {shape: [8, 2]}
ids = Placeholder() {dtype: int32}
l = StatefulPartitionedCall(w, ids) {Tout: [float32], f: masked}
y = L2Loss(l)
losses: y:0
trainable_variables: w"""
UNMASKED = {
    "a mask": ("", "", []),
    "one that lets rows pass": (
        "value: 5", "value: 3",
        ["l > m takes rows of w past their mask: its mask lets frozen entries pass, the first at "
         "[3, 0]"],
    ),
    "none": ("_Retval(m)", "_Retval(l)", ["l -> 0 takes rows of w past their mask"]),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "wrong"), UNMASKED.values(), ids=UNMASKED)
def test_masks_in_functions(old: str, new: str, wrong: list[str]) -> None:
    functions = {"masked": MASKED.replace(old or "\0", new)}
    draft = Draft(parse_sketch(CALLED, functions=functions))
    selection = resolve(FreezePlan(freeze_rows={"w": "0:5"}), draft.variables, draft.graph)
    told = unfold(draft.graph)
    graph, evaluator = forward_graph(draft, [], told), make_evaluator(draft, LISTED, told.graph)
    assert list(find_unmasked(graph, selection, evaluator)) == wrong


def led_past(function: FunctionDef, name: str, graph: Graph) -> FunctionDef:
    """Let all in a body that takes a node take what that node takes first."""
    body = open_body(graph, function)
    (source, *_) = body.graph.data_inputs(name)
    while body.graph.op(source.node) in ("Mul", "Sub"):  # the product that a mask is added to
        source = body.graph.data_inputs(source.node)[0 if source.port else 1]
    for edge in body.graph.edges_from(name):
        node = NodeDef()
        node.CopyFrom(body.graph.nodes[edge.consumer])
        node.input[edge.slot] = str(source)
        body.graph.put(node)
    return body.written(str(function.signature.name))


REAL = {
    "whole": FreezePlan(freeze=("tags", "inner", "gate")),
    "rows": FreezePlan(freeze_rows={"tags": "0:7", "words": "1,4:9"}),
    "columns": FreezePlan(freeze_columns={"inner": "0"}, freeze_rows={"words": ":3"}),
}


@pytest.mark.parametrize("plan", REAL.values(), ids=REAL)
def test_functions_of_a_real_model(plan: FreezePlan) -> None:
    """Freeze it, then lead consumers in copies of functions past each stop and each mask."""
    frozen = graphfreeze.freeze(graphfreeze.load(MODEL), plan)
    draft, selection, loss = frozen.draft, frozen.selection, TensorRef("loss")

    def wrong() -> list[str]:
        told = unfold(draft.graph)
        graph, evaluator = (
            forward_graph(draft, [loss], told),
            make_evaluator(draft, LISTED, told.graph),
        )
        return [*find_unstopped(graph, selection), *find_unmasked(graph, selection, evaluator)]

    assert wrong() == []
    tried = 0
    for name in draft.graph.functions.keys() - draft.base.graph.functions.keys():
        function = draft.graph.functions[name]
        for node in function.node_def:
            if node.name.endswith(("/graphfreeze/stop", "/graphfreeze/masked")):
                draft.graph.functions[name] = led_past(function, node.name, draft.graph)
                assert any("past" in each for each in wrong()), (name, node.name)
                draft.graph.functions[name] = function
                tried += 1
    assert tried >= 3
