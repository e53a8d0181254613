"""The command ``verify``: exit codes, tables, JSON, and options that do not go together."""

import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow.compat.v1 as tf

import graphfreeze
from graphfreeze.schema import MetaGraphDef

MODELS = Path(__file__).parents[2] / "testdata" / "models"
SOURCE = MODELS / "resource_mlp"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    plan = graphfreeze.FreezePlan(freeze=("hidden",), train_rows={"embedding": "100:"})
    frozen = graphfreeze.freeze(graphfreeze.load(SOURCE), plan)
    graphfreeze.add_train_op(frozen, optimizer="sgd", learning_rate=0.1)
    out = tmp_path_factory.mktemp("cli") / "out"
    graphfreeze.save(frozen, out)
    return out


def test_all_passes(run, bundle: Path) -> None:
    code, out, err = run("verify", SOURCE, bundle, "--steps", "2")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == str(bundle)
    assert "static      passed" in lines
    assert "forward     passed  2 of 2 outputs equal to the bit" in lines
    assert "steps       passed  2 steps, 0 of 1,584 frozen entries moved" in lines
    assert "round trip  passed" in lines
    assert "ids:0     int32 [8, 6]  0 to 499  ids of embedding (500 rows)" in lines
    assert any(line.startswith("embedding      frozen") for line in lines)
    assert lines[-1] == "passed"


def test_progress_is_shown_on_a_terminal_alone(bundle: Path) -> None:
    mine, theirs = pty.openpty()
    command = [sys.executable, "-m", "graphfreeze", "verify", SOURCE, bundle, "--steps", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs) as process:
        os.close(theirs)
        shown = b"".join(iter(lambda: read_terminal(mine), b""))
        assert process.stdout is not None
        printed = process.stdout.read()
    assert process.returncode == 0
    assert b"checking with TensorFlow, steps" in shown
    assert b"2/2" in shown
    assert b"checking" not in printed


def read_terminal(number: int) -> bytes:
    """Read what is there; Linux reports the end of a terminal as an error."""
    try:
        return os.read(number, 4096)
    except OSError:
        return b""


def test_json_has_every_figure(run, bundle: Path) -> None:
    feed = "ids=int:200:210"
    code, out, err = run(
        "verify", SOURCE, bundle, "--steps", "1", "--batch", "3", "--feed", feed, "--json"
    )
    record = json.loads(out)
    assert (code, err, record["passed"]) == (0, "", True)
    sections = [(each["name"], each["status"]) for each in record["sections"]]
    assert sections == [(n, "passed") for n in ("static", "forward", "steps", "round trip")]
    assert [(each["name"], each["shape"], each["source"]) for each in record["feeds"]] == [
        ("ids:0", [3, 6], "--feed"),
        ("labels:0", [3], record["feeds"][1]["source"]),
    ]
    assert record["steps"] == 1
    assert [each["different"] for each in record["outputs"]] == [0, 0]
    frozen = {each["name"]: each for each in record["changes"] if each["state"] == "frozen"}
    assert frozen["embedding"]["elements"] == 800
    assert all(each["moved"] == 0 for each in frozen.values())


def test_failure_is_exit_code_1(run, bundle: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(bundle, tmp_path / "copy"))
    meta = MetaGraphDef.FromString((copy / "model.meta").read_bytes())
    next(node for node in meta.graph_def.node if node.op == "Tanh").op = "Sigmoid"
    (copy / "model.meta").write_bytes(meta.SerializeToString())
    code, out, err = run("verify", SOURCE, copy, "--steps", "1")
    assert (code, err) == (1, "")
    assert "forward     FAILED  0 of 2 outputs equal to the bit" in out.splitlines()
    assert out.splitlines()[-1].startswith("FAILED: ")
    assert "forward" in out.splitlines()[-1]


def test_two_checkpoints(run, bundle: Path, tmp_path: Path) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        saver = tf.train.import_meta_graph(str(bundle / "model.meta"))
        saver.restore(session, str(bundle / "model"))
        kernel = session.graph.get_tensor_by_name("hidden/kernel:0")
        more = tf.ones([48, 16])
        session.run(tf.raw_ops.AssignAddVariableOp(resource=kernel, value=more))
        saver.save(session, str(tmp_path / "moved"))
    record = ["--record", bundle / "graphfreeze.json"]
    code, out, _ = run("verify", bundle / "model", tmp_path / "moved", *record)
    assert code == 1
    assert "768 of 768 frozen entries of hidden/kernel moved" in out
    assert run("verify", bundle / "model", bundle / "model", *record)[0] == 0


def test_model_and_bundle_in_the_other_order(run, bundle: Path) -> None:
    code, out, err = run("verify", bundle, SOURCE)
    assert (code, out) == (2, "")
    assert "is a bundle and" in err
    assert "give the model first" in err


USAGE = {
    "options of a run with --record": (
        ["--record", "r.json", "--allow-unsafe-ops"],
        "--allow-unsafe-ops has no meaning with --record",
    ),
    "feeds with --record": (["--record", "r.json", "--feed", "x=1"], "--feed has no meaning"),
    "no step": (["--steps", "0"], "0 is not in the range x>=1"),
    "no batch": (["--batch", "0"], "0 is not in the range x>=1"),
}


@pytest.mark.parametrize(("options", "told"), USAGE.values(), ids=USAGE)
def test_usage_errors(run, bundle: Path, options: list[str], told: str) -> None:
    code, out, err = run("verify", SOURCE, bundle, *options)
    assert (code, out) == (2, "")
    assert told in err


WRONG = {
    "no bundle": (SOURCE, SOURCE, [], "no graphfreeze.json here"),
    "a graph alone": (SOURCE, MODELS / "bare_graph" / "graph.pb", [], "graph.pb: no graphfreeze"),
    "the loss is fed": (
        SOURCE,
        None,
        ["--feed", "sparse_softmax_cross_entropy_loss/value=1"],
        "it is the loss, which is compared",
    ),
    "another model": (MODELS / "nce", None, [], "was made from another model"),
    "an unknown feed": (SOURCE, None, ["--feed", "idz=1"], "did you mean ids?"),
    "ids beyond the table": (
        SOURCE,
        None,
        ["--feed", "ids=int:900:1000"],
        "TensorFlow cannot run it",
    ),
}


@pytest.mark.parametrize(("original", "out", "options", "told"), WRONG.values(), ids=WRONG)
def test_wrong_input_is_one_line(
    run, bundle: Path, original: Path, out: Path | None, options: list[str], told: str
) -> None:
    code, printed, err = run("verify", original, out or bundle, *options)
    assert (code, printed) == (2, "")
    assert told in err
    assert err.count("\n") == 1
