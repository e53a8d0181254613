"""What is found to be old training; how it is taken away is told in tests/prepare."""

import pytest

from graphfreeze.model.training import Training
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.schema import CollectionDef

FORWARD = """
x = Placeholder() {shape: [?, 4]}
zeros = Const() {shape: [4], value: 0.0}
w = VariableV2() {shape: [4]}
w/Assign = Assign(w, zeros)
w/read = Identity(w)
y = Mul(x, w/read)
axes = Const() {value: [0, 1]}
loss = Mean(y, axes)
init = NoOp(^w/Assign)
trainable_variables: w
"""
GRADIENT = """
g/shape = Const() {dtype: int32, shape: [0], value: []}
g/one = Const() {value: 1.0}
g/seed = Fill(g/shape, g/one)
g/y = Mul(g/seed, x)
g/w = Sum(g/y, g/axis)
g/axis = Const() {value: 0}
"""
SGD = """
lr = Const() {value: 0.1}
step = ApplyGradientDescent(w, lr, g/w)
train = NoOp(^step)
train_op: train
"""
G = "g/shape g/one g/seed g/y g/w g/axis"
TRAINED = FORWARD + GRADIENT + SGD
BY_SHAPE = TRAINED.replace(
    "g/shape = Const() {dtype: int32, shape: [0], value: []}", "g/shape = Shape(loss)"
)
LOOP = """
n/enter = Enter(n/zero) {frame_name: "f"}
n/zero = Const() {value: 0}
n/merge = Merge(n/enter, n/next)
n/switch = Switch(n/merge, n/more)
n/more = LoopCond(n/less)
n/less = Less(n/merge, n/most)
n/most = Const() {value: 3}
n/add = Add(n/switch:1, n/by)
n/by = Const() {value: 1}
n/next = NextIteration(n/add)
n/exit = Exit(n/switch)
"""
UP = """
f/enter = Enter(n/zero) {frame_name: "f"}
f/merge = Merge(f/enter, f/next)
f/switch = Switch(f/merge, n/more)
f/add = Add(f/switch:1, n/by)
f/next = NextIteration(f/add)
f/exit = Exit(f/switch)
"""
DOWN = """
b/enter = Enter(f/exit) {frame_name: "b"}
b/one = Enter(n/by) {frame_name: "b", is_constant: true}
b/merge = Merge(b/enter, b/next)
b/test = GreaterEqual(b/merge, b/one)
b/more = LoopCond(b/test)
b/switch = Switch(b/merge, b/more)
b/sub = Sub(b/switch:1, b/one)
b/next = NextIteration(b/sub)
b/exit = Exit(b/switch)
b/axis = Const(^b/sub) {value: 1}
b/idle = Neg(b/axis)
"""
B = " ".join(line.split(" = ")[0] for line in (UP + DOWN).split("\n") if line)
N = "enter zero merge switch more less most add by next exit"
COUNTED = TRAINED.replace("g/axis = Const() {value: 0}", "g/axis = Identity(n/exit)") + LOOP
LOOPED = TRAINED + LOOP + "count = Square(n/exit)\nlosses: count\n"

