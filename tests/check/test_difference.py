"""What differs between two graphs is told, and nothing else."""

from pathlib import Path

import msgspec
import pytest

import graphfreeze
from graphfreeze.check.difference import find_difference
from graphfreeze.errors.base import count_text
from graphfreeze.model.diff_records import DiffRecord, NodeRecord, RewiredRecord
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.report.diff_text import diff_lines

MODELS = Path(__file__).parents[2] / "testdata" / "models"
BASE = """
w = VariableV2() {shape: [4, 2]}
w/read = Identity(w)
x = Placeholder() {shape: [?, 4]}
y = MatMul(x, w/read)
loss = L2Loss(y)
trainable_variables: w
losses: loss
"""
EMPTY = DiffRecord(
    first="sketch", second="sketch", added=[], removed=[], rewired=[], changed=[], operations={},
    collections=[], others=[],
)  # fmt: skip
# What is changed, and the fields of the record that are not empty then.
CASES = {
    "nothing": (BASE, {}),
    "the order of nodes": (
        BASE.replace("x = Placeholder() {shape: [?, 4]}\n", "").replace(
            "y = M", "x = Placeholder() {shape: [?, 4]}\ny = M"
        ),
        {},
    ),
    "a node is added": (
        BASE + "z = Square(y)\n",
        {"added": [{"name": "z", "op": "Square"}], "operations": {"Square": 1}},
    ),
    "a node is removed": (
        BASE.replace("loss = L2Loss(y)\n", "").replace("losses: loss\n", ""),
        {
            "removed": [{"name": "loss", "op": "L2Loss"}],
            "operations": {"L2Loss": -1},
            "collections": [{"key": "losses", "added": [], "removed": ["loss"]}],
        },
    ),
    "a node takes another input": (
        BASE.replace("L2Loss(y)", "L2Loss(x)"),
        {"rewired": [{"name": "loss", "op": "L2Loss", "before": ["y"], "after": ["x"]}]},
    ),
    "a node waits": (
        BASE.replace("L2Loss(y)", "L2Loss(y, ^x)"),
        {"rewired": [{"name": "loss", "op": "L2Loss", "before": ["y"], "after": ["y", "^x"]}]},
    ),
    "another attribute": (
        BASE.replace("MatMul(x, w/read)", "MatMul(x, w/read) {transpose_b: true}"),
        {"changed": [{"name": "y", "op": "MatMul", "values": [
            {"name": "transpose_b", "before": None, "after": "true"}]}]},
    ),
    "another op and device": (
        BASE.replace("loss = L2Loss(y)", "loss = Sum(y) @ /cpu:0"),
        {
            "changed": [{"name": "loss", "op": "Sum", "values": [
                {"name": "op", "before": "L2Loss", "after": "Sum"},
                {"name": "device", "before": "", "after": "/cpu:0"}]}],
            "operations": {"L2Loss": -1, "Sum": 1},
        },
    ),
    "a collection": (
        BASE + "summaries: y\n",
        {"collections": [{"key": "summaries", "added": ["y"], "removed": []}]},
    ),
    "a variable that no longer learns": (
        BASE.replace("trainable_variables: w\n", ""),
        {"collections": [{"key": "trainable_variables", "added": [], "removed": ["w:0"]}]},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "fields"), CASES.values(), ids=CASES)
def test_what_differs(text: str, fields: dict[str, object]) -> None:
    found = find_difference(parse_sketch(BASE), parse_sketch(text))
    told = msgspec.to_builtins(found) | {"first": "sketch", "second": "sketch"}
    assert told == msgspec.to_builtins(EMPTY) | fields
    assert found.is_empty == (not fields)


NAMES = sorted(path.parent.name for path in MODELS.glob("*/model.ckpt.index"))


@pytest.mark.parametrize("name", NAMES)
def test_a_model_and_itself(name: str) -> None:
    path = MODELS / name
    path = path if (path / "checkpoint").exists() else path / "graph.pb"
    assert graphfreeze.diff(graphfreeze.load(path), graphfreeze.load(path)).is_empty


