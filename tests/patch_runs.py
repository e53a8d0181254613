"""Patched training graphs, run beside the same graphs as they were; in either TensorFlow."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

import graphfreeze
from graphfreeze.frozen import FrozenModel
from graphfreeze.model.frozen_mask import frozen_mask

TESTS = Path(__file__).parent
MODELS = TESTS.parent / "testdata" / "models"
TRAIN_STEPS = TESTS / "tf1" / "train_steps.py"
STEPS = 20
Values = dict[str, npt.NDArray[np.generic]]


@dataclass(frozen=True)
class Case:
    """A model, what is frozen of it, and the ops that a script runs in each step.

    ``side`` is what nothing else can influence; ``exact`` says that the first step moves all that
    is not frozen as before, for no clip couples it."""

    model: str
    plan: graphfreeze.FreezePlan
    ops: tuple[str, ...] = ("train_op",)
    train_op: tuple[str, ...] = ()
    side: str = "side/"
    exact: bool = True
    options: tuple[str, ...] = ()
    kept: dict[str, bool] = field(default_factory=dict)


def _case(model: str, /, *, ops: str = "train_op", **options: object) -> Case:
    own = ("train_op", "side", "exact", "options", "kept")
    plan = {key: options.pop(key) for key in list(options) if key not in own}
    return Case(model, graphfreeze.FreezePlan(**plan), tuple(ops.split()), **options)  # type: ignore[arg-type]


_DNN = "dnn/input_from_feature_columns/input_layer/word_embedding/embedding_weights"
ONE_OF_TWO = _case("gan", ops="g_train", freeze=("shared",), train_op=("g_train",), side="")
CASES = {
    "adam, clipped": _case("adam_clipped", freeze=("hidden", "deep", "table"), exact=False),
    "adam, clipped as before": _case(
        "adam_clipped",
        freeze=("hidden", "table"),
        freeze_rows={"deep/kernel": "0:5"},
        kept={"clip_counts_frozen": True},
    ),
    "adam, rows and columns": _case(
        "adam_clipped",
        freeze_rows={"table": "0:150,201"},
        freeze_columns={"hidden/kernel": "0,-3:"},
        exact=False,
    ),
    "bert's optimizer": _case("bert_adamw", freeze=("bert/encoder/layer_0",), exact=False),
    "bert's optimizer, rows": _case(
        "bert_adamw",
        freeze=("bert/encoder/layer_0",),
        freeze_rows={"bert/embeddings/word_embeddings": "0:50,-5:"},
        kept={"clip_counts_frozen": True},
    ),
    "momentum, batch norm and averages": _case(
        "momentum_ema", freeze=("hidden", "bn"), train_rows={"table": "40:"}
    ),
    "a canned estimator": _case(
        "wide_deep",
        ops="head/AssignAdd",
        freeze=("dnn/hiddenlayer_0",),
        freeze_rows={_DNN: "::2", "linear/linear_model/word/weights": "0:6,13"},
        side="global_step",
        options=("--monitored",),
    ),
    "both of two train ops": _case("gan", ops="d_train g_train", freeze=("shared", "generator")),
    "rows in both train ops": _case(
        "gan", ops="d_train g_train", freeze_rows={"shared/kernel": "0:3"}, exact=False
    ),
    "one of two train ops": ONE_OF_TWO,
    "a partitioned table on ps": _case(
        "partitioned_ps", freeze=("hidden",), freeze_rows={"table": "0:40,-3:"}
    ),
}


def check_case(python: str | Path, case: Case, folder: Path) -> None:
    """Run a case, patched and as it was, and compare every bit that is promised."""
    source = MODELS / case.model / "model.ckpt"
    patched = graphfreeze.patch(
        graphfreeze.load(source), case.plan, train_op=case.train_op, **case.kept
    )
    graphfreeze.save(patched, folder / "patched.meta")
    before = run_patched(python, case, Path(f"{source}.meta"), folder / "before.npz")
    after = run_patched(python, case, folder / "patched.meta", folder / "after.npz")
    assert before.keys() == after.keys()
    _check_frozen(patched, before, after)
    record = graphfreeze.report(patched)
    stopped = {v.name for v in record.variables if v.state == "frozen"}
    assert record.patch is not None
    stopped |= set(record.patch.slots_stopped)
    names = {name.partition("/")[2] for name in before} - stopped
    moved = [n for n in names if before[f"0/{n}"].tobytes() != before[f"{STEPS}/{n}"].tobytes()]
    side = [name for name in moved if case.side and name.startswith(case.side)]
    assert side or not case.side
    for step in range(STEPS + 1):
        other = [n for n in side if not is_same(before, after, step, n)]
        assert not other, f"moves otherwise in step {step}"
    partly = {v.name for v in record.variables if v.state == "partly frozen"}
    # Slots of frozen rows are not written either.
    alike = [n for n in moved if case.exact and not any(each in n for each in partly)]
    assert not [name for name in alike if not is_same(before, after, 1, name)]
    idle = [n for n in moved if after[f"0/{n}"].tobytes() == after[f"{STEPS}/{n}"].tobytes()]
    assert not idle, "what learns has stopped"


def check_other_step(python: str | Path, folder: Path) -> None:
    """See that a train op which was not named moves every bit as before, frozen ones too."""
    source = MODELS / ONE_OF_TWO.model / "model.ckpt"
    patched = graphfreeze.patch(graphfreeze.load(source), ONE_OF_TWO.plan, train_op=["g_train"])
    graphfreeze.save(patched, folder / "patched.meta")
    other = replace(ONE_OF_TWO, ops=("d_train",))
    before = run_patched(python, other, Path(f"{source}.meta"), folder / "before.npz")
    after = run_patched(python, other, folder / "patched.meta", folder / "after.npz")
    assert {n: v.tobytes() for n, v in before.items()} == {n: v.tobytes() for n, v in after.items()}
    assert before["0/shared/kernel"].tobytes() != before[f"{STEPS}/shared/kernel"].tobytes()


def run_patched(python: str | Path, case: Case, meta: Path, out: Path) -> Values:
    """Return what every variable holds after each step of a graph, from the model's checkpoint."""
    prefix = MODELS / case.model / "model.ckpt"
    feeds = prefix.with_name("feeds.json")
    return run_steps(python, meta, prefix, feeds, out, [*case.ops, *case.options])


