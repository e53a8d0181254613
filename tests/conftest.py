"""Bundles that both TensorFlows train, each made once a session, and what must be true of them."""

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

import graphfreeze
from graphfreeze.model.frozen_mask import frozen_mask
from graphfreeze.model.model import Model
from graphfreeze.model.records import VariableRecord
from graphfreeze.schema import types_pb2

ROOT = Path(__file__).parents[1]
MODELS = ROOT / "testdata" / "models"
CORPUS = ROOT.parent / "shared" / "corpus"
CIFAR = "dotnet+machinelearning-testdata/Microsoft.ML.TensorFlow.TestModels/cifar_model/model.ckpt"
REGRESSION = "onnx+tensorflow-onnx/tests/models/regression/checkpoint/model"
TRAIN_BUNDLE = ROOT / "tests" / "tf1" / "train_bundle.py"
Values = dict[str, npt.NDArray[np.generic]]


@dataclass(frozen=True)
class Job:
    """A model, what is frozen of it, and how the rest learns."""

    source: Path
    plan: graphfreeze.FreezePlan
    optimizer: str
    learning_rate: float
    loss: str = ""
    tags: str | None = None


def _job(name: str, path: str, optimizer: str, rate: float, **plan: object) -> Job:
    loss, tags = str(plan.pop("loss", "")), plan.pop("tags", None)
    chosen = None if tags is None else str(tags)
    return Job(MODELS / name / path, graphfreeze.FreezePlan(**plan), optimizer, rate, loss, chosen)  # type: ignore[arg-type]


