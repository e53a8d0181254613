"""Models whose functions 1.15 differentiated before it saved them, and how to compare."""

import json
from pathlib import Path

import numpy as np

MODELS = Path(__file__).parents[1] / "testdata" / "models"
SOURCE = MODELS / "function_calls"
NAMES = ("function_calls", "function_training")
LEARNING = ("words", "mix", "turn", "gate")


def check_gradients(
    values: dict[str, np.ndarray], name: str = "function_calls", loss: str = "loss"
) -> None:
    """Compare what one step left in the slots of a momentum with 1.15's gradients."""
    told = json.loads((MODELS / name / "gradients.json").read_text())[loss]
    for variable in (each for each in LEARNING if each in told):
        wanted = np.array(told[variable], np.float32)
        found = values[f"after/{variable}/graphfreeze_Momentum"]
        assert np.abs(found - wanted).max() <= 1e-6 * np.abs(wanted).max(), variable


def check_steps(values: dict[str, np.ndarray], steps: int) -> None:
    """See that all but what is frozen, ``shift``, learnt."""
    bits = {n: [values[f"{at}/{n}"].tobytes() for at in ("before", "after")] for n in LEARNING}
    assert all(before != after for before, after in bits.values())
    assert values["after/shift"].tobytes() == values["before/shift"].tobytes()
    assert values["after/global_step"] == steps
    assert values["loss_after"] < values["loss_before"]