def run_steps(
    python: str | Path, meta: Path, prefix: Path, feeds: Path, out: Path, ops: Sequence[str]
) -> Values:
    """Return what every variable holds after each step; ``ops`` may end in options."""
    return run_script(out, python, TRAIN_STEPS, meta, prefix, feeds, out, *ops, "--steps", STEPS)


def run_script(out: Path, *command: object) -> Values:
    """Run a script in a process of its own, and return the arrays that it writes to ``out``."""
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        list(map(str, command)),
        env={**os.environ, **quiet},
        cwd=out.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(out) as values:
        return dict(values)


def _check_frozen(patched: FrozenModel, before: Values, after: Values) -> None:
    """See that frozen bits stay in every step, and that they would have moved."""
    told = [v for v in graphfreeze.report(patched).variables if "frozen" in v.state]
    assert told
    would_move = False
    for variable in told:
        mask = frozen_mask(variable)
        first = after[f"0/{variable.name}"][mask].tobytes()
        assert first == before[f"0/{variable.name}"][mask].tobytes(), "restored otherwise"
        for step in range(1, STEPS + 1):
            assert after[f"{step}/{variable.name}"][mask].tobytes() == first, variable.name
        would_move |= before[f"{STEPS}/{variable.name}"][mask].tobytes() != first
        if variable.state == "partly frozen":
            free = after[f"{STEPS}/{variable.name}"][~mask].tobytes()
            is_moved = before[f"{STEPS}/{variable.name}"][~mask].tobytes() != (
                before[f"0/{variable.name}"][~mask].tobytes()
            )
            assert not is_moved or free != after[f"0/{variable.name}"][~mask].tobytes()
    assert would_move


def is_same(first: Values, second: Values, step: int, name: str) -> bool:
    key = f"{step}/{name}"
    return first[key].tobytes() == second[key].tobytes()
