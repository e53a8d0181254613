"""Models with loops, conds and functions, frozen in TensorFlow 2 and run by the real 1.15.5."""

import os
from pathlib import Path

import pytest
from control_flow_runs import CASES, Run, check_gradients, check_steps, run_cases

ROOT = Path(__file__).parents[2]
PYTHON = os.environ.get("GRAPHFREEZE_TF1_PYTHON", ROOT / ".venv-tf1" / "bin" / "python")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    return run_cases(PYTHON, tmp_path_factory.mktemp("control_flow"))


@pytest.mark.parametrize("name", CASES)
def test_the_loss_is_what_it_was(name: str, runs: dict[str, Run]) -> None:
    assert runs[name].values["loss"].tobytes() == runs[name].original["loss"].tobytes()


@pytest.mark.parametrize("name", CASES)
def test_gradients_are_what_they_were(name: str, runs: dict[str, Run]) -> None:
    check_gradients(CASES[name], runs[name])


@pytest.mark.parametrize("name", CASES)
def test_twenty_steps(name: str, runs: dict[str, Run]) -> None:
    check_steps(runs[name])
