import pytest

from graphfreeze.model import reads
from graphfreeze.model.graph import Graph
from graphfreeze.model.variables import Variable
from graphfreeze.read.sketch import parse_sketch

W = "w = VariableV2() {shape: [4, 2]}\nw/read = Identity(w)\nx = Placeholder()\n"
H = "w = VarHandleOp() {shape: [4, 2]}\nx = Placeholder()\n"
BARE = "w = VariableV2() {shape: [4, 2]}\nids = Placeholder() {dtype: int32}\nx = Placeholder()\n"
R = "r = ReadVariableOp(w)\n"
AXIS = "zero = Const() {value: 0}\n"


def model_of(text: str) -> tuple[Graph, Variable]:
    model = parse_sketch(text)
    return model.graph, next(v for v in model.variables if v.name == "w")


# handles, reads, resource lookups, writers
USES = {
    "ref, through Identity": (W + "y = MatMul(x, w/read)", "w", "w/read", "", ""),
    "ref, Gather on it": (BARE + "y = Gather(w, ids)", "w", "w", "", ""),
    "ref, GatherV2 on it": (BARE + AXIS + "y = GatherV2(w, ids, zero)", "w", "w", "", ""),
    "ref, both ways": (W + "y = MatMul(x, w)", "w", "w/read w", "", ""),
    "ref, two reads": (W + "again = Identity(w)", "w", "w/read again", "", ""),
    "ref, a read by control": (BARE + "y = NoOp(^w)", "w", "", "", ""),
    "ref, a branch": (BARE + "s = RefSwitch(w, p)\ny = MatMul(x, s:1)\np = Placeholder() "
                      "{dtype: bool}", "w s s:1", "s:1", "", ""),
    "ref, a loop": (BARE + 'e = RefEnter(w) {frame_name: "f"}\nr = Identity(e)', "w e", "r", "",
                    ""),
    "ref, RefIdentity": (BARE + "i = RefIdentity(w)\nr = Identity(i)", "w i", "r", "", ""),
    "ref, Assign": (W + "a = Assign(w, x)", "w", "w/read", "", "a"),
    "ref, Assign's value is no handle": (W + "a = Assign(w, x)\nb = Identity(a)", "w", "w/read",
                                         "", "a"),
    "ref, written in a row": (W + "a = Assign(w, x)\nb = AssignAdd(a, x)\nc = AssignSub(b, x)",
                              "w", "w/read", "", "a b c"),
    "ref, written in a row in a branch": (
        W + "a = Assign(w, x)\ns = RefSwitch(a, p)\nb = AssignAdd(s:1, x)\np = Placeholder() "
        "{dtype: bool}", "w", "w/read", "", "a b"),
    "ref, a slot is written in a row": (
        W + "v = VariableV2()\na = ApplyMomentum(v, w, x, x, x)\nb = AssignAdd(a, x)", "w",
        "w/read", "", "a"),
    "ref, an optimizer": (W + "a = ApplyGradientDescent(w, lr, x)\nlr = Const()", "w", "w/read",
                          "", "a"),
    "ref, in a slot's place": (W + "v = VariableV2()\na = ApplyMomentum(v, w, x, x, x)", "w",
                               "w/read", "", "a"),
    "ref, an unknown op": (W + "a = Mystery(x, w)", "w", "w/read", "", "a"),
    "ref, an unknown op of its value": (W + "a = Mystery(w/read)", "w", "w/read", "", ""),
    "ref, its state": (W + "a = IsVariableInitialized(w)", "w", "w/read", "", ""),
    "ref, saved": (W + "a = SaveV2(f, f, f, w)\nf = Const() {value: \"f\"}", "w", "w/read w", "",
                   ""),
    "resource": (H + R + "y = MatMul(x, r)", "w", "r", "", ""),
    "resource, one read a use": (H + R + "r2 = ReadVariableOp(w)", "w", "r r2", "", ""),
    "resource, lookup": (H + "y = ResourceGather(w, ids)\nids = Placeholder() {dtype: int64}", "w",
                         "", "y", ""),
    "resource, lookup of entries": (H + "y = ResourceGatherNd(w, ids)\nids = Placeholder() "
                                    "{dtype: int32}", "w", "", "y", ""),
    "resource, in a loop": (H + 'e = Enter(w) {frame_name: "f"}\nr = ReadVariableOp(e)', "w e", "r",
                            "", ""),
    "resource, in a branch": (H + "s = Switch(w, p)\nr = ReadVariableOp(s:1)\np = Placeholder() "
                              "{dtype: bool}", "w s s:1", "r", "", ""),
    "resource, Identity": (H + "i = Identity(w)\nr = ReadVariableOp(i)", "w i", "r", "", ""),
    "resource, Assign": (H + "a = AssignVariableOp(w, x)", "w", "", "", "a"),
    "resource, an optimizer": (H + "a = ResourceApplyGradientDescent(w, lr, x)\nlr = Const()", "w",
                               "", "", "a"),
    "resource, an unknown op": (H + "a = Mystery(w)", "w", "", "", "a"),
    "resource, its state": (H + "a = VarIsInitializedOp(w)\nb = VariableShape(w)", "w", "", "", ""),
    "resource, the shape of its handle": (H + "a = Shape(w)", "w", "", "", ""),
}  # fmt: skip


