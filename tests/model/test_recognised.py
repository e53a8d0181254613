"""What a training was is told by structure, never guessed.

tests/tf/test_recognised.py has what TensorFlow's own optimizers, schedules and clips make.
"""

from pathlib import Path

import pytest

from graphfreeze.model.recognised import recognise
from graphfreeze.model.training import Training
from graphfreeze.model.training_records import (
    ClipRecord,
    OptimizerRecord,
    RateRecord,
    TrainingRecord,
)
from graphfreeze.read import load
from graphfreeze.read.sketch import parse_sketch

ROOT = Path(__file__).parents[2]


def variable(name: str, shape: str = "[4]") -> str:
    return (
        f"{name} = VariableV2() {{shape: {shape}}}\n{name}/Assign = Assign({name}, {name}/0)\n"
        f"{name}/read = Identity({name})\n{name}/0 = Const() {{shape: {shape}, value: 0.0}}\n"
    )


MODEL = f"""
x = Placeholder() {{shape: [?, 4]}}
{variable("w")}
y = Mul(x, w/read)
axes = Const() {{value: [0, 1]}}
loss = Mean(y, axes)
g/shape = Const() {{dtype: int32, shape: [0], value: []}}
g/one = Const() {{value: 1.0}}
g/seed = Fill(g/shape, g/one)
g/y = Mul(g/seed, x)
g = Sum(g/y, g/axis)
g/axis = Const() {{value: 0}}
rate = Const() {{value: 0.1}}
one = Const() {{value: 1.0}}
few = Const() {{value: 0.01}}
train = NoOp(^step)
train_op: train
trainable_variables: w
losses: loss
"""
RATE = RateRecord(source="constant", value=0.1)
NONE = RateRecord(source="unknown")
STEPPED = "rated = Mul(rate, g)\n"
M = variable("m")
MOMENTS = (
    M
    + variable("v")
    + "m/old = Mul(m/read, few)\nm/add = Mul(g, rate)\nm/new = Add(m/old, m/add)\n"
    + "v/old = Mul(v/read, few)\nv/g = Square(g)\nv/add = Mul(v/g, rate)\n"
    + "v/new = Add(v/old, v/add)\nroot = Sqrt(v/new)\nabout = Add(root, few)\n"
    + "scaled = RealDiv(m/new, about)\nm/up = Assign(m, m/new)\nv/up = Assign(v, v/new)\n"
    + "both = NoOp(^step, ^m/up, ^v/up)\n"
)
BERT = MOMENTS + "next = Sub(w/read, change)\nstep = Assign(w, next)\n"
POWERS = (
    variable("p1", "[]")
    + variable("p2", "[]")
    + "p1/rest = Sub(one, p1/read)\np2/rest = Sub(one, p2/read)\np2/root = Sqrt(p2/rest)\n"
    + "up = Mul(rate, p2/root)\nbiased = RealDiv(up, p1/rest)\n"
    + "p1/by = Mul(p1/read, few)\np1/up = Assign(p1, p1/by, ^step)\n"
    + "p2/by = Mul(p2/read, few)\np2/up = Assign(p2, p2/by, ^step)\n"
)
SPARSE_ADAM = (
    MOMENTS
    + POWERS
    + "top = Mul(biased, m/new)\nchange = RealDiv(top, about)\nstep = AssignSub(w, change)\n"
)


def optimizer(name: str, slots: int = 0, rate: RateRecord = RATE, **more: object) -> list[object]:
    told = {"name": name, "variables": 1, "slots": slots, "learning_rate": rate, **more}
    return [OptimizerRecord(**told)]  # type: ignore[arg-type]


