"""Models with loops, conds and functions: frozen from their .meta and from bare graphs, and run."""

import json
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
from patch_runs import MODELS, TESTS, Values
from resource_runs import call

import graphfreeze
from graphfreeze.model.frozen_mask import frozen_mask
from graphfreeze.model.records import VariableRecord

SCRIPT = TESTS / "tf1" / "control_flow_steps.py"
STEPS = 20
SAME = 1e-6
"""How far gradients may be apart that are told by the steps they make, by the largest of each."""
RATE = "graphfreeze/graphfreeze_GradientDescent/learning_rate:0"
FUNCTIONS = "control_flow_v2"
"""No process but the one that built it differentiates it by tf.gradients: what it found is kept."""
CELL = "decoder/attention_wrapper/lstm_cell/kernel"
Array = npt.NDArray[np.generic]


@dataclass(frozen=True)
class Case:
    """A model, what is frozen of it, and how the rest learns.

    A ``bare`` one is given as a GraphDef: without collections, contexts and Exits of no use."""

    model: str
    plan: graphfreeze.FreezePlan
    optimizer: str
    bare: bool
    no_backprop: tuple[str, ...] = ()

    @property
    def source(self) -> Path:
        return MODELS / self.model / ("graph.pb" if self.bare else "model.ckpt.meta")


def _meta(model: str, freeze: tuple[str, ...], **rows: str) -> Case:
    return Case(model, _plan(freeze, rows), "sgd" if model == FUNCTIONS else "adam", bare=False)


def _bare(model: str, freeze: tuple[str, ...], *no_backprop: str, **rows: str) -> Case:
    optimizer = "sgd" if model == FUNCTIONS else "momentum"
    return Case(model, _plan(freeze, rows), optimizer, bare=True, no_backprop=no_backprop)


def _plan(freeze: tuple[str, ...], rows: dict[str, str]) -> graphfreeze.FreezePlan:
    return graphfreeze.FreezePlan(freeze=freeze, freeze_rows=rows)


# Of each model what is read in a loop, a branch or a body, and what is read outside.
CASES = {
    "attention": _meta(
        "seq2seq_attention",
        ("encoder/lstm_cell/kernel", "decoder/projection"),
        source_table="0:10,37",
        target_table="::2",
    ),
    "attention, bare": _bare(
        "seq2seq_attention",
        ("source_table", "memory_layer"),
        target_table="5:",
        **{CELL: "0:3"},
    ),
    "lookups": _meta("decoder_lookups", ("kernel", "judge"), words="::2,7", topics="0:5"),
    "lookups, bare": _bare(
        "decoder_lookups",
        ("topics", "mixture"),
        "guess/while_context",
        words="0:20",
        kernel="1",
    ),
    "nested": _meta("nested_loops", ("inner",), words="::2", tags="0:7"),
    "nested, bare": _bare("nested_loops", ("words", "gate"), outer="0,2", tags="9:"),
    "both ways": _meta("bidirectional", ("premise_rnn/fw",), embedding="::2"),
    "both ways, bare": _bare(
        "bidirectional",
        ("embedding", "output/bias"),
        **{"premise_rnn/bw/lstm_cell/kernel": "0:4"},
    ),
    "a norm in a cond": _meta("cond_batch_norm", ("hidden", "norm/beta"), table="0:15"),
    "a norm in a cond, bare": _bare("cond_batch_norm", ("norm",), **{"hidden/kernel": "0,3"}),
    "Keras": _meta("keras_lstm", ("lstm/recurrent_kernel",), **{"embedding/embeddings": "0:10"}),
    "Keras, bare": _bare("keras_lstm", ("embedding",), **{"lstm/kernel": "::2"}),
    "a pipeline": _meta("dataset_pipeline", ("hidden",), table="::2"),
    "a pipeline, bare": _bare("dataset_pipeline", ("table",), **{"output/kernel": "::2"}),
    "functions": _meta(FUNCTIONS, ("outer",), words="::2", tags="0:7"),
    "functions, bare": _bare(FUNCTIONS, ("tags", "gate"), words="0:15", inner="1"),
}


@dataclass(frozen=True)
class Run:
    """A bundle, what it says of its variables and made, and what the model made as it was."""

    folder: Path
    variables: dict[str, VariableRecord]
    values: Values
    original: Values

    def frozen(self, name: str) -> Array:
        """Return which entries of a variable are frozen: bool of its shape."""
        told = self.variables[name]
        if told.state == "partly frozen":
            return frozen_mask(told)
        return np.full(self.values[f"before/{name}"].shape, told.state == "frozen")


