"""Old training is taken away from models that real TensorFlow 1.x wrote."""

import re
from pathlib import Path

import pytest

from graphfreeze.model.collected import names_in, node_refs
from graphfreeze.model.model import Model
from graphfreeze.prepare.drop_training import DropTraining
from graphfreeze.read import load
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.run import run


def drop(model: Model) -> Draft:
    draft = Draft(model)
    run(draft, [DropTraining()])
    return draft


ROOT = Path(__file__).parents[2]
CORPUS = ROOT.parent / "shared/corpus"
CIFAR = "dotnet+machinelearning-testdata/Microsoft.ML.TensorFlow.TestModels/cifar_model"
RUST = "tensorflow+rust/test_resources/regression-model/saved_model.pb"
RNN = "SciSharp+SciSharp-Stack-Examples/graph_meta/att_rnn_untrained.meta"
# file, its loss, how many nodes and variables stay
REAL = {
    "text_classifier": (ROOT / "testdata/models/text_classifier/model.ckpt.meta",
                        "sparse_softmax_cross_entropy_loss/value", 107, 6),
    "two train ops": (ROOT / "testdata/models/gan/model.ckpt.meta", "d_loss", 190, 12),
    "slots in parts on two servers": (ROOT / "testdata/models/partitioned_ps/model.ckpt.meta",
                                      "total_loss", 196, 10),
    "an optimizer of assignments": (ROOT / "testdata/models/bert_adamw/model.ckpt.meta",
                                    "total_loss", 280, 20),
    "averages after the step": (ROOT / "testdata/models/momentum_ema/model.ckpt.meta",
                                "total_loss", 362, 21),
    "hooks' collections": (ROOT / "testdata/models/wide_deep/model.ckpt.meta",
                           "head/weighted_loss/Sum", 912, 10),
    "cifar": (CORPUS / CIFAR / "model.ckpt.meta", "hinge_loss/value", 165, 4),
    "a loss whose shape is not known": (CORPUS / RUST, "Mean", 49, 2),
    "loops in loops": (ROOT / "testdata/models/nested_loops/model.ckpt.meta", "loss", 276, 5),
    "loops": (CORPUS / RNN, "loss/Mean", 985, 13),
}  # fmt: skip
TRAINING = re.compile(r"(^|/)(gradients(_\d+)?|Adam(_\d+)?|beta[12]_power|update_[^/]+)(/|$)")


@pytest.mark.parametrize(("path", "loss", "nodes", "variables"), REAL.values(), ids=REAL)
def test_real_models(path: Path, loss: str, nodes: int, variables: int) -> None:
    if not path.exists():
        pytest.skip(f"no {path}")
    model = load(path)
    draft = drop(model)
    graph, base = draft.graph, model.graph
    assert (len(graph.nodes), len(draft.variables)) == (nodes, variables)
    assert [name for name in graph.nodes if TRAINING.search(name)] == []
    assert list(graph.dangling()) == []
    assert draft.loose_colocations() == []
    assert [ref for _, ref in node_refs(draft.collections) if ref.node not in graph] == []
    # The loss, and whatever leads to it, is as it was: a node that is not changed is written raw.
    assert base.ancestors([loss]) == graph.ancestors([loss])
    assert set(draft.changed_nodes()) & base.ancestors([loss]) == set()
    # Nothing is left that leads nowhere, but for ends of the model's own.
    ends = {n for n in base.nodes if not base.consumers(n)} | {loss}
    ends |= {n for n in graph.nodes if graph.op(n) == "Exit"}
    kept = ends | {ref.node for _, ref in node_refs(draft.collections)}
    described = (v.definition for v in draft.variables if v.definition is not None)
    kept |= {name.partition(":")[0] for definition in described for name in names_in(definition)}
    assert set(graph.nodes) - graph.ancestors(kept) == set()
    assert drop(model).touched == draft.touched
