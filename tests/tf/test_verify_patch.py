"""``verify`` of a patched training graph: it passes, and sees what was undone by hand."""

from dataclasses import replace
from pathlib import Path

import pytest

import graphfreeze
from graphfreeze.emit.graph_file import file_bytes
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import ReplaceNode
from graphfreeze.schema import NodeDef

MODELS = Path(__file__).parents[2] / "testdata" / "models"
CASES = {
    "adam_clipped": {"freeze": ("hidden", "deep"), "freeze_rows": {"table": "::2"}},
    "bert_adamw": {
        "freeze": ("bert/encoder/layer_0",),
        "freeze_rows": {"bert/embeddings/word_embeddings": "0:50"},
    },
    "momentum_ema": {"freeze": ("hidden", "bn"), "train_rows": {"table": "40:"}},
    "wide_deep": {"freeze": ("dnn/hiddenlayer_0",)},
    "gan": {"freeze": ("shared",), "freeze_columns": {"generator/output/kernel": "0:2"}},
    "partitioned_ps": {"freeze": ("hidden",), "freeze_rows": {"table": "0:40"}},
    "batch_norms": {"freeze": ("fused", "plain_cond")},
}


def made(name: str, plan: dict[str, object], out: Path, **options: object) -> Path:
    model = graphfreeze.load(MODELS / name)
    patched = graphfreeze.patch(model, graphfreeze.FreezePlan(**plan), **options)  # type: ignore[arg-type]
    graphfreeze.save(patched, out)
    return out


@pytest.mark.parametrize(("name", "plan"), CASES.items(), ids=CASES)
def test_passes(name: str, plan: dict[str, object], tmp_path: Path) -> None:
    out = made(name, plan, tmp_path / "out")
    told = graphfreeze.verify(graphfreeze.load(MODELS / name), graphfreeze.load(out))
    wrong = [failure for section in told.sections for failure in section.failures]
    # Nothing learns from the updates of averages alone.
    if name == "batch_norms":
        assert all(failure.startswith("nothing learns") for failure in wrong)
        return
    assert told.passed, wrong
    assert told.steps == 5
    assert {change.state for change in told.changes} >= {"frozen", "trainable"}


def test_one_named_step(tmp_path: Path) -> None:
    out = made("gan", {"freeze": ("shared",)}, tmp_path / "out", train_op=["g_train"])
    told = graphfreeze.verify(graphfreeze.load(MODELS / "gan"), graphfreeze.load(out))
    assert told.passed
    (note,) = told.sections[0].notes
    assert note.startswith("shown of g_train alone")
    assert "d_train/update_shared" in note
    moved = {change.name: change.moved for change in told.changes}
    assert moved["shared/kernel"] == moved["discriminator/hidden/kernel"] == 0
    assert moved["generator/hidden/kernel"]


def written_again(folder: Path, node: NodeDef) -> None:
    """Put a node back by hand."""
    model = graphfreeze.load(folder)
    draft = Draft(model)
    draft.apply(ReplaceNode(node))
    (folder / "model.meta").write_bytes(file_bytes(draft, ".meta"))


def test_a_writer_that_was_put_back(tmp_path: Path) -> None:
    out = made("gan", {"freeze": ("shared",)}, tmp_path / "out")
    original, name = graphfreeze.load(MODELS / "gan"), "d_train/update_shared/kernel/ApplyAdam"
    written_again(out, original.graph.nodes[name])
    told = graphfreeze.verify(original, replace(graphfreeze.load(out)))
    static, _, steps, _ = told.sections
    assert any(
        f"{name} (op ApplyAdam) writes the frozen shared/kernel" in f for f in static.failures
    )
    assert any("shared/kernel" in failure for failure in steps.failures)


def test_a_constant_that_a_step_stores(tmp_path: Path) -> None:
    out = made("gan", {"freeze": ("shared",)}, tmp_path / "out")
    original = graphfreeze.load(MODELS / "gan")
    written = graphfreeze.load(out)
    twin = NodeDef()
    twin.CopyFrom(written.graph.nodes["g_train"])
    twin.input.append("^shared/kernel/Assign")
    written_again(out, twin)
    static = graphfreeze.verify(original, graphfreeze.load(out)).sections[0]
    assert any("shared/kernel/Assign (op Assign) writes" in failure for failure in static.failures)
