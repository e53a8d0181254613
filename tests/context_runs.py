"""Gradients through loops whose contexts were recovered, beside those of the whole model."""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from resource_runs import call

from graphfreeze.model.control_flow import CONTEXTS
from graphfreeze.model.described import find_described
from graphfreeze.model.nesting import find_nesting
from graphfreeze.model.variables import find_variables
from graphfreeze.prepare.drop_training import DropTraining
from graphfreeze.prepare.part_switches import PartSwitches
from graphfreeze.prepare.recover_contexts import RecoverContexts
from graphfreeze.prepare.restore_ends import RestoreEnds
from graphfreeze.read import load
from graphfreeze.read.document import parse_document
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import SetCollection
from graphfreeze.rewrite.message import meta_graph
from graphfreeze.rewrite.run import run
from graphfreeze.schema import CollectionDef, GraphDef, MetaGraphDef

TESTS = Path(__file__).parent
MODELS = TESTS.parent / "testdata" / "models"
GRADIENTS = TESTS / "tf1" / "gradients.py"
SCRAMBLED = ("nested_loops", "seq2seq_attention")
FLAT = ("seq2seq_attention",)
TRAINED = ("nested_loops",)
MERGED = ("nested_loops",)
CASES = [
    *(f"{name}, scrambled" for name in SCRAMBLED),
    *(f"{name}, flat" for name in FLAT),
    *(f"{name}, trained" for name in TRAINED),
    *(f"{name}, merged" for name in MERGED),
]
Values = dict[str, npt.NDArray[np.generic]]


def with_loops() -> list[str]:
    """Return the models of which there is a graph with contexts of loops, and a bare one."""
    bare = [path.parent for path in sorted(MODELS.glob("*/graph.pb"))]
    metas = {folder.name: folder / "model.ckpt.meta" for folder in bare}
    return [
        n for n, path in metas.items() if path.exists() and b"while_context" in path.read_bytes()
    ]


def run_gradients(python: str | Path, folder: Path) -> dict[str, list[Values]]:
    """Return loss and gradients by case: those of the model, then those of its bare graph."""
    cases = {name: _jobs(name, folder, {}) for name in with_loops()}
    for name in SCRAMBLED:
        names = scrambled_names(load(MODELS / name / "graph.pb").graph.nodes)
        cases[f"{name}, scrambled"] = _jobs(name, folder, names)
    cases |= {f"{name}, flat": _flat_jobs(name, folder) for name in FLAT}
    cases |= {f"{name}, trained": _trained_jobs(name, folder) for name in TRAINED}
    cases |= {f"{name}, merged": _jobs(name, folder, {}, merged) for name in MERGED}
    listed = folder / "jobs.list"
    listed.write_text(json.dumps([job for both in cases.values() for job in both]))
    call(python, GRADIENTS, listed)
    return {case: [dict(np.load(str(job["out"]))) for job in both] for case, both in cases.items()}


def check_gradients(whole: Values, bare: Values) -> None:
    """Compare all bits; the bare graph may know no gradient that is none, and lacks none."""
    assert whole.keys() == bare.keys()
    assert len(whole) > 3
    assert [key for key in whole if whole[key].tobytes() != bare[key].tobytes()] == []


def scrambled_names(nodes: Iterator[str] | dict[str, object]) -> dict[str, str]:
    """Return names that tell nothing, in an order that tells nothing."""
    names = [f"n{number}" for number, _ in enumerate(nodes)]
    random.Random(7).shuffle(names)
    return dict(zip(nodes, names, strict=True))


def scrambled(graph: GraphDef, names: dict[str, str]) -> GraphDef:
    """Return a graph with other names and another order, of frames too."""
    frames: dict[bytes, bytes] = {}
    nodes = sorted(graph.node, key=lambda node: names[node.name])
    out = GraphDef(node=nodes, versions=graph.versions, library=graph.library)
    for node in out.node:
        node.name = names[node.name]
        node.input[:] = [_renamed(ref, names) for ref in node.input]
        node.attr.pop("_class", None)
        if "frame_name" in node.attr:
            old = bytes(node.attr["frame_name"].s)
            node.attr["frame_name"].s = frames.setdefault(old, b"frame%d" % len(frames))
    return out


def _renamed(ref: str, names: dict[str, str]) -> str:
    node, colon, port = ref.removeprefix("^").partition(":")
    return f"{'^' * ref.startswith('^')}{names.get(node, node)}{colon}{port}"


def merged(graph: GraphDef) -> GraphDef:
    """Return a graph with one Switch in the place of several that take the same, as tools leave."""
    out, names = GraphDef(versions=graph.versions, library=graph.library), dict[str, str]()
    first: dict[str, str] = {}
    for node in (node for node in graph.node if node.op == "Switch"):
        names[node.name] = first.setdefault(str(node.input), node.name)
    for node in (node for node in graph.node if names.get(node.name, node.name) == node.name):
        made = out.node.add()
        made.CopyFrom(node)
        made.input[:] = [_renamed(ref, names) for ref in node.input]
        made.attr.pop("_class", None)
    return out


