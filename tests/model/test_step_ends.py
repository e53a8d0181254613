"""What runs a training step, whatever collections say, and what only gives first values."""

import pytest

from graphfreeze.errors import PatchError
from graphfreeze.model.step_ends import StepEnds
from graphfreeze.model.training import Training
from graphfreeze.read.sketch import parse_sketch

MODEL = """
x = Placeholder() {shape: [4]}
zeros = Const() {shape: [4], value: 0.0}
w = VariableV2() {shape: [4]}
w/Assign = Assign(w, zeros)
w/read = Identity(w)
v = VariableV2() {shape: [4]}
v/Assign = Assign(v, zeros)
v/read = Identity(v)
init = NoOp(^w/Assign, ^v/Assign)
"""
LISTED = "variables: w, v\n"
SAVER = """
save/Const = Const() {value: "model"}
save/names = Const() {value: ["v", "w"]}
save/slices = Const() {value: ["", ""]}
save/SaveV2 = SaveV2(save/Const, save/names, save/slices, v, w)
save/RestoreV2 = RestoreV2(save/Const, save/names, save/slices) {dtypes: [float32, float32]}
save/Assign = Assign(v, save/RestoreV2)
save/Assign_1 = Assign(w, save/RestoreV2:1)
save/restore_all = NoOp(^save/Assign, ^save/Assign_1)
"""
STEP = "move = AssignSub(w, x)\nt = NoOp(^move)\n"

# more nodes, then the ends that run steps
ENDS = {
    "initializers": ("", ""),
    "initializers, restore ops and savers": (SAVER, ""),
    "a step": (STEP, "t"),
    "a step that no collection lists, and one that does": (STEP + "train_op: t\n", "t"),
    "two steps": (STEP + "other = AssignAdd(v, x)\nu = NoOp(^other)", "t u"),
    "a step that runs another": (STEP + "other = AssignAdd(v, x)\nu = NoOp(^other, ^t)", "u"),
    "two ends of one step": (STEP + "y = Identity(x, ^move)", "t"),
    "an end by data": ("move = AssignSub(w, x)\ny = L2Loss(move)", "y"),
    "a value from outside": ("load = Assign(w, x)", ""),
    "rows from outside": ("i = Const() {value: [0]}\nload = ScatterUpdate(w, i, one)\n"
                          "one = Placeholder() {shape: [1]}", ""),
    "a value that is set in a step": (STEP + "zero = Assign(v, zeros)\nu = NoOp(^zero, ^t)", "u"),
    "one variable set to another": ("sync = Assign(v, w/read)", "sync"),
    "the same, as the init op begins": (
        "sync = Assign(v, w/read)\nbegin = NoOp(^sync, ^init)", ""
    ),
    "an init op that trains": (
        "lr = Const() {value: 0.1}\nmove = ApplyGradientDescent(w, lr, x)\n"
        "begin = NoOp(^move, ^init)", "begin"
    ),
    "an init op of all that learns, as collections tell, whatever it does besides": (
        "lr = Const() {value: 0.1}\nmove = ApplyGradientDescent(w, lr, x)\n"
        "begin = NoOp(^move, ^init)\ntrainable_variables: w, v\n" + LISTED, ""
    ),
    "a counter": ("n = VariableV2() {dtype: int32, shape: []}\none = Const() {value: 1}\n"
                  "count = AssignAdd(n, one)", "count"),
}  # fmt: skip


def step_ends(text: str) -> StepEnds:
    model = parse_sketch(text)
    training = Training(model.graph, model.collections, model.variables, model.header)
    return StepEnds(training.find())


@pytest.mark.parametrize("collections", [LISTED, ""], ids=["collections", "bare"])
@pytest.mark.parametrize(("text", "ends"), ENDS.values(), ids=ENDS)
def test_ends(text: str, ends: str, collections: str) -> None:
    if "train_op" in text and not collections:
        text = text.replace("train_op: t\n", "")
    assert " ".join(step_ends(MODEL + text + "\n" + collections).ends) == ends


def test_an_initializer_of_another_variable_in_a_bare_graph() -> None:
    shadow = (
        "s = VariableV2() {shape: [4]}\ns/Assign = Assign(s, w/read)\nb = NoOp(^init, ^s/Assign)"
    )
    assert step_ends(MODEL + shadow).ends == ()


def test_a_loop_without_an_exit() -> None:
    loop = """
    e = RefEnter(w) {frame_name: f}
    n = Enter(x) {frame_name: f}
    m = Merge(n, next)
    move = AssignAdd(e, m)
    next = NextIteration(move)
    """
    assert step_ends(MODEL + loop).ends == ("move",)


def test_metrics_are_no_steps() -> None:
    text = MODEL + STEP + "total = VariableV2() {shape: [4]}\nadd = AssignAdd(total, x)\n"
    assert step_ends(f"{text}{LISTED}local_variables: total").ends == ("t",)


def test_what_may_write_unseen() -> None:
    ends = step_ends(MODEL + STEP + "y = L2Loss(x)\n" + SAVER + LISTED)
    assert set(ends.may_write) == {"t", "y", "save/SaveV2", "w/read", "v/read"}


@pytest.mark.parametrize(
    ("name", "message"),
    [("tt", "did you mean t?"), ("y", "'y' writes no variable; its training steps are t")],
)
def test_named_ends(name: str, message: str) -> None:
    ends = step_ends(MODEL + STEP + "y = L2Loss(x)\n" + LISTED)
    assert ends.named(["move:0", "t", "move"]) == ("move", "t")
    with pytest.raises(PatchError) as caught:
        ends.named([name])
    assert message in str(caught.value)
