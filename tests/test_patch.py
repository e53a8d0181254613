"""The patch of a training graph: what changes in the file, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest

import graphfreeze
from graphfreeze.errors import GraphfreezeError
from graphfreeze.model.collected import node_entries
from graphfreeze.model.model import Model
from graphfreeze.model.sketch import format_node
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.schema import MetaGraphDef

MODELS = Path(__file__).parents[1] / "testdata" / "models"
TRAINED = {
    "text_classifier": {"freeze": ("hidden",), "freeze_rows": {"word_embedding": "0:500"}},
    "adam_clipped": {"freeze": ("hidden", "deep"), "freeze_rows": {"table": "::2"}},
    "bert_adamw": {"freeze": ("bert/encoder/layer_0",)},
    "momentum_ema": {"freeze": ("hidden", "bn"), "train_rows": {"table": "40:"}},
    "wide_deep": {"freeze": ("dnn/hiddenlayer_0",)},
    "gan": {"freeze": ("shared",), "freeze_columns": {"generator/output/kernel": "0:2"}},
    "partitioned_ps": {"freeze": ("hidden",), "freeze_rows": {"table": "0:40"}},
    "conv_bn": {"freeze": ("bn1",)},
    "batch_norms": {"freeze": ("fused", "plain_cond")},
}
MODEL = """
g = Placeholder() {shape: [4]}
rate = Const() {value: 0.1}
zeros = Const() {shape: [4], value: 0.0}
w = VariableV2() {shape: [4]}
w/Assign = Assign(w, zeros)
w/read = Identity(w)
v = VariableV2() {shape: [4]}
v/Assign = Assign(v, zeros)
w_step = ApplyGradientDescent(w, rate, g) @ /device:GPU:1
v_step = ApplyGradientDescent(v, rate, g)
t = NoOp(^w_step, ^v_step)
variables: w, v
trainable_variables: w, v
"""
W = graphfreeze.FreezePlan(freeze=("w",))


def patched(text: str, plan: graphfreeze.FreezePlan = W, **options: object) -> dict[str, str]:
    """Return the nodes that a patch adds or changes, as text."""
    draft = graphfreeze.patch(parse_sketch(text), plan, **options).draft  # type: ignore[arg-type]
    names = [*draft.added_nodes(), *draft.changed_nodes()]
    return {name: format_node(draft.graph.nodes[name]) for name in names}


def test_a_writer_stops_and_nothing_else_changes() -> None:
    assert patched(MODEL) == {"w_step": "w_step = RefIdentity(w) @ /device:GPU:1"}


def test_the_collection_of_train_ops_is_not_asked() -> None:
    assert patched(f"{MODEL}train_op: v_step") == patched(MODEL)


def test_what_still_writes() -> None:
    text = MODEL + 'load = Assign(w, g)\nf = Const() {value: "f"}\nk = Const() {value: ["w"]}\n'
    text += 's = Const() {value: [""]}\nr = RestoreV2(f, k, s) {dtypes: [float32]}\n'
    frozen = graphfreeze.patch(parse_sketch(f"{text}restore = Assign(w, r)"), W)
    told = graphfreeze.report(frozen)
    assert told.patch is not None
    assert [each.writer for each in told.patch.stopped] == ["w_step"]
    assert [each.writer for each in told.patch.still_writing] == ["load"]
    assert any("load (they store given values)" in note for note in told.notes)
    for name in ("w/Assign", "load", "restore"):
        assert frozen.draft.graph.op(name) == "Assign"


def test_one_of_two_steps() -> None:
    text = f"{MODEL}other = AssignSub(w, g)\nu = NoOp(^other)\n"
    frozen = graphfreeze.patch(parse_sketch(text), W, train_op=["u"])
    assert (frozen.draft.graph.op("other"), frozen.draft.graph.op("w_step")) == (
        "RefIdentity",
        "ApplyGradientDescent",
    )
    # The other step still trains it.
    raws = frozen.draft.collections["trainable_variables"].bytes_list.value
    assert len(raws) == 2
    told = graphfreeze.report(frozen)
    assert any("still write what is frozen" in note and "w_step" in note for note in told.notes)


def test_an_initializer_that_a_step_runs() -> None:
    text = MODEL.replace("^w_step, ^v_step", "^w_step, ^v_step, ^w/Assign")
    told = graphfreeze.report(graphfreeze.patch(parse_sketch(text), W))
    assert any("no longer initialize" in note and "w/Assign" in note for note in told.notes)


UNKNOWN = {
    "an op that only learns": ("y = Mystery(w/read)", {"w_step"}),
    "an op that writes what is frozen": (
        "y = Mystery(w, g)\nu = NoOp(^y)", {"w_step", "y"}
    ),
    "an op that writes what learns": ("y = Mystery(v, g)\nu = NoOp(^y)", {"w_step"}),
}  # fmt: skip


@pytest.mark.parametrize(("text", "changed"), UNKNOWN.values(), ids=UNKNOWN)
def test_ops_that_nobody_knows(text: str, changed: set[str]) -> None:
    assert patched(f"{MODEL}{text}\n").keys() == changed


REFUSED = {
    "nothing trains": (
        MODEL.replace("ApplyGradientDescent(w, rate, g) @ /device:GPU:1", "NoOp()"),
        {}, {}, "no step in this graph writes w, so there is nothing to patch",
    ),
    "a step that writes something else": (
        MODEL + "u = NoOp(^v_step)\n", {}, {"train_op": ["u"]}, "u writes nothing of w",
    ),
    "no such step": (
        MODEL, {}, {"train_op": ["tt"]}, "no op 'tt'; did you mean t?",
    ),
    "no step at all": (
        MODEL, {}, {"train_op": ["g"]}, "'g' writes no variable; its training steps",
    ),
    "an overlay": (
        MODEL, {"freeze_rows": {"v": "0"}, "row_strategy": "overlay"}, {},
        "--row-strategy: an overlay is a new variable, and a patch adds none; use",
    ),
    "factors": (
        MODEL, {"row_scale": {"v": "x.npy"}}, {}, "--row-scale: the gradients are in the graph",
    ),
    "a stop": (
        MODEL, {"stop_gradient": ("g",)}, {}, "--stop-gradient: the gradients",
    ),
    "values": (
        MODEL, {"vectors": {"v": "v.npy"}}, {}, "--vectors: a patch changes no value",
    ),
    "new words": (
        MODEL, {"add_words": {"v": "w.txt"}}, {}, "--add-words: a patch changes no value",
    ),
    "dropout": (
        MODEL, {"dropout": "off"}, {}, "--dropout: a patch changes nothing but",
    ),
    "a kernel": (
        MODEL, {"mask_kernel": "select"}, {}, "--mask-kernel: a patch changes nothing but",
    ),
    "inference": (
        MODEL, {"batch_norm": "inference"}, {}, "--batch-norm: 'inference': a patch",
    ),
    "an output that is needed": (
        MODEL + "y = Mystery(w, g)\nz = L2Loss(y)\n", {}, {}, "'y' writes 'w' in each step",
    ),
    "a writer of two": (
        MODEL + "y = Mystery(w, v)\nu = NoOp(^y)\n", {}, {}, "writes 'w' and 'v' at once",
    ),
    "an op without a guard": (
        MODEL + "y = Mystery(w, g)\nu = NoOp(^y)\n", {"freeze": (), "freeze_rows": {"w": "0"}}, {},
        "which cannot be kept to some entries; only a pin would put them back",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "plan", "options", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(
    text: str, plan: dict[str, object], options: dict[str, object], message: str
) -> None:
    with pytest.raises(GraphfreezeError) as caught:
        patched(text, graphfreeze.FreezePlan(**{"freeze": ("w",), **plan}), **options)  # type: ignore[arg-type]
    assert message in str(caught.value)


def model_of(name: str) -> Model:
    return graphfreeze.load(MODELS / name / "model.ckpt.meta")


@pytest.mark.parametrize(("name", "plan"), TRAINED.items(), ids=TRAINED)
def test_real_models(name: str, plan: dict[str, object], tmp_path: Path) -> None:
    model = model_of(name)
    frozen = graphfreeze.patch(model, graphfreeze.FreezePlan(**plan))  # type: ignore[arg-type]
    graphfreeze.save(frozen, tmp_path / "patched.meta")
    written = graphfreeze.load(tmp_path / "patched.meta")
    assert model.graph.nodes.keys() <= written.graph.nodes.keys()
    assert {v.name for v in written.variables} == {v.name for v in model.variables}
    assert written.saver == model.saver
    changed = set(frozen.draft.changed_nodes())
    patch = graphfreeze.report(frozen).patch
    assert patch is not None
    told = {each.writer for each in (*patch.stopped, *patch.kept_to_entries)}
    of_slots = {n for n in changed - told if written.graph.op(n) in ("NoOp", "RefIdentity")}
    sums = changed - told - of_slots
    assert all(model.graph.op(name) in ("Pack", "AddN") for name in sums), sums
    differing = {
        key for key, entry in model.collections.items() if written.collections.get(key) != entry
    }
    assert differing <= {"trainable_variables", "trainable_resource_variables", "update_ops"}
    assert not list(written.graph.dangling())
    kept = node_entries(written.collections, "train_op")
    assert kept == node_entries(model.collections, "train_op")


@pytest.mark.parametrize(("name", "plan"), TRAINED.items(), ids=TRAINED)
@pytest.mark.parametrize("out", ["patched", "patched.meta"])
def test_undo_gives_the_bytes_back(
    name: str, plan: dict[str, object], out: str, tmp_path: Path
) -> None:
    model = model_of(name)
    graphfreeze.save(
        graphfreeze.patch(model, graphfreeze.FreezePlan(**plan)),
        tmp_path / out,  # type: ignore[arg-type]
    )
    graphfreeze.undo(graphfreeze.load(tmp_path / out), tmp_path / "back.meta")
    assert (tmp_path / "back.meta").read_bytes() == model.raw


def test_a_patch_is_made_anew(tmp_path: Path) -> None:
    model, other = model_of("gan"), graphfreeze.FreezePlan(freeze=("generator",))
    first = graphfreeze.patch(model, graphfreeze.FreezePlan(freeze=("shared",)))
    graphfreeze.save(first, tmp_path / "first.meta")
    again = graphfreeze.load(tmp_path / "first.meta")
    with pytest.raises(GraphfreezeError, match="--refreeze"):
        graphfreeze.patch(again, other)
    graphfreeze.save(graphfreeze.patch(again, other, refreeze=True), tmp_path / "again.meta")
    graphfreeze.save(graphfreeze.patch(model, other), tmp_path / "straight.meta")
    written = [graphfreeze.load(tmp_path / f"{n}.meta") for n in ("again", "straight")]
    assert not graphfreeze.diff(*written).added
    assert written[0].graph.nodes == written[1].graph.nodes


def test_elements_of_a_large_mask() -> None:
    text = MODEL.replace("[4]", "[1200, 1200]")
    plan = graphfreeze.FreezePlan(freeze_elements={"w": np.eye(1200, dtype=bool)})
    with pytest.raises(
        GraphfreezeError, match="mask of single elements of 'w' has 1,440,000 bytes"
    ):
        graphfreeze.patch(parse_sketch(text), plan)


@pytest.mark.parametrize("name", ["bert_adamw", "adam_clipped"])
def test_ops_that_this_tensorflow_lacks(name: str, tmp_path: Path) -> None:
    """Rename what multiplies and divides to ops of nobody's, forward and backward."""
    meta = MetaGraphDef.FromString((MODELS / name / "model.ckpt.meta").read_bytes())
    for node in meta.graph_def.node:
        if node.op in ("MatMul", "Tanh", "TanhGrad", "ReluGrad", "SoftmaxCrossEntropyWithLogits"):
            node.op = f"Contrib{node.op}"
    (tmp_path / "odd.meta").write_bytes(meta.SerializeToString())
    plan = graphfreeze.FreezePlan(**TRAINED[name])  # type: ignore[arg-type]
    reports = [
        graphfreeze.report(graphfreeze.patch(graphfreeze.load(path), plan)).patch
        for path in (tmp_path / "odd.meta", MODELS / name / "model.ckpt.meta")
    ]
    assert reports[0] == reports[1]