def _jobs(
    name: str,
    folder: Path,
    names: dict[str, str],
    change: Callable[[GraphDef], GraphDef] = lambda graph: graph,
) -> list[dict[str, object]]:
    """Return what is to be run: the model as it was saved, and its bare graph, recovered."""
    source = MODELS / name
    document = json.loads((source / "feeds.json").read_text())
    graph = GraphDef.FromString((source / "graph.pb").read_bytes())
    bare = scrambled(graph, names) if names else change(graph)
    draft = Draft(parse_document(bare.SerializeToString(), source / "graph.pb", None))
    closed = _closed(source) if not names else ()
    run(draft, [PartSwitches(), RestoreEnds(), RecoverContexts(closed)])
    meta = folder / f"{name}{len(names)}{change.__name__.strip('<>')}.meta"
    meta.write_bytes(meta_graph(draft).SerializeToString())
    old = load(source / "graph.pb").graph
    keys = [v.name for v in find_variables(old, {}) if v.is_differentiable and v.name in old]
    told = {"checkpoint": str(source / "model.ckpt"), "loss": document["loss"]}
    told |= {"feeds": document["feeds"], "variables": {key: key for key in keys}}
    new = {
        "loss": _renamed(document["loss"], names) if names else document["loss"],
        "feeds": {_renamed(k, names) if names else k: v for k, v in document["feeds"].items()},
        "variables": {key: names.get(key, key) for key in keys},
    }
    first = {"meta": str(source / "model.ckpt.meta"), "out": str(meta.with_suffix(".whole.npz"))}
    second = {"meta": str(meta), "out": str(meta.with_suffix(".bare.npz"))}
    return [{**told, **first}, {**told, **new, **second}]


def _flat_jobs(name: str, folder: Path) -> list[dict[str, object]]:
    """Return what is to be run: a model, and what is made of it if its contexts lie side by side.

    So TensorFlow 1.4 wrote them: nothing tells which of them is in which."""
    source = MODELS / name
    document = json.loads((source / "feeds.json").read_text())
    draft = Draft(load(source / "model.ckpt.meta"))
    contexts = find_described(find_nesting(draft.graph), draft.collections).contexts
    for key, kind in CONTEXTS.items():
        flat = [each for found in contexts.values() for each in found if isinstance(each, kind)]
        for each in flat:
            each.ClearField("nested_contexts")
        entries = CollectionDef.BytesList(value=[each.SerializeToString() for each in flat])
        draft.apply(SetCollection(key, CollectionDef(bytes_list=entries)))
    run(draft, [RestoreEnds(), RecoverContexts()])
    meta = folder / f"{name}-flat.meta"
    meta.write_bytes(meta_graph(draft).SerializeToString())
    keys = [v.name for v in draft.variables if v.is_differentiable]
    told = {"checkpoint": str(source / "model.ckpt"), **document}
    told |= {"variables": {key: key for key in keys}}
    metas = {"whole": source / "model.ckpt.meta", "flat": meta}
    return [
        {**told, "meta": str(path), "out": str(folder / f"{name}-{kind}.npz")}
        for kind, path in metas.items()
    ]


def _trained_jobs(name: str, folder: Path) -> list[dict[str, object]]:
    """Return what is to be run: a model, and what is made of the whole of its graph, without more.

    Loops of gradients lie beside those of the model, and go with the training."""
    source = MODELS / name
    document = json.loads((source / "feeds.json").read_text())
    whole = MetaGraphDef.FromString((source / "model.ckpt.meta").read_bytes())
    bare = whole.graph_def.SerializeToString()
    draft = Draft(parse_document(bare, source / "graph.pb", None))
    kept = tuple(map(str, (document["loss"], *document["outputs"])))
    run(draft, [DropTraining(kept), RestoreEnds(), RecoverContexts()])
    meta = folder / f"{name}-trained.meta"
    meta.write_bytes(meta_graph(draft).SerializeToString())
    assert not any("gradients/" in frame for frame in _frames(draft))
    told = {"checkpoint": str(source / "model.ckpt"), **document}
    old = load(source / "graph.pb").variables
    told |= {"variables": {v.name: v.name for v in old if v.is_differentiable}}
    metas = {"whole": source / "model.ckpt.meta", "untrained": meta}
    return [
        {**told, "meta": str(path), "out": str(folder / f"{name}-{kind}.npz")}
        for kind, path in metas.items()
    ]


def _frames(draft: Draft) -> list[str]:
    told = find_described(find_nesting(draft.graph), draft.collections)
    return [str(loop.context_name) for _, loop in told.loops()]


def _closed(source: Path) -> tuple[str, ...]:
    """Return the frames of loops in a bare graph that let no gradient pass, as its model tells."""
    model, bare = load(source / "model.ckpt.meta"), load(source / "graph.pb").graph
    told = find_described(find_nesting(model.graph), model.collections)
    pivots = {str(loop.context_name): str(loop.pivot_name) for _, loop in told.loops()}
    closed = [str(loop.context_name) for _, loop in told.loops() if not loop.back_prop]
    return tuple(frame for frame in closed if pivots[frame].removesuffix(":0") in bare)
