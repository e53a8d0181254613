"""The command line where it starts TensorFlow: each test is a process of its own."""

import json
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

MODELS = Path(__file__).parents[2] / "testdata" / "models"
HEAD = """\
import json, sys
import numpy as np
import tensorflow as tf
feeds = json.load(open(sys.argv[1]))["feeds"]
feeds = {k: np.array(f["values"], f["dtype"]).reshape(f["shape"]) for k, f in feeds.items()}
"""
VALUES = "{v.op.name.replace('/', '.'): sess.run(v) for v in tf.compat.v1.global_variables()}"


def graphfreeze(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "graphfreeze", *line.split()]
    return subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    shutil.copytree(MODELS, tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_the_lines_of_the_report_train_the_bundle(models: Path) -> None:
    options = "--freeze hidden --freeze-rows word_embedding=0:900"
    done = graphfreeze(models, f"freeze text_classifier out {options}")
    assert (done.returncode, done.stderr) == (0, "")
    *usage, step = textwrap.dedent("\n".join(done.stdout.splitlines()[-4:])).splitlines()
    save = [f"    np.savez('{name}.npz', **{VALUES})" for name in ("before", "after")]
    script = "\n".join([HEAD, *usage, save[0], step, save[1]])
    train = [sys.executable, "-c", script, str(MODELS / "text_classifier" / "feeds.json")]
    subprocess.run(train, check=True, cwd=models, capture_output=True)
    before, after = (np.load(models / f"{name}.npz") for name in ("before", "after"))
    moved = {name: before[name] != after[name] for name in before}
    assert not moved["hidden.kernel"].any()
    assert not moved["word_embedding"][:900].any()
    assert moved["word_embedding"][900:].any()
    assert moved["output.kernel"].any()


def test_json_and_nothing_else(models: Path) -> None:
    options = "--freeze **/gamma --loss total --optimizer momentum --learning-rate 0.1"
    done = graphfreeze(models, f"freeze conv_bn out {options} --json")
    record = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert record["train_op"] == "graphfreeze/train_op"
    assert len(record["losses"]) == 3
    assert (record["optimizer"], record["learning_rate"]) == ("momentum", 0.1)
    assert record == json.loads((models / "out" / "graphfreeze.json").read_text())


def test_dry_run_builds_the_train_op_and_writes_nothing(models: Path) -> None:
    before = sorted(models.rglob("*"))
    done = graphfreeze(
        models, "freeze bare_graph/graph.pb out --train-only output --loss loss:0 --dry-run"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "train_op     graphfreeze/train_op\n" in done.stdout
    assert "  optimizer  adam, learning rate 0.001\n" in done.stdout
    assert done.stdout.endswith("\ndry run: nothing was written\n")
    assert sorted(models.rglob("*")) == before


def test_default_report_of_many_variables_is_short(models: Path) -> None:
    done = graphfreeze(models, "freeze bert_tiny out --freeze bert/encoder/layer_{0..9}")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    rule = "--freeze bert/encoder/layer_{0..9}"
    assert f"layer_{{0..9}}/ 160 variables 22,240 frozen {rule}" in lines
    assert "layer_{10..11}/ 32 variables 4,448 trainable" in lines
    assert len(lines) < 45


CASES = {
    "a loss that reaches nothing": (
        "freeze text_classifier out --freeze output --stop-gradient hidden/Relu",
        "reaches no trainable variable; choose --loss or freeze less",
    ),
    "ops that are not there": (
        "freeze strange.pbtxt out --freeze table --loss loss:0 --checkpoint bare_graph/model.ckpt",
        "lacks ops of this graph: Abacus, Xylophone; use a version that has them, or --no-train-op",
    ),
}


@pytest.mark.parametrize(("line", "told"), CASES.values(), ids=CASES)
def test_bad_input(models: Path, line: str, told: str) -> None:
    text = (models / "bare_graph" / "graph.pbtxt").read_text()
    for op in ("Xylophone", "Abacus"):
        text = f'node {{\n  name: "{op}"\n  op: "{op}"\n}}\n' + text
    (models / "strange.pbtxt").write_text(text)
    before = sorted(models.rglob("*"))
    done = graphfreeze(models, line)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("graphfreeze: error: ")
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
    assert sorted(models.rglob("*")) == before
