"""Frozen graphs, thawed once a session, and how to prove that they compute the same."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import graphfreeze

ROOT = Path(__file__).parents[1]
MODELS = ROOT / "testdata" / "models"
CORPUS = ROOT.parent / "shared" / "corpus"
REFREEZE = ROOT / "tests" / "tf1" / "refreeze.py"


@dataclass(frozen=True)
class Frozen:
    """A frozen graph, how its variables come back, and a batch: feeds.json, or drawn by name."""

    path: Path
    kind: str
    drawn: dict[str, tuple[str, list[int]]] | None = None
    outputs: tuple[str, ...] = ()

    def write_feeds(self, to: Path) -> Path:
        if self.drawn is None:
            return self.path.with_name("feeds.json")
        draw, feeds = np.random.default_rng(0), {}
        for name, (dtype, shape) in self.drawn.items():
            numbers = draw.normal(size=shape) if shape else np.ones(())  # such as a keep_prob
            feeds[name] = {"dtype": dtype, "shape": shape, "values": numbers.ravel().tolist()}
        loss, *others = self.outputs
        to.write_text(json.dumps({"loss": loss, "feeds": feeds, "outputs": others}))
        return to


def _own(name: str, kind: str) -> Frozen:
    return Frozen(MODELS / name, kind)


def _corpus(name: str, kind: str, drawn: dict[str, tuple[str, list[int]]], *out: str) -> Frozen:
    return Frozen(CORPUS / name, kind, drawn, out)


KWS = "ARM-software+ML-KWS-for-MCU/Pretrained_models"
OWN = {
    "classifier": _own("frozen_classifier/graph.pb", "ref"),
    "classifier, resource": _own("frozen_classifier/graph.pb", "resource"),
    "folded": _own("frozen_classifier/folded.pb", "ref"),
    "folded, resource": _own("frozen_classifier/folded.pb", "resource"),
    "recurrent": _own("frozen_recurrent/graph.pb", "ref"),
    "recurrent, resource": _own("frozen_recurrent/graph.pb", "resource"),
}
WORLD = {
    # The sound comes before what any op decodes: it is fed.
    "DS_CNN": _corpus(
        f"{KWS}/DS_CNN/DS_CNN_S.pb", "ref", {"Mfcc:0": ("float32", [1, 49, 10])}, "labels_softmax:0"
    ),
    "LSTM": _corpus(
        f"{KWS}/LSTM/LSTM_S.pb",
        "resource",
        {"Mfcc:0": ("float32", [1, 25, 10])},
        "labels_softmax:0",
    ),
    "gru": _corpus(
        "onnx+tensorflow-onnx/tests/models/gru/frozen.pb",
        "ref",
        {"X:0": ("float32", [4, 784]), "keep_prob:0": ("float32", [])},
        "output:0",
    ),
    "minigo": _corpus(
        "tensorflow+minigo/cc/dual_net/test_model.pb",
        "resource",
        {"pos_tensor:0": ("float32", [2, 9, 9, 17])},
        "policy_output:0",
        "value_output:0",
    ),
}


def run_all(python: str | Path, folder: Path) -> dict[str, np.ndarray]:
    """Thaw all graphs that there are, and run them in one process: values by ``name/run/output``.

    The runs are frozen, thawed and refrozen."""
    jobs = []
    there = {name: each for name, each in {**OWN, **WORLD}.items() if each.path.exists()}
    for name, each in there.items():
        thawed = graphfreeze.thaw(graphfreeze.load(each.path), (), each.kind)
        graphfreeze.save(thawed, folder / name)
        feeds = each.write_feeds(folder / f"{name}.json")
        jobs.append([name, str(each.path), str(folder / name), str(feeds)])
    (folder / "jobs.json").write_text(json.dumps(jobs))
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [str(python), str(REFREEZE), "jobs.json", "values.npz"],
        env={**os.environ, **quiet},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(folder / "values.npz") as values:
        return dict(values)


def check_same(name: str, values: dict[str, np.ndarray]) -> None:
    """Compare the bits of what a graph, the thawed one, and that frozen again computed."""
    if name in WORLD and not CORPUS.is_dir():
        pytest.skip(f"no {CORPUS}")
    outputs = [key for key in values if key.startswith(f"{name}/frozen/")]
    assert outputs
    for key in outputs:
        assert np.isfinite(values[key]).all()
        assert np.ptp(values[key]) > 0
        for other in ("thawed", "refrozen"):
            assert values[key].tobytes() == values[key.replace("frozen", other)].tobytes()


def make_trainable(folder: Path, name: str) -> Path:
    """Thaw a graph, freeze a part of it, and let the rest learn; return the bundle."""
    graph = {"frozen_classifier": "conv1", "frozen_recurrent": "rnn/cell/kernel"}
    kind = "resource" if name == "frozen_recurrent" else "ref"
    thawed = graphfreeze.thaw(graphfreeze.load(MODELS / name / "graph.pb"), (), kind)
    graphfreeze.save(thawed, folder / "thawed")
    plan = graphfreeze.FreezePlan(freeze=(graph[name],))
    loss = json.loads((MODELS / name / "feeds.json").read_text())["loss"]
    frozen = graphfreeze.freeze(graphfreeze.load(folder / "thawed"), plan, keep=[loss])
    graphfreeze.add_train_op(frozen, loss=[loss], optimizer="sgd", learning_rate=0.01)
    graphfreeze.save(frozen, folder / "bundle")
    return folder / "bundle"
