"""Of a SavedModel with several graphs one is chosen, and the whole file is kept."""

import shutil
from pathlib import Path

import pytest
from google.protobuf import text_format
from google.protobuf.any_pb2 import Any

from graphfreeze.api import freeze, load, report, save, undo
from graphfreeze.errors import LoadError
from graphfreeze.model.assets import Asset
from graphfreeze.model.names import TensorRef
from graphfreeze.model.sketch import sketch_meta_graph
from graphfreeze.read.former import get_former
from graphfreeze.read.tags import Tags
from graphfreeze.schema import AssetFileDef, CollectionDef, GraphDef, MetaGraphDef, SavedModel
from graphfreeze.selection.plan import FreezePlan

MODELS = Path(__file__).parents[2] / "testdata" / "models"
GRAPH = """
w = VariableV2() {shape: [2]}
w/Assign = Assign(w, zeros)
zeros = Const() {value: [0, 0]}
w/read = Identity(w)
v = VariableV2() {shape: [2]}
v/read = Identity(v)
path = Const() {dtype: string, value: "/here/words.txt"}
init = NoOp()
trainable_variables: w, v
"""
TRAIN = sketch_meta_graph(f"{GRAPH}\nloss = Mul(w/read, v/read)\nlosses: loss:0\nsaver: save")
SERVE = sketch_meta_graph(f"{GRAPH}\ny = Neg(w/read)\nsaved_model_main_op: init")
PLAIN = sketch_meta_graph(f"{GRAPH}\nz = Exp(w/read)\nlegacy_init_op: init")
TRAIN.meta_info_def.tags.append("train")
SERVE.meta_info_def.tags.extend(["serve", "tpu"])
SERVE.asset_file_def.add(filename="words.txt").tensor_info.name = "path:0"
SERVE.graph_def.library.function.add().signature.name = "f"
PLAIN.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"].name = "w/Assign"
PACKED = [Any(), Any(value=b"\n"), Any()]
PACKED[0].Pack(AssetFileDef(filename="a.txt", tensor_info={"name": "path:0"}))
PACKED[2].Pack(AssetFileDef(filename="no.txt", tensor_info={"name": "a b:c"}))
PLAIN.collection_def["saved_model_assets"].CopyFrom(
    CollectionDef(any_list=CollectionDef.AnyList(value=PACKED))
)
THREE = SavedModel(saved_model_schema_version=1, meta_graphs=[TRAIN, SERVE, PLAIN])
CHOICES: dict[str, tuple[Tags, str, tuple[str, ...]]] = {
    "one tag": ("train", "loss", ("train",)),
    "several": ("serve,tpu", "y", ("serve", "tpu")),
    "in another order": ("tpu, serve", "y", ("serve", "tpu")),
    "a sequence": (["tpu", "serve", "tpu"], "y", ("serve", "tpu")),
    "none": ("", "z", ()),
    "an empty sequence": ((), "z", ()),
}
WRONG: dict[str, tuple[Tags | None, str]] = {
    "nothing chosen": (None, "holds 3 graphs; choose one with --tags train, --tags serve,tpu, "),
    "a part of the tags": (
        "serve",
        "tags 'serve' are of none of its 3 graphs; choose from --tags train, ",
    ),
    "more than the tags": ("train,gpu", "tags 'train,gpu' are of none of its 3 graphs"),
    "a capital": ("Train", "--tags train, --tags serve,tpu, --tags ''"),
}


REAL = {
    f"{path.parents[1].name}, {tags or 'no tags'}": (path, tags)
    for path, choices in (
        (MODELS / "saved_model" / "1" / "saved_model.pb", ("train", "serve")),
        (MODELS / "hub_module" / "module" / "saved_model.pb", ("train", "")),
    )
    for tags in choices
}


