import pytest

from graphfreeze.errors import RewriteError, SelectionError
from graphfreeze.forward.stop_gradient import StopGradient
from graphfreeze.model.names import parse_ref
from graphfreeze.model.sketch import format_node
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import AddNode, Reroute
from graphfreeze.rewrite.run import run
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.selection.resolve import Selection, resolve

FREE = "free = VariableV2() {shape: [2]}\n"
W = FREE + "w = VariableV2() {shape: [4, 2]}\nw/read = Identity(w)\nx = Placeholder()\n"
H = FREE + "w = VarHandleOp() {shape: [4, 2]}\nx = Placeholder()\n"
IDS = "ids = Placeholder() {dtype: int32}\n"
FILE = 'f = Const() {value: "f"}\n'
STOP = "w/read/graphfreeze/stop"


def plan_of(text: str, plan: FreezePlan) -> tuple[Draft, Selection]:
    draft = Draft(parse_sketch(text))
    return draft, resolve(plan, draft.variables, draft.graph)


def stop_gradients(text: str, plan: FreezePlan) -> Draft:
    draft, selection = plan_of(text, plan)
    run(draft, [StopGradient(selection)])
    return draft


def inputs(draft: Draft, name: str) -> str:
    return " ".join(draft.graph.nodes[name].input)


# sketch, then the inputs of some nodes when w is frozen
CASES = {
    "a read": (W + "y = MatMul(x, w/read)", {STOP: "w/read", "y": f"x {STOP}"}),
    "read twice by one node": (W + "y = Mul(w/read, w/read)", {"y": f"{STOP} {STOP}"}),
    "two readers share one stop": (
        W + "y = MatMul(x, w/read)\nz = L2Loss(w/read)",
        {"y": f"x {STOP}", "z": STOP},
    ),
    "a control edge stays on the read": (W + "y = MatMul(x, w/read)\nn = NoOp(^w/read)",
                                         {"n": "^w/read"}),
    "two reads have a stop each": (
        W + "again = Identity(w)\ny = MatMul(x, w/read)\nz = L2Loss(again)",
        {"y": f"x {STOP}", "z": "again/graphfreeze/stop"},
    ),
    "the ref itself is the read": (
        W + IDS + "y = Gather(w, ids)",
        {"y": "w/graphfreeze/stop ids", "w/graphfreeze/stop": "w", "w/read": "w"},
    ),
    "a saver keeps the ref": (
        W + FILE + "y = MatMul(x, w/read)\ns = SaveV2(f, f, f, w)\nt = SaveV2(f, f, f, w/read)",
        {"y": f"x {STOP}", "s": "f f f w", "t": "f f f w/read"},
    ),
    "a summary keeps the read": (
        W + FILE + "y = MatMul(x, w/read)\ns = HistogramSummary(f, w/read)", {"s": "f w/read"}
    ),
    "a writer keeps ref and read": (
        W + "y = MatMul(x, w/read)\na = Assign(w, x)\nb = AssignSub(w, d)\nd = Mul(w/read, x)",
        {"a": "w x", "d": "w/read x", "y": f"x {STOP}"},
    ),
    "another variable is left alone": (
        W + "free/read = Identity(free)\ny = MatMul(free/read, w/read)",
        {"y": f"free/read {STOP}"},
    ),
    "a resource": (
        H + "r = ReadVariableOp(w)\ny = MatMul(x, r)", {"y": "x r/graphfreeze/stop", "r": "w"}
    ),
    "a resource, one read a use": (
        H + "r = ReadVariableOp(w)\nq = ReadVariableOp(w)\ny = MatMul(q, r)",
        {"y": "q/graphfreeze/stop r/graphfreeze/stop"},
    ),
    "a lookup in a resource": (
        H + IDS + "l = ResourceGather(w, ids)\ny = L2Loss(l)",
        {"l": "w ids", "y": "l/graphfreeze/stop", "l/graphfreeze/stop": "l"},
    ),
    "a resource's own read for the saver": (
        H + FILE + "r = ReadVariableOp(w)\ns = SaveV2(f, f, f, r)", {"s": "f f f r"}
    ),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after"), CASES.values(), ids=CASES)
def test_frozen_variable(before: str, after: dict[str, str]) -> None:
    draft = stop_gradients(before, FreezePlan(freeze=("w",)))
    assert {name: inputs(draft, name) for name in after} == after


TENSORS = {
    "a tensor": ("h:0", {"h": "x w/read", "y": "h/graphfreeze/stop"}),
    "port 0 goes without saying": ("h", {"y": "h/graphfreeze/stop"}),
    "another port": ("s:1", {"a": "s", "b": "s/graphfreeze/stop_1", "s/graphfreeze/stop_1": "s:1"}),
}


@pytest.mark.parametrize(("tensor", "after"), TENSORS.values(), ids=TENSORS)
def test_named_tensor(tensor: str, after: dict[str, str]) -> None:
    text = W + "h = MatMul(x, w/read)\ny = L2Loss(h)\na = L2Loss(s)\nb = L2Loss(s:1)\n"
    text += "axis = Const() {value: 0}\ns = Split(axis, x) {num_split: 2}\n"
    draft = stop_gradients(text, FreezePlan(stop_gradient=(tensor,)))
    assert {name: inputs(draft, name) for name in after} == after


def test_a_tensor_that_nobody_takes_is_an_error() -> None:
    text = W + "h = MatMul(x, w/read)\ny = L2Loss(h)\n"
    with pytest.raises(SelectionError, match="nothing takes the tensor 'y:0' on to a loss"):
        stop_gradients(text, FreezePlan(stop_gradient=("y",)))


def test_new_node_has_type_and_device_of_the_read() -> None:
    text = FREE + "w = VariableV2() {dtype: float64, shape: []} @ /gpu:0\n"
    text += "w/read = Identity(w) @ /gpu:0\ny = Square(w/read)"
    draft = stop_gradients(text, FreezePlan(freeze=("w",)))
    (added,) = draft.added_nodes()
    assert format_node(draft.graph.nodes[added]) == f"{STOP} = StopGradient(w/read) @ /gpu:0"
    assert draft.graph.dtype(parse_ref(STOP)) == draft.graph.dtype(parse_ref("w"))


def test_nothing_is_added_where_no_gradient_could_flow() -> None:
    draft = stop_gradients(W + "n = NoOp(^w/read)", FreezePlan(freeze=("w",)))
    assert not draft.added_nodes()
    assert not draft.changed_nodes()


SABOTAGE = {
    "a stop passed by": (W + "y = MatMul(x, w/read)", STOP),
    "a lookup's stop passed by": (H + IDS + "l = ResourceGather(w, ids)\ny = L2Loss(l)",
                                  "l/graphfreeze/stop"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "stop"), SABOTAGE.values(), ids=SABOTAGE)
def test_verify_sees_a_consumer_that_passes_the_stop_by(text: str, stop: str) -> None:
    draft, selection = plan_of(text, FreezePlan(freeze=("w",)))
    run(draft, [StopGradient(selection)])
    (source,) = draft.graph.inputs(stop)
    for edge in draft.graph.edges_from(stop):
        draft.apply(Reroute(edge, source))
    wrong = StopGradient(selection).verify(draft.base, draft)
    assert wrong == f"y takes {source} past its StopGradient"


def test_a_model_cannot_be_frozen_over_its_own_stop() -> None:
    draft, selection = plan_of(W + "y = MatMul(x, w/read)", FreezePlan(freeze=("w",)))
    draft.apply(AddNode(STOP, "NoOp"))
    with pytest.raises(RewriteError, match="already has a node"):
        run(draft, [StopGradient(selection)])