def test_a_binary_and_a_text_of_it(tmp_path: Path) -> None:
    model = graphfreeze.load(MODELS / "bare_graph" / "graph.pb")
    frozen = graphfreeze.freeze(model, graphfreeze.FreezePlan(freeze=("hidden",)))
    for suffix in (".pb", ".pbtxt"):
        graphfreeze.save(frozen, tmp_path / f"out{suffix}")
    both = (graphfreeze.load(tmp_path / "out.pb"), graphfreeze.load(tmp_path / "out.pbtxt"))
    assert graphfreeze.diff(*both).is_empty


def test_states_of_variables(tmp_path: Path) -> None:
    model = graphfreeze.load(MODELS / "resource_mlp")
    plan = graphfreeze.FreezePlan(freeze=("hidden",), train_rows={"embedding": "100:"})
    graphfreeze.save(graphfreeze.freeze(model, plan), tmp_path / "out.meta")
    states = graphfreeze.diff(model, graphfreeze.load(tmp_path / "out.meta")).variables
    told = {each.name: (each.before, each.after, each.rule) for each in states}
    assert told["embedding"] == (
        "trainable",
        "partly frozen (800 of 4,000 entries)",
        "--train-rows embedding",
    )
    assert told["hidden/kernel"] == ("trainable", "frozen", "--freeze hidden")
    assert len(told) == 3


READ = """x = _Arg()
h = _Arg() {T: resource}
r = ReadVariableOp(h) {dtype: float32}
m = MatMul(x, r)
return:y = _Retval(m)"""
STOPPED = READ.replace("(x, r)", "(x, s)") + "\ns = StopGradient(r)"
CALL = BASE + "h = VarHandleOp() {shape: [4, 2]}\nc = PartitionedCall(x, h) {Tout: [float32], f: f}"
STOP = NodeRecord("s", "StopGradient")
LED = RewiredRecord("m", "MatMul", ["x", "r"], ["x", "s"])
# the functions of the second graph, and how each that differs is told
BODIES = {
    "the same": ({"f": READ}, []),
    "another body": ({"f": STOPPED}, [("f", "f", [STOP], [LED])]),
    "a copy": (
        {"f": READ, "f__graphfreeze_1": STOPPED},
        [("f__graphfreeze_1", "f", [STOP], [LED])],
    ),
    "a copy that is the same": ({"f": READ, "f__graphfreeze_2": READ}, []),
    "a function of its own": ({"f": READ, "g": STOPPED}, []),
    "another thing returned": (
        {"f": READ.replace("_Retval(m)", "_Retval(x)")},
        [("f", "f", [], [RewiredRecord("return:y", "_Retval", ["m"], ["x"])])],
    ),
}


@pytest.mark.parametrize(("functions", "told"), BODIES.values(), ids=BODIES)
def test_bodies_of_functions(
    functions: dict[str, str],
    told: list[tuple[str, str, list[NodeRecord], list[RewiredRecord]]],
) -> None:
    first = parse_sketch(CALL, functions={"f": READ})
    found = find_difference(first, parse_sketch(CALL, functions=functions))
    assert [(f.name, f.source, f.added, f.rewired) for f in found.functions] == told
    lines = [line.plain for line in diff_lines(found)]
    for name, source, added, rewired in told:
        copy = f", a copy of {source}" if name != source else ""
        count = len(added) + len(rewired)
        assert f"function {name}{copy}: {count_text(count, 'difference')}" in lines


def test_long_values_are_told_from_where_they_differ() -> None:
    called = "x = Placeholder()\ny = PartitionedCall(x) {Tout: [float32], f: %s}"
    names = [f"inference_keras_layer_of_the_model_{end}" for end in ("12", "12__graphfreeze_1")]
    first, second = (parse_sketch(called % name, functions={name: READ}) for name in names)
    lines = [line.plain for line in diff_lines(find_difference(first, second))]
    assert "  ~ y  f: ...model_12 -> ...model_12__graphfreeze_1" in lines