@pytest.fixture(params=["saved_model.pb", "saved_model.pbtxt"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "in" / request.param
    path.parent.mkdir()
    text = text_format.MessageToString(THREE).encode()
    path.write_bytes(text if path.suffix == ".pbtxt" else THREE.SerializeToString())
    return path


@pytest.mark.parametrize(("tags", "node", "own"), CHOICES.values(), ids=CHOICES)
def test_a_graph_is_chosen(path: Path, tags: Tags, node: str, own: tuple[str, ...]) -> None:
    model = load(path.parent, tags=tags)
    assert model.tags == own
    assert [n for n in model.graph.nodes if n in ("loss", "y", "z")] == [node]
    assert bool(model.graph.functions) == (node == "y")
    assert ("losses" in model.collections) == (model.saver is not None) == (node == "loss")


@pytest.mark.parametrize(("tags", "told"), WRONG.values(), ids=WRONG)
def test_no_graph_is_chosen(path: Path, tags: Tags | None, told: str) -> None:
    with pytest.raises(LoadError) as caught:
        load(path, tags=tags)
    assert told in str(caught.value)


def test_two_graphs_of_the_same_tags(tmp_path: Path) -> None:
    twins = SavedModel(meta_graphs=[TRAIN, TRAIN])
    (tmp_path / "saved_model.pb").write_bytes(twins.SerializeToString())
    for tags in ("train", None):
        with pytest.raises(LoadError, match="2 of its 2 graphs have the same tags, and nothing te"):
            load(tmp_path, tags=tags)


def test_tags_of_other_files(tmp_path: Path) -> None:
    (tmp_path / "m.meta").write_bytes(TRAIN.SerializeToString())
    (tmp_path / "g.pb").write_bytes(TRAIN.graph_def.SerializeToString())
    assert load(tmp_path / "m.meta", tags="train").tags == ("train",)
    assert load(tmp_path / "g.pb", tags="").tags == ()
    for name, offered in (("m.meta", "--tags train"), ("g.pb", "--tags ''")):
        with pytest.raises(
            LoadError, match=f"of none of its graphs; leave them out, or give {offered}"
        ):
            load(tmp_path / name, tags="serve")


def test_what_an_export_holds(path: Path) -> None:
    """A signature names the main op before a collection, and that one before an older one."""
    train, serve, plain = (load(path, tags=tags) for tags in ("train", "serve,tpu", ""))
    assert (train.main_op, serve.main_op, plain.main_op) == (None, "init", "w/Assign")
    assert (train.assets, serve.assets) == ((), (Asset(TensorRef("path"), "words.txt"),))
    assert plain.assets == (Asset(TensorRef("path"), "a.txt"),)


def test_save_writes_the_whole_file(path: Path, tmp_path: Path) -> None:
    save(load(path, tags="serve,tpu"), tmp_path / f"out{path.suffix}")
    assert (tmp_path / f"out{path.suffix}").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("tags", ["train", "tpu,serve", ""])
def test_undo_gives_the_whole_file_back(path: Path, tags: str, tmp_path: Path) -> None:
    model = load(path, tags=tags)
    save(freeze(model, FreezePlan(freeze=("w",))), tmp_path / "out.meta")
    undo(load(tmp_path / "out.meta"), tmp_path / f"back{path.suffix}")
    assert (tmp_path / f"back{path.suffix}").read_bytes() == path.read_bytes()
    original = get_former(load(tmp_path / "out.meta")).original
    assert original.tags == model.tags
    assert list(original.graph.nodes) == list(model.graph.nodes)


def test_the_chosen_graph_alone_is_written(path: Path, tmp_path: Path) -> None:
    frozen = freeze(load(path, tags="serve,tpu"), FreezePlan(freeze=("w",)))
    assert report(frozen).nodes_added == 1  # a StopGradient
    save(frozen, tmp_path / "out.meta")
    written = MetaGraphDef.FromString((tmp_path / "out.meta").read_bytes())
    assert [n.name for n in written.graph_def.node if n.name in ("loss", "y", "z")] == ["y"]
    assert [str(f.signature.name) for f in written.graph_def.library.function] == ["f"]
    assert list(written.asset_file_def) == list(SERVE.asset_file_def)
    save(frozen, tmp_path / "out.pbtxt")
    graph = text_format.Parse((tmp_path / "out.pbtxt").read_text(), GraphDef())
    assert list(graph.node) == list(written.graph_def.node)


@pytest.mark.parametrize("tags", ["serve,tpu", ""])
def test_a_main_op_in_a_signature_is_no_output(path: Path, tags: str) -> None:
    """It writes what is frozen, and no step runs it."""
    frozen = freeze(load(path, tags=tags), FreezePlan(freeze=("w",)))
    assert str(frozen.draft.graph.nodes["w/Assign"].op) == "Assign"


@pytest.mark.parametrize(("path", "tags"), REAL.values(), ids=REAL)
@pytest.mark.parametrize("out", ["out", "out.meta"])
def test_real_files_are_given_back(path: Path, tags: str, out: str, tmp_path: Path) -> None:
    model = load(path.parent, tags=tags)
    frozen = freeze(model, FreezePlan(freeze=("output",), freeze_rows={"embedding": "3:"}))
    assert model.variables
    assert (model.raw, model.tags) == (path.read_bytes(), tuple(filter(None, [tags])))
    save(model, tmp_path / "copy.pb")
    assert (tmp_path / "copy.pb").read_bytes() == path.read_bytes()
    save(frozen, tmp_path / out)
    record = undo(load(tmp_path / out), tmp_path / "back.pb")
    assert (tmp_path / "back.pb").read_bytes() == path.read_bytes()
    assert record.format == model.source.format
    assert ("TF-Hub" in record.format) == ("hub_module" in path.parts)


def test_a_graph_in_text(tmp_path: Path) -> None:
    """The same as in the binary, and given back as it was."""
    path = MODELS / "saved_model" / "1" / "saved_model.pb"
    text = text_format.MessageToString(SavedModel.FromString(path.read_bytes())).encode()
    (tmp_path / "saved_model.pbtxt").write_bytes(text)
    binary = load(path, tags="serve")
    model = load(tmp_path / "saved_model.pbtxt", tags="serve")
    assert model.source.format == "SavedModel (text)"
    assert (model.assets, model.main_op) == (binary.assets, "main_op")
    assert dict(model.graph.nodes) == dict(binary.graph.nodes)
    save(freeze(model, FreezePlan(freeze=("output",))), tmp_path / "out.meta")
    undo(load(tmp_path / "out.meta"), tmp_path / "back.pbtxt")
    assert (tmp_path / "back.pbtxt").read_bytes() == text


def test_a_module_in_text(tmp_path: Path) -> None:
    folder = MODELS / "hub_module" / "module"
    saved = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    (tmp_path / "saved_model.pbtxt").write_text(text_format.MessageToString(saved))
    assert load(tmp_path, tags="train").source.format == "SavedModel (text)"
    shutil.copy(folder / "tfhub_module.pb", tmp_path)
    model = load(tmp_path, tags="train")
    assert model.source.format == "TF-Hub module, SavedModel (text)"
    trainable = [variable.name for variable in model.variables if variable.is_trainable]
    assert trainable == ["embedding", "bn/gamma", "bn/beta", "output/kernel", "output/bias"]
    assert model.saver is None
    assert model.main_op is None
