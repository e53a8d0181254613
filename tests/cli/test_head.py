"""A model is given a head from the command line."""

import json
from pathlib import Path

import pytest

HEAD = ("--head", "softmax", "--at", "hidden/Relu", "--classes", "5")
FROZEN = ("--freeze", "word_embedding")


def test_a_dry_run_tells_the_head(run, models: Path) -> None:
    code, out, err = run("freeze", "text_classifier", "--dry-run", "--no-train-op", *HEAD, *FROZEN)
    assert (code, err) == (0, "")
    assert "head         softmax, 5 classes from 16 features of hidden/Relu:0\n" in out
    assert "  features   head/features:0, which may be fed instead of the model's inputs\n" in out
    assert "  labels     head/labels:0\n  loss       head/loss:0\n" in out
    assert "  outputs    head/logits:0\n             head/probabilities:0\n" in out
    loss = "sparse_softmax_cross_entropy_loss/value:0"
    assert f"note         the head's loss takes the place of\n             {loss}, which no" in out
    assert "  kernel        [16, 5]              80  trainable\n" in out


def test_json_tells_it_too(run, models: Path) -> None:
    _, out, _ = run("freeze", "text_classifier", "out.meta", *HEAD, *FROZEN, "--json")
    told = json.loads(out)["head"]
    assert (told["kind"], told["at"], told["classes"]) == ("softmax", "hidden/Relu:0", 5)
    assert told["tensors"]["accuracy"] == "head/accuracy:0"
    assert told["losses_before"] == ["sparse_softmax_cross_entropy_loss/value:0"]
    shown = json.loads(run("show", "out.meta", "--json")[1])
    assert shown["losses"] == ["head/loss:0"]
    states = {v["name"]: v["state"] for v in shown["variables"]}
    assert (states["head/kernel"], states["word_embedding"]) == ("trainable", "frozen")


def test_patterns_see_the_head(run, models: Path) -> None:
    more = ("--head-name", "task/a", "--train-only", "task")
    _, out, _ = run("freeze", "text_classifier", "out.pb", *HEAD, *more, "--json")
    states = {v["name"]: v["state"] for v in json.loads(out)["variables"]}
    learning = {name for name, state in states.items() if state == "trainable"}
    assert learning == {"task/a/kernel", "task/a/bias"}


@pytest.mark.parametrize("suffix", [".pb", ".pbtxt", ".meta"])
def test_a_bare_graph(run, models: Path, suffix: str) -> None:
    options = ("--head", "regression", "--at", "hidden/Relu", "--freeze", "table")
    code, _, err = run("freeze", "bare_graph/graph.pb", f"out{suffix}", *options)
    assert (code, err) == (0, "")
    assert "losses       head/loss:0\n" in run("show", f"out{suffix}")[1] or suffix != ".meta"
    assert "head/" in run("show", f"out{suffix}")[1]


def test_it_can_be_undone(run, models: Path) -> None:
    run("freeze", "text_classifier", "out.meta", *HEAD, *FROZEN)
    assert run("undo", "out.meta", "again.meta")[0] == 0
    original = models / "text_classifier" / "model.ckpt.meta"
    assert Path("again.meta").read_bytes() == original.read_bytes()


def test_all_that_learns_without_a_freeze_is_told(run, models: Path) -> None:
    _, _, err = run("freeze", "text_classifier", "out.meta", *HEAD)
    assert "nothing is frozen" in err


def test_constants_are_frozen_anyhow(run, models: Path) -> None:
    lines = [
        'node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } }',
        'attr { key: "shape" value { shape { dim { size: -1 } dim { size: 4 } } } } }',
        'node { name: "pool" op: "Tanh" input: "x" attr { key: "T" value { type: DT_FLOAT } } }',
    ]
    Path("frozen.pbtxt").write_text("\n".join(lines))
    options = ("--head", "sigmoid", "--at", "pool", "--classes", "2")
    code, out, err = run("freeze", "frozen.pbtxt", "out.meta", *options)
    assert (code, err) == (0, "")
    assert "the graph has no other variables" in out
    assert "'graphfreeze thaw'" in " ".join(out.split())


def test_it_takes_what_grew(run, models: Path) -> None:
    Path("new.txt").write_text("zebra\nyak\n")
    words = ("--vocab", "embedding=tied_softmax/vocab.txt", "--add-words", "embedding=new.txt")
    head = ("--head", "softmax", "--at", "logits", "--classes", "4", "--no-train-op")
    code, out, err = run(
        "freeze", "tied_softmax", *words, *head, *("--freeze", "hidden"), "--dry-run"
    )
    assert (code, err) == (0, "")
    assert "softmax, 4 classes from 602 features of logits:0\n" in out


WRONG = {
    "no tensor": (("--head", "softmax"), "--head needs the tensor that it is laid on; give --at"),
    "no classes": (HEAD[:4], "a softmax head needs the number of its classes"),
    "an unknown kind": (
        ("--head", "x", "--at", "y"),
        "'x' is no kind of head; choose from softmax",
    ),
    "a tensor alone": (HEAD[2:4], "--at has no meaning without --head; leave it out"),
    "classes alone": (HEAD[4:], "--classes has no meaning without --head"),
    "a name alone": (("--head-name", "x"), "--head-name has no meaning without --head"),
    "features alone": (("--features", "4"), "--features has no meaning without --head"),
    "an unknown tensor": (
        ("--head", "softmax", "--at", "hiden/Relu", "--classes", "5"),
        "did you mean hidden/Relu",
    ),
    "a name that is there": ((*HEAD, "--head-name", "hidden"), "give --head-name hidden_1"),
}


@pytest.mark.parametrize(("options", "words"), WRONG.values(), ids=WRONG)
def test_wrong(run, models: Path, options: tuple[str, ...], words: str) -> None:
    code, out, err = run("freeze", "text_classifier", "out.meta", *options)
    assert (code, out) == (2, "")
    assert words in err
    assert not Path("out.meta").exists()


def test_a_patch_has_no_head(run, models: Path) -> None:
    code, _, err = run("patch", "text_classifier", "out.meta", *HEAD, *FROZEN)
    assert code == 2
    assert "--head" in err
