"""Freeze inside and outside of loops, conds and functions: gradients are what they were."""

import sys
from pathlib import Path

import pytest
from control_flow_runs import CASES, Run, check_gradients, check_steps, run_cases

from graphfreeze.schema import GraphDef, MetaGraphDef

NOT_THE_MODELS = [name for name, case in CASES.items() if case.model == "dataset_pipeline"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    return run_cases(sys.executable, tmp_path_factory.mktemp("control_flow"))


def functions(path: Path) -> dict[str, bytes]:
    """Return the bytes of the functions of a graph by name."""
    raw = path.read_bytes()
    graph = (
        GraphDef.FromString(raw) if path.suffix == ".pb" else MetaGraphDef.FromString(raw).graph_def
    )
    found = graph.library.function
    return {each.signature.name: each.SerializeToString(deterministic=True) for each in found}


@pytest.mark.parametrize("name", CASES)
def test_the_loss_is_what_it_was(name: str, runs: dict[str, Run]) -> None:
    assert runs[name].values["loss"].tobytes() == runs[name].original["loss"].tobytes()


@pytest.mark.parametrize("name", CASES)
def test_gradients_are_what_they_were(name: str, runs: dict[str, Run]) -> None:
    check_gradients(CASES[name], runs[name])


@pytest.mark.parametrize("name", CASES)
def test_twenty_steps(name: str, runs: dict[str, Run]) -> None:
    check_steps(runs[name])


@pytest.mark.parametrize("name", CASES)
def test_functions_are_left_alone(name: str, runs: dict[str, Run]) -> None:
    """What another name was given to was changed; what keeps its name is as it was."""
    before = functions(CASES[name].source)
    after = functions(runs[name].folder / "model.meta")
    assert {name: after[name] for name in before if name in after}.items() <= before.items()
    if name in NOT_THE_MODELS:
        assert before
        assert after == before
