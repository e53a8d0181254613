"""A bundle with every option of training, trained by the real TensorFlow 1.15.5."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

import graphfreeze
from graphfreeze.model.model import Model

ROOT = Path(__file__).parents[2]
PYTHON = Path(os.environ.get("GRAPHFREEZE_TF1_PYTHON", ROOT / ".venv-tf1" / "bin" / "python"))
MODELS = ROOT / "testdata" / "models"
OPTIONS = {
    "optimizer": "adamw",
    "learning_rate": 0.01,
    "arguments": {"weight_decay": 0.1},
    "schedule": "polynomial:steps=100,warmup=1",
    "clip_norm": 1.0,
    "accumulate": 2,
    "skip_nonfinite": True,
}
SKIPPED = "graphfreeze/skipped_steps"
# model, what is frozen of it, what has another learning rate
JOBS = {
    "text_classifier": (
        {"freeze": ("hidden",), "freeze_rows": {"word_embedding": "0:500,874"}},
        {"word_embedding": 0.5},
    ),
    "resource_mlp": (
        {"freeze": ("hidden",), "train_rows": {"embedding": "100:"}},
        {"embedding": 0.5},
    ),
    "tied_softmax": (
        {
            "freeze_rows": {"embedding": "0:300,411"},
            "freeze_columns": {"hidden/kernel": "0,-3:"},
            "freeze_elements": {"softmax_bias": np.arange(600) % 7 == 3},
        },
        {"hidden": 0.5},
    ),
    "conv_bn": ({"freeze": ("conv1",)}, {"**/kernel": 0.5}),
    "partitioned_div": (
        {"freeze_rows": {"table": "0:26,40:60"}, "freeze_columns": {"table": "1,-1"}},
        {"table": 0.5},
    ),
    "loop_lookup": (
        {
            "freeze_rows": {"table": "::2,7"},
            "freeze_elements": {"resource_table": np.add.outer(range(40), range(8)) % 3 == 0},
        },
        {"resource_table": 0.5},
    ),
}


# A tensor between the model's layers takes the place of feeds that are all integers.
SPOILT = {"resource_mlp": ("output/BiasAdd:0", "output/bias"), "conv_bn": ("images:0", None)}


def spoilt(name: str, model: Model, out: Path) -> Path:
    """Write a model's feeds with one NaN among them."""
    document = json.loads((MODELS / name / "feeds.json").read_text())
    tensor, bias = SPOILT[name]
    if bias is not None:
        (width,) = (v.shape[0] for v in model.variables if v.name == bias)
        shape = [document["feeds"]["labels:0"]["shape"][0], width]
        values = [0.0] * (shape[0] * width)
        document["feeds"][tensor] = {"dtype": "float32", "shape": shape, "values": values}
    document["feeds"][tensor]["values"][0] = float("nan")
    out.write_text(json.dumps(document))
    return out


@pytest.mark.parametrize("name", JOBS)
def test_every_option(name, train_bundle, tmp_path) -> None:
    if not PYTHON.is_file():
        pytest.fail(f"{PYTHON} is missing: run scripts/install_tf1, or set GRAPHFREEZE_TF1_PYTHON")
    plan, scales = JOBS[name]
    sources = sorted(MODELS.joinpath(name).glob("*.meta"))
    frozen = graphfreeze.freeze(graphfreeze.load(sources[0]), graphfreeze.FreezePlan(**plan))
    graphfreeze.add_train_op(frozen, loss=("total",), lr_scales=scales, **OPTIONS)
    graphfreeze.save(frozen, tmp_path / "out")
    told = graphfreeze.report(frozen)
    assert told.newer_ops == []
    feeds = MODELS / name / "feeds.json"
    values = train_bundle(PYTHON, tmp_path / "out", feeds, tmp_path / "values.npz", steps=7)
    moved = {
        each.name: values[f"before/{each.name}"].tobytes() != values[f"after/{each.name}"].tobytes()
        for each in told.variables
    }
    assert {n.name for n in told.variables if n.state == "frozen" and moved[n.name]} == set()
    learning = [n.name for n in told.variables if n.state in ("trainable", "partly frozen")]
    assert learning
    assert all(moved[name] for name in learning)
    for variable, entries in frozen.selection.partly.items():
        pair = [values[f"{when}/{variable.name}"][entries.mask()] for when in ("before", "after")]
        assert pair[0].tobytes() == pair[1].tobytes()
    step = told.global_step
    assert values[f"after/{step}"] == values[f"before/{step}"] + 3
    assert values[f"after/{SKIPPED}"] == 0


@pytest.mark.parametrize("name", SPOILT)
def test_skipped_runs_change_nothing(name, train_bundle, tmp_path) -> None:
    plan, scales = JOBS[name]
    sources = sorted(MODELS.joinpath(name).glob("*.meta"))
    model = graphfreeze.load(sources[0])
    frozen = graphfreeze.freeze(model, graphfreeze.FreezePlan(**plan))
    graphfreeze.add_train_op(frozen, loss=("total",), lr_scales=scales, **OPTIONS)
    graphfreeze.save(frozen, tmp_path / "out")
    feeds = spoilt(name, model, tmp_path / "feeds.json")
    values = train_bundle(PYTHON, tmp_path / "out", feeds, tmp_path / "values.npz", steps=4)
    names = [name.removeprefix("before/") for name in values if name.startswith("before/")]
    moved = [n for n in names if values[f"before/{n}"].tobytes() != values[f"after/{n}"].tobytes()]
    assert moved == [SKIPPED]
    assert values[f"after/{SKIPPED}"] == 4
