from pathlib import Path

import pytest

import graphfreeze
from graphfreeze.model.sketch import format_node, sketch_meta_graph
from graphfreeze.prepare.clear_devices import ClearDevices
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.run import run
from graphfreeze.schema import FunctionDef, MetaGraphDef, NodeDef, OpDef

MODELS = Path(__file__).parents[2] / "testdata" / "models"
TEXT = """
w = VariableV2() {shape: [4]} @ /job:ps/task:0
w/Assign = Assign(w, x) {_class: ["loc:@w"]} @ /job:ps/task:0
w/read = Identity(w) {_class: ["loc:@w"]} @ /job:ps/task:0
x = Placeholder() {shape: [4]}
y = Mul(x, w/read) @ /device:GPU:0
v = VariableV2() {shape: [4]}
v/read = Identity(v)
trainable_variables: w, v
variables: w, v
"""
BODY = [NodeDef(name="a", op="NoOp", device="/device:GPU:0"), NodeDef(name="b", op="NoOp")]


def write(path: Path) -> Path:
    meta = sketch_meta_graph(TEXT)
    meta.graph_def.library.function.append(FunctionDef(signature=OpDef(name="f"), node_def=BODY))
    meta.graph_def.library.function.append(FunctionDef(signature=OpDef(name="plain")))
    path.write_bytes(meta.SerializeToString())
    return path


def test_every_node() -> None:
    draft, each = Draft(parse_sketch(TEXT)), ClearDevices()
    run(draft, [each])
    assert draft.changed_nodes() == ["w", "w/Assign", "w/read", "y"]
    assert format_node(draft.graph.nodes["w/read"]) == 'w/read = Identity(w) {_class: ["loc:@w"]}'
    assert each.cleared == {"/job:ps/task:0": 3, "/device:GPU:0": 1}


@pytest.mark.parametrize("verb", [graphfreeze.freeze, graphfreeze.patch])
def test_functions_and_undo(verb, tmp_path: Path) -> None:
    source = write(tmp_path / "in.meta")
    text = f"{TEXT}s = ApplyGradientDescent(w, r, x) @ /device:GPU:0\nr = Const() {{value: 0.1}}"
    if verb is graphfreeze.patch:
        meta = MetaGraphDef.FromString(source.read_bytes())
        meta.graph_def.node.extend(sketch_meta_graph(text).graph_def.node[-2:])
        source.write_bytes(meta.SerializeToString())
    plan = graphfreeze.FreezePlan(freeze=("w",))
    done = verb(graphfreeze.load(source), plan, clear_devices=True)
    graphfreeze.save(done, tmp_path / "out.meta")
    written = MetaGraphDef.FromString((tmp_path / "out.meta").read_bytes()).graph_def
    assert {node.device for node in written.node} == {""}
    assert [f.signature.name for f in written.library.function] == ["f", "plain"]
    assert [(n.name, n.device) for n in written.library.function[0].node_def] == [
        ("a", ""),
        ("b", ""),
    ]
    assert graphfreeze.report(done).devices_cleared["/device:GPU:0"] > 1
    graphfreeze.undo(graphfreeze.load(tmp_path / "out.meta"), tmp_path / "back.meta")
    assert (tmp_path / "back.meta").read_bytes() == source.read_bytes()


@pytest.mark.parametrize("clears", [True, False])
def test_notes(clears: bool) -> None:
    plan = graphfreeze.FreezePlan(freeze=("w",))
    done = graphfreeze.freeze(parse_sketch(TEXT), plan, clear_devices=clears)
    (note,) = (each for each in graphfreeze.report(done).notes if "device" in each)
    cleared = (
        "--clear-devices: 4 nodes no longer bound to a device: /device:GPU:0 (1), "
        "/job:ps/task:0 (3)"
    )
    bound = (
        "bound to /device:GPU:0: 1 node; where there is none a session needs "
        "allow_soft_placement=True, or take it off with --clear-devices"
    )
    assert note == (cleared if clears else bound)


def test_new_nodes_have_none_either() -> None:
    model = graphfreeze.load(MODELS / "partitioned_ps")
    plan = graphfreeze.FreezePlan(freeze_rows={"table": "0:40"})
    draft = graphfreeze.freeze(model, plan, clear_devices=True).draft
    assert draft.added_nodes()
    assert {node.device for node in draft.graph.nodes.values()} == {""}