CASES: dict[str, tuple[str, list[object]]] = {
    "an optimizer's op": ("step = ApplyGradientDescent(w, rate, g)", optimizer("GradientDescent")),
    "one with a slot": (M + "step = ApplyMomentum(w, m, rate, g, few)", optimizer("Momentum", 1)),
    "a second version of one": (M + "step = ApplyAdagradV2(w, m, rate, few, g)",
                                optimizer("Adagrad", 1)),
    "one that is not well known": (M + "step = ApplyPowerSign(w, m, rate, one, one, few, g)",
                                   optimizer("PowerSign", 1)),
    "beta powers are no slots": (
        M + variable("v") + POWERS
        + "step = ApplyAdam(w, m, v, p1/read, p2/read, rate, few, few, few, g)\n",
        optimizer("Adam", 2)),
    "sparse Adam": (SPARSE_ADAM, optimizer("Adam", 2)),
    "BERT's": (BERT + "change = Mul(rate, scaled)", optimizer("hand-written", 2)),
    "BERT's with weight decay": (
        BERT + "change = Mul(rate, sum)\nsum = Add(scaled, decay)\ndecay = Mul(few, w/read)\n",
        optimizer("hand-written", 2, decayed=1)),
    "an L2 loss is no decay": (
        (BERT + "change = Mul(rate, scaled)\nl2 = Mul(g/seed, w/read)\nall = Add(g, l2)\n")
        .replace("Mul(g, rate)", "Mul(all, rate)"), optimizer("hand-written", 2)),
    "a rate within a slot": (
        M + "m/old = Mul(m/read, few)\nm/add = Mul(g, rate)\nm/new = Add(m/old, m/add)\n"
        "m/up = Assign(m, m/new)\nboth = NoOp(^step, ^m/up)\nstep = AssignSub(w, m/new)\n",
        optimizer("hand-written", 1, NONE)),
    "plain, by hand": (STEPPED + "next = Sub(w/read, rated)\nstep = Assign(w, next)",
                       optimizer("GradientDescent")),
    "plain, with decay": (
        STEPPED + "less = Mul(w/read, few)\nnext = Sub(less, rated)\nstep = Assign(w, next)",
        optimizer("GradientDescent")),
    "plain, of rows": ("ids = Placeholder() {dtype: int32}\n" + STEPPED
                       + "step = ScatterSub(w, ids, rated)", optimizer("GradientDescent")),
    "upwards": (STEPPED + "down = Neg(rated)\nstep = AssignAdd(w, down)",
                optimizer("GradientDescent")),
    "a decay by itself": (
        "decay = Mul(few, w/read)\nless = AssignSub(w, decay)\n"
        "step = ApplyGradientDescent(w, rate, g, ^less)", optimizer("GradientDescent", decayed=1)),
    "a bound that is no optimizer's": (
        STEPPED + "next = Sub(w/read, rated)\nbound = Minimum(next, one)\nstep = Assign(w, bound)",
        optimizer("", rate=NONE)),
    "a function of the gradient": ("next = Tanh(g)\nstep = Assign(w, next)",
                                   optimizer("", rate=NONE)),
    "by the sign alone": ("sign = Sign(g)\nnext = Sub(w/read, sign)\nstep = Assign(w, next)",
                          optimizer("", rate=NONE)),
    "a rate that is fed": (
        "lr = Placeholder() {shape: []}\nstep = ApplyGradientDescent(w, lr, g)",
        optimizer("GradientDescent", rate=RateRecord(source="placeholder", inputs=["lr"]))),
    "clipped": (
        "n = Sqrt(twice)\ntwice = Mul(l2, one)\nl2 = L2Loss(g)\nsafe = Maximum(n, few)\n"
        "share = RealDiv(few, safe)\nless = Mul(g, share)\n"
        "step = ApplyGradientDescent(w, rate, less)",
        optimizer("GradientDescent",
                  clips=[ClipRecord(kind="global norm", bound=0.01, variables=1)])),
    "a Minimum that is no clip": (
        "less = Minimum(g, one)\nstep = ApplyGradientDescent(w, rate, less)",
        optimizer("GradientDescent")),
}  # fmt: skip


def training_of(text: str) -> Training:
    model = parse_sketch(MODEL + text)
    return Training(model.graph, model.collections, model.variables, model.header).find()


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_optimizers(text: str, expected: list[object]) -> None:
    record = recognise(training_of(text))
    assert record is not None
    assert record.optimizers == expected


def test_no_training() -> None:
    assert recognise(training_of("")) is None


def test_all_that_is_counted() -> None:
    text = "shadow/far = Sub(shadow/read, w/read)\nshadow/way = Mul(shadow/far, few)\n"
    text += variable("shadow") + M + "step = ApplyMomentum(w, m, rate, g, few)\n"
    training = training_of(text + "average = AssignSub(shadow, shadow/way, ^step)\nrun: average")
    record = recognise(training, kept=True, idle=["average"])
    assert record == TrainingRecord(
        optimizers=optimizer("Momentum", 1),  # type: ignore[arg-type]
        averages=1,
        nodes=len(training.found),
        slots=2,
        train_ops=["train"],
        kept=True,
        idle_updates=["average"],
    )