def run_cases(python: str | Path, folder: Path) -> dict[str, Run]:
    """Freeze all cases, and run them in one process with the models as they were."""
    originals = {case.model: _original(case.model, folder) for case in CASES.values()}
    jobs = {name: _frozen(case, folder / name.replace(", ", "-")) for name, case in CASES.items()}
    listed = folder / "jobs.list"
    listed.write_text(json.dumps([*originals.values(), *jobs.values()]))
    call(python, SCRIPT, listed)
    before = {model: _original_values(model, job) for model, job in originals.items()}
    return {name: _run(job, before[CASES[name].model]) for name, job in jobs.items()}


def _job(meta: Path, checkpoint: Path, model: str, out: Path) -> dict[str, object]:
    document = json.loads((MODELS / model / "feeds.json").read_text())
    job = {"meta": str(meta), "checkpoint": str(checkpoint), "out": str(out), "starters": []}
    return {**job, "loss": document["loss"], "feeds": document["feeds"]}


def _original(model: str, folder: Path) -> dict[str, object]:
    """Tell how to run a model as it was."""
    prefix = MODELS / model / "model.ckpt"
    names = [v.name for v in graphfreeze.load(prefix).variables if v.is_trainable]
    job = _job(Path(f"{prefix}.meta"), prefix, model, folder / f"{model}.npz")
    return {**job, "variables": [] if model == FUNCTIONS else names, "rate": None, "steps": 0}


def _frozen(case: Case, folder: Path) -> dict[str, object]:
    """Write a bundle, and tell how to run it."""
    job = _job(folder / "model.meta", folder / "model", case.model, folder / "values.npz")
    loss = str(job["loss"])
    model = graphfreeze.load(case.source)
    frozen = graphfreeze.freeze(model, case.plan, keep=[loss], no_backprop=case.no_backprop)
    graphfreeze.add_train_op(frozen, loss=[loss], optimizer=case.optimizer, learning_rate=0.01)
    graphfreeze.save(frozen, folder)
    is_pipeline = case.bare and "MakeIterator" in model.graph
    names = [v.name for v in model.variables if v.is_trainable]
    return {
        **job,
        "starters": ["MakeIterator"] if is_pipeline else [],
        "variables": [] if case.model == FUNCTIONS else names,
        "rate": RATE if case.model == FUNCTIONS else None,
        "steps": STEPS,
    }


def _original_values(model: str, job: dict[str, object]) -> Values:
    """Return what a model made, with the gradients that were kept of where it was built."""
    with np.load(str(job["out"])) as values:
        found = dict(values)
    if model == FUNCTIONS:
        kept = json.loads((MODELS / model / "gradients.json").read_text())
        found |= {f"gradient/{n}": np.array(v, np.float32) for n, v in kept["loss"].items()}
    return found


def _run(job: dict[str, object], original: Values) -> Run:
    folder = Path(str(job["meta"])).parent
    record = json.loads((folder / "graphfreeze.json").read_text())
    told = msgspec.json.decode(json.dumps(record["variables"]), type=list[VariableRecord])
    with np.load(str(job["out"])) as values:
        return Run(folder, {each.name: each for each in told}, dict(values), original)


def check_gradients(case: Case, run: Run) -> None:
    """Compare the gradient of all that learns with that of the model as it was; others have none.

    It is the same number, but for one that a step tells. Where a whole variable is frozen it may
    be None or zeros."""
    near = SAME if case.model == FUNCTIONS else 0.0
    for name in (key for key in run.original if key.startswith("gradient/")):
        was = run.original[name]
        frozen = run.frozen(name.removeprefix("gradient/"))
        found = run.values.get(name, np.zeros_like(was))
        assert not found[frozen].any(), name
        apart = np.abs(found[~frozen] - was[~frozen]).max(initial=0.0)
        assert apart <= near * np.abs(was).max(), f"{name}: {apart} of {np.abs(was).max()}"


def check_steps(run: Run) -> None:
    """See that after all steps what is frozen has its bits, and that what learns has moved."""
    for name, told in run.variables.items():
        before, after = (run.values[f"{when}/{name}"] for when in ("before", "after"))
        if told.state == "not trainable":
            continue
        frozen = run.frozen(name)
        assert before[frozen].tobytes() == after[frozen].tobytes(), name
        stays = frozen.all() or told.state == "not reached"
        assert (before.tobytes() == after.tobytes()) == stays, name
