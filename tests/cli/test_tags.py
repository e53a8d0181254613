"""``--tags``, and what ``show`` tells of SavedModels."""

import json
from pathlib import Path

import pytest

SHOWN = """\
saved_model/1/saved_model.pb
format       SavedModel (binary)
written by   TensorFlow 1.15.5, graph version 134
nodes        88
checkpoint   saved_model/1/variables/variables
losses       none in the collection 'losses'
train ops    none in a collection
tags         serve
signatures   serving_default: words string [?, 5] -> classes float32 [?, 3]
assets       vocab.txt, for string_to_index/hash_table/asset_path:0
main op      main_op

"""
MODULE = """\
hub_module/module/saved_model.pb
format       TF-Hub module, SavedModel (binary)
written by   TensorFlow 1.15.5, graph version 134
nodes        79
checkpoint   hub_module/module/variables/variables
losses       none in the collection 'losses'
train ops    none in a collection
tags         none
signatures   default: default string [?, 5] -> default float32 [?, 6]
assets       vocab.txt, missing, for string_to_index/hash_table/asset_path:0

"""
COMMANDS = {
    "show": ("show", "saved_model/1"),
    "freeze": ("freeze", "saved_model/1", "out.meta", "--freeze", "hidden"),
    "patch": ("patch", "saved_model/1", "out.meta", "--freeze", "hidden"),
    "explain": ("explain", "saved_model/1", "hidden/kernel"),
    "diff": ("diff", "saved_model/1", "saved_model/1", "--other-tags", "train"),
    "verify": ("verify", "saved_model/1", "text_classifier"),
    "undo": ("undo", "saved_model/1", "back.pb"),
}


def test_show(run, models: Path) -> None:
    code, out, err = run("show", "saved_model/1", "--tags", "serve")
    assert (code, out[: len(SHOWN)], err) == (0, SHOWN, "")


def test_show_a_module(run, models: Path) -> None:
    (models / "hub_module" / "module" / "assets" / "vocab.txt").unlink()
    code, out, err = run("show", "hub_module/module", "--tags", "")
    assert (code, out[: len(MODULE)], err) == (0, MODULE, "")


def test_json(run, models: Path) -> None:
    code, out, _ = run("show", "saved_model/1", "--tags", "serve", "--json")
    told = json.loads(out)
    assert (code, told["tags"], told["main_op"]) == (0, ["serve"], "main_op")
    tensor = "string_to_index/hash_table/asset_path:0"
    assert told["assets"] == [{"filename": "vocab.txt", "tensor": tensor, "is_there": True}]
    words = {"name": "words", "tensor": "words:0", "dtype": "string", "shape": [None, 5]}
    (signature,) = told["signatures"]
    assert (signature["name"], signature["inputs"]) == ("serving_default", [words])
    assert signature["method"] == "tensorflow/serving/predict"


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)
@pytest.mark.parametrize(
    ("tags", "told"),
    [
        ((), "saved_model/1/saved_model.pb: holds 2 graphs; choose one with --tags train, --tags"),
        (
            ("--tags", "serving"),
            "tags 'serving' are of none of its 2 graphs; choose from --tags tra",
        ),
        (("--tags", ""), "tags '' are of none of its 2 graphs; choose from --tags train, --tags"),
    ],
    ids=["no tags", "other tags", "the empty set"],
)
def test_each_command_asks_for_tags(
    run, models: Path, arguments: tuple[str, ...], tags: tuple[str, ...], told: str
) -> None:
    code, out, err = run(*arguments, *tags)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert told in err
    assert not list(models.glob("out*"))


def test_each_command_takes_tags(run, models: Path) -> None:
    train = ("--tags", "train")
    for name in ("freeze", "patch", "explain", "diff"):
        code, _, err = run(*COMMANDS[name], *train, *(["--force"] if name == "patch" else []))
        assert (code, err) == (0, "")


def test_two_graphs_of_one_file_differ(run, models: Path) -> None:
    code, out, _ = run(*COMMANDS["diff"], "--tags", "serve", "--json")
    told = json.loads(out)
    assert code == 0
    assert not told["removed"]
    assert "labels" in [node["name"] for node in told["added"]]
    assert "losses" in [entry["key"] for entry in told["collections"]]


def test_tags_and_a_record_of_verify(run, models: Path) -> None:
    code, _, err = run("verify", "a", "b", "--record", "c", "--tags", "serve")
    assert code == 2
    assert "--tags has no meaning with --record" in err
