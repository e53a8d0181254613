import json
from pathlib import Path

import pytest


@pytest.fixture
def frozen(run, models: Path) -> Path:
    """Stand in a folder with a bundle and a .meta."""
    for out in ("out", "one.meta"):
        code, _, err = run("freeze", "conv_bn", out, "--freeze", "conv1", *no_train_op(out))
        assert (code, err) == (0, "")
    return models


def no_train_op(out: str) -> list[str]:
    return ["--no-train-op"] if out == "out" else []


@pytest.mark.parametrize("source", ["out", "out/model.meta", "out/model", "one.meta"])
def test_undo(run, frozen: Path, source: str) -> None:
    code, out, err = run("undo", source, "back.meta")
    original = Path("conv_bn/model.ckpt.meta").read_bytes()
    assert (code, err) == (0, "")
    assert Path("back.meta").read_bytes() == original
    assert f"original     model.ckpt.meta, MetaGraphDef (binary), {len(original):,} bytes\n" in out
    assert "checkpoint   conv_bn/model.ckpt, as named then\n" in out
    assert out.endswith("written to back.meta, to the byte what it was\n")


def test_json(run, frozen: Path) -> None:
    code, out, err = run("undo", "out", "back.meta", "--json")
    told = json.loads(out)
    assert (code, err) == (0, "")
    assert told["source"] == "out/model.meta"
    assert (told["out"], told["name"]) == ("back.meta", "model.ckpt.meta")
    assert told["format"] == "MetaGraphDef (binary)"
    assert told["checkpoint"] == "conv_bn/model.ckpt"


def test_what_was_dropped_is_told(run, models: Path) -> None:
    run("freeze", "text_classifier", "out", "--freeze", "hidden", "--no-train-op")
    _, out, _ = run("undo", "out", "back.meta")
    words = " ".join(out.split())
    keys = "beta1_power, beta2_power, hidden/bias/Adam"
    told = "note checkpoints that were trained since lack keys that the original's saver restores:"
    assert f"{told} {keys} and 9 more" in words


@pytest.mark.parametrize("name", ["graph.pb", "graph.pbtxt"])
def test_the_suffix_is_the_original_s(run, models: Path, name: str) -> None:
    run("freeze", f"bare_graph/{name}", "one.meta", "--freeze", "hidden")
    code, _, err = run("undo", "one.meta", "back.meta")
    suffix = Path(name).suffix
    assert code == 2
    assert f"back.meta: the original is {name}, a GraphDef (" in err
    assert err.endswith(f"give OUT the suffix {suffix}\n")
    assert run("undo", "one.meta", f"back{suffix}")[0] == 0
    assert Path(f"back{suffix}").read_bytes() == Path("bare_graph", name).read_bytes()


# the arguments behind 'undo', the words of the error
REFUSED = {
    "not of graphfreeze": (
        ["conv_bn", "back.meta"],
        "conv_bn/model.ckpt.meta: nothing to undo, graphfreeze did not write it; give a bundle",
    ),
    "into the bundle": (["out", "out/back.meta"], "out/back.meta: lies inside the input out"),
    "over itself": (["one.meta", "one.meta", "--force"], "one.meta: is or holds the input"),
    "over another file": (
        ["out", "taken.meta"],
        "taken.meta: already exists; write elsewhere or replace it with --force",
    ),
    "over a folder": (
        ["out", "folder.meta", "--force"],
        "folder.meta: exists and is of another kind (folder or file)",
    ),
    "no folder for it": (["out", "no/back.meta"], "no does not exist; create it first"),
    "a bundle for a file": (["out", "back"], "give OUT the suffix .meta"),
    "nothing there": (["nowhere", "back.meta"], "nowhere: no such file or folder"),
}


@pytest.mark.parametrize(("arguments", "words"), REFUSED.values(), ids=REFUSED)
def test_refused(run, frozen: Path, arguments: list[str], words: str) -> None:
    Path("taken.meta").write_text("mine")
    Path("folder.meta").mkdir()
    code, out, err = run("undo", *arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1
    assert Path("taken.meta").read_text() == "mine"
    assert not Path("back.meta").exists()


def test_force_replaces_a_file(run, frozen: Path) -> None:
    Path("taken.meta").write_text("mine")
    assert run("undo", "out", "taken.meta", "--force")[0] == 0
    assert Path("taken.meta").read_bytes() == Path("conv_bn/model.ckpt.meta").read_bytes()


@pytest.mark.parametrize("suffix", [".pb", ".pbtxt"])
def test_freeze_tells_what_cannot_be_undone(run, models: Path, suffix: str) -> None:
    _, out, _ = run("freeze", "conv_bn", f"out{suffix}", "--freeze", "conv1")
    note = f"note a {suffix} has no place for what 'graphfreeze undo' needs, so this cannot be"
    assert note in " ".join(out.split())
    _, out, _ = run("freeze", "conv_bn", f"two{suffix}", "--freeze", "conv1", "--json")
    assert "cannot be undone" in json.loads(out)["notes"][-1]
    code, _, err = run("undo", f"out{suffix}", f"back{suffix}")
    assert (code, "a GraphDef cannot" in err) == (2, True)


def test_freeze_tells_no_manifest(run, models: Path) -> None:
    _, out, _ = run("freeze", "conv_bn", "out.meta", "--freeze", "conv1", "--json")
    told = json.loads(out)
    assert "manifest" not in told
    assert not [note for note in told["notes"] if "undo" in note]


def test_refreeze_names_what_it_takes(run, frozen: Path) -> None:
    again = ["freeze", "out", "two", "--freeze", "bn1", "--no-train-op"]
    code, _, err = run(*again)
    assert (code, "freeze it anew with --refreeze" in err) == (2, True)
    code, _, err = run(*again, "--refreeze")
    assert code == 2
    assert (
        "out: no checkpoint that was trained, its 'checkpoint' file names none; give one with"
        in err
    )
    code, out, err = run(*again, "--refreeze", "--checkpoint", "out/model")
    assert (code, err) == (0, "")
    told = "note --refreeze: what out/model.meta was frozen to is undone; the values that go on are"
    assert f"{told} those of out/model" in " ".join(out.split())
    assert run("undo", "two", "back.meta")[0] == 0
    assert Path("back.meta").read_bytes() == Path("conv_bn/model.ckpt.meta").read_bytes()


def test_refreeze_into_its_own_bundle(run, frozen: Path) -> None:
    base = ["freeze", "out"]
    options = ["--freeze", "bn1", "--no-train-op", "--refreeze", "--checkpoint", "out/model"]
    code, _, err = run(*base, "out", *options, "--force")
    assert (code, "out: is or holds the input" in err) == (2, True)
    code, _, err = run(*base, "out/two.meta", *options, "--force")
    assert (code, "out/two.meta: lies inside the input out" in err) == (2, True)


def test_show_warns_of_a_record_that_cannot_be_read(run, frozen: Path) -> None:
    file = Path("out/graphfreeze.json")
    file.write_bytes(file.read_bytes()[:700])
    code, _, err = run("show", "out")
    assert (code, len(err.splitlines())) == (0, 1)
    assert "states are those of the graph alone" in err
