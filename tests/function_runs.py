"""The model whose functions 1.15 differentiated before it was saved, and how to compare."""

import json
from pathlib import Path

import numpy as np

SOURCE = Path(__file__).parents[1] / "testdata" / "models" / "function_calls"
GRADIENTS = json.loads((SOURCE / "gradients.json").read_text())
LEARNING = ("words", "mix", "turn", "gate")


def check_gradients(values: dict[str, np.ndarray], loss: str = "loss", within: float = 0.0) -> None:
    """Compare what one step left in the slots of a momentum with 1.15's gradients."""
    for name, told in GRADIENTS[loss].items():
        if name in LEARNING:
            wanted = np.array(told, np.float32)
            found = values[f"after/{name}/graphfreeze_Momentum"]
            assert np.abs(found - wanted).max() <= within * np.abs(wanted).max(), name


def check_steps(values: dict[str, np.ndarray], steps: int) -> None:
    """See that all but what is frozen, ``shift``, learnt."""
    bits = {n: [values[f"{at}/{n}"].tobytes() for at in ("before", "after")] for n in LEARNING}
    assert all(before != after for before, after in bits.values())
    assert values["after/shift"].tobytes() == values["before/shift"].tobytes()
    assert values["after/global_step"] == steps
    assert values["loss_after"] < values["loss_before"]