FOUND = {
    "nothing trains": (FORWARD, ""),
    "gradients without a writer": (FORWARD + GRADIENT, ""),
    "SGD": (TRAINED, f"{G} lr step train"),
    "without the collection train_op": (TRAINED.replace("train_op: train\n", ""),
                                        f"{G} lr step train"),
    "a loss whose shape gradients take": (BY_SHAPE, f"{G} lr step train"),
    "shapes and zeros that nobody used": (TRAINED + "g/idle = ZerosLike(y)\ng/size = Size(y)",
                                          f"{G} lr step train g/idle g/size"),
    "but not those of the model": (TRAINED.replace("axes =", "size = Shape(y)\naxes ="),
                                   f"{G} lr step train"),
    "a loop that only gradients needed": (
        COUNTED, f"{G} lr step train " + " ".join(f"n/{each}" for each in N.split())),
    "the end of a loop variable that the model needs": (
        COUNTED + "count = Square(n/add)\nlosses: count", f"{G} lr step train"),
    "a loop that the model needs too": (COUNTED + "count = Square(n/exit)\nlosses: count",
                                        f"{G} lr step train"),
    "a loop of gradients that nobody takes": (
        LOOPED + UP + DOWN, f"{G} lr step train {B}"),
    "but not one that the model names": (
        LOOPED + UP + DOWN + "losses: count, b/exit", f"{G} lr step train"),
    "nor what else takes of it": (
        LOOPED + UP + DOWN + "out = Neg(b/exit)", f"{G} lr step train"),
    "nor a loop that counts down what no loop counted": (
        LOOPED + DOWN.replace("f/exit", "n/zero"), f"{G} lr step train"),
    "the end of a loop variable that gradients alone take": (
        LOOPED + UP.replace("f/", "m/") + "g/idle = ZerosLike(m/exit)",
        f"{G} lr step train g/idle"),
    "shapes of which gradients took a part": (
        TRAINED.replace("g/axis = Const() {value: 0}", "g/rank = Rank(y)\n"
                        "g/axis = Sub(g/rank, g/rank)\ng/idle = Cast(g/rank) {DstT: int64}"),
        f"{G} lr step train g/rank g/idle"),
    "and no others": (TRAINED + "size = Size(x)\nbatch = Cast(size) {DstT: int64}",
                      f"{G} lr step train"),
    "a schedule": (TRAINED.replace("lr = Const() {value: 0.1}", "lr = Mul(lr/base, lr/rate)\n"
                                   "lr/base = Const()\nlr/rate = Const()"),
                   f"{G} lr lr/base lr/rate step train"),
    "a summary of the schedule stays": (TRAINED + 'tag = Const() {value: "t"}\n'
                                        "s = ScalarSummary(tag, lr)\nsummaries: s",
                                        f"{G} step train"),
    "a summary of a gradient stays": (TRAINED + 'tag = Const() {value: "t"}\n'
                                      "s = HistogramSummary(tag, g/y)\nsummaries: s",
                                      "g/w g/axis lr step train"),
    "the step's own counter": (TRAINED + "n = VariableV2() {dtype: int64, shape: []}\n"
                               "n/by = Const() {dtype: int64, value: 1}\n"
                               "n/add = AssignAdd(n, n/by, ^train)\nglobal_step: n",
                               f"{G} lr step train n/add n/by"),
    "an initializer is no training": (FORWARD + "again = Assign(w, zeros)", ""),
    "nor is one that draws numbers": (FORWARD + "draw = RandomUniform(zeros)\n"
                                      "again = Assign(w, draw)", ""),
    "decay that the train_op runs is": (
        FORWARD + "smaller = Mul(w/read, rate)\nrate = Const()\n"
                  "decay = AssignSub(w, smaller)\ntrain_op: decay", "smaller rate decay"),
    "a decay by itself is the user's own op": (
        FORWARD + "smaller = Mul(w/read, rate)\nrate = Const()\ndecay = AssignSub(w, smaller)", ""),
    "a train op under another key is training all the same": (
        TRAINED.replace("train_op: train", "optimizer: train"), f"{G} lr step train"),
    "an update that waits for the step stays": (
        TRAINED + "c = VariableV2() {shape: [4]}\nc/Assign = Assign(c, zeros)\nvariables: w, c\n"
                  "c/read = Identity(c)\nmean = AssignSub(c, w/read, ^step)\nupdate_ops: mean",
        f"{G} lr step train"),
    "nor does what describes a variable that stays": (
        TRAINED.replace("^step)", "^step, ^count)")
        + "n = VariableV2() {dtype: int64, shape: []}\nn/Assign = Assign(n, n/zero)\n"
          "n/zero = Const() {dtype: int64, value: 0}\nn/read = Identity(n)\n"
          "n/one = Const() {dtype: int64, value: 1}\nnext = Add(n/read, n/one)\n"
          "count = Assign(n, next)\nvariables: w, n\nglobal_step: n",
        f"{G} lr step train n/one next count"),
    "ones that a variable begins with are no gradient": (
        FORWARD.replace("zeros = Const() {shape: [4], value: 0.0}",
                        "size = Const() {dtype: int32, value: [4]}\none = Const() {value: 1.0}\n"
                        "ones = Fill(size, one)\nhalf = Const() {value: 0.5}\n"
                        "zeros = Mul(ones, half)"), ""),
    "nor where nothing describes the variable": (
        FORWARD.replace("zeros = Const() {shape: [4], value: 0.0}",
                        "size = Const() {dtype: int32, value: [4]}\none = Const() {value: 1.0}\n"
                        "zeros = Fill(size, one)").replace("trainable_variables: w\n", ""), ""),
    "gradients of what nobody asked for": (
        TRAINED + "g/x/of = Mul(g/seed, w/read)\ng/x = Sum(g/x/of, g/axis)",
        f"{G} lr step train g/x/of g/x"),
    "but not those that something else is for": (
        TRAINED + "g2/one = Const() {value: 1.0}\ng2/seed = Fill(g/shape, g2/one)\n"
        "saliency = Mul(g2/seed, w/read)", "g/one g/seed g/y g/w g/axis lr step train"),
    "nor a loss of labels that are filled with ones": (
        FORWARD + "size = Shape(x)\none = Const() {value: 1.0}\nones = Fill(size, one)\n"
        "far = Sub(y, ones)\nmore = Mean(far, axes)\n"
        + GRADIENT.replace("Mul(g/seed, x)", "Mul(g/seed, far)") + SGD, f"{G} lr step train"),
    "what an update reads of a resource that it has written": (
        FORWARD.replace("w = VariableV2() {", "w = VarHandleOp() {dtype: float32, ")
        .replace("Assign(w", "AssignVariableOp(w").replace("Identity(w)", "ReadVariableOp(w)")
        + GRADIENT + "m = VarHandleOp() {dtype: float32, shape: [4]}\nm/Assign = AssignVariableOp("
        "m, zeros)\nadd = AssignAddVariableOp(m, g/w)\nm/new = ReadVariableOp(m, ^add)\n"
        "step = AssignSubVariableOp(w, m/new)", f"{G} m m/Assign add m/new step"),
    "a writer that update_ops run stays": (
        FORWARD + "smaller = Mul(w/read, rate)\nrate = Const()\ndecay = AssignSub(w, smaller)\n"
        "update_ops: decay", ""),
}  # fmt: skip


