"""What all commands have in common: exit codes, pipes, colours, and no TensorFlow."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from graphfreeze import api
from graphfreeze.errors import GraphfreezeError
from graphfreeze.model.names import BadNameError
from graphfreeze.model.ops import OpTypeError

NO_TENSORFLOW = """
import sys
from graphfreeze.cli import main
code = main(sys.argv[1:])
started = [name for name in sys.modules if name.startswith("tensorflow.python")]
sys.exit(code or (f"TensorFlow was started: {started[:3]}" if started else 0))
"""


def graphfreeze(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "graphfreeze", *arguments]
    return subprocess.run(command, check=False, text=True, stdout=-1, stderr=-1, **options)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "line",
    [
        "show bert_tiny",
        "freeze text_classifier out.pb --freeze hidden",
        "freeze text_classifier out.pbtxt --freeze hidden",
        "freeze text_classifier out.meta --freeze-rows word_embedding=0:900",
        "freeze text_classifier bundle --freeze hidden --no-train-op",
        "freeze partitioned_mod bundle --vocab table=partitioned_mod/vocab.txt "
        "--freeze-words table=partitioned_mod/vocab.txt --except output --dry-run --no-train-op",
        "freeze nce out --freeze-rows embeddings=:9 --row-strategy overlay --no-train-op --dry-run",
    ],
)
def test_tensorflow_is_not_started(models: Path, line: str) -> None:
    command = [sys.executable, "-c", NO_TENSORFLOW, *line.split()]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_version(run) -> None:
    assert run("--version") == (0, "graphfreeze 0.1.0\n", "")


@pytest.mark.parametrize("command", [[], ["show"], ["freeze"]])
def test_help(run, command: list[str]) -> None:
    code, out, err = run(*command, "--help")
    assert (code, err) == (0, "")
    assert out.startswith("Usage: graphfreeze")


def test_no_command_is_answered_with_help(run) -> None:
    code, out, err = run()
    assert (code, out) == (2, "")
    assert err.startswith("Usage: graphfreeze")


def test_a_closed_pipe_is_no_error(models: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "graphfreeze", "show", "bert_tiny"]
    done = subprocess.run(command, check=False, stdout=writer, stderr=-1)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_line(models: Path) -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "graphfreeze", "show", "bert_tiny", "--json"]
        done = subprocess.run(command, check=False, stdout=full, stderr=-1, text=True)
    assert done.returncode == 2
    assert done.stderr == "graphfreeze: error: No space left on device\n"


def test_no_colours_in_a_pipe_and_no_name_cut_off(models: Path) -> None:
    environment = {**os.environ, "COLUMNS": "30", "TERM": "xterm-256color"}
    out = graphfreeze("show", "bert_tiny", env=environment).stdout
    assert "\x1b" not in out
    assert "…" not in out
    assert "    token_type_embeddings  [2, 16]" in out


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ImportError("initialization failed")])
def test_interrupt_is_quiet(run, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise error from KeyboardInterrupt()

    monkeypatch.setattr(api, "load", interrupt)
    code, out, err = run("show", "x")
    assert (code, out, err.strip()) == (130, "", "")


def test_a_bug_is_one_line(run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyError("lost\nkey")

    monkeypatch.setattr(api, "load", fail)
    code, _, err = run("show", "x")
    assert code == 70
    assert err.startswith("graphfreeze: error: a bug in graphfreeze, please report it: KeyError in")
    assert err.count("\n") == 1
    monkeypatch.setenv("GRAPHFREEZE_DEBUG", "1")
    assert "Traceback" in run("show", "x")[2]


@pytest.mark.parametrize("error", [OpTypeError, BadNameError])
def test_errors_of_the_model_are_told_in_one_line(error: type[Exception]) -> None:
    assert issubclass(error, GraphfreezeError)
    assert issubclass(error, ValueError)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_that_is_no_text(models: Path) -> None:
    os.rename(b"conv_bn", b"conv\xff")
    for line in ("show", "show --json", "freeze --freeze bn* --no-train-op --json"):
        command, *options = line.split()
        out = ["out"] if command == "freeze" else []
        arguments = [sys.executable, "-m", "graphfreeze", command, b"conv\xff", *out, *options]
        done = subprocess.run(arguments, check=False, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        assert "conv\\xff/model.ckpt.meta" in done.stdout.replace("\\\\", "\\")
