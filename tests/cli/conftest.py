import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from graphfreeze.cli import main

MODELS = Path(__file__).parents[2] / "testdata" / "models"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command line; return exit code, stdout, stderr."""
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")

    def run_it(*arguments: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        return (code, *capfd.readouterr())

    return run_it


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder with copies of all models."""
    shutil.copytree(MODELS, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path