def find(text: str, *kept: str) -> Training:
    model = parse_sketch(text)
    return Training(model.graph, model.collections, model.variables, model.header, kept).find()


@pytest.mark.parametrize(("text", "found"), FOUND.values(), ids=FOUND)
def test_found(text: str, found: str) -> None:
    assert sorted(find(text).found) == sorted(found.split())


KEPT = {
    "a tensor of the gradients": ("g/y:0", "g/w g/axis lr step train"),
    "the train_op, which waits for nothing then": ("train", f"{G} lr step"),
    "the loss, which stays anyhow": ("loss:0", f"{G} lr step train"),
}


@pytest.mark.parametrize(("kept", "found"), KEPT.values(), ids=KEPT)
def test_what_is_kept(kept: str, found: str) -> None:
    assert sorted(find(TRAINED, kept).found) == sorted(found.split())


# A variable s, how training uses it, and whether it is a slot.
S = "s = VariableV2() {shape: [4]}\ns/Assign = Assign(s, zeros)\ns/read = Identity(s)\n"
MOMENTUM = FORWARD + GRADIENT + "lr = Const() {value: 0.1}\n"
STEP = "step = ApplyMomentum(w, s, lr, g/w, lr)\n"
SLOTS = {
    "of an optimizer": (S + STEP, True),
    "in the collection of all variables": (S + STEP + "variables: w, s", True),
    "initialized by hand too": (S + STEP + "more = Assign(s, zeros)", True),
    "trainable": (S + STEP + "trainable_resource_variables: s", False),
    "in moving_average_variables": (S + STEP + "moving_average_variables: s", False),
    "read by the model": (S + STEP + "out = Square(s/read)", False),
    "looked at by a summary": (S + STEP + 'tag = Const() {value: "t"}\n'
                               "h = HistogramSummary(tag, s/read)", False),
    "not used by training": (S + "step = ApplyGradientDescent(w, lr, g/w)", False),
    "asked for its state by a report": (S + STEP + "is = IsVariableInitialized(s)\n"
                                        "report = LogicalNot(is)", True),
    "asked for it in a collection": (S + STEP + "is = IsVariableInitialized(s)\nready_op: is",
                                     True),
    "asked for it in a branch": (S + STEP + "p = Const() {value: true}\nb = RefSwitch(s, p)\n"
                                 "is = IsVariableInitialized(b:1)\nreport = LogicalNot(is)", False),
    "initialized by an init_op": (S + STEP + "all = NoOp(^w/Assign, ^s/Assign)\ninit_op: all",
                                  True),
    "its value in a collection": (S + STEP + "mine: s/read", False),
}  # fmt: skip


