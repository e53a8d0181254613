"""Bundles with a head, and what must be true of them in either TensorFlow."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from patch_runs import MODELS, TESTS, Values, run_script

import graphfreeze

SCRIPT = TESTS / "tf1" / "check_heads.py"


@dataclass(frozen=True)
class Headed:
    """A model, its head, what is frozen of it, and how the rest learns."""

    source: Path
    head: graphfreeze.Head
    plan: graphfreeze.FreezePlan
    rate: float
    labels: npt.NDArray[np.generic]


CASES = {
    "softmax": Headed(
        MODELS / "conv_bn" / "model.ckpt.meta",
        graphfreeze.Head("softmax", "Relu_1", 3),
        graphfreeze.FreezePlan(freeze=("conv1", "bn1", "logits")),
        0.01,
        np.array([0, 2, 1, 2], np.int64),
    ),
    "sigmoid": Headed(
        MODELS / "resource_mlp" / "model.ckpt.meta",
        graphfreeze.Head("sigmoid", "hidden/Tanh", 2, "tags"),
        graphfreeze.FreezePlan(train_only=("tags", "hidden")),
        0.05,
        np.array([[0, 1], [1, 1], [0, 0], [1, 0], [1, 1], [0, 1], [0, 0], [1, 1]], np.float32),
    ),
    "regression": Headed(
        MODELS / "bare_graph" / "graph.pb",
        graphfreeze.Head("regression", "hidden/Relu:0"),
        graphfreeze.FreezePlan(freeze=("hidden", "output"), freeze_rows={"table": "::2"}),
        0.05,
        np.linspace(-1, 1, 6, dtype=np.float32).reshape(6, 1),
    ),
}


def make(name: str, folder: Path) -> Path:
    """Write the bundle of a case, and beside it its feeds."""
    case, out = CASES[name], folder / name
    model = graphfreeze.load(case.source)
    frozen = graphfreeze.freeze(model, case.plan, head=case.head, seed=7)
    graphfreeze.add_train_op(frozen, learning_rate=case.rate)
    graphfreeze.save(frozen, out)
    told = json.loads((case.source.parent / "feeds.json").read_text())["feeds"]
    labels = case.labels
    told[f"{case.head.name}/labels:0"] = {
        "dtype": str(labels.dtype),
        "shape": list(labels.shape),
        "values": labels.ravel().tolist(),
    }
    out.with_suffix(".json").write_text(json.dumps({"feeds": told}))
    return out


def run(python: str | Path, bundles: list[Path], out: Path) -> Values:
    """Return what the script finds."""
    return run_script(out, python, SCRIPT, out, *bundles)


def check(bundle: Path, values: Values) -> None:
    """Check a head against what was made by hand, its training, and what is frozen."""
    found = {k.removeprefix(f"{bundle.name}/"): v for k, v in values.items()}
    record = json.loads((bundle / "graphfreeze.json").read_text())
    pairs = ("loss", "measure", "outputs", "kernel gradient", "bias gradient", "gradient")
    for what in pairs:
        mine, other = found[what]
        np.testing.assert_allclose(mine, other, rtol=2e-6, atol=1e-7, err_msg=what)
    assert found["fed"][0] == found["fed"][1]
    losses = found["losses"]
    assert losses[-1] < 0.8 * losses[0]
    limit = (6 / sum(found[f"before/{record['head']['variables'][0]}"].shape)) ** 0.5
    kernel = found[f"before/{record['head']['variables'][0]}"]
    assert 0.5 * limit < np.abs(kernel).max() <= limit
    states = {each["name"]: each["state"] for each in record["variables"]}
    for name, state in states.items():
        same = found[f"before/{name}"].tobytes() == found[f"after/{name}"].tobytes()
        if state != "not trainable":  # such as moving averages that go on
            assert same == (state == "frozen"), (name, state)
    assert {states[name] for name in record["head"]["variables"]} == {"trainable"}
