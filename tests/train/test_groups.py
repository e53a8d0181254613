from collections.abc import Mapping

import pytest

from graphfreeze.errors import SelectionError, TrainError
from graphfreeze.train.groups import by_factor, learning_factors, without_decay

NAMES = ["bert/layer_0/kernel", "bert/layer_0/bias", "bert/LayerNorm/gamma", "table/part_0", "out"]

FACTORS: dict[str, tuple[dict[str, float], list[float]]] = {
    "none": ({}, [1, 1, 1, 1, 1]),
    "a scope": ({"bert": 0.5}, [0.5, 0.5, 0.5, 1, 1]),
    "the last holds": ({"bert": 0.5, "**/bias": 2}, [0.5, 2, 0.5, 1, 1]),
    "in either order": ({"**/bias": 2, "bert": 0.5}, [0.5, 0.5, 0.5, 1, 1]),
    "a table in parts": ({"table": 3}, [1, 1, 1, 3, 1]),
}


@pytest.mark.parametrize(("scales", "factors"), FACTORS.values(), ids=FACTORS)
def test_factors(scales: Mapping[str, float], factors: list[float]) -> None:
    assert list(learning_factors(scales, NAMES).values()) == factors


DECAYS = {
    "BERT's": ((), {"bert/layer_0/bias", "bert/LayerNorm/gamma"}),
    "of its own": (("table", "out"), {"table/part_0", "out"}),
}


@pytest.mark.parametrize(("patterns", "still"), DECAYS.values(), ids=DECAYS)
def test_no_decay(patterns: tuple[str, ...], still: set[str]) -> None:
    assert without_decay(patterns, NAMES) == still


def test_a_pattern_has_to_match() -> None:
    with pytest.raises(TrainError, match=r"--lr-scale: pattern 'brt' .* did you mean bert"):
        learning_factors({"brt": 0.5}, NAMES)
    with pytest.raises(TrainError, match=r"--no-decay: pattern 'bias' matches no variable"):
        without_decay(["bias"], NAMES)
    with pytest.raises(SelectionError, match="backwards"):
        without_decay(["{3..1}"], NAMES)


def test_a_pattern_of_frozen_variables_is_told_as_such() -> None:
    with pytest.raises(TrainError, match=r"'still' matches only what is frozen: still/w; freeze"):
        learning_factors({"still": 0.5}, NAMES, ["still/w"])
    with pytest.raises(TrainError, match=r"--no-decay: pattern 'still' matches only what is fro"):
        without_decay(["still"], NAMES, ["still/w"])
    assert learning_factors({"**/w": 0.5}, ["a/w"], ["still/w"]) == {"a/w": 0.5}


def test_groups_keep_the_order() -> None:
    assert list(by_factor("abcd", [2, 1, 2, 3])) == [(2, ["a", "c"]), (1, ["b"]), (3, ["d"])]
