"""After a freeze, what no edit names has its old bytes."""

import shutil
from functools import cache
from pathlib import Path

import pytest

from graphfreeze.api import FrozenModel, complete, freeze, load, report, save
from graphfreeze.emit import graph_file
from graphfreeze.emit.bundle import write_draft
from graphfreeze.emit.graph_file import file_bytes
from graphfreeze.errors import EmitError
from graphfreeze.model.model import Model
from graphfreeze.model.reads import forward_edges
from graphfreeze.model.sketch_functions import sketch_functions
from graphfreeze.model.wire import Codec, Piece
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import AddFunction, AddGradient
from graphfreeze.schema import (
    FunctionDefLibrary,
    GradientDef,
    GraphDef,
    MetaGraphDef,
    NodeDef,
    SavedModel,
)
from graphfreeze.selection.plan import FreezePlan

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "testdata" / "models"
CORPUS = ROOT.parent / "shared" / "corpus"
NO_GRAPH = "tfhub_module.pb"
SEVERAL_GRAPHS = ("saved_model", "hub_module")  # see tests/read/test_tags.py
FILES = {
    str(path.relative_to(root)): path
    for root in (MODELS, CORPUS)
    for path in sorted(root.rglob("*"))
    if path.suffix in (".meta", ".pb", ".pbtxt") and path.name != NO_GRAPH
    if path.parents[1].name not in SEVERAL_GRAPHS
}
Raws = dict[str, bytes]


@cache
def frozen(path: Path) -> FrozenModel:
    """Freeze one variable; in a graph without any, stop a gradient."""
    model = load(path)
    trainable = [v.name for v in model.variables if v.is_trainable]
    if len(trainable) > 1:
        return freeze(model, FreezePlan(freeze=(trainable[0],)))
    graph, variables = model.graph, {variable.name for variable in model.variables}
    taken = (ref for name in graph.nodes for ref in graph.data_inputs(name))
    passed_on = (r for r in taken if r.node not in variables and forward_edges(graph, r))
    tensors = map(str, passed_on)
    return freeze(model, FreezePlan(stop_gradient=(next(tensors),)))


def inside(codec: Codec, raw: bytes, owner: type, field: str) -> bytes:
    (piece,) = (each for each in codec.split(raw, owner) if each.field == field)
    return codec.body(piece)


def graph_bytes(model: Model) -> tuple[Codec, bytes]:
    """Return the GraphDef of a file that was read."""
    raw = model.raw
    if model.root.owner is SavedModel:
        raw = inside(model.codec, raw, SavedModel, "meta_graphs")
    if model.root.owner is not GraphDef:
        raw = inside(model.codec, raw, MetaGraphDef, "graph_def")
    return model.codec, raw


def raw_nodes(codec: Codec, graph: bytes) -> Raws:
    """Return the bytes of every node, without blanks around, in the order of the file."""
    pieces = [each for each in codec.split(graph, GraphDef) if each.field == "node"]
    return {_name(codec, piece): piece.raw.strip() for piece in pieces}


def _name(codec: Codec, piece: Piece) -> str:
    return str(codec.parse(codec.body(piece), NodeDef).name)


def written(path: Path, out: Path) -> tuple[Draft, bytes]:
    result = complete(frozen(path), out)
    write_draft(result.draft, report(result), out)
    return result.draft, out.read_bytes()


def check_untouched(before: Raws, after: Raws, draft: Draft) -> None:
    """Compare the bytes of nodes that no edit names, and the order of all."""
    removed, named = set(draft.removed_nodes()), set(draft.touched)
    same = [name for name in before if name not in named | removed]
    assert [name for name in after if name in before and name not in named] == same
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    kept = [name for name in before if name not in removed]
    assert list(after) == kept + draft.added_nodes()


BINARIES = {name: path for name, path in FILES.items() if path.suffix != ".pbtxt"}
TEXTS = {name: path for name, path in FILES.items() if path.suffix == ".pbtxt"}
METAS = {name: path for name, path in FILES.items() if path.suffix == ".meta"}
OWN = {name: path for name, path in FILES.items() if MODELS in path.parents}


@pytest.mark.parametrize("suffix", [".pb", ".meta"])
@pytest.mark.parametrize("path", BINARIES.values(), ids=BINARIES)
def test_binary_from_binary(path: Path, suffix: str, tmp_path: Path) -> None:
    draft, raw = written(path, tmp_path / f"out{suffix}")
    codec, graph = graph_bytes(draft.base)
    after = inside(codec, raw, MetaGraphDef, "graph_def") if suffix == ".meta" else raw
    check_untouched(raw_nodes(codec, graph), raw_nodes(codec, after), draft)


@pytest.mark.parametrize("path", TEXTS.values(), ids=TEXTS)
def test_text_from_text(path: Path, tmp_path: Path) -> None:
    draft, raw = written(path, tmp_path / "out.pbtxt")
    codec, graph = graph_bytes(draft.base)
    check_untouched(raw_nodes(codec, graph), raw_nodes(codec, raw), draft)


