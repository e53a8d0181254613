"""Contexts that nodes tell are those that TensorFlow wrote, for all models that have some."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from graphfreeze.model.control_flow import CONTEXTS
from graphfreeze.model.described import Described, differences, find_described
from graphfreeze.model.model import Model
from graphfreeze.model.nesting import find_nesting
from graphfreeze.prepare.drop_training import DropTraining
from graphfreeze.prepare.recover_contexts import RecoverContexts
from graphfreeze.prepare.restore_ends import RestoreEnds
from graphfreeze.read import load
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.run import run
from graphfreeze.schema import CollectionDef, WhileContextDef

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "testdata" / "models"
CORPUS = ROOT.parent / "shared" / "corpus"
OF_THE_WORLD = [
    "GoogleCloudPlatform+cloudml-samples/cloudml-template/examples/regression/babyweight/"
    "trained_models/housing_regressor/model.ckpt-0.meta",
    "SciSharp+SciSharp-Stack-Examples/graph_meta/kmeans.meta",
    "SciSharp+SciSharp-Stack-Examples/graph_meta/rcnn_untrained.meta",
    "SciSharp+SciSharp-Stack-Examples/graph_meta/att_rnn_untrained.meta",
    "ThreoSRD+tf-rnn-attention/model.meta",
]


# What TensorFlow itself left out of contexts, by a part of what is then told.
LEFT_OUT = {
    # It copies initial values that take a variable's, for variables that begin with them.
    "batch_norms": r"^cond\w*/read.*/ExponentialMovingAverage runs in no context|"
    r"^branch 1 of 'IsVariableInitialized\w*:0' brings in \['[\w/]+/cond/Merge:0'\]",
    # A constant that counts for gradients: it is outside, and its loop lists it.
    "keras_lstm": "training/Adam/gradients/gradients/f_count runs in loop 'lstm/while/while_conte",
    # A branch without a node of its own has a pivot that nothing waits for, and no context.
    "graph_meta": r"^cond/cond_[12]/switch_f runs in branch 0 of 'Equal:0', and in branch 0 of 'c",
}
MODELS_WITH_CONTEXTS = [
    *sorted(path for path in MODELS.glob("*/*.meta") if b"_context" in path.read_bytes()),
    *(path for each in OF_THE_WORLD if (path := CORPUS / each).exists()),
]


def described(draft: Draft) -> Described:
    return find_described(find_nesting(draft.graph), draft.collections)


def trained_off(model: Model) -> Draft:
    """Return a model without its old training, whose loops are of no use to gradients."""
    draft = Draft(model)
    run(draft, [DropTraining(())])
    return draft


def recovered(draft: Draft) -> Draft:
    """Return a draft whose contexts are forgotten, and recovered."""
    draft = draft.copy()
    for key in CONTEXTS:
        draft.collections.pop(key, None)
    run(draft, [RestoreEnds(), RecoverContexts()])
    return draft


@pytest.mark.parametrize("path", MODELS_WITH_CONTEXTS, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_contexts_from_the_nodes(path: Path) -> None:
    draft = trained_off(load(path))
    assert described(draft).tops
    found = differences(described(draft), described(recovered(draft)))
    left_out = re.compile(LEFT_OUT.get(path.parent.name, "$."))
    assert [each for each in found if not left_out.match(each)] == []


def test_contexts_beside_an_old_training() -> None:
    """Loops of gradients are left out: what TensorFlow tells of them is of no use to gradients."""
    draft = Draft(load(MODELS / "nested_loops" / "model.ckpt.meta"))
    whole, again = described(draft), described(recovered(draft))
    own = [each for each in draft.graph.nodes if not each.startswith("gradients/")]
    assert {each: whole.paths.get(each) for each in own} == {
        each: again.paths.get(each) for each in own
    }
    assert len(again.paths) < len(whole.paths)


BARE = [path for path in sorted(MODELS.glob("*/graph.pb")) if list(path.parent.glob("*.meta"))]


@pytest.mark.parametrize("path", BARE, ids=lambda path: path.parent.name)
def test_contexts_from_what_the_outputs_need(path: Path) -> None:
    """Of a graph that was cut to what its loss and outputs need."""
    (meta,) = path.parent.glob("*.meta")
    whole, part = described(trained_off(load(meta))), described(recovered(Draft(load(path))))
    assert list(differences(whole, part)) == []


def without_branches(loop: WhileContextDef) -> None:
    loop.ClearField("nested_contexts")


def without_exit(loop: WhileContextDef) -> None:
    loop.loop_exit_names.pop()


def from_elsewhere(loop: WhileContextDef) -> None:
    outer = sorted(loop.values_def.external_values)[0]
    del loop.values_def.external_values[outer]


def one_at_a_time(loop: WhileContextDef) -> None:
    loop.parallel_iterations = 1


# how a context is spoilt, and a part of what is told of it
SPOILT: dict[str, tuple[Callable[[WhileContextDef], None], str]] = {
    "nesting": (without_branches, "runs in branch"),
    "an Exit": (without_exit, "has Exits of"),
    "a value": (from_elsewhere, "in different ways"),
    "a setting": (one_at_a_time, "has parallel_iterations 10, and parallel_iterations 1"),
}


@pytest.mark.parametrize(("spoil", "told"), SPOILT.values(), ids=SPOILT)
def test_differences_are_seen(spoil: Callable[[WhileContextDef], None], told: str) -> None:
    draft = trained_off(load(MODELS / "loop_lookup" / "model.ckpt.meta"))
    (raw,) = draft.collections["while_context"].bytes_list.value
    loop = WhileContextDef.FromString(raw)
    spoil(loop)
    spoilt = draft.copy()
    entry = CollectionDef.BytesList(value=[loop.SerializeToString()])
    spoilt.collections["while_context"] = CollectionDef(bytes_list=entry)
    assert any(told in each for each in differences(described(draft), described(spoilt)))
