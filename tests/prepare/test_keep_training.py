"""An old training that stays is set aside: it keeps what it takes, and no new step runs it."""

import pytest

from graphfreeze.errors import RewriteError
from graphfreeze.forward.stop_gradient import StopGradient
from graphfreeze.model.collected import node_entries
from graphfreeze.model.names import TensorRef
from graphfreeze.model.training import OLD_KEY
from graphfreeze.prepare.keep_training import KeepTraining
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.run import run
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.selection.resolve import SLOT, resolve


def variable(name: str) -> str:
    return (
        f"{name} = VariableV2() {{shape: [4]}}\n{name}/Assign = Assign({name}, zeros)\n"
        f"{name}/read = Identity({name})\n"
    )


MODEL = f"""
zeros = Const() {{shape: [4], value: 0.0}}
x = Placeholder() {{shape: [?, 4]}}
{variable("w")}
{variable("b")}
y = Mul(x, w/read)
z = Mul(y, b/read)
axes = Const() {{value: [0, 1]}}
loss = Mean(z, axes)
g/shape = Const() {{dtype: int32, shape: [0], value: []}}
g/one = Const() {{value: 1.0}}
g/seed = Fill(g/shape, g/one)
g/z = Mul(g/seed, y)
g/b = Sum(g/z, g/axis)
g/y = Mul(g/seed, b/read)
g/w = Sum(g/y, g/axis)
g/axis = Const() {{value: 0}}
rate = Const() {{value: 0.1}}
{variable("m")}
step = ApplyMomentum(w, m, rate, g/w, rate)
more = ApplyGradientDescent(b, rate, g/b)
train = NoOp(^step, ^more)
train_op: train
trainable_variables: w, b
variables: w, b, m
"""
LOSS = "losses: loss\n"
UPDATES = """
by = Mul(x, x)
c = VariableV2() {shape: [4]}
move = AssignSub(c, by)
after = AssignSub(c, by, ^step)
both = NoOp(^move, ^after)
"""


def kept(text: str, *keep: str) -> tuple[Draft, KeepTraining]:
    draft, keeping = Draft(parse_sketch(MODEL + text)), KeepTraining(keep)
    run(draft, [keeping])
    draft.graph.aside = keeping.aside
    return draft, keeping


def test_every_node_stays_and_the_train_op_has_another_key() -> None:
    draft, keeping = kept(LOSS)
    assert draft.touched == {}
    assert draft.removed_nodes() == []
    assert "train_op" not in draft.collections
    assert node_entries(draft.collections, OLD_KEY) == ["train"]
    assert keeping.slots == {"m"}
    assert keeping.aside >= {"step", "more", "train", "m", "g/y", "rate"}
    assert keeping.aside.isdisjoint({"w", "b", "loss", "y", "z"})


def test_without_a_collection_the_ends_are_told() -> None:
    draft = Draft(parse_sketch((MODEL + LOSS).replace("train_op: train\n", "")))
    run(draft, [KeepTraining()])
    assert node_entries(draft.collections, OLD_KEY) == ["train"]


def test_the_record_says_that_it_is_kept() -> None:
    record = kept(LOSS)[1].record
    assert record is not None
    assert (record.kept, record.slots, record.train_ops) == (True, 1, ["train"])


def test_no_training_no_edit() -> None:
    text = "zeros = Const() {shape: [4]}\n" + variable("w") + "trainable_variables: w\n"
    draft, keeping = Draft(parse_sketch(text)), KeepTraining()
    run(draft, [keeping])
    assert (draft.collections.keys(), keeping.record) == ({"trainable_variables"}, None)


UPDATE_OPS = {
    "one that runs the training": ("after", [], ["after"]),
    "one that does not": ("move", ["move"], []),
    "a group of both": ("both", ["move"], ["both"]),
    "both of them": ("move, after", ["move"], ["after"]),
}


@pytest.mark.parametrize(("text", "left", "idle"), UPDATE_OPS.values(), ids=UPDATE_OPS)
def test_no_new_step_runs_the_old_training(text: str, left: list[str], idle: list[str]) -> None:
    draft, keeping = kept(f"{LOSS}{UPDATES}update_ops: {text}\n")
    assert node_entries(draft.collections, "update_ops") == left
    assert keeping.record is not None
    assert keeping.record.idle_updates == idle


RUNS = {
    "a loss": "total = Identity(loss, ^train)\nlosses: total\n",
    "a summary": LOSS + 'tag = Const() {value: "t"}\ns = ScalarSummary(tag, loss, ^step)\n'
    "summaries: s\n",
}


@pytest.mark.parametrize("text", RUNS.values(), ids=RUNS)
def test_what_is_fetched_with_a_step_may_not_run_it(text: str) -> None:
    with pytest.raises(RewriteError, match="of the old training, which writes what is frozen"):
        kept(text)


def test_gradients_keep_the_raw_read() -> None:
    draft, keeping = kept(LOSS)
    plan = FreezePlan(freeze=("b",))
    selection = resolve(plan, draft.variables, draft.graph, slots=keeping.slots)
    run(draft, [StopGradient(selection)])
    raw, stopped = TensorRef("b/read"), TensorRef("b/read/graphfreeze/stop")
    assert draft.graph.data_inputs("z")[1] == stopped
    assert draft.graph.data_inputs("g/y")[1] == raw
    assert draft.copy().graph.aside == keeping.aside
    (slot,) = (choice for choice in selection.choices if choice.state == SLOT)
    assert slot.variable.name == "m"


def test_the_promise_is_checked() -> None:
    draft, keeping = kept(LOSS)
    draft.graph.drop("train")
    assert keeping.verify(draft.base, draft) == "train of the old training is gone"
