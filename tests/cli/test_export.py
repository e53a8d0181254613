"""The command ``export``: what it writes, tells and refuses; none of this starts TensorFlow."""

import json
import sys
from pathlib import Path

import pytest

from graphfreeze.api import export, load
from graphfreeze.schema import SavedModel

FREEZE = "freeze resource_mlp tuned --freeze hidden --no-train-op"


@pytest.fixture
def tuned(run, models: Path) -> Path:
    assert run(*FREEZE.split())[0] == 0
    return models / "tuned"


def test_a_folder_to_serve(run, tuned: Path) -> None:
    started = "tensorflow" in sys.modules
    code, out, err = run("export", "tuned", "served")
    assert (code, err) == (0, "")
    assert "values       tuned/model, as the bundle began: not trained" in out
    assert "ids=ids:0 -> predictions=predictions:0, guessed" in out
    assert "tf.saved_model.load('served', tags=['serve']).signatures['serving_default']" in out
    saved = SavedModel.FromString((tuned.parent / "served" / "saved_model.pb").read_bytes())
    (graph,) = saved.meta_graphs
    assert not any("graphfreeze" in node.name for node in graph.graph_def.node)
    assert "graphfreeze" not in graph.collection_def
    assert ("tensorflow" in sys.modules) == started


def test_tags_as_a_text(tuned: Path) -> None:
    assert export(load(tuned), tuned.parent / "served", tags="mine, serve").tags == [
        "mine",
        "serve",
    ]


def test_the_original_s_bytes_are_kept(run, tuned: Path) -> None:
    assert run("export", "tuned", "plain", "--format", "checkpoint")[0] == 0
    original = tuned.parent / "resource_mlp" / "model.ckpt"
    assert (tuned.parent / "plain" / "model.meta").read_bytes() == Path(
        f"{original}.meta"
    ).read_bytes()
    for end in (".index", ".data-00000-of-00001"):
        assert Path(f"plain/model{end}").read_bytes() == Path(f"{original}{end}").read_bytes()
    assert load("plain").source.checkpoint == Path("plain/model")


def test_json(run, tuned: Path) -> None:
    line = "export tuned out.pbtxt --format graph --json"
    code, out, _ = run(*line.split())
    told = json.loads(out)
    assert code == 0
    assert (told["form"], told["checkpoint"], told["trained"]) == ("graph", None, None)
    assert (told["kind"], told["nodes_removed"], told["nodes_added"]) == ("resource", 0, 0)
    assert "has no values" in told["notes"][0]


def test_any_model_is_exported_without_its_training(run, models: Path) -> None:
    code, out, _ = run("export", "gan", "out.meta", "--format", "graph", "--json")
    told = json.loads(out)
    assert code == 0
    assert [each["name"] for each in told["training"]["optimizers"]] == ["Adam", "Adam"]
    assert not load("out.meta").training.found


def test_force_replaces_an_export_and_nothing_else(run, tuned: Path) -> None:
    assert run("export", "tuned", "served")[0] == 0
    assert "already exists" in run("export", "tuned", "served")[2]
    assert run("export", "tuned", "served", "--force")[0] == 0
    Path("served/mine.txt").write_text("mine")
    code, _, err = run("export", "tuned", "served", "--force")
    assert code == 2
    assert "not empty; remove it yourself" in err
    assert Path("served/mine.txt").is_file()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("served.pb", "--format savedmodel writes a folder, whose name has no such suffix"),
        ("out --format graph", "--format graph writes a file that ends in .meta, .pb or .pbtxt"),
        ("out.meta --format frozen-pb", "writes a file that ends in .pb or .pbtxt"),
        ("out --checkpoint 9000", "no checkpoint of step 9000; steps that are there: none"),
        ("out --checkpoint nowhere", "nowhere: no checkpoint here"),
        ("out --output predictons:0", "has no tensor 'predictons:0'; did you mean predictions?"),
        ("out --input ids --output loss", "has no tensor 'loss'"),
        ("out --output nosuch", "nosuch'; candidates for outputs: predictions:0"),
        ("out --output a=ids --output a=predictions", "ids:0 and predictions:0 would both be 'a'"),
        ("out.pb --format frozen-pb --tags a", "--tags has no meaning with --format frozen-pb and"),
        ("out.pb --format frozen-pb --input ids", "--input has no meaning with --format frozen-pb"),
        ("out.meta --format graph --checkpoint 20", "--checkpoint has no meaning with"),
        ("out --format checkpoint --signature x", "--signature has no meaning with --format check"),
        ("out --format checkpoint --output x", "--output has no meaning with --format checkpoint"),
        ("out --format tflite", "invalid value for '--format'"),
    ],
)
def test_refused(run, tuned: Path, options: str, told: str) -> None:
    before = sorted(Path().iterdir())
    code, out, err = run("export", "tuned", *options.split())
    assert (code, out) == (2, "")
    assert told in err
    assert sorted(Path().iterdir()) == before


def test_one_graph_of_several(run, models: Path) -> None:
    line = "export saved_model/1 out.meta --format graph"
    assert "holds 2 graphs; choose one with --tags train, --tags serve" in run(*line.split())[2]
    assert run(*line.split(), "--tags", "serve")[0] == 0
    assert load("out.meta").graph.nodes == load("saved_model/1", tags="serve").graph.nodes


@pytest.mark.parametrize(
    "line",
    [
        "patch adam_clipped tuned --freeze hidden --freeze-rows table=::2",
        "freeze adam_clipped tuned --freeze-rows table=5: --row-strategy overlay --no-train-op",
        "freeze adam_clipped tuned.meta --freeze deep --freeze-rows table=5:",
    ],
)
def test_nothing_of_a_freeze_is_left(run, models: Path, line: str) -> None:
    assert run(*line.split())[0] == 0
    tuned = line.split()[2]
    for source, out in ((tuned, "out.meta"), ("adam_clipped", "plain.meta")):
        assert run("export", source, out, "--format", "graph")[0] == 0
    assert Path("out.meta").read_bytes() == Path("plain.meta").read_bytes()


def test_nodes_that_not_every_machine_can_load(run, models: Path) -> None:
    line = "export partitioned_ps out.meta --format graph --force --json"
    told = json.loads(run(*line.split())[1])["notes"][-1]
    assert told.startswith("bound to /job:ps/task:0, ")
    assert told.endswith("where there is no such device; take it off with --clear-devices")
    assert "devices" not in run(*line.split(), "--clear-devices")[1]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("hub_module/module out --tags train", "1 batch norm goes by the batch that is served, "),
        ("batch_norms out", "averages: fused/bn/FusedBatchNormV3, contrib/bn/batchnorm/Rsqrt; to"),
    ],
)
def test_batch_norms_that_go_by_what_is_served(run, models: Path, line: str, told: str) -> None:
    assert told in json.loads(run("export", *line.split(), "--json")[1])["notes"][-1]


def test_batch_norms_made_for_serving(run, models: Path) -> None:
    told = json.loads(run("export", "hub_module/module", "out", "--tags", "", "--json")[1])
    assert not [note for note in told["notes"] if "batch norm" in note]


def test_training_of_a_graph_that_is_not_the_one_served(run, models: Path) -> None:
    line = "freeze saved_model/1 tuned --tags train --freeze embedding --no-train-op"
    assert run(*line.split())[0] == 0
    told = json.loads(run("export", "tuned", "served", "--json")[1])
    assert (told["tags"], told["training"]) == (["serve"], None)
    assert "own MetaGraph of the tags serve is taken" in told["notes"][0]
