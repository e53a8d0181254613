"""Ops that nobody knows are no obstacle where TensorFlow is not needed."""

from pathlib import Path

import pytest

import graphfreeze
from graphfreeze.model.model import Model
from graphfreeze.model.sketch import format_node, sketch_meta_graph

MODEL = """
x = Placeholder() {shape: [4]}
text = Placeholder() {dtype: string, shape: [4]}
table = VariableV2() {shape: [6, 4]}
table/read = Identity(table)
w = VariableV2() {shape: [4]}
w/read = Identity(w)
ids = Tokenize(text)
rows = GatherV2(table/read, ids, axis) {Tindices: int64}
axis = Const() {value: 0}
mixed = Zebra(rows, w/read)
left = Neg(mixed)
right = Neg(mixed:1)
rate = Const() {value: 0.1}
w_step = ApplyGradientDescent(w, rate, x)
own_step = ZebraDescent(table, rate, rows)
step = NoOp(^w_step, ^own_step)
variables: table, w
trainable_variables: table, w
train_op: step
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.meta"
    path.write_bytes(sketch_meta_graph(MODEL).SerializeToString())
    return path


def plan(**chosen: object) -> graphfreeze.FreezePlan:
    return graphfreeze.FreezePlan(**chosen)  # type: ignore[arg-type]


def test_show(source: Path) -> None:
    told = graphfreeze.show(graphfreeze.load(source))
    assert [v.name for v in told.variables] == ["table", "w"]


# a plan, and nodes that come of it
FROZEN = {
    "a variable": (
        plan(freeze=("w",)),
        {"mixed": "mixed = Zebra(rows, w/read/graphfreeze/stop)"},
    ),
    "rows by ids of an unknown op": (
        plan(freeze_rows={"table": "0:3"}),
        {"mixed": "mixed = Zebra(rows/graphfreeze/masked, w/read)"},
    ),
    "an output of an unknown op": (
        plan(stop_gradient=("mixed:1",), freeze=("w",)),
        {
            "right": "right = Neg(mixed/graphfreeze/stop_1)",
            "left": "left = Neg(mixed)",
        },
    ),
}


@pytest.mark.parametrize(("chosen", "nodes"), FROZEN.values(), ids=FROZEN)
def test_freeze_diff_and_undo(
    chosen: graphfreeze.FreezePlan, nodes: dict[str, str], source: Path, tmp_path: Path
) -> None:
    model = graphfreeze.load(source)
    keep = ["left", "right"]
    graphfreeze.save(graphfreeze.freeze(model, chosen, keep=keep), tmp_path / "out.meta")
    written = graphfreeze.load(tmp_path / "out.meta")
    told = {name: format_node(written.graph.nodes[name]) for name in nodes}
    assert told == nodes
    check_diff_and_undo(model, written, source, tmp_path)


def test_patch(source: Path, tmp_path: Path) -> None:
    model = graphfreeze.load(source)
    graphfreeze.save(graphfreeze.patch(model, plan(freeze=("w",))), tmp_path / "out.meta")
    written = graphfreeze.load(tmp_path / "out.meta")
    assert format_node(written.graph.nodes["w_step"]) == "w_step = RefIdentity(w)"
    check_diff_and_undo(model, written, source, tmp_path)


def test_an_unknown_writer_is_stopped_or_named(source: Path, tmp_path: Path) -> None:
    with pytest.raises(graphfreeze.GraphfreezeError, match="op ZebraDescent"):
        graphfreeze.patch(graphfreeze.load(source), plan(freeze_rows={"table": "0:3"}))


def check_diff_and_undo(model: Model, written: Model, source: Path, folder: Path) -> None:
    assert not graphfreeze.diff(model, written).is_empty
    graphfreeze.undo(written, folder / "back.meta")
    assert (folder / "back.meta").read_bytes() == source.read_bytes()
