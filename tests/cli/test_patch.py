"""The command ``patch``: what it prints, what it writes, and what it refuses."""

import json
from pathlib import Path

import pytest

MODELS = Path(__file__).parents[2] / "testdata" / "models"


def test_text_and_file(run, models: Path) -> None:
    code, out, err = run("patch", "adam_clipped", "out.meta", "--freeze", "hidden")
    assert (code, err) == (0, "")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "steps train_op" in lines
    assert "stopped 2 writers of 2 variables" in lines
    assert "slots 4 slots of frozen variables stop too" in lines
    assert "clip global_norm/global_norm no longer counts 2 frozen gradients" in lines
    assert lines[-1] == "written to out.meta; scripts and checkpoints fit"
    assert not any("Adam_1" in line for line in lines)
    assert run("show", "out.meta")[0] == 0


def test_verbose_names_all(run, models: Path) -> None:
    _, out, _ = run("patch", "adam_clipped", "--dry-run", "--freeze", "hidden", "-v")
    assert "train_op/update_hidden/kernel/ApplyAdam (ApplyAdam)" in out
    assert "hidden/kernel/Adam_1" in out
    assert out.splitlines()[-1] == "dry run: nothing was written"


def test_a_bundle(run, models: Path) -> None:
    assert run("patch", "gan", "out", "--freeze", "shared", "--train-op", "g_train")[0] == 0
    files = {path.name for path in Path("out").iterdir()}
    assert {"model.meta", "model.index", "checkpoint", "graphfreeze.json"} <= files
    source = models / "gan" / "model.ckpt.data-00000-of-00001"
    assert Path("out/model.data-00000-of-00001").samefile(source)
    # TensorFlow writes the index of a checkpoint of shards in place.
    assert not Path("out/model.index").samefile(source.parent / "model.ckpt.index")
    told = json.loads(Path("out/graphfreeze.json").read_text())
    assert told["patch"]["steps"] == ["g_train"]
    assert run("undo", "out", "back.meta")[0] == 0
    assert Path("back.meta").read_bytes() == Path("gan/model.ckpt.meta").read_bytes()


def test_json(run, models: Path) -> None:
    code, out, _ = run("patch", "gan", "--dry-run", "--freeze", "shared", "--json")
    patch = json.loads(out)["patch"]
    assert code == 0
    assert patch["steps"] == ["d_train", "g_train"]
    assert [each["op"] for each in patch["stopped"]] == ["ApplyAdam", "ApplyAdam"]


@pytest.mark.parametrize("suffix", [".pb", ".pbtxt"])
def test_a_graph_def_cannot_be_undone(run, models: Path, suffix: str) -> None:
    code, out, _ = run("patch", "gan", f"out{suffix}", "--freeze", "shared")
    assert code == 0
    assert "cannot be undone" in " ".join(out.split())
    code, _, err = run("undo", f"out{suffix}", "back.meta")
    assert (code, len(err.splitlines())) == (2, 1)


REFUSED = {
    "no OUT": (["gan", "--freeze", "shared"], "missing argument 'OUT'"),
    "nothing to freeze": (["gan", "o.meta"], "name what to freeze with --freeze"),
    "an overlay": (
        ["gan", "o.meta", "--freeze-rows", "shared/kernel=0", "--row-strategy", "overlay"],
        "--row-strategy: an overlay is a new variable",
    ),
    "twice": (["done.meta", "o.meta", "--freeze", "generator"], "--refreeze"),
    "no training": (["tied_softmax", "o.meta", "--freeze", "hidden"], "nothing to patch"),
}


@pytest.mark.parametrize(("arguments", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(run, models: Path, arguments: list[str], message: str) -> None:
    assert run("patch", "gan", "done.meta", "--freeze", "shared")[0] == 0
    code, out, err = run("patch", *arguments)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert message in err
    assert not Path("o.meta").exists()


def test_refreeze(run, models: Path) -> None:
    assert run("patch", "gan", "done.meta", "--freeze", "shared")[0] == 0
    assert run("patch", "done.meta", "again.meta", "--refreeze", "--freeze", "generator")[0] == 0
    _, out, _ = run("show", "again.meta", "--json")
    states = {each["name"]: each["state"] for each in json.loads(out)["variables"]}
    assert states["shared/kernel"] == "trainable"
    assert states["generator/hidden/kernel"] == "frozen"


def test_show_tells_the_training_that_is_left(run, models: Path) -> None:
    assert run("patch", "gan", "done.meta", "--freeze", "shared")[0] == 0
    _, out, _ = run("show", "done.meta", "--json")
    told = json.loads(out)["training"]
    assert [each["name"] for each in told["optimizers"]] == ["Adam", "Adam"]


def test_a_mistyped_suffix_is_a_folder(run, models: Path) -> None:
    _, out, _ = run("patch", "gan", "out.mta", "--freeze", "shared")
    assert out.splitlines()[-1].startswith("written to the folder out.mta")


def test_a_bundle_that_was_not_trained_is_patched_anew(run, models: Path) -> None:
    assert run("patch", "gan", "done", "--freeze", "shared")[0] == 0
    assert run("patch", "done", "again.meta", "--refreeze", "--freeze", "generator")[0] == 0