BOUND = {
    "looked at by a summary": (S + STEP + 'tag = Const() {value: "t"}\n'
                               "h = HistogramSummary(tag, s/read)", "s"),
    "its value in a collection": (S + STEP + "mine: s/read", "s"),
    "gone": (S + STEP, ""),
    "a variable that is trained, though nothing says so": (
        S + "v = Mul(w/read, s/read)\nmore = ApplyGradientDescent(s, lr, g/w)\n" + STEP, ""),
    "the same by hand": (
        S + "v = Mul(w/read, s/read)\nback = Mul(g/w, v)\nmore = AssignSub(s, back)\n"
        "step = ApplyGradientDescent(w, lr, g/w)\n", ""),
    "the same, behind an identity, as of a lookup": (
        S + "u = Mul(w/read, s/read)\nv = Identity(u)\nback = Mul(g/w, v)\n"
        "more = AssignSub(s, back)\nstep = ApplyGradientDescent(w, lr, g/w)\n", ""),
    "a counter": ("n = VariableV2() {dtype: int64, shape: []}\nn/read = Identity(n)\n"
                  "n/one = Const() {dtype: int64, value: 1}\nout = Square(n/read)\n"
                  "step = ApplyGradientDescent(w, lr, g/w)\n"
                  "count = AssignAdd(n, n/one, ^step)", ""),
}  # fmt: skip


@pytest.mark.parametrize(("text", "bound"), BOUND.values(), ids=BOUND)
def test_slots_that_stay(text: str, bound: str) -> None:
    assert [variable.name for variable in find(MOMENTUM + text).bound] == bound.split()


@pytest.mark.parametrize(("text", "is_slot"), SLOTS.values(), ids=SLOTS)
def test_slots(text: str, is_slot: bool) -> None:
    training = find(MOMENTUM + text)
    assert "step" in training.found
    assert ("s" in training.found) == is_slot


# A counter that training uses alone; TensorFlow up to 1.4 names a global step, and describes none.
COUNTER = """
n = VariableV2() {dtype: int64, shape: []}
n/one = Const() {dtype: int64, value: 1}
n/add = AssignAdd(n, n/one, ^step)
"""


@pytest.mark.parametrize(("listed", "is_slot"), [("n:0", False), ("", True)])
def test_a_global_step_that_is_only_named(listed: str, is_slot: bool) -> None:
    model = parse_sketch(TRAINED + COUNTER)
    entry = CollectionDef(node_list=CollectionDef.NodeList(value=listed.split()))
    collections = {**model.collections, "global_step": entry}
    training = Training(model.graph, collections, model.variables, model.header).find()
    assert ("n" in training.found) == is_slot


def test_a_global_step_by_its_name() -> None:
    counter = COUNTER.replace("n =", "global_step =").replace("(n,", "(global_step,")
    assert "global_step" not in find(TRAINED + counter).found
