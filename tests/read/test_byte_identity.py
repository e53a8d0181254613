"""Whoever reads a file and changes nothing writes the same bytes."""

import json
from functools import cache
from pathlib import Path

import pytest

from graphfreeze.errors import LoadError
from graphfreeze.model.layout import Changes, write_block
from graphfreeze.model.model import Model
from graphfreeze.read import load
from graphfreeze.read.document import parse_document
from graphfreeze.schema import CollectionDef, MetaGraphDef, NodeDef

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "testdata" / "models"
CORPUS = ROOT.parent / "shared" / "corpus"
OWN = sorted(
    str(path.relative_to(MODELS))
    for path in MODELS.glob("*/*")
    if path.suffix in (".meta", ".pb", ".pbtxt")
)
INDEX = CORPUS / "index.json"
LISTED = {each["path"]: each for each in json.loads(INDEX.read_text())} if INDEX.exists() else {}
NOT_GRAPHS = {"ckpt_v2"}
FILES = {name: MODELS / name for name in OWN} | {
    name: CORPUS / name for name, each in LISTED.items() if each["kind"] not in NOT_GRAPHS
}


load_once = cache(load)


@pytest.fixture(params=FILES.values(), ids=FILES)
def model(request: pytest.FixtureRequest) -> Model:
    return load_once(request.param)


def test_no_change(model: Model) -> None:
    assert write_block(model.codec, model.root, Changes()) == model.raw


def test_one_node_changes(model: Model) -> None:
    old = next(iter(model.graph.nodes.values()))
    new = NodeDef()
    new.CopyFrom(old)
    new.device = "/device:CPU:7"
    written = write_block(model.codec, model.root, Changes({("node", str(old.name)): new}))
    pieces = list(model.root.leaves("node"))
    raw = pieces[0].piece.raw
    start = model.raw.index(raw)
    tail = len(model.raw) - start - len(raw)
    assert new.device.encode() in written
    assert written[len(written) - tail :] == model.raw[start + len(raw) :]
    assert written.count(new.device.encode()) == 1 + model.raw.count(new.device.encode())


def test_a_node_and_a_collection_come(model: Model) -> None:
    entry = MetaGraphDef.CollectionDefEntry(key="graphfreeze", value=CollectionDef())
    entries = [entry] if model.meta_graph is not None else []
    new = [NodeDef(name="graphfreeze/new", op="NoOp")]
    changes = Changes(added={"node": new, "collection_def": entries})
    written = write_block(model.codec, model.root, changes)
    after = parse_document(written, Path("x"), None)
    assert list(after.graph.nodes) == [*model.graph.nodes, "graphfreeze/new"]
    assert set(after.collections) - set(model.collections) <= {"graphfreeze"}
    olds, news = ([leaf.piece for leaf in each.root.leaves("node")] for each in (model, after))
    assert news[: len(olds)] == olds


@pytest.mark.parametrize("name", LISTED)
def test_listed_files_load_or_are_refused(name: str) -> None:
    wanted = LISTED[name]["nodes"]
    try:
        nodes = len(load_once(CORPUS / name).graph.nodes)
    except LoadError:
        nodes = None
    assert nodes == wanted
