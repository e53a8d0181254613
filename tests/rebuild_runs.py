"""Rebuilt trainings, run beside the graphs as they were saved; in either TensorFlow."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from patch_runs import MODELS, STEPS, Values, is_same, run_steps

import graphfreeze
from graphfreeze.model.frozen_mask import frozen_mask

_DNN = "dnn/input_from_feature_columns/input_layer/word_embedding/embedding_weights"
SIDE = ("side/kernel", "side/bias", "global_step")


@dataclass(frozen=True)
class Rebuilt:
    """A model, what is frozen of it, and the settings that its old training had.

    ``side`` is what nothing else influences; ``error`` is how far it may go its own way, as where
    the old optimizer was written by hand in other operations."""

    model: str
    plan: graphfreeze.FreezePlan
    loss: str
    settings: Mapping[str, object]
    op: str = "train_op"
    side: tuple[str, ...] = SIDE
    options: tuple[str, ...] = ()
    error: float = 0.0
    kept: Mapping[str, object] = field(default_factory=dict)


def _plan(**options: object) -> graphfreeze.FreezePlan:
    return graphfreeze.FreezePlan(**options)  # type: ignore[arg-type]


CASES = {
    "adam, clipped, by a schedule": Rebuilt(
        "adam_clipped",
        _plan(freeze=("hidden", "deep"), freeze_rows={"table": "0:150,201"}),
        "total_loss:0",
        {
            "optimizer": "adam",
            "learning_rate": 0.02,
            "schedule": "polynomial:steps=100,end=0.001",
        },
    ),
    "under its own monitored session": Rebuilt(
        "adam_clipped",
        _plan(freeze=("hidden",)),
        "total_loss:0",
        {
            "optimizer": "adam",
            "learning_rate": 0.02,
            "schedule": "polynomial:steps=100,end=0.001",
        },
        options=("--monitored",),
    ),
    "beside the old training": Rebuilt(
        "adam_clipped",
        _plan(freeze=("hidden",)),
        "total_loss:0",
        {
            "optimizer": "adam",
            "learning_rate": 0.02,
            "schedule": "polynomial:steps=100,end=0.001",
        },
        kept={"keep_training": True},
    ),
    "bert's optimizer": Rebuilt(
        "bert_adamw",
        _plan(
            freeze=("bert/encoder/layer_0",),
            freeze_rows={"bert/embeddings/word_embeddings": "0:50,-5:"},
        ),
        "total_loss:0",
        {
            "optimizer": "adamw",
            "learning_rate": 0.01,
            "schedule": "polynomial:steps=100",
            "arguments": {"epsilon": 1e-6},
        },
        error=1e-5,
    ),
    "momentum": Rebuilt(
        "momentum_ema",
        _plan(freeze=("hidden", "bn"), train_rows={"table": "40:"}),
        "total_loss:0",
        {"optimizer": "momentum", "learning_rate": 0.05, "arguments": {"momentum": 0.9}},
    ),
    "a canned estimator": Rebuilt(
        "wide_deep",
        _plan(
            freeze=("dnn/hiddenlayer_0",),
            freeze_rows={_DNN: "::2", "linear/linear_model/word/weights": "0:6,13"},
        ),
        "",
        {"optimizer": "adagrad", "learning_rate": 0.05},
        op="head/AssignAdd",
        side=("global_step",),
        options=("--monitored",),
    ),
    "one of two train ops": Rebuilt(
        "gan",
        _plan(freeze=("generator",), freeze_rows={"shared/kernel": "0:3"}),
        "d_loss:0",
        {"optimizer": "adam", "learning_rate": 0.01, "arguments": {"beta1": 0.5}},
        op="d_train",
    ),
    "a partitioned table on ps": Rebuilt(
        "partitioned_ps",
        _plan(freeze=("hidden",), freeze_rows={"table": "0:40,-3:"}),
        "total_loss:0",
        {"optimizer": "adam", "learning_rate": 0.01},
    ),
}


def check_case(python: str | Path, case: Rebuilt, folder: Path) -> None:
    """Train a rebuilt model from the old slots, and compare every bit that is promised."""
    source = MODELS / case.model / "model.ckpt"
    keep, loss = ((case.loss,), (case.loss,)) if case.loss else ((), ())
    frozen = graphfreeze.freeze(
        graphfreeze.load(source),
        case.plan,
        keep=keep,
        **case.kept,  # type: ignore[arg-type]
    )
    graphfreeze.add_train_op(frozen, loss=loss, keep_slots=True, **case.settings)  # type: ignore[arg-type]
    graphfreeze.save(frozen, folder / "out")
    told = graphfreeze.report(frozen)
    assert told.slots_kept
    old = (source.with_name("model.ckpt.meta"), source, case.op)
    new = (folder / "out" / "model.meta", folder / "out" / "model", str(told.train_op))
    feeds = source.with_name("feeds.json")
    before, after = (
        run_steps(python, graph, prefix, feeds, folder / f"{number}.npz", [op, *case.options])
        for number, (graph, prefix, op) in enumerate((old, new))
    )
    for variable in told.variables:
        if "frozen" in variable.state:
            mask, name = frozen_mask(variable), variable.name
            first = before[f"0/{name}"][mask].tobytes()
            assert all(after[f"{n}/{name}"][mask].tobytes() == first for n in range(STEPS + 1)), (
                name
            )
    _check_side(case, before, after)


def _check_side(case: Rebuilt, before: Values, after: Values) -> None:
    for name in case.side:
        assert before[f"0/{name}"].tobytes() != before[f"{STEPS}/{name}"].tobytes()
        for step in range(STEPS + 1):
            if case.error:
                pair = after[f"{step}/{name}"], before[f"{step}/{name}"]
                np.testing.assert_allclose(*pair, rtol=case.error, atol=case.error)
            else:
                assert is_same(before, after, step, name), f"{name} moves otherwise in step {step}"
