import pytest

from graphfreeze.errors import TrainError
from graphfreeze.train.schedules import Schedule, parse_schedule

# text, what it says, and the text with every key
PARSED = {
    "constant": ("constant", Schedule(), "constant"),
    "warm-up alone": ("constant:warmup=10", Schedule(warmup=10), "constant:warmup=10"),
    "polynomial": (
        "polynomial:steps=10000,end=0,power=1,warmup=1000",
        Schedule("polynomial", steps=10_000, end=0, power=1, warmup=1000),
        "polynomial:steps=10000,end=0,power=1,cycle=false,warmup=1000",
    ),
    "left out": (
        "polynomial:steps=5",
        Schedule("polynomial", steps=5),
        "polynomial:steps=5,end=0,power=1,cycle=false",
    ),
    "exponential": (
        "exponential:steps=1000,rate=0.96,staircase=true",
        Schedule("exponential", steps=1000, rate=0.96, staircase=True),
        "exponential:steps=1000,rate=0.96,staircase=true",
    ),
    "cosine": (
        "cosine:alpha=1e-3,steps=7",
        Schedule("cosine", steps=7, alpha=1e-3),
        "cosine:steps=7,alpha=0.001",
    ),
    "piecewise": (
        "piecewise:1000=0.0005,2000=1e-4",
        Schedule("piecewise", pieces=((1000, 0.0005), (2000, 0.0001))),
        "piecewise:1000=0.0005,2000=0.0001",
    ),
}


@pytest.mark.parametrize(("text", "schedule", "told"), PARSED.values(), ids=PARSED)
def test_parse(text: str, schedule: Schedule, told: str) -> None:
    assert parse_schedule(text) == schedule
    assert str(schedule) == told
    assert str(parse_schedule(told)) == told


ERRORS = {
    "no kind": ("", "no schedule ''; choose from constant, polynomial"),
    "misspelt": ("exponentail:steps=3,rate=1", "did you mean exponential?"),
    "a key of another": ("cosine:steps=3,power=2", "'cosine' takes no 'power'; choose from steps"),
    "a key without value": ("cosine:steps", "'cosine' has steps = '', which is not a whole number"),
    "a key twice": ("cosine:steps=3,steps=4", "'cosine' has steps = '4', which is not given once"),
    "no steps": ("polynomial", "'polynomial' needs 'steps'; give it as in 'polynomial:steps=...'"),
    "zero steps": ("cosine:steps=0", "steps = 0, which is not a whole number of steps from 1 on"),
    "part of a step": ("cosine:steps=1.5", "steps = 1.5, which is not a whole number"),
    "negative": ("polynomial:steps=3,end=-1", "end = -1.0, which is not a learning rate from 0"),
    "power": ("polynomial:steps=3,power=0", "power = 0.0, which is not a positive number"),
    "infinite": ("exponential:steps=3,rate=inf", "rate = inf, which is not a positive number"),
    "alpha": ("cosine:steps=3,alpha=1.5", "alpha = 1.5, which is not a number from 0 to 1"),
    "flag": ("exponential:steps=3,rate=1,staircase=1", "staircase = '1', which is not true or"),
    "warm-up": ("constant:warmup=-3", "warmup = -3.0, which is not a whole number of steps"),
    "no pieces": ("piecewise", "'piecewise' needs '1000'; give it as in 'piecewise:1000=...'"),
    "pieces fall": ("piecewise:5=1,3=1", "the steps = '5, 3', which is not steps from 0 on that"),
    "a piece twice": ("piecewise:5=1,5=1", "the steps = '5, 5', which is not steps from 0 on"),
    "a piece's rate": ("piecewise:5=x", "5 = 'x', which is not a learning rate from 0 on"),
    "pieces of another": ("cosine:steps=3,5=1", "'cosine' takes no '5'"),
    "more steps than int64": (f"cosine:steps={2**63}", "not a whole number of steps from 1 on (as"),
    "a piece after int64": (f"piecewise:{2**63}=1", "not steps from 0 on that rise (as int64)"),
    "no float32": ("polynomial:steps=3,end=1e39", "end = 1e+39, which is not a learning rate"),
    "a power that float32 makes 0": ("polynomial:steps=3,power=1e-50", "not a positive number"),
    "a piece that is no float32": ("piecewise:5=1e39", "5 = 1e+39, which is not a learning rate"),
}


@pytest.mark.parametrize(("text", "message"), ERRORS.values(), ids=ERRORS)
def test_error(text: str, message: str) -> None:
    with pytest.raises(TrainError) as caught:
        parse_schedule(text)
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


STRUCTS: dict[str, tuple[dict[str, object], str]] = {
    "pieces of another": ({"kind": "cosine", "steps": 3, "pieces": ((1, 1.0),)}, "takes no '1'"),
    "a piece that is no rate": ({"kind": "piecewise", "pieces": ((1, -1.0),)}, "1 = -1.0, which"),
    "a step before 0": ({"kind": "piecewise", "pieces": ((-1, 1.0),)}, "from 0 on that rise"),
    "true is no number": ({"kind": "cosine", "steps": True}, "steps = True, which is not a whole"),
    "1 is no flag": (
        {"kind": "polynomial", "steps": 3, "cycle": 1},
        "cycle = 1, which is not true or false",
    ),
}


@pytest.mark.parametrize(("values", "message"), STRUCTS.values(), ids=STRUCTS)
def test_error_of_a_struct(values: dict[str, object], message: str) -> None:
    with pytest.raises(TrainError) as caught:
        Schedule(**values)  # type: ignore[arg-type]
    assert message in str(caught.value)


ZEROS: dict[str, tuple[str, str | None]] = {
    "constant": ("constant", None),
    "warm-up": ("constant:warmup=1", "warmup"),
    "polynomial": ("polynomial:steps=3", "end"),
    "polynomial, an end": ("polynomial:steps=3,end=1e-5", None),
    "polynomial, an end that float32 makes 0": ("polynomial:steps=3,end=1e-60", "end"),
    "cosine": ("cosine:steps=3", "alpha"),
    "cosine, a part": ("cosine:steps=3,alpha=0.1", None),
    "exponential": ("exponential:steps=3,rate=0.1", None),
    "a piece": ("piecewise:3=1,9=0", "9"),
    "pieces": ("piecewise:0=1,9=0.1", None),
}


@pytest.mark.parametrize(("text", "key"), ZEROS.values(), ids=ZEROS)
def test_leads_to_zero(text: str, key: str | None) -> None:
    assert parse_schedule(text).leads_to_zero == key