JOBS = {
    "text_classifier": _job(
        "text_classifier",
        "model.ckpt",
        "adam",
        0.01,
        freeze=("hidden",),
        freeze_rows={"word_embedding": "0:500,874"},
    ),
    "bert_tiny": _job(
        "bert_tiny",
        "",
        "sgd",
        0.5,
        freeze=("bert/encoder/layer_1", "bert/embeddings/LayerNorm"),
        freeze_rows={"bert/embeddings/word_embeddings": "0:100,150,-5:"},
    ),
    "resource_mlp": _job(
        "resource_mlp",
        "",
        "momentum",
        0.01,
        freeze=("hidden",),
        train_rows={"embedding": "100:"},
    ),
    "conv_bn": _job(
        "conv_bn", "model.ckpt.meta", "rmsprop", 0.01, freeze=("conv1", "bn1"), loss="total"
    ),
    "bare_graph": _job(
        "bare_graph",
        "graph.pb",
        "adam",
        0.01,
        freeze=("hidden",),
        freeze_rows={"table": "3:7,9"},
        loss="loss:0",
    ),
    "tied_softmax": _job(
        "tied_softmax",
        "",
        "adam",
        0.01,
        freeze_rows={"embedding": "0:300,411"},
        freeze_columns={"hidden/kernel": "0,-3:"},
        freeze_elements={"softmax_bias": np.arange(600) % 7 == 3},
    ),
    "nce": _job(
        "nce",
        "",
        "adagrad",
        0.1,
        freeze_rows={"nce_weights": "::2", "nce_biases": "::2"},
        freeze_columns={"embeddings": "0:5"},
    ),
    "old_format": _job(
        "old_format",
        "",
        "momentum",
        0.1,
        freeze=("hidden/bias",),
        freeze_rows={"table": "0:20,31,-4:"},
    ),
    "partitioned_mod": _job("partitioned_mod", "", "sgd", 0.5, train_rows={"table": "1:60:3,76:"}),
    "partitioned_div": _job(
        "partitioned_div",
        "",
        "rmsprop",
        0.01,
        freeze_rows={"table": "0:26,40:60"},
        freeze_columns={"table": "1,-1"},
    ),
    "loop_lookup": _job(
        "loop_lookup",
        "",
        "momentum",
        0.05,
        freeze_rows={"table": "::2,7"},
        freeze_elements={"resource_table": np.add.outer(np.arange(40), np.arange(8)) % 3 == 0},
    ),
    "batch_norms": _job(
        "batch_norms",
        "",
        "adam",
        0.01,
        freeze=("fused", "fused_cond", "plain_cond/bn/gamma", "plain_cond/bn/beta"),
        batch_norm="inference",
        dropout="off",
    ),
    "batch_norms, kept": _job(
        "batch_norms",
        "",
        "sgd",
        0.1,
        train_only=("logits",),
        batch_norm="keep",
        dropout="off",
    ),
    "adam_clipped": _job(
        "adam_clipped",
        "",
        "adam",
        0.01,
        freeze=("deep",),
        freeze_rows={"table": "0:150,201"},
        freeze_columns={"hidden/kernel": "0,-3:"},
        loss="total_loss:0",
    ),
    "bert_adamw": _job(
        "bert_adamw",
        "",
        "adamw",
        0.01,
        freeze=("bert/encoder/layer_0",),
        freeze_rows={"bert/embeddings/word_embeddings": "0:50,-5:"},
        loss="total_loss:0",
    ),
    "momentum_ema": _job(
        "momentum_ema",
        "",
        "momentum",
        0.01,
        freeze=("hidden", "bn"),
        train_rows={"table": "40:"},
        loss="total",
    ),
    "wide_deep": _job(
        "wide_deep",
        "",
        "ftrl",
        0.1,
        freeze=("dnn/hiddenlayer_0",),
        freeze_rows={
            "dnn/input_from_feature_columns/input_layer/word_embedding/embedding_weights": "::2",
            "linear/linear_model/word/weights": "0:6,13",
        },
    ),
    "gan": _job(
        "gan",
        "",
        "adam",
        0.01,
        freeze=("generator",),
        freeze_rows={"shared/kernel": "0:3"},
        loss="d_loss:0",
    ),
    "partitioned_ps": _job(
        "partitioned_ps",
        "",
        "adam",
        0.01,
        freeze=("hidden",),
        freeze_rows={"table": "::2,7"},
        loss="total_loss:0",
    ),
    "sparse_sums": _job(
        "sparse_sums",
        "",
        "adagrad",
        0.1,
        freeze_rows={"wide": "0:20,37", "deep": "::2"},
        loss="total_loss:0",
    ),
    "branch_batch_norm": _job(
        "branch_batch_norm", "", "momentum", 0.01, freeze=("norm",), freeze_rows={"table": ":10"}
    ),
    "function_calls": _job("function_calls", "", "momentum", 0.01, freeze=("shift",)),
    "function_training": _job("function_training", "", "momentum", 0.01, freeze=("shift",)),
    "saved_model": _job(
        "saved_model",
        "1",
        "adam",
        0.01,
        freeze=("hidden",),
        freeze_rows={"embedding": "0:30,-6:"},
        tags="train",
    ),
    "hub_module": _job(
        "hub_module",
        "module",
        "sgd",
        0.1,
        freeze=("output/bias",),
        freeze_rows={"embedding": "::2"},
        loss="total",
        tags="train",
    ),
}
ALSO_SAVED = ("adam_clipped", "wide_deep", "saved_model")
CORPUS_JOBS = {
    "cifar": Job(CORPUS / CIFAR, graphfreeze.FreezePlan(freeze=("Wconv1",)), "adam", 0.001),
    "cifar, rows": Job(
        CORPUS / CIFAR, graphfreeze.FreezePlan(freeze_rows={"W1": "::2"}), "adam", 0.001
    ),
    "regression": Job(
        CORPUS / REGRESSION, graphfreeze.FreezePlan(freeze=("W",)), "sgd", 0.01, "truediv:0"
    ),
}


@dataclass(frozen=True)
class Made:
    """A bundle that was written, and a batch to train it with."""

    job: Job
    folder: Path
    feeds: Path


@pytest.fixture(scope="session")
def make_bundle(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Made]:
    """Return a function that makes the bundle of a job once."""
    root = tmp_path_factory.mktemp("bundles")
    made: dict[str, Made] = {}

    def make(name: str) -> Made:
        if name not in made:
            made[name] = _make(name, root)
        return made[name]

    return make


