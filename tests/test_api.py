"""What the package offers, and that its core never starts TensorFlow."""

import subprocess
import sys
from pathlib import Path

import pytest

import graphfreeze
from graphfreeze import FreezePlan, api

ROOT = Path(__file__).parents[1]
MODELS = ROOT / "testdata" / "models"
BERT = MODELS / "bert_tiny"
LAYER_1 = FreezePlan(freeze=("bert/encoder/layer_1",))


def test_public_names() -> None:
    assert graphfreeze.__all__ == sorted(graphfreeze.__all__)
    for module in (graphfreeze, api):
        assert all(hasattr(module, name) for name in module.__all__)
        public = {n for n in module.__all__ if n[0].islower()}
        assert all(getattr(module, name).__doc__ for name in module.__all__)
        assert public <= set(api.__all__)
    assert set(api.__all__) <= {*graphfreeze.__all__, "check_out", "complete"}


def states(frozen: graphfreeze.FrozenModel) -> dict[str, str]:
    return {each.name: each.state for each in graphfreeze.report(frozen).variables}


def test_layer_1_is_not_layer_10() -> None:
    found = states(graphfreeze.freeze(graphfreeze.load(BERT), LAYER_1))
    frozen = [name for name, state in found.items() if state == "frozen"]
    assert frozen
    assert all(name.startswith("bert/encoder/layer_1/") for name in frozen)
    tens = [state for name, state in found.items() if name.startswith("bert/encoder/layer_10/")]
    assert tens == ["trainable"] * len(frozen)


def test_a_model_is_not_changed_by_a_freeze() -> None:
    model = graphfreeze.load(BERT)
    nodes = {name: node.SerializeToString() for name, node in model.graph.nodes.items()}
    collections = {key: entry.SerializeToString() for key, entry in model.collections.items()}
    graphfreeze.freeze(model, LAYER_1)
    assert {n: node.SerializeToString() for n, node in model.graph.nodes.items()} == nodes
    assert {k: e.SerializeToString() for k, e in model.collections.items()} == collections


def test_two_freezes_of_one_model_do_not_see_each_other() -> None:
    model = graphfreeze.load(BERT)
    first = graphfreeze.freeze(model, LAYER_1)
    second = graphfreeze.freeze(model, FreezePlan(freeze=("bert/encoder/layer_2",)))
    assert states(first)["bert/encoder/layer_2/output/dense/bias"] == "trainable"
    assert states(second)["bert/encoder/layer_1/output/dense/bias"] == "trainable"


@pytest.mark.parametrize("verb", [graphfreeze.freeze, graphfreeze.patch])
def test_what_is_not_saved_yet_is_no_model(verb) -> None:
    thawed = graphfreeze.thaw(graphfreeze.load(MODELS / "frozen_classifier" / "graph.pb"))
    with pytest.raises(graphfreeze.GraphfreezeError, match="not saved yet"):
        verb(thawed, FreezePlan())


def test_report() -> None:
    model = graphfreeze.load(MODELS / "text_classifier" / "model.ckpt")
    plan = FreezePlan(freeze=("hidden",), freeze_rows={"word_embedding": "0:500"})
    record = graphfreeze.report(graphfreeze.freeze(model, plan))
    told = {v.name: v for v in record.variables}
    assert told["hidden/kernel"].state == "frozen"
    assert told["hidden/kernel"].rule == "--freeze hidden"
    table = told["word_embedding"]
    assert (table.state, table.frozen_rows, table.rows) == ("partly frozen", 500, 1000)
    assert table.frozen_ranges == [[0, 500]]
    assert told["output/bias"].state == "trainable"
    assert record.nodes_removed > 0
    assert record.nodes_added == sum(record.operations_added.values())
    assert record.operations_added["StopGradient"] == 3
    assert record.train_op is None
    assert record.keys_added == []
    assert "word_embedding/Adam" in record.keys_dropped


SHOWN = {
    "ref variables, trained before": ("text_classifier/model.ckpt", "ref", ["train_op"]),
    "resource variables": ("resource_mlp", "resource", []),
    "a bare graph": ("bare_graph/graph.pb", "ref", []),
    "a bare graph in text": ("bare_graph/graph.pbtxt", "ref", []),
}


@pytest.mark.parametrize(("path", "kind", "ops"), SHOWN.values(), ids=SHOWN)
def test_show(path: str, kind: str, ops: list[str]) -> None:
    record = graphfreeze.show(graphfreeze.load(MODELS / path))
    assert record.nodes > 0
    assert record.train_ops == ops
    trainable = [v for v in record.variables if v.state == "trainable"]
    assert {v.kind for v in trainable} == {kind}
    assert all(v.shape and v.parameters for v in trainable)


def test_show_tells_slots_apart() -> None:
    record = graphfreeze.show(graphfreeze.load(MODELS / "text_classifier" / "model.ckpt"))
    found = {v.name: v.state for v in record.variables}
    assert found["word_embedding"] == "trainable"
    assert found["word_embedding/Adam"] == "slot"
    assert found["global_step"] == "not trainable"


STEPS = {
    "show": "g.show(g.load(model))",
    "freeze and write a .pb": "g.save(g.freeze(g.load(model), plan), out + '.pb')",
    "freeze and write a .pbtxt": "g.save(g.freeze(g.load(model), plan), out + '.pbtxt')",
    "freeze and write a .meta": "g.save(g.freeze(g.load(model), plan), out + '.meta')",
    "freeze and write a bundle": "g.save(g.freeze(g.load(model), plan), out)",
    "copy": "g.save(g.load(model), out + '.pb')",
}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_tensorflow_is_not_started(step: str, tmp_path: Path) -> None:
    script = f"""
import sys
import graphfreeze as g
model, out = {str(MODELS / "text_classifier" / "model.ckpt")!r}, {str(tmp_path / "out")!r}
plan = g.FreezePlan(freeze=("hidden",), freeze_rows={{"word_embedding": "::3"}})
{step}
started = [name for name in sys.modules if name.startswith("tensorflow.python")]
sys.exit(", ".join(started[:3]) or ("tensorflow" in sys.modules and "tensorflow") or 0)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