def test_two_optimizers_are_told_apart_by_their_rates() -> None:
    text = variable("b") + "z = Mul(x, b/read)\nlosses: loss, z\n"
    text += "other = Const() {value: 0.2}\nboth = NoOp(^step, ^more)\n"
    text += "step = ApplyGradientDescent(w, rate, g)\nmore = ApplyGradientDescent(b, other, g)\n"
    record = recognise(training_of(text))
    assert record is not None
    values = [each.learning_rate.value for each in record.optimizers]
    assert (values, [each.variables for each in record.optimizers]) == ([0.1, 0.2], [1, 1])


def test_ends_name_a_training_that_no_collection_does() -> None:
    model = parse_sketch(
        MODEL.replace("train_op: train\n", "") + "step = ApplyGradientDescent(w, rate, g)"
    )
    training = Training(model.graph, model.collections, model.variables, model.header).find()
    assert training.train_ops == ["train"]


SCHEDULE = RateRecord(source="schedule", schedule=["polynomial"], inputs=["global_step"])
WARM = RateRecord(source="schedule", schedule=["warm-up", "polynomial"], inputs=["global_step"])


KERAS_RATE = RateRecord(source="variable", inputs=["training/Adam/learning_rate"])


def constant(value: float) -> RateRecord:
    return RateRecord(source="constant", value=value)


def norm(variables: int, bound: float) -> list[ClipRecord]:
    return [ClipRecord(kind="global norm", bound=bound, variables=variables)]


# Name, variables, slots, rate, clips, decayed; how many variables are averaged.
REAL: dict[str, tuple[list[tuple[object, ...]], int]] = {
    "text_classifier": ([("Adam", 5, 10, constant(0.01), [], 0)], 0),
    "adam_clipped": ([("Adam", 9, 18, SCHEDULE, norm(7, 0.02), 0)], 0),
    "bert_adamw": ([("hand-written", 19, 38, WARM, norm(17, 1.0), 11)], 0),
    "momentum_ema": ([("Momentum", 9, 9, constant(0.05), [], 0)], 9),
    "gan": ([("Adam", 5, 10, constant(0.005), [], 0), ("Adam", 7, 14, constant(0.01), [], 0)], 0),
    "partitioned_ps": ([("Adam", 7, 14, constant(0.01), [], 0)], 0),
    "keras_lstm": ([("Adam", 6, 12, KERAS_RATE, [], 0)], 0),
    "wide_deep": ([("Adagrad", 5, 5, constant(0.001), [], 0),
                   ("Ftrl", 2, 4, constant(0.005), [], 0)], 0),
}  # fmt: skip


@pytest.mark.parametrize("name", REAL)
def test_real_models(name: str) -> None:
    model = load(ROOT / "testdata/models" / name / "model.ckpt.meta")
    training = Training(model.graph, model.collections, model.variables, model.header).find()
    record, (optimizers, averages) = recognise(training), REAL[name]
    assert record is not None
    found = [
        (each.name, each.variables, each.slots, each.learning_rate, each.clips, each.decayed)
        for each in record.optimizers
    ]
    assert (found, record.averages) == (optimizers, averages)


@pytest.mark.parametrize("name", ["bert_tiny", "conv_bn", "nce"])
def test_models_without_training(name: str) -> None:
    model = load(ROOT / "testdata/models" / name / "model.ckpt.meta")
    training = Training(model.graph, model.collections, model.variables, model.header).find()
    assert recognise(training) is None


def test_constants_of_one_value_are_one_rate() -> None:
    text = variable("b") + "z = Mul(x, b/read)\nlosses: loss, z\nboth = NoOp(^step, ^more)\n"
    text += "again = Const() {value: 0.1}\nrated = Mul(rate, g)\nless = Mul(again, g)\n"
    text += "step = AssignSub(w, rated)\nmore = AssignSub(b, less)\n"
    record = recognise(training_of(text))
    assert record is not None
    (found,) = record.optimizers
    assert (found.name, found.variables, found.learning_rate) == ("GradientDescent", 2, RATE)


def test_a_slot_that_a_collection_calls_the_models_is_no_variable_of_its_optimizer() -> None:
    text = M + "step = ApplyMomentum(w, m, rate, g, few)\nmodel_variables: w, m"
    record = recognise(training_of(text))
    assert record is not None
    assert [(each.name, each.variables) for each in record.optimizers] == [("Momentum", 1)]