def _make(name: str, root: Path) -> Made:
    if name in CORPUS_JOBS and not CORPUS.is_dir():
        pytest.skip(f"no {CORPUS}")
    job = {**JOBS, **CORPUS_JOBS}[name]
    model = graphfreeze.load(job.source, tags=job.tags)
    frozen = graphfreeze.freeze(model, job.plan, keep=[job.loss] if ":" in job.loss else [])
    loss = (job.loss,) if job.loss else ()
    graphfreeze.add_train_op(
        frozen, loss=loss, optimizer=job.optimizer, learning_rate=job.learning_rate
    )
    folder = root / name.replace(", ", "-")
    graphfreeze.save(frozen, folder, also=("savedmodel",) if name in ALSO_SAVED else ())
    feeds = MODELS / name.partition(",")[0] / "feeds.json"
    if name in CORPUS_JOBS:
        feeds = folder.with_suffix(".json")
        losses = graphfreeze.show(model).losses
        feeds.write_text(json.dumps(_random_feeds(model, job.loss or losses[0])))
    return Made(job, folder, feeds)


def _random_feeds(model: Model, loss: str) -> dict[str, object]:
    """Draw a batch of four for every placeholder: of its shape, or a vector where it says none."""
    draw = np.random.default_rng(0)
    feeds = {}
    for name, node in model.graph.nodes.items():
        if node.op == "Placeholder":
            dims = node.attr["shape"].shape.dim
            shape = [4 if d.size < 0 else d.size for d in dims] or [4]
            values = draw.standard_normal(shape)
            dtype = types_pb2.DataType.Name(node.attr["dtype"].type)[3:].lower()
            dtype = {"float": "float32"}.get(dtype, dtype)
            if dtype == "int64":
                values = draw.integers(10, size=shape)
            array = values > 0 if dtype == "bool" else values.astype(dtype)
            feeds[f"{name}:0"] = {"dtype": dtype, "shape": shape, "values": array.ravel().tolist()}
    return {"loss": loss, "feeds": feeds}


@pytest.fixture(scope="session")
def train_bundle() -> Callable[..., Values]:
    """Return a function that trains a bundle in a process of its own."""

    def train(
        python: str | Path, folder: Path, feeds: Path, out: Path, *, steps: int = 5
    ) -> Values:
        quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"}
        command = [python, TRAIN_BUNDLE, folder, feeds, out, "--steps", str(steps)]
        done = subprocess.run(
            list(map(str, command)),
            env={**os.environ, **quiet, "PYTHONWARNINGS": "ignore"},
            cwd=out.parent,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        with np.load(out) as values:
            return dict(values)

    return train


@pytest.fixture(scope="session")
def check_trained() -> Callable[[Path, Values], None]:
    """Return a function that compares bits before and after with what a bundle says of itself."""
    return _check_trained


def _check_trained(folder: Path, values: Values) -> None:
    record = json.loads((folder / "graphfreeze.json").read_text())
    told = {each["name"]: each for each in record["variables"]}
    assert {each["state"] for each in told.values()} & {"frozen", "partly frozen"}
    wrong = [name for name, each in told.items() if not _is_as_told(each, values)]
    assert not wrong
    step = record["global_step"]
    assert values[f"after/{step}"] == values[f"before/{step}"] + 5


def _is_as_told(each: dict[str, object], values: Values) -> bool:
    if each["state"] == "not trainable":  # if it is local, no checkpoint holds it
        return True
    before, after = (values[f"{when}/{each['name']}"] for when in ("before", "after"))
    same = before.tobytes() == after.tobytes()
    match each["state"]:
        case "frozen" | "slot":  # of the old training, kept because a ready_op asks for it
            return same
        case "partly frozen":
            frozen = frozen_mask(msgspec.json.decode(json.dumps(each), type=VariableRecord))
            return not same and before[frozen].tobytes() == after[frozen].tobytes()
        case "trainable" | "updated":
            return not same
    return False
