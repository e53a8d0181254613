"""What the ops of a graph without collections tell, against what collections say of real ones."""

from pathlib import Path

import pytest

import graphfreeze
from graphfreeze.model.collected import node_entries, variable_entries
from graphfreeze.model.model import Model
from graphfreeze.model.sketch import sketch_meta_graph
from graphfreeze.prepare.recover_collections import RecoverCollections
from graphfreeze.read.document import parse_document
from graphfreeze.report.recovered_notes import recovered_notes
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.run import run
from graphfreeze.schema import MetaGraphDef

MODELS = Path(__file__).parents[2] / "testdata" / "models"
REAL = sorted(path.parent.name for path in MODELS.glob("*/model.ckpt.meta"))
UNREAD = {"training/Adam/decay"}  # Keras's, if 0: nothing tells it from a weight without a use
FIELDS = ("filename_tensor_name", "save_tensor_name", "restore_op_name", "sharded", "version")


def bare(meta: MetaGraphDef) -> Model:
    return parse_document(meta.graph_def.SerializeToString(), Path("graph.pb"), None)


def drawn(text: str) -> Model:
    return bare(sketch_meta_graph(text))


@pytest.fixture(params=REAL, scope="module")
def pair(request: pytest.FixtureRequest) -> tuple[Model, Model]:
    """Return a real model, and its GraphDef alone."""
    path = MODELS / request.param / "model.ckpt.meta"
    meta = MetaGraphDef.FromString(path.read_bytes())
    return graphfreeze.load(path), bare(meta)


def test_what_learns(pair: tuple[Model, Model]) -> None:
    whole, alone = pair
    slots = {v.name for v in (*alone.training.slots, *alone.training.bound)}
    told = {v.name for v in whole.variables if v.is_trainable}
    told |= {v.name for v in whole.variables if v.name in UNREAD}
    assert {v.name for v in alone.variables if v.is_trainable} - slots == told


def test_the_saver(pair: tuple[Model, Model]) -> None:
    whole, alone = pair
    assert whole.saver is not None
    assert alone.saver is not None
    for field in FIELDS:
        assert getattr(alone.saver, field) == getattr(whole.saver, field)


def test_the_init_op(pair: tuple[Model, Model]) -> None:
    _, alone = pair
    assert alone.recovered is not None
    found = alone.recovered.init_op
    assert found in ("init", "group_deps", "init_1") or found.endswith("/init")


X = "x = Placeholder() {shape: [?, 2]}\n"
W = X + "w = VariableV2() {shape: [2, 2]}\nw/read = Identity(w)\ny = MatMul(x, w/read)\n"
V = "v = {} {{shape: [2]}}\nv/read = Identity(v)\n".format
NORM = """
x = Placeholder() {shape: [?, 4, 4, 2]}
g = VariableV2() {shape: [2]}
b = Variable() {shape: [2]}
m = VariableV2() {shape: [2]}
v = VariableV2() {shape: [2]}
n = FusedBatchNorm(x, g, b, m, v) {is_training: false}
"""
UNTRAINED = {
    "nothing against it": (W, {}),
    "the old op, and one that reloads": (W + V("Variable()") + "r = AutoReloadVariable()", {}),
    "a batch norm that infers": (NORM, dict.fromkeys("mv", "mean or variance of a batch norm")),
    "as resources": (
        W + "v = VarHandleOp() {shape: [2]}\nr = ReadVariableOp(v)\ne = Const()\na = Add(r, e)\n"
        "s = Rsqrt(a)\nz = Mul(y, s)",
        {"v": "mean or variance of a batch norm"},
    ),
    "moved by an input": (
        W + V("VariableV2()") + "s = Sum(y, i)\ni = Const() {value: [0]}\na = AssignAdd(v, s)",
        {"v": "written by ops that are no optimizer's"},
    ),
    "a decay": (W + "r = Const()\nd = Mul(w/read, r)\na = AssignSub(w, d)", {}),
    "a copy that follows": (
        W + "c = VariableV2() {shape: [2, 2]}\nz = Const() {shape: [2, 2]}\na = Assign(c, z)\n"
        "f = Assign(c, w/read)",
        {"c": "written by ops that are no optimizer's"},
    ),
    "one that begins as another": (W + "c = VariableV2() {shape: [2, 2]}\nf = Assign(c, w)", {}),
    "its name alone": (
        W + "n/moving_mean = VariableV2() {shape: [2]}\nn = VariableV2() {dtype: int64}",
        {"n/moving_mean": "by their names alone"},
    ),
}


@pytest.mark.parametrize(("text", "untrained"), UNTRAINED.values(), ids=UNTRAINED)
def test_what_does_not_learn(text: str, untrained: dict[str, str]) -> None:
    model = drawn(text)
    assert model.untrained == untrained
    learning = {v.name for v in model.variables if v.is_trainable}
    assert learning == {v.name for v in model.variables if v.is_differentiable} - untrained.keys()


INITIAL = """
w/Assign = Assign(w, k)
k = Const() {shape: [2, 2]}
u = VariableV2() {shape: [2]}
u/Assign = Assign(u, j)
j = Const() {shape: [2]}
"""
INIT_OPS = {
    "one": ("init = NoOp(^w/Assign, ^u/Assign)", "init"),
    "groups in it": ("a = NoOp(^w/Assign)\nb = NoOp(^u/Assign)\ninit = NoOp(^a, ^b)", "init"),
    "one that does more": ("init = NoOp(^w/Assign, ^u/Assign, ^y)", None),
    "half of them": ("init = NoOp(^w/Assign)", "init"),
    "none": ("", None),
}


