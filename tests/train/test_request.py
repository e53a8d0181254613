import pytest

from graphfreeze.errors import TrainError
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.train.optimizers import OPTIMIZERS
from graphfreeze.train.request import TrainRequest, find_losses

MODEL = """
w = VariableV2() {shape: [4]}
w/read = Identity(w)
axes = Const() {value: [0]}
n = Shape(w/read)
square = Square(w/read)
a = Sum(square, axes)
b = Mean(square, axes)
l2 = L2Loss(w/read)
weight_l2 = Mul(l2, a)
sum/total_loss = AddN(a, b, weight_l2)
"""


def losses(collections: str, *names: str) -> list[str]:
    model = parse_sketch(MODEL + collections)
    return [ref.tensor_name for ref in find_losses(model.graph, model.collections, names)]


# collections, named losses, what is minimized
FOUND = {
    "one in the collection": ("losses: a:0", (), ["a:0"]),
    "one, twice in the collection": ("losses: a:0, a:0", (), ["a:0"]),
    "with a regularization loss that is part of it": (
        "losses: sum/total_loss:0\nregularization_losses: weight_l2:0",
        (),
        ["sum/total_loss:0"],
    ),
    "a name without port": ("", ("a",), ["a:0"]),
    "several are summed": ("losses: a:0", ("b:0", "a"), ["b:0", "a:0"]),
    "a name given twice counts once": ("", ("a", "a:0"), ["a:0"]),
    "a name overrides the collection": ("losses: a:0, b:0", ("b",), ["b:0"]),
    "total": (
        "losses: a:0, b:0\nregularization_losses: l2:0",
        ("total",),
        ["a:0", "b:0", "l2:0"],
    ),
    "total, entries twice": (
        "losses: a:0, a:0\nregularization_losses: l2:0, a:0",
        ("total",),
        ["a:0", "l2:0"],
    ),
    "total without regularization": ("losses: a:0", ("total",), ["a:0"]),
    "total and more": ("losses: a:0", ("total", "b"), ["a:0", "b:0"]),
}


@pytest.mark.parametrize(("collections", "names", "found"), FOUND.values(), ids=FOUND)
def test_losses(collections: str, names: tuple[str, ...], found: list[str]) -> None:
    assert losses(collections, *names) == found


ERRORS = {
    "no collection": ("", (), "'losses' is empty; name one with --loss"),
    "no collection: candidates": ("", (), "sum/total_loss:0"),
    "total of nothing": ("", ("total",), "'losses' is empty"),
    "two": ("losses: a:0, b:0", (), "2 tensors could be the loss: a:0, b:0; choose with --loss"),
    "a regularization loss apart": (
        "losses: a:0\nregularization_losses: l2:0",
        (),
        "2 tensors could be the loss: a:0, l2:0",
    ),
    "unknown": ("", ("c",), "no tensor 'c' to take as the loss"),
    "misspelt": ("", ("sum/total_los",), "did you mean sum/total_loss?"),
    "no such port": ("", ("a:1",), "no tensor 'a:1'"),
    "an operation": ("", ("^a",), "no tensor '^a'"),
    "no name": ("", ("a:b:c",), "no tensor 'a:b:c'"),
    "integers": ("", ("n",), "'n' (op Shape, int32) is no floating tensor"),
    "one of two": ("", ("a", "c"), "no tensor 'c'"),
}


@pytest.mark.parametrize(("collections", "names", "message"), ERRORS.values(), ids=ERRORS)
def test_error(collections: str, names: tuple[str, ...], message: str) -> None:
    with pytest.raises(TrainError) as caught:
        losses(collections, *names)
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


RATES = {
    "given": ("sgd", 0.5, 0.5),
    "given over a default": ("adam", 0.5, 0.5),
    "a default": ("adam", None, 0.001),
    "another default": ("adadelta", None, 0.001),
}


@pytest.mark.parametrize(("name", "given", "rate"), RATES.values(), ids=RATES)
def test_learning_rate(name: str, given: float | None, rate: float) -> None:
    assert TrainRequest(optimizer=name, learning_rate=given).rate == rate


class Own:
    def apply_gradients(self, grads_and_vars: object, global_step: object = None) -> object:
        return None


def test_an_object_has_its_own_learning_rate() -> None:
    assert TrainRequest(optimizer=Own()).rate is None


BAD_RATES = {
    "unknown optimizer": ("adm", 0.1, "no optimizer 'adm'; did you mean adam"),
    "nothing like it": ("x", 0.1, "choose from adadelta, adagrad"),
    "missing": ("sgd", None, "optimizer 'sgd' needs a learning rate; give one with"),
    "zero": ("sgd", 0.0, "learning rate 0 is no positive number"),
    "negative": ("adam", -0.1, "learning rate -0.1 is no positive number"),
    "infinite": ("adam", float("inf"), "learning rate inf is no positive number"),
    "not a number": ("adam", float("nan"), "learning rate nan is no positive number"),
    "infinite as float32": ("sgd", 1e39, "learning rate 1e\\+39 is no positive number"),
    "0 as float32": ("sgd", 1e-50, "learning rate 1e-50 is no positive number"),
}


@pytest.mark.parametrize(("name", "given", "message"), BAD_RATES.values(), ids=BAD_RATES)
def test_bad_learning_rate(name: str, given: float | None, message: str) -> None:
    with pytest.raises(TrainError, match=message):
        _ = TrainRequest(optimizer=name, learning_rate=given).rate


def test_every_optimizer_has_a_rate_or_asks_for_one() -> None:
    for name, known in OPTIMIZERS.items():
        assert TrainRequest(optimizer=name, learning_rate=0.25).rate == 0.25
        if known.rate is None:
            with pytest.raises(TrainError, match="needs a learning rate"):
                _ = TrainRequest(optimizer=name).rate
