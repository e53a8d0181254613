"""An old training in a few words."""

import pytest

from graphfreeze.model.training_records import (
    ClipRecord,
    OptimizerRecord,
    RateRecord,
    TrainingRecord,
)
from graphfreeze.report.training_text import kept_notes, training_facts

RATE = RateRecord(source="constant", value=0.01)
STEP = ["global_step"]
RATES = {
    "learning rate 0.01": RATE,
    "learning rate a constant": RateRecord(source="constant"),
    "learning rate from the placeholder lr": RateRecord(source="placeholder", inputs=["lr"]),
    "learning rate from the variable lr": RateRecord(source="variable", inputs=["lr"]),
    "learning rate computed from a, b": RateRecord(source="computed", inputs=["a", "b"]),
    "learning rate computed from data": RateRecord(source="computed"),
    "learning rate by a polynomial decay of global_step": RateRecord(
        source="schedule", schedule=["polynomial"], inputs=STEP
    ),
    "learning rate by an exponential decay of global_step": RateRecord(
        source="schedule", schedule=["exponential"], inputs=STEP
    ),
    "learning rate by a warm-up and cosine decay of global_step": RateRecord(
        source="schedule", schedule=["warm-up", "cosine"], inputs=STEP
    ),
    "learning rate by a computation that was not recognised of global_step": RateRecord(
        source="schedule", inputs=STEP
    ),
    "learning rate not recognised": RateRecord(source="unknown"),
}
GLOBAL = ClipRecord(kind="global norm", bound=1.0, variables=5)
OPTIMIZERS = {
    "plain": (OptimizerRecord(name="GradientDescent", variables=1, slots=0, learning_rate=RATE),
              "GradientDescent on 1 variable, learning rate 0.01"),
    "with slots": (OptimizerRecord(name="Adam", variables=5, slots=10, learning_rate=RATE,
                                   clips=[GLOBAL]),
                   "Adam on 5 variables (10 slots), learning rate 0.01, clipped by global norm 1"),
    "by hand": (OptimizerRecord(name="hand-written", variables=9, slots=18, learning_rate=RATE,
                                decayed=3, clips=[GLOBAL]),
                "a hand-written optimizer on 9 variables (18 slots), learning rate 0.01, "
                "weight decay (3 variables), clipped by global norm 1 (5 variables)"),
    "not recognised": (
        OptimizerRecord(name="", variables=2, slots=0, learning_rate=RateRecord(source="unknown")),
        "an update of its own on 2 variables"),
    "clipped by value": (
        OptimizerRecord(name="Ftrl", variables=1, slots=2, learning_rate=RATE,
                        clips=[ClipRecord(kind="value", bound=2.0, low=-1.0, variables=1)]),
        "Ftrl on 1 variable (2 slots), learning rate 0.01, clipped by value -1 to 2"),
    "by a bound that is fed": (
        OptimizerRecord(name="Ftrl", variables=1, slots=2, learning_rate=RATE,
                        clips=[ClipRecord(kind="norm", bound=None, variables=1)]),
        "Ftrl on 1 variable (2 slots), learning rate 0.01, clipped by norm"),
}  # fmt: skip


def record(*optimizers: OptimizerRecord, **more: object) -> TrainingRecord:
    told = {"averages": 0, "nodes": 812, "slots": 12, **more}
    return TrainingRecord(optimizers=list(optimizers), **told)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", RATES)
def test_rates(text: str) -> None:
    made = OptimizerRecord(name="Adam", variables=1, slots=2, learning_rate=RATES[text])
    ((_, entries),) = training_facts("training", record(made), is_old=False)
    assert entries[1] == text


@pytest.mark.parametrize(("optimizer", "text"), OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_optimizers(optimizer: OptimizerRecord, text: str) -> None:
    ((label, entries),) = training_facts("training", record(optimizer), is_old=False)
    assert (label, ", ".join(entries)) == ("training", text)


def test_what_became_of_it_ends_the_lines() -> None:
    adam = OPTIMIZERS["with slots"][0]
    dropped = list(training_facts("old training", record(adam, adam, averages=3), is_old=True))
    assert [label for label, _ in dropped] == ["old training", "", ""]
    assert dropped[-1][1] == ["moving averages of 3 variables; 812 nodes dropped"]
    ((_, entries),) = training_facts("old training", record(kept=True), is_old=True)
    assert entries == ["no optimizer; 812 nodes kept"]
    assert list(training_facts("old training", None, is_old=True)) == []


def test_notes() -> None:
    assert list(kept_notes(None)) == list(kept_notes(record())) == []
    told = list(kept_notes(record(kept=True, train_ops=["a"], averages=2, idle_updates=["u"])))
    assert [note.split(": ")[-1] for note in told] == [
        "by a, in the collection graphfreeze_old_train_op",
        "the old training alone moves the moving averages of 2 variables",
        "u",
    ]