@pytest.mark.parametrize(("text", "name"), INIT_OPS.values(), ids=INIT_OPS)
def test_init_ops(text: str, name: str | None) -> None:
    model = drawn(W + INITIAL + text)
    assert model.recovered is not None
    assert model.recovered.init_op == name
    draft = Draft(model)
    run(draft, [RecoverCollections()])
    assert node_entries(draft.collections, "init_op") == ([name] if name else [])


SAVER = """
keys = Const() {value: ["w"]}
slices = Const() {value: [""]}
f = Const() {value: "f"}
save = SaveV2(f, keys, slices, w)
saved = Identity(f, ^save)
restore = RestoreV2(f, keys, slices) {dtypes: [float32]}
restoring = Assign(w, restore)
restored = NoOp(^restoring)
"""


def test_a_saver_by_other_names() -> None:
    model = drawn(W + SAVER)
    assert model.saver is not None
    assert model.saver.restore_op_name == "restored"
    draft = Draft(model)
    run(draft, [RecoverCollections()])
    assert draft.saver == model.saver
    assert not any(name.startswith("graphfreeze/save") for name in draft.graph.nodes)
    (described,) = variable_entries(draft.collections, "variables")
    assert described.initializer_name == "restoring"


SNAPSHOTS = {
    "its own": ("r = ReadVariableOp(v)", "r:0"),
    "in a loop, and its own": (
        'e = Enter(v) {frame_name: "f"}\ni = ReadVariableOp(e)\nr = ReadVariableOp(v)',
        "r:0",
    ),
    "in a loop alone": (
        'e = Enter(v) {frame_name: "f"}\ni = ReadVariableOp(e)',
        "v/graphfreeze/read:0",
    ),
    "in a branch alone": (
        "p = Placeholder() {dtype: bool}\ns = Switch(v, p)\ni = ReadVariableOp(s:1)",
        "v/graphfreeze/read:0",
    ),
}


@pytest.mark.parametrize(("text", "snapshot"), SNAPSHOTS.values(), ids=SNAPSHOTS)
def test_what_is_fetched_of_a_variable(text: str, snapshot: str) -> None:
    draft = Draft(drawn(f"v = VarHandleOp() {{shape: [2]}}\n{text}"))
    run(draft, [RecoverCollections()])
    (described,) = variable_entries(draft.collections, "variables")
    assert described.snapshot_name == snapshot


# Read in a loop, in a branch, and after an update: a saver can take none of these.
FAR_READS = """
p = Placeholder() {dtype: bool, shape: []}
a = VarHandleOp() {shape: [2], dtype: float32}
e = Enter(a) {frame_name: "f"}
in = ReadVariableOp(e)
b = VarHandleOp() {shape: [2], dtype: float32}
s = Switch(b, p)
there = ReadVariableOp(s:1)
c = VarHandleOp() {shape: [2], dtype: float32}
one = Const() {value: [1.0, 1.0]}
update = AssignAddVariableOp(c, one)
after = ReadVariableOp(c, ^update)
d = VarHandleOp() {shape: [2], dtype: float32}
plain = ReadVariableOp(d)
"""


def test_reads_that_a_saver_takes() -> None:
    draft = Draft(drawn(FAR_READS))
    run(draft, [RecoverCollections()])
    described = variable_entries(draft.collections, "variables")
    reads = [each.snapshot_name for each in described]
    assert reads == [*(f"{name}/graphfreeze/read:0" for name in "abc"), "plain:0"]
    taken = [str(ref) for ref in draft.graph.data_inputs("graphfreeze/save/SaveV2")[3:]]
    assert [f"{ref}:0" for ref in taken] == reads


HALF = {
    "no end to save": SAVER.replace("saved = Identity(f, ^save)", ""),
    "no end to restore": SAVER.replace("restored = NoOp(^restoring)", ""),
    "another file": SAVER.replace("RestoreV2(f,", "RestoreV2(h,") + 'h = Const() {value: "h"}',
    "round and round": SAVER.replace('f = Const() {value: "f"}', "f = Identity(f)"),
}


@pytest.mark.parametrize("text", HALF.values(), ids=HALF)
def test_no_whole_saver(text: str) -> None:
    assert drawn(W + text).saver is None


NOTES = {
    "all of it": (
        W + INITIAL + SAVER + "init = NoOp(^w/Assign)\nm/moving_mean = VariableV2() {shape: [2]}",
        [
            "no collection tells of the 3 variables; taken for trainable: 2",
            "taken for not trainable (by their names alone): m/moving_mean",
            "no SaverDef: restored was taken for the op that restores",
            "init was taken for the init_op; it leaves out u; no initializer was found of "
            "m/moving_mean",
        ],
    ),
    "nothing of it": (
        W,
        [
            "no collection tells of the 1 variable; taken for trainable: 1",
            "the graph has no saver: a bundle and a .meta get a new one",
            "no variable has an initializer: the checkpoint gives all values",
        ],
    ),
}


@pytest.mark.parametrize(("text", "notes"), NOTES.values(), ids=NOTES)
def test_what_is_told(text: str, notes: list[str]) -> None:
    assert list(recovered_notes(drawn(text))) == notes


def test_nothing_to_guess() -> None:
    assert list(recovered_notes(graphfreeze.load(MODELS / "conv_bn"))) == []
    assert list(recovered_notes(drawn("x = Placeholder()"))) == []
    damaged = drawn(W + "z = MatMul(gone, w/read)")
    assert damaged.recovered is not None
    assert damaged.untrained == {}
