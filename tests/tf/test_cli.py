"""The command line where it starts TensorFlow: each test is a process of its own."""

import json
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import msgspec
import numpy as np
import pytest

from graphfreeze.model.frozen_mask import frozen_mask
from graphfreeze.model.records import FreezeRecord

Values = dict[str, np.ndarray]
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


def trained(folder: Path, model: str, line: str, *, lines: int = 4) -> tuple[Values, Values]:
    """Freeze a model, run the last lines of the report, and return all values before and after."""
    done = graphfreeze(folder, f"freeze {model} out {line}")
    assert (done.returncode, done.stderr) == (0, "")
    told = textwrap.dedent("\n".join(done.stdout.splitlines()[-lines:])).splitlines()
    save = [f"    np.savez('{name}.npz', **{VALUES})" for name in ("before", "after")]
    script = "\n".join([HEAD, *told[:3], save[0], *told[3:], save[1]])
    train = [sys.executable, "-c", script, str(MODELS / model.split("/")[0] / "feeds.json")]
    subprocess.run(train, check=True, cwd=folder, capture_output=True)
    before, after = (dict(np.load(folder / f"{name}.npz")) for name in ("before", "after"))
    return before, after


def frozen_of_record(folder: Path) -> dict[str, np.ndarray]:
    """Return the mask of every variable, as the bundle's record alone tells it."""
    record = msgspec.json.decode((folder / "out/graphfreeze.json").read_bytes(), type=FreezeRecord)
    return {v.name.replace("/", "."): frozen_mask(v) for v in record.variables}


def test_the_lines_of_the_report_train_the_bundle(models: Path) -> None:
    options = "--freeze hidden --freeze-rows word_embedding=0:900"
    before, after = trained(models, "text_classifier", options)
    moved = {name: before[name] != after[name] for name in before}
    assert not moved["hidden.kernel"].any()
    assert not moved["word_embedding"][:900].any()
    assert moved["word_embedding"][900:].any()
    assert moved["output.kernel"].any()


def test_the_lines_of_the_report_fill_lookup_tables(models: Path) -> None:
    before, after = trained(models, "saved_model/1", "--tags train --freeze hidden", lines=5)
    moved = {name: (before[name] != after[name]).any() for name in before}
    assert (moved["hidden.kernel"], moved["output.kernel"]) == (False, True)


BY_WORD = "--vocab {0}={1}/vocab.txt --freeze-words {0}=words.txt"
CHOSEN = {
    "rows by word": ("tied_softmax", "embedding", BY_WORD, 4),
    "rows of parts by word": ("partitioned_mod", "table", BY_WORD, 4),
    "an overlay": ("partitioned_div", "table", f"{BY_WORD} --row-strategy overlay", 5),
    "columns and elements": (
        "text_classifier",
        "word_embedding",
        "--freeze-columns {0}=:4 --freeze-elements {0}=mask.npy",
        4,
    ),
}


@pytest.mark.parametrize(("model", "table", "options", "lines"), CHOSEN.values(), ids=CHOSEN)
def test_the_record_alone_tells_what_does_not_move(
    models: Path, model: str, table: str, options: str, lines: int
) -> None:
    (models / "words.txt").write_text("aorta\nartery\nventricle\n")
    np.save(models / "mask.npy", np.random.default_rng(0).random((1000, 16)) < 0.3)
    before, after = trained(models, model, options.format(table, model), lines=lines)
    frozen = {k: m for k, m in frozen_of_record(models).items() if k.split(".")[0] == table}
    moved = {name: before[name] != after[name] for name in frozen}
    assert sum(mask.sum() for mask in frozen.values()) > 0
    assert not any(moved[name][mask].any() for name, mask in frozen.items())
    assert any(moved[name][~mask].any() for name, mask in frozen.items())


def test_words_keep_the_vectors_that_they_get(models: Path) -> None:
    vectors = np.random.default_rng(0).random((4, 16)).astype(np.float32)
    np.savez(models / "new.npz", words=["aorta", "fibula", "ulna", "vein"], vectors=vectors)
    (models / "new.txt").write_text("fibula\nulna\n")
    (models / "words.txt").write_text("aorta\nfibula\nulna\n")
    options = "--add-words embedding=new.txt --vectors embedding=new.npz"
    line = f"{BY_WORD.format('embedding', 'tied_softmax')} {options}"
    before, after = trained(models, "tied_softmax", line)
    rows = [7, 600, 601]
    np.testing.assert_array_equal(before["embedding"][rows], vectors[:3])
    np.testing.assert_array_equal(after["embedding"][rows], vectors[:3])
    assert before["embedding"].shape == (602, 16)
    assert before["softmax_bias"].shape == (602,)
    moved = (before["embedding"] != after["embedding"]).any(axis=1)
    assert np.flatnonzero(~moved).tolist() == rows


def test_factors_under_adam_are_warned_of(models: Path) -> None:
    np.save(models / "half.npy", np.full(1000, 0.5))
    line = "freeze text_classifier --dry-run --row-scale word_embedding=half.npy"
    adam = graphfreeze(models, line)
    assert adam.returncode == 0
    assert adam.stderr.startswith(
        "graphfreeze: warning: --row-scale: under adam scaling a gradient"
    )
    assert adam.stderr.count("\n") == 1
    assert "note         --row-scale: under adam scaling a gradient is not a learning rate" in (
        adam.stdout
    )
    sgd = graphfreeze(models, f"{line} --optimizer sgd --learning-rate 0.1")
    assert (sgd.returncode, sgd.stderr, "--row-scale:" in sgd.stdout) == (0, "", False)


def test_json_and_nothing_else(models: Path) -> None:
    options = "--freeze **/gamma --loss total --optimizer momentum --learning-rate 0.1"
    done = graphfreeze(models, f"freeze conv_bn out {options} --json")
    record = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert record["train_op"] == "graphfreeze/train_op"
    assert len(record["losses"]) == 3
    assert (record["optimizer"], record["learning_rate"]) == ("momentum", 0.1)
    written = json.loads((models / "out" / "graphfreeze.json").read_text())
    assert written.pop("manifest")["name"] == "model.ckpt.meta"
    assert record == written


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
        "lacks ops of this graph: Abacus, Xylophone; load them with --op-library FILE.so, or use",
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