@pytest.mark.parametrize("suffix", [".pb", ".pbtxt", ".meta"])
@pytest.mark.parametrize("path", OWN.values(), ids=OWN)
def test_what_is_written_is_what_the_draft_says(path: Path, suffix: str, tmp_path: Path) -> None:
    """Read the file again: whatever the encoding, nodes and functions are the draft's."""
    draft, _ = written(path, tmp_path / f"out{suffix}")
    model = load(tmp_path / f"out{suffix}")
    assert dict(model.graph.nodes) == draft.graph.nodes
    assert model.graph.functions == draft.graph.functions
    assert model.header.graph_def.versions == draft.base.header.graph_def.versions
    if suffix == ".meta":
        assert dict(model.collections) == draft.collections
        assert model.saver == draft.saver


@pytest.mark.parametrize("path", METAS.values(), ids=METAS)
def test_all_else_in_a_meta_graph(path: Path, tmp_path: Path) -> None:
    draft, raw = written(path, tmp_path / "out.meta")
    base = draft.base
    changed = {
        key for key in base.collections if draft.collections.get(key) != base.collections[key]
    }
    before = [p for p in base.codec.split(base.raw, MetaGraphDef) if p.field != "graph_def"]
    after = base.codec.split(raw, MetaGraphDef)
    if draft.saver != base.saver:
        before = [piece for piece in before if piece.field != "saver_def"]
    for piece in before:
        if piece.field == "collection_def":
            entry = MetaGraphDef.CollectionDefEntry.FromString(base.codec.body(piece))
            if entry.key in changed:
                continue
        assert piece in after


def test_functions_keep_their_bytes(tmp_path: Path) -> None:
    path = next((p for p in FILES.values() if p.name == "flib_graph_1.pbtxt"), None)
    if path is None:
        pytest.skip(f"no {CORPUS}")
    draft, raw = written(path, tmp_path / "out.pbtxt")
    codec, graph = graph_bytes(draft.base)
    libraries = [inside(codec, each, GraphDef, "library") for each in (graph, raw)]
    before, after = (codec.split(each, FunctionDefLibrary) for each in libraries)
    assert [piece.raw.strip() for piece in before] == [piece.raw.strip() for piece in after]


@pytest.mark.parametrize("suffix", [".pb", ".pbtxt", ".meta"])
@pytest.mark.parametrize("has_library", [False, True])
def test_new_functions_and_their_gradients(has_library: bool, suffix: str, tmp_path: Path) -> None:
    body = "x = _Arg()\nreturn:y = _Retval(x)"
    library = {"old": body} if has_library else {}
    draft = Draft(parse_sketch("x = Placeholder()", functions=library))
    new = sketch_functions({"f": body, "g": body})
    edits = [*map(AddFunction, new.values()), AddGradient("f", "g")]
    for edit in edits:
        draft.apply(edit)
    out = tmp_path / f"out{suffix}"
    out.write_bytes(file_bytes(draft, suffix))
    model = load(out)
    assert list(model.graph.functions) == [*library, "f", "g"]
    assert Draft(model).gradients == [GradientDef(function_name="f", gradient_func="g")]


def test_comments_and_blanks_of_a_text_stay(tmp_path: Path) -> None:
    text = (MODELS / "bare_graph" / "graph.pbtxt").read_text()
    source = tmp_path / "in.pbtxt"
    source.write_text("# written by hand\n" + text.replace("node {", "node  {  # a node", 3))
    save(freeze(load(source), FreezePlan(freeze=("hidden",))), tmp_path / "out.pbtxt")
    result = (tmp_path / "out.pbtxt").read_text()
    assert result.startswith("# written by hand\nnode  {  # a node")
    assert result.count("# a node") == 3


def test_an_unfrozen_model_is_copied_to_the_byte(tmp_path: Path) -> None:
    for path in FILES.values():
        out = tmp_path / f"{path.stem}-copy{path.suffix}"
        save(load(path), out, force=True)
        assert out.read_bytes() == path.read_bytes(), path


def test_a_saved_model_without_its_variables(tmp_path: Path) -> None:
    """A graph file is written, a bundle is not."""
    source = tmp_path / "in" / "saved_model.pb"
    source.parent.mkdir()
    source.write_bytes((MODELS / "saved_model" / "1" / "saved_model.pb").read_bytes())
    frozen_model = freeze(load(source, tags="serve"), FreezePlan(freeze=("hidden",)))
    save(frozen_model, tmp_path / "out.meta")
    shutil.copytree(MODELS / "saved_model" / "1" / "assets", source.parent / "assets")
    with pytest.raises(EmitError, match=r"no checkpoint .*, for there is no folder 'variables'"):
        save(frozen_model, tmp_path / "out")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["in", "out.meta"]


def test_a_graph_that_nobody_could_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = frozen(MODELS / "conv_bn" / "model.ckpt.meta")
    monkeypatch.setattr(graph_file, "MOST_BYTES", 1000)
    for out in ("out.meta", "out.pb", "out.pbtxt"):
        with pytest.raises(EmitError, match=r"the new graph would have .* reads none of 2 GiB"):
            save(result, tmp_path / out)
    assert not list(tmp_path.iterdir())


def test_a_bundle_needs_a_checkpoint(tmp_path: Path) -> None:
    source = tmp_path / "model.meta"
    source.write_bytes((MODELS / "bert_tiny" / "model.ckpt.meta").read_bytes())
    result = freeze(load(source), FreezePlan(freeze=("bert",)))
    with pytest.raises(EmitError, match="no checkpoint to make a bundle from"):
        save(result, tmp_path / "out")
    assert [each.name for each in tmp_path.iterdir()] == ["model.meta"]
