"""What the figures are to reach, and what they did reach."""

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.variants import ALL, MASK, OVERLAY, USUAL

HALF, FEW = "every second row", "all but 1 % of the rows"


@dataclass(frozen=True)
class Target:
    """A bound for a ratio of step times, at one height or at every one.

    An ``upper`` bound is for ``variant / other``, a lower one for how many times faster it is."""

    name: str
    frozen: str
    optimizer: str
    variant: str
    other: str
    bound: float
    is_upper: bool = True
    height: int | None = None


TARGETS = [
    *(Target(f"{o}: mask, all trainable = 1", HALF, o, MASK, ALL, 1.1) for o in ("sgd", "adagrad")),
    *(
        Target(
            f"{o}: mask faster than the usual recipe", HALF, o, MASK, USUAL, bound, False, height
        )
        for height, bound in ((200_000, 30.0), (2_000_000, 200.0))
        for o in ("sgd", "adagrad")
    ),
    Target("adam, 1 % trainable: overlay, all trainable = 1", FEW, "adam", OVERLAY, ALL, 0.1),
]
BYTES_NAME, BYTES_BOUND = "adam, 1 % trainable: bytes of overlay, table alone = 1", 1.08


def judge(times: list[dict], held: list[dict]) -> list[dict]:
    """Return a record of each target: its worst figure, where that was, and all figures.

    A target for a height that was not measured is left out."""
    figures = [(target, list(_figures(target, times))) for target in TARGETS]
    records = [
        _judged(target.name, each, target.bound, is_upper=target.is_upper)
        for target, each in figures
        if each
    ]
    sizes = [(_place(each), each["total"] / each["table"]) for each in held]
    return [*records, _judged(BYTES_NAME, sizes, BYTES_BOUND, is_upper=True)]


def told(record: dict) -> str:
    """Return one line about a target."""
    result = "pass" if record["is_reached"] else "MISS"
    bound = f"at {'most' if record['is_upper'] else 'least'} {record['bound']:g}"
    return f"{result}  {record['figure']:9.3f} x ({bound})  {record['name']}; {record['worst_at']}"


def _figures(target: Target, times: list[dict]) -> Iterator[tuple[str, float]]:
    wanted = (target.frozen, target.optimizer, target.variant)
    for each in times:
        is_wanted = (each["frozen"], each["optimizer"], each["variant"]) == wanted
        if is_wanted and target.height in (None, each["height"]):
            ratio = each["ratios"][target.other]
            yield _place(each), ratio if target.is_upper else 1 / ratio


def _judged(name: str, figures: list[tuple[str, float]], bound: float, *, is_upper: bool) -> dict:
    worst = (max if is_upper else min)(figures, key=lambda figure: figure[1])
    return {
        "name": name,
        "bound": bound,
        "is_upper": is_upper,
        "is_reached": worst[1] <= bound if is_upper else worst[1] >= bound,
        "figure": worst[1],
        "worst_at": worst[0],
        "figures": dict(figures),
    }


def _place(each: dict) -> str:
    return f"{each['height']:,} rows, {each['kind']}"
