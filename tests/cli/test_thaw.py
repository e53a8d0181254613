"""The command ``thaw``: what it proposes, what it prints, and what it refuses."""

import json
from pathlib import Path

import pytest

GRAPH = "frozen_classifier/graph.pb"


def test_proposals(run, models: Path) -> None:
    code, out, err = run("thaw", GRAPH, "--dry-run")
    assert (code, err) == (0, "")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "conv1/kernel [3, 3, 3, 8] float32 864 bytes trainable Conv2D" in lines
    assert "moving_mean [8] float32 32 bytes not trainable FusedBatchNorm" in lines
    assert "prelu/alpha [8] float32 32 bytes trainable Mul" in lines
    assert "trainable 14 1,124 4.4 KiB" in lines
    assert "not trainable 4 32 128 bytes" in lines
    assert "2 meet a bare input, as preprocessing does: sub/y, truediv/y" in lines
    assert "graph 26 nodes added, 18 changed, none removed; 116 in all" in lines
    assert lines[-1] == "dry run: nothing was written"
    assert not Path("model.meta").exists()


def test_verbose_names_all(run, models: Path) -> None:
    _, out, _ = run("thaw", GRAPH, "--dry-run", "-v")
    assert "Conv2D conv1/Conv2D" in out
    assert "dropout/random_uniform/max" in out
    assert " more" not in out


def test_json(run, models: Path) -> None:
    arguments = ("--constants", "conv2", "--constants", "sub/y", "--variables", "resource")
    code, out, _ = run("thaw", GRAPH, "--dry-run", "--json", *arguments)
    thaw = json.loads(out)["thaw"]
    assert code == 0
    assert (thaw["kind"], thaw["patterns"]) == ("resource", ["conv2", "sub/y"])
    assert thaw["thawed"][0] == {
        "name": "sub/y",
        "dtype": "float32",
        "shape": [3],
        "bytes": 12,
        "taken_by": "Sub sub",
        "is_trainable": True,
    }
    assert [each["name"] for each in thaw["thawed"][1:]] == ["conv2/kernel", "conv2/bias"]
    reasons = {each["reason"]: each["constants"] for each in thaw["left"]}
    assert "conv1/kernel" in reasons["are not named"]
    assert reasons["meet a bare input, as preprocessing does"] == ["truediv/y"]


REFUSED = {
    "no place": ((GRAPH,), "missing argument 'OUT'"),
    "a graph file": ((GRAPH, "out.meta"), "a graph file has no checkpoint for the values of conv1"),
    "no such constant": ((GRAPH, "out", "--constants", "conv9"), "'conv9' matches no constant"),
    "no weights": (("bare_graph/graph.pb", "out"), "already (5 variables); choose from"),
    "a place that is taken": ((GRAPH, "gan"), "gan: already exists"),
    "over the input": ((GRAPH, "frozen_classifier", "--force"), "is or holds the input"),
    "a folder that is no bundle": ((GRAPH, "gan", "--force"), "gan: a folder that is no bundle"),
}


@pytest.mark.parametrize(("arguments", "told"), REFUSED.values(), ids=REFUSED)
def test_refused(run, models: Path, arguments: tuple[str, ...], told: str) -> None:
    before = sorted(models.rglob("*"))
    code, out, err = run("thaw", *arguments)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert told in err
    assert sorted(models.rglob("*")) == before


def test_what_graphfreeze_wrote(run, models: Path) -> None:
    assert run("freeze", "conv_bn", "frozen.meta", "--freeze", "conv1")[0] == 0
    code, _, err = run("thaw", "frozen.meta", "--dry-run")
    assert (code, "already a graphfreeze bundle" in err) == (2, True)


def test_a_loop_without_a_context(run, models: Path) -> None:
    _, out, _ = run("thaw", "frozen_recurrent/graph.pb", "--dry-run")
    told = " ".join(out.split())
    assert "no context told of 1 while loop: recovered from the nodes" in told
    assert "gradients pass the recovered rnn/while/while_context; name loops" in told


def test_no_gradient_is_to_pass_a_loop(run, models: Path) -> None:
    frame = "rnn/while/while_context"
    _, out, _ = run("thaw", "frozen_recurrent/graph.pb", "out", "--no-backprop", frame)
    told = " ".join(out.split())
    assert f"no gradient passes {frame}, as --no-backprop says" in told
    assert "name loops" not in told
    _, out, _ = run("explain", "out", "rnn/cell/kernel", "--loss", "predictions:0")
    assert "it ends a loop that was made with back_prop=False" in out