@pytest.mark.parametrize(("text", "handles", "read", "lookups", "writers"), USES.values(), ids=USES)
def test_uses(text: str, handles: str, read: str, lookups: str, writers: str) -> None:
    graph, variable = model_of(text)
    assert [str(ref) for ref in reads.handles(graph, variable)] == handles.split()
    assert [str(ref) for ref in reads.reads(graph, variable)] == read.split()
    assert reads.resource_lookups(graph, variable) == lookups.split()
    assert reads.writers(graph, variable) == writers.split()


AVERAGE = """
ema = VariableV2()
ema/read = Identity(ema)
decay = Const() {value: 0.1}
sub = Sub(ema/read, w/read)
mul = Mul(sub, decay)
move = AssignSub(ema, mul)
"""
NAMES = 'f = Const() {value: "f"}\n'
LOSS = "y = MatMul(x, w/read)\n"
# consumers of each read that can carry a gradient
FORWARD = {
    "a product": (W + LOSS, {"w/read": "y:1"}),
    "twice by one node": (W + "y = Mul(w/read, w/read)", {"w/read": "y:0 y:1"}),
    "two readers": (W + LOSS + "l2 = L2Loss(w/read)", {"w/read": "y:1 l2:0"}),
    "a control edge": (W + LOSS + "n = NoOp(^w/read)", {"w/read": "y:1"}),
    "a saver": (W + LOSS + NAMES + "s = SaveV2(f, f, f, w/read)", {"w/read": "y:1"}),
    "a saver of the ref": (W + LOSS + NAMES + "s = SaveV2(f, f, f, w)", {"w/read": "y:1", "w": ""}),
    "a summary": (W + LOSS + NAMES + "s = HistogramSummary(f, w/read)", {"w/read": "y:1"}),
    "a moving average": (W + LOSS + AVERAGE, {"w/read": "y:1"}),
    "a moving average that a loss reads": (
        W + LOSS + AVERAGE + "z = Square(sub)",
        {"w/read": "y:1 sub:1"},
    ),
    "another variable's initializer": (
        W + LOSS + "v = VariableV2()\na = Assign(v, w/read)",
        {"w/read": "y:1"},
    ),
    "its own decay": (
        W + LOSS + "d = Mul(w/read, rate)\nrate = Const()\na = AssignSub(w, d)",
        {"w/read": "y:1"},
    ),
    "an output nobody takes": (W + "out = Identity(w/read)", {"w/read": "out:0"}),
    "an unknown op": (W + "y = Mystery(w/read)", {"w/read": "y:0"}),
    "a lookup on the ref": (BARE + "y = Gather(w, ids)", {"w": "y:0"}),
    "a ref that is read and looked up": (
        W + LOSS + "ids = Const() {value: [1]}\nz = Gather(w, ids)\na = Assign(w, x)",
        {"w/read": "y:1", "w": "z:0"},
    ),
    "a resource": (H + R + "y = MatMul(x, r)", {"r": "y:1"}),
    "a resource saved, and averaged": (
        H + R + AVERAGE.replace("w/read", "r") + NAMES + "s = SaveV2(f, f, f, r)",
        {"r": ""},
    ),
    "a resource assigned to another": (
        H + R + "v = VarHandleOp()\na = AssignVariableOp(v, r)\nb = AssignAddVariableOp(v, r)",
        {"r": ""},
    ),
    "a resource written by slices": (
        H + R + "v = VarHandleOp()\na = ResourceStridedSliceAssign(v, i, i, i, r)\n"
        "i = Const() {value: [0]}",
        {"r": ""},
    ),
    "a branch of a ref": (
        BARE + "s = RefSwitch(w, p)\ny = MatMul(x, s:1)\np = Placeholder() {dtype: bool}",
        {"s:1": "y:1"},
    ),
}


@pytest.mark.parametrize(("text", "forward"), FORWARD.values(), ids=FORWARD)
def test_forward_edges(text: str, forward: dict[str, str]) -> None:
    graph, variable = model_of(text)
    found = {
        str(read): [f"{e.consumer}:{e.slot}" for e in reads.forward_edges(graph, read)]
        for read in reads.reads(graph, variable)
    }
    assert found == {read: edges.split() for read, edges in forward.items()}
