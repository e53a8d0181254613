"""The old training stays beside the new one: it trains as ever, and the new one does not run it."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow.compat.v1 as tf

from graphfreeze.api import FrozenModel, add_train_op, freeze, load, report, save, show, verify
from graphfreeze.errors import RewriteError
from graphfreeze.model.training import OLD_KEY
from graphfreeze.selection.plan import FreezePlan

MODELS = Path(__file__).parents[2] / "testdata/models"
STEPS = 3
Values = dict[str, npt.NDArray[np.generic]]

# A model, what is frozen, and the ops that trained it.
CASES: dict[str, tuple[str, FreezePlan, list[str]]] = {
    "behind a clip, a scope": ("adam_clipped", FreezePlan(freeze=("hidden",)), ["train_op"]),
    "behind a clip, rows": ("adam_clipped", FreezePlan(freeze_rows={"table": "0:50"}),
                            ["train_op"]),
    "a summary of gradients, columns": (
        "adam_clipped", FreezePlan(freeze_columns={"output/kernel": "0:1"}), ["train_op"]),
    "by hand": ("bert_adamw", FreezePlan(freeze=("bert/encoder/layer_0",)), ["train_op"]),
    "by hand, rows": ("bert_adamw", FreezePlan(freeze_rows={"bert/embeddings/word_embeddings":
                                                            "0:50"}), ["train_op"]),
    "averages, resources": ("momentum_ema", FreezePlan(freeze=("hidden",)),
                            ["Momentum", "train_op"]),
    "averages, rows": ("momentum_ema", FreezePlan(freeze_rows={"table": "0:50"}),
                       ["Momentum", "train_op"]),
    "two train ops": ("gan", FreezePlan(freeze=("shared",)), ["d_train", "g_train"]),
    "parts, rows": ("partitioned_ps", FreezePlan(freeze_rows={"table": "0:40"}), ["train_op"]),
    "canned": ("wide_deep", FreezePlan(freeze=("dnn/hiddenlayer_0",)),
               ["head/Adagrad", "head/Ftrl"]),
}  # fmt: skip


def kept(name: str, plan: FreezePlan, out: Path, **more: object) -> FrozenModel:
    told = json.loads((MODELS / name / "feeds.json").read_text())
    frozen = freeze(
        load(MODELS / name / "model.ckpt"), plan, keep=[told["loss"]], keep_training=True
    )
    optimizer, rate = str(more.pop("optimizer", "adam")), 0.01
    add_train_op(frozen, loss=[told["loss"]], optimizer=optimizer, learning_rate=rate, **more)  # type: ignore[arg-type]
    save(frozen, out)
    return frozen


def feeds(name: str) -> dict[str, npt.NDArray[np.generic]]:
    told = json.loads((MODELS / name / "feeds.json").read_text())["feeds"]
    return {
        tensor: np.array(each["values"], each["dtype"]).reshape(each["shape"])
        for tensor, each in told.items()
    }


@contextmanager
def opened(prefix: Path) -> Iterator[tf.Session]:
    """Restore a model on one thread, so that sums are added in one order."""
    config = tf.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    with tf.Graph().as_default(), tf.Session(config=config) as session:
        saver = tf.train.import_meta_graph(f"{prefix}.meta", clear_devices=True)
        saver.restore(session, str(prefix))
        session.run(tf.get_collection("table_initializer"))
        tf.set_random_seed(1)
        yield session


def values(session: tf.Session) -> Values:
    return session.run({v.op.name: v for v in tf.global_variables()})  # type: ignore[no-any-return]


def moved(first: Values, second: Values) -> set[str]:
    return {name for name in first if first[name].tobytes() != second[name].tobytes()}


def trained(prefix: Path, name: str, runs: Sequence[object]) -> tuple[Values, Values]:
    """Return what a model holds before and after some rounds of runs."""
    with opened(prefix) as session:
        before = values(session)
        for _ in range(STEPS):
            for run in runs:
                session.run(run, feeds(name))
        return before, values(session)


@pytest.mark.parametrize(("name", "plan", "ops"), CASES.values(), ids=CASES)
def test_the_old_training_is_as_ever(
    name: str, plan: FreezePlan, ops: list[str], tmp_path: Path
) -> None:
    frozen = kept(name, plan, tmp_path / "out")
    _, alone = trained(MODELS / name / "model.ckpt", name, ops)
    before, beside = trained(tmp_path / "out/model", name, ops)
    assert {key: beside[key].tobytes() for key in alone} == {
        key: value.tobytes() for key, value in alone.items()
    }
    whole = {each.name for each in report(frozen).variables if each.state == "frozen"}
    assert not whole or moved(before, beside) & whole, "it still writes what is frozen"
    assert moved(before, beside).isdisjoint(before.keys() - alone.keys())


@pytest.mark.parametrize(("name", "plan", "ops"), CASES.values(), ids=CASES)
def test_the_new_training_is_alone(
    name: str, plan: FreezePlan, ops: list[str], tmp_path: Path
) -> None:
    frozen = kept(name, plan, tmp_path / "out")
    told = {each.name: each for each in report(frozen).variables}
    run = [report(frozen).train_op, *report(frozen).losses]
    before, after = trained(tmp_path / "out/model", name, [run])
    changed = moved(before, after)
    slots = {key for key, each in told.items() if each.state == "slot"}
    assert slots
    assert changed.isdisjoint(slots)
    for key in before.keys() & told.keys():
        rows = [row for ends in told[key].frozen_ranges or [] for row in range(*ends)]
        still = slice(None) if told[key].state == "frozen" else rows
        first, last = np.atleast_1d(before[key])[still], np.atleast_1d(after[key])[still]
        assert first.tobytes() == last.tobytes(), key
        learns = told[key].state in ("trainable", "partly frozen")
        assert key in changed or not learns or told[key].rule.startswith("shadow"), key
    with opened(tmp_path / "out/model"):
        assert [op.name for op in tf.get_collection(OLD_KEY)] == ops


@pytest.mark.parametrize(("name", "plan", "ops"), CASES.values(), ids=CASES)
def test_verified(name: str, plan: FreezePlan, ops: list[str], tmp_path: Path) -> None:
    frozen = kept(name, plan, tmp_path / "out")
    record = report(frozen)
    assert record.old_training is not None
    assert (record.old_training.kept, record.old_training.train_ops) == (True, ops)
    (note, *_) = [note for note in record.notes if "--keep-training" in note]
    assert note.endswith(f"by {', '.join(ops)}, in the collection {OLD_KEY}")
    assert show(load(tmp_path / "out/model.meta")).train_ops == [record.train_op]
    told = verify(load(MODELS / name / "model.ckpt"), load(tmp_path / "out/model"), steps=2)
    assert told.passed, [section.failures for section in told.sections]


def test_without_a_new_train_op(tmp_path: Path) -> None:
    model = load(MODELS / "adam_clipped/model.ckpt")
    frozen = freeze(model, FreezePlan(freeze=("hidden",)), keep_training=True)
    save(frozen, tmp_path / "out")
    out = load(tmp_path / "out/model")
    assert "train_op" not in out.collections
    assert out.graph.op("train_op/update_hidden/kernel/ApplyAdam") == "ApplyAdam"
    told = verify(model, out)
    assert told.passed, [section.failures for section in told.sections]


SLOTS = {"adam_clipped": ("adam", "Adam"), "momentum_ema": ("momentum", "Momentum")}


@pytest.mark.parametrize("name", SLOTS)
def test_slots_go_on_and_the_old_ones_stay(name: str, tmp_path: Path) -> None:
    optimizer, title = SLOTS[name]
    plan = FreezePlan(freeze=("hidden",))
    frozen = kept(name, plan, tmp_path / "out", optimizer=optimizer, keep_slots=True)
    record = report(frozen)
    assert record.slots_kept["table/graphfreeze_" + title] == f"table/{title}"
    assert f"table/{title}" not in record.keys_dropped
    first = tf.train.load_checkpoint(str(MODELS / name / "model.ckpt"))
    second = tf.train.load_checkpoint(str(tmp_path / "out/model"))
    for key in first.get_variable_to_shape_map():
        assert first.get_tensor(key).tobytes() == second.get_tensor(key).tobytes()
    for new, old in record.slots_kept.items():
        assert first.get_tensor(old).tobytes() == second.get_tensor(new).tobytes()


REFUSED = {
    "an overlay": (FreezePlan(freeze_rows={"table": "0:9"}, row_strategy="overlay"), "overlay"),
    "words": (FreezePlan(add_words={"table": "w"}, vocab={"table": "v"}), "--add-words"),
}


@pytest.mark.parametrize(("plan", "option"), REFUSED.values(), ids=REFUSED)
def test_what_would_break_it_is_refused(plan: FreezePlan, option: str) -> None:
    with pytest.raises(RewriteError, match=f"{option} would break the old training"):
        freeze(load(MODELS / "adam_clipped/model.ckpt"), plan, keep_training=True)
