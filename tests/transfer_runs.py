"""Frozen classifiers that learn something new in either TensorFlow, after thaw and head."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from patch_runs import MODELS, TESTS, Values, run_script
from thaw_runs import CORPUS, KWS

import graphfreeze
from graphfreeze.api import add_train_op, freeze, load, save, thaw

SCRIPT = TESTS / "tf1" / "transfer.py"


@dataclass(frozen=True)
class Transfer:
    """A frozen graph, its new head, what stays frozen, and what it takes and gives.

    ``variables`` are those of the thawed graph, none where it is not thawed: then all but the head
    stays a constant. ``batches`` of random inputs take turns; ``cached`` ones are run once."""

    path: Path
    head: graphfreeze.Head
    input: str
    shape: tuple[int, ...]
    output: str
    variables: str = ""
    plan: graphfreeze.FreezePlan = field(default_factory=graphfreeze.FreezePlan)
    batches: int = 1
    is_cached: bool = False
    rate: float = 0.01


def _plan(*freeze: str, only: tuple[str, ...] = ()) -> graphfreeze.FreezePlan:
    return graphfreeze.FreezePlan(freeze=freeze, train_only=only)


CASES = {
    "classifier": Transfer(
        MODELS / "frozen_classifier" / "graph.pb",
        graphfreeze.Head("softmax", "hidden/Relu", 5),
        "images:0",
        (6, 10, 10, 3),
        "predictions:0",
        "ref",
        _plan("conv1", "bn1", "conv2/kernel"),
    ),
    "classifier, folded, as it is": Transfer(
        MODELS / "frozen_classifier" / "folded.pb",
        graphfreeze.Head("sigmoid", "Relu_1", 3),
        "images:0",
        (6, 10, 10, 3),
        "Mean:0",
    ),
    "DS_CNN": Transfer(
        CORPUS / KWS / "DS_CNN" / "DS_CNN_S.pb",
        graphfreeze.Head("softmax", "MobileNet/SpatialSqueeze", 5),
        "Mfcc:0",
        (1, 49, 10),
        "labels_softmax:0",
        "ref",
        _plan("MobileNet/conv_1", "MobileNet/conv_ds_{1..3}"),
        batches=3,
        rate=0.003,
    ),
    "LSTM": Transfer(
        CORPUS / KWS / "LSTM" / "LSTM_S.pb",
        graphfreeze.Head("sigmoid", "LSTM-Layer/lstm/rnn/while/Exit_3", 3, "commands"),
        "Mfcc:0",
        (1, 25, 10),
        "labels_softmax:0",
        "resource",
        _plan(only=("commands",)),
        batches=4,
        is_cached=True,
    ),
    "minigo": Transfer(
        CORPUS / "tensorflow+minigo" / "cc" / "dual_net" / "test_model.pb",
        graphfreeze.Head("regression", "Relu_18", 2, "score"),
        "pos_tensor:0",
        (4, 9, 9, 17),
        "policy_output:0",
        "resource",
        _plan(only=("score", "conv2d_18")),
        rate=0.0003,
    ),
}


def there() -> dict[str, Transfer]:
    """Return the cases whose files there are."""
    return {name: case for name, case in CASES.items() if case.path.is_file()}


def get_case(name: str) -> Transfer:
    """Return a case; without its corpus there is none."""
    if not CASES[name].path.is_file() and not CORPUS.is_dir():
        pytest.skip(f"no {CORPUS}")
    return CASES[name]


def make(name: str, folder: Path) -> Path:
    """Thaw, if the case says so, give it a head, and write what is to be trained."""
    case, source = CASES[name], CASES[name].path
    if case.variables:
        source = folder / f"{name}-thawed"
        save(thaw(load(case.path), (), case.variables), source)
    frozen = freeze(load(source), case.plan, head=case.head, keep=[case.output], seed=1)
    add_train_op(frozen, learning_rate=case.rate)
    out = folder / name
    save(frozen, out)
    return out


def train_all(python: str | Path, folder: Path) -> Values:
    """Make and train all there are, in one process: values by ``case/when/what``."""
    jobs = {name: _job(name, make(name, folder)) for name in there()}
    (folder / "jobs.json").write_text(json.dumps(jobs))
    return run_script(folder / "values.npz", python, SCRIPT, folder / "jobs.json", "values.npz")


def _job(name: str, bundle: Path) -> dict[str, object]:
    case = CASES[name]
    outputs = [case.output, f"{case.head.name}/{outputs_of(case.head)}:0"]
    batches = [_batch(case, np.random.default_rng(i)) for i in range(case.batches)]
    return {"bundle": str(bundle), "batches": batches, "cached": case.is_cached, "outputs": outputs}


def outputs_of(head: graphfreeze.Head) -> str:
    return "predictions" if head.kind == "regression" else "probabilities"


def _batch(case: Transfer, draw: np.random.Generator) -> dict[str, object]:
    size, width = case.shape[0], case.head.width
    labels = {
        "softmax": draw.integers(width, size=size),
        "sigmoid": draw.integers(2, size=(size, width)).astype(np.float32),
        "regression": draw.normal(size=(size, width)).astype(np.float32),
    }[case.head.kind]
    inputs = draw.normal(size=case.shape).astype(np.float32)
    pairs = {case.input: inputs, f"{case.head.name}/labels:0": labels}
    return {
        key: {"dtype": str(v.dtype), "shape": list(v.shape), "values": v.ravel().tolist()}
        for key, v in pairs.items()
    }


def check(name: str, values: Values, folder: Path) -> None:
    """See that the loss fell, that frozen bits stayed, and that what learns moved."""
    case = get_case(name)
    found = {k.removeprefix(f"{name}/"): v for k, v in values.items() if k.startswith(f"{name}/")}
    assert found["after/loss"] < 0.8 * found["before/loss"]
    record = json.loads((folder / name / "graphfreeze.json").read_text())
    states = {each["name"]: each["state"] for each in record["variables"]}
    assert ("frozen" in states.values()) == bool(case.variables)
    for each, state in states.items():
        same = found[f"before/{each}"].tobytes() == found[f"after/{each}"].tobytes()
        assert same == (state != "trainable"), (each, state)
    learns = {each for each, state in states.items() if state == "trainable"}
    old = {found[f"{when}/{case.output}"].tobytes() for when in ("before", "after")}
    assert len(old) == (2 if learns - set(record["head"]["variables"]) else 1)
