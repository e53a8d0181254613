"""Options of training that mean nothing, or say nothing, are refused before anything is read."""

from pathlib import Path

import pytest

CLASSIFY = "freeze text_classifier out --freeze hidden"

LINES = {
    "no train_op": (
        f"{CLASSIFY} --no-train-op --schedule cosine:steps=3",
        "--schedule has no mean",
    ),
    "no train_op: accumulate": (f"{CLASSIFY} --no-train-op --accumulate 1", "--accumulate has no"),
    "no train_op: a flag": (
        f"{CLASSIFY} --no-train-op --skip-nonfinite",
        "--skip-nonfinite has no",
    ),
    "no train_op: zero": (f"{CLASSIFY} --no-train-op --clip-norm 0", "--clip-norm has no meaning"),
    "a graph file": (
        "freeze text_classifier out.pb --freeze hidden --lr-scale output=0.5",
        "--lr-scale needs a bundle: the graph file out.pb carries no train_op",
    ),
    "an argument for nothing": (
        f"{CLASSIFY} --no-train-op --optimizer-argument beta1=0.5",
        "--optimizer-argument has no meaning with --no-train-op",
    ),
    "no decay without decay": (
        f"{CLASSIFY} --no-decay output",
        "--no-decay has no meaning without --optimizer adamw",
    ),
    "no decay of another": (
        f"{CLASSIFY} --optimizer sgd --no-decay output",
        "--no-decay has no meaning without --optimizer adamw",
    ),
    "no number": (f"{CLASSIFY} --lr-scale output=x", "'x' is no number; give one as in 0.1"),
    "no factor": (f"{CLASSIFY} --lr-scale output", "'output' is not P=X, as in 'bert=0.1'"),
    "no value": (
        f"{CLASSIFY} --optimizer-argument beta1",
        "'beta1' is not NAME=VALUE, as in 'beta1=0.8'",
    ),
    "no runs": (f"{CLASSIFY} --accumulate 0", "0 is not in the range 1<=x<=10000"),
    "an empty optimizer": (f"{CLASSIFY} --optimizer=", "no optimizer ''; choose from adadelta,"),
    "too many runs": (f"{CLASSIFY} --accumulate 10001", "10001 is not in the range 1<=x<=10000"),
    "a seed below 0": (f"{CLASSIFY} --seed -1", "-1 is not in the range"),
}


@pytest.mark.parametrize(("line", "message"), LINES.values(), ids=LINES)
def test_refused(run, models: Path, line: str, message: str) -> None:
    code, out, err = run(*line.split())
    assert (code, out) == (2, "")
    assert message in err
    assert not Path("out").exists()


def test_a_seed_needs_no_train_op(run, models: Path) -> None:
    code, out, _ = run(*CLASSIFY.split(), "--no-train-op", "--seed", 3)
    assert code == 0
    assert "seed" not in out


@pytest.mark.parametrize("option", ["--target=2", "--gradient=A=b:c", "--custom-gradients=ignore"])
def test_options_of_a_train_op_need_one(run, models: Path, option: str) -> None:
    code, _, err = run("freeze", "conv_bn", "out", "--freeze", "bn*", "--no-train-op", option)
    name = option.partition("=")[0]
    assert (code, f"{name} has no meaning with --no-train-op" in err) == (2, True)


@pytest.mark.parametrize("text", ["GuidedRelu", "=mine:guided", "GuidedRelu="])
def test_a_gradient_that_is_none(run, models: Path, text: str) -> None:
    code, _, err = run("freeze", "conv_bn", "out", "--freeze", "bn*", "--gradient", text)
    assert code == 2
    assert f"{text!r} is not NAME=MODULE:FUNCTION, as in 'GuidedRelu=my_module:guided'" in err
