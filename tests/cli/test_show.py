import json
from pathlib import Path

import pytest

GOLDEN = """\
text_classifier/model.ckpt.meta
format       MetaGraphDef (binary)
written by   TensorFlow 1.15.5, graph version 134
nodes        321
checkpoint   text_classifier/model.ckpt
losses       sparse_softmax_cross_entropy_loss/value:0
train ops    train_op
training     Adam on 5 variables (10 slots), learning rate 0.01

variable                   shape        type     parameters  state
word_embedding             [1000, 16]   float32      16,000  trainable
  {Adam,Adam_1}            [1000, 16]   float32  2 x 16,000  slot
hidden/                    6 variables                  816
  kernel                   [16, 16]     float32         256  trainable
    {Adam,Adam_1}          [16, 16]     float32     2 x 256  slot
  bias                     [16]         float32          16  trainable
    {Adam,Adam_1}          [16]         float32      2 x 16  slot
output/                    6 variables                  204
  kernel                   [16, 4]      float32          64  trainable
    {Adam,Adam_1}          [16, 4]      float32      2 x 64  slot
  bias                     [4]          float32           4  trainable
    {Adam,Adam_1}          [4]          float32       2 x 4  slot
global_step                []           int64             1  not trainable
{beta1_power,beta2_power}  []           float32       2 x 1  slot

               variables  parameters       size  kind
trainable              5      16,340   63.8 KiB  ref
not trainable          1           1    8 bytes  ref
slot                  12      32,682  127.7 KiB  ref
total                 18      49,023  191.5 KiB  ref
"""


def test_golden(run, models: Path) -> None:
    assert run("show", "text_classifier") == (0, GOLDEN, "")


@pytest.mark.parametrize(
    "path", ["model.ckpt", "model.ckpt.meta", "."], ids=["prefix", "meta", "folder"]
)
def test_every_way_to_name_a_model(run, models: Path, path: str) -> None:
    code, out, _ = run("show", f"text_classifier/{path}")
    assert (code, out) == (0, GOLDEN)


def test_layers_that_are_alike_are_told_once(run, models: Path) -> None:
    code, out, _ = run("show", "bert_tiny")
    lines = out.splitlines()
    assert code == 0
    assert "  encoder/layer_{0..11}/   192 variables  12 alike      26,688" in lines
    assert len(lines) < 60
    assert max(map(len, lines)) <= 80


def test_verbose_tells_every_variable(run, models: Path) -> None:
    _, out, _ = run("show", "bert_tiny", "--verbose")
    assert out.count(" trainable\n") == 201


def test_scope_limits_the_tree(run, models: Path) -> None:
    code, out, _ = run("show", "bert_tiny", "--scope", "bert/encoder/layer_1", "--json")
    names = [variable["name"] for variable in json.loads(out)["variables"]]
    assert code == 0
    assert len(names) == 16
    assert all(name.startswith("bert/encoder/layer_1/") for name in names)


def test_json(run, models: Path) -> None:
    code, out, err = run("show", "resource_mlp", "--json")
    record = json.loads(out)
    assert (code, err) == (0, "")
    assert record["format"] == "MetaGraphDef (binary)"
    assert (record["nodes"], record["producer"]) == (114, 134)
    assert (record["nodes_added"], record["nodes_removed"], record["train_op"]) == (0, 0, None)
    embedding = record["variables"][0]
    wanted = {"name": "embedding", "kind": "resource", "dtype": "float32", "shape": [500, 8]}
    assert wanted.items() <= embedding.items()
    assert (embedding["parameters"], embedding["state"], embedding["rule"]) == (
        4000,
        "trainable",
        "",
    )


def test_json_names_the_train_op(run, models: Path) -> None:
    _, out, _ = run("show", "text_classifier", "--json")
    assert json.loads(out)["train_op"] == "train_op"


def test_text_model_without_collections(run, models: Path) -> None:
    code, out, _ = run("show", "bare_graph/graph.pbtxt")
    assert code == 0
    assert "format       GraphDef (text)\n" in out
    assert "losses       none in the collection 'losses'\n" in out


@pytest.mark.parametrize("out", ["out.meta", "bundle"])
def test_what_was_frozen_is_told_so(run, models: Path, out: str) -> None:
    options = ["--freeze=hidden", "--freeze-rows=word_embedding=0:9", "--json"]
    more = ["--no-train-op"] if out == "bundle" else []
    _, frozen, _ = run("freeze", "text_classifier", out, *options, *more)
    code, shown, _ = run("show", out, "--json")
    assert code == 0
    assert json.loads(shown)["variables"] == json.loads(frozen)["variables"]
    assert "partly frozen (9 of 1,000 rows)\n" in run("show", out)[1]


def test_a_lost_record_is_no_error(run, models: Path) -> None:
    run("freeze", "text_classifier", "bundle", "--freeze=hidden", "--no-train-op")
    Path("bundle/graphfreeze.json").unlink()
    code, out, _ = run("show", "bundle", "--scope", "hidden")
    assert (code, out.count("not trainable\n")) == (0, 2)


def test_the_step_that_no_collection_names(run, models: Path) -> None:
    _, out, _ = run("show", "wide_deep")
    assert "steps        head/AssignAdd" in out.splitlines()
    _, out, _ = run("show", "bert_adamw", "--json")
    told = json.loads(out)
    assert (told["train_ops"], told["steps"]) == ([], ["train_op"])
    _, out, _ = run("show", "text_classifier")
    assert "\nsteps" not in out


def test_weights_that_are_constants(run, models: Path) -> None:
    _, out, _ = run("show", "frozen_classifier/graph.pb")
    assert "no variables; its weights are constants, which 'graphfreeze thaw'" in out
    (models / "bare.pbtxt").write_text('node { name: "x" op: "Placeholder" }')
    assert run("show", "bare.pbtxt")[1].endswith("no variables\n")
