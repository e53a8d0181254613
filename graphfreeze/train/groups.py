"""Which learning rate and which weight decay a variable has, by patterns."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TypeVar

from graphfreeze.errors import TrainError
from graphfreeze.selection.pattern import parse_pattern

T = TypeVar("T")
# Of BERT's create_optimizer: exclude_from_weight_decay, which it searches for in names.
BERT_NO_DECAY = ("re:.*LayerNorm.*", "re:.*layer_norm.*", "re:.*bias.*")


def learning_factors(
    scales: Mapping[str, float], names: Collection[str], frozen: Collection[str] = ()
) -> dict[str, float]:
    """Return the factor of the learning rate of each variable; of several patterns the last holds.

    Raises TrainError for a pattern that matches none, or only ``frozen`` ones."""
    factors = dict.fromkeys(names, 1.0)
    for text, factor in scales.items():
        factors |= dict.fromkeys(_matched("--lr-scale", text, names, frozen), float(factor))
    return factors


def without_decay(
    patterns: Sequence[str], names: Collection[str], frozen: Collection[str] = ()
) -> set[str]:
    """Return the variables that do not decay: those of BERT if no pattern is given.

    Raises TrainError for a pattern that matches none, or only ``frozen`` ones."""
    if not patterns:
        usual = [parse_pattern(text) for text in BERT_NO_DECAY]
        return {name for name in names if any(pattern.matches(name) for pattern in usual)}
    return {name for text in patterns for name in _matched("--no-decay", text, names, frozen)}


def _matched(option: str, text: str, names: Collection[str], frozen: Collection[str]) -> list[str]:
    pattern = parse_pattern(text)
    found = [name for name in names if pattern.matches(name)]
    still = [name for name in frozen if pattern.matches(name)]
    if still and not found:
        raise TrainError.only_frozen(option, text, still)
    if not found:
        raise TrainError.nothing_learns(option, text, names)
    return found


def by_factor(pairs: Sequence[T], factors: Sequence[float]) -> Iterator[tuple[float, list[T]]]:
    """Yield each factor with what has it, in the order in which they come first."""
    for factor in dict.fromkeys(factors):
        yield factor, [pair for pair, own in zip(pairs, factors, strict=True) if own == factor]
