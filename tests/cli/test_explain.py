import json
import subprocess
import sys
from pathlib import Path

import pytest

LOSS = "sparse_softmax_cross_entropy_loss/value"
GRADIENT = f"""\
hidden/kernel has a gradient: 11 ops lead from it to {LOSS}:0

  hidden/kernel                                        VariableV2
  hidden/kernel/read                                   Identity
  hidden/MatMul                                        MatMul
  hidden/BiasAdd                                       BiasAdd
  hidden/Relu                                          Relu
  output/MatMul                                        MatMul
  output/BiasAdd                                       BiasAdd
  sparse_softmax_cross_entropy_loss/xentropy/xentropy  SparseSoftmaxCrossEntropyWithLogits
  sparse_softmax_cross_entropy_loss/Mul                Mul
  sparse_softmax_cross_entropy_loss/Sum                Sum
  sparse_softmax_cross_entropy_loss/Sum_1              Sum
  {LOSS}              DivNoNan
"""
WRITERS = """\
hidden/kernel moves: train_op runs 1 of its 3 writers

train_op/update_hidden/kernel/ApplyAdam (ApplyAdam): optimizer update
  train_op                                 AssignAdd
  train_op/value                           Const
  train_op/update                          NoOp
  train_op/update_hidden/kernel/ApplyAdam  ApplyAdam  <- writes

hidden/kernel/Assign (Assign): initializer
  not reached by train_op
  run by init

save/Assign_6 (Assign): restore
  not reached by train_op
  run by save/restore_all
"""


def test_gradient(run, models: Path) -> None:
    assert run("explain", "text_classifier", "hidden/kernel") == (0, GRADIENT, "")
    told = run("explain", "text_classifier", "hidden/kernel:0", "--loss", f"{LOSS}:0")
    assert told == (0, GRADIENT, "")


def test_writers(run, models: Path) -> None:
    assert run("explain", "text_classifier", "hidden/kernel", "--writers") == (0, WRITERS, "")


def test_a_frozen_variable(run, models: Path) -> None:
    assert run("freeze", "text_classifier", "out.meta", "--freeze", "hidden")[0] == 0
    code, out, _ = run("explain", "out.meta", "hidden/bias")
    stop = "hidden/bias/read/graphfreeze/stop"
    assert code == 0
    assert out.startswith(f"hidden/bias has no gradient: StopGradient at {stop} cuts it\n")
    assert f"  {stop}  StopGradient  <- cut here\n" in out
    assert out.endswith("bundle       frozen, by --freeze hidden\n")


def test_where_a_slot_leads(run, models: Path) -> None:
    code, out, _ = run("explain", "text_classifier", "hidden/kernel/Adam")
    assert code == 0
    assert out.startswith(f"hidden/kernel/Adam has no gradient: no data leads from it to {LOSS}:0")
    assert "the writer train_op/update_hidden/kernel/ApplyAdam (ApplyAdam)" in out


def test_long_paths(run, models: Path) -> None:
    _, short, _ = run("explain", "bert_tiny", "bert/embeddings/word_embeddings")
    _, whole, _ = run("explain", "bert_tiny", "bert/embeddings/word_embeddings", "-v")
    assert "95 ops lead from it to loss:0" in short
    assert "\n  ... 80 more ...\n" in short
    assert (len(short.splitlines()), len(whole.splitlines())) == (19, 98)


def test_json(run, models: Path) -> None:
    code, out, err = run("explain", "conv_bn", "bn1/moving_mean", "--loss", "total", "--json")
    record = json.loads(out)
    assert (code, err) == (0, "")
    assert (record["status"], record["has_gradient"]) == ("disconnected", False)
    code, out, err = run("explain", "conv_bn", "bn1/moving_mean", "--writers", "--json")
    record = json.loads(out)
    assert (code, err) == (0, "")
    assert {w["name"]: w["kind"] for w in record["writers"]} == {
        "bn1/moving_mean/Assign": "initializer",
        "bn1/AssignMovingAvg": "moving average",
        "save/Assign_2": "restore",
    }


WRONG = {
    "an unknown variable": (["hidden/kernal"], "no variable 'hidden/kernal'; did you mean hidden"),
    "a scope": (["hidden"], "'hidden' is no variable and holds 6; name one: hidden/kernel"),
    "an unknown loss": (["hidden/kernel", "--loss", "los"], "the graph has no tensor 'los'"),
    "an integer loss": (["hidden/kernel", "--loss", "global_step"], "int64"),
    "an unknown train op": (
        ["hidden/kernel", "--writers", "--train-op", "trian_op"], "did you mean train_op, "
    ),
    "both questions": (["hidden/kernel", "--writers", "--loss", LOSS], "use one"),
    "a train op without writers": (["hidden/kernel", "--train-op", "train_op"], "add --writers"),
    "no variable": ([], "missing argument"),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=WRONG)
def test_wrong_input(run, models: Path, arguments: list[str], message: str) -> None:
    code, out, err = run("explain", "text_classifier", *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_tensorflow_is_not_started(models: Path) -> None:
    program = (
        "import sys; from graphfreeze.cli import main\n"
        "main(['explain', 'bert_tiny', 'bert/embeddings/word_embeddings', '--json'])\n"
        "main(['explain', 'bert_tiny', 'bert/embeddings/word_embeddings', '--writers'])\n"
        "sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
