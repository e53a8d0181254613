"""What functions read keeps its bits, and gradients end where the selection says."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow.compat.v1 as tf

from graphfreeze.api import freeze, load
from graphfreeze.model.names import TensorRef
from graphfreeze.rewrite import entry_mask, row_factors
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import FromRows, Inline, SetValue
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.selection.resolve import Selection
from graphfreeze.train.import_draft import imported
from graphfreeze.train.request import TrainRequest

FOLDER = Path(__file__).parents[2] / "testdata" / "models" / "control_flow_v2"
FEEDS = json.loads((FOLDER / "feeds.json").read_text())["feeds"]
LEARNING = ("words", "tags", "outer", "inner", "gate", "shift")
WAYS = [(deep, branch) for deep in (True, False) for branch in range(3)]
SEEDED = np.random.default_rng(7)
ELEMENTS = {"tags": SEEDED.random((20, 5)) < 0.5, "outer": SEEDED.random((5, 5)) < 0.5}
SCALE = {"words": np.linspace(0.0, 1.0, 30)}
Array = npt.NDArray[np.generic]
PLANS = {
    "whole": FreezePlan(freeze=("gate", "words", "inner")),
    "rows": FreezePlan(freeze_rows={"words": ":10", "tags": "2,5:12", "outer": "1"}),
    "rows, select": FreezePlan(freeze_rows={"words": "3:25"}, mask_kernel="select"),
    "columns and elements": FreezePlan(freeze_elements=ELEMENTS, freeze_columns={"words": "1:3"}),
    "large elements and factors": FreezePlan(freeze_elements=ELEMENTS, row_scale=SCALE),
}  # fmt: skip


def evaluate(draft: Draft, learn: tuple[str, ...] = LEARNING) -> dict[str, Array]:
    """Return outputs, losses and dense gradients of a draft, each way that its branches go."""
    request, loss, found = TrainRequest(("loss:0",)), [TensorRef("loss")], {}
    given = {key: np.array(f["values"], f["dtype"]).reshape(f["shape"]) for key, f in FEEDS.items()}
    config = tf.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    with (
        tf.Graph().as_default(),
        imported(tf, draft, request, learning=learn, losses=loss),
        tf.Session(config=config) as session,
    ):
        variables = {v.op.name: v for v in tf.global_variables()}
        learning = [variables[name] for name in learn]
        gradients = tf.gradients(tf.get_default_graph().get_tensor_by_name("loss:0"), learning)
        fetched = {
            name: tf.zeros(v.shape) if g is None else tf.convert_to_tensor(g)
            for name, v, g in zip(learn, learning, gradients, strict=True)
        }
        saver = tf.train.Saver({name: variables[name] for name in LEARNING})
        saver.restore(session, str(FOLDER / "model.ckpt"))
        for edit in draft.value_edits:
            match edit:
                case SetValue(key, Inline(given_values)):
                    variables[key].load(given_values, session)
                case SetValue(key, FromRows(table, rows)):
                    variables[key].load(session.run(variables[table])[rows.mask()], session)
        for deep, branch in WAYS:
            feeds = given | {"is_deep:0": deep, "branch:0": branch}
            values = session.run({"": ("loss:0", "outputs:0"), **fetched}, feeds)
            loss_value, outputs = values.pop("")
            values |= {"loss": loss_value, "outputs": outputs}
            found |= {f"{name} {deep} {branch}": value for name, value in values.items()}
    return found


@pytest.fixture(scope="module")
def unfrozen() -> dict[str, Array]:
    return evaluate(Draft(load(FOLDER)))


@pytest.mark.parametrize("name", PLANS)
def test_values_and_gradients(
    name: str, unfrozen: Mapping[str, Array], monkeypatch: pytest.MonkeyPatch
) -> None:
    if "large" in name:
        for module in (entry_mask, row_factors):
            monkeypatch.setattr(module, "MOST_INLINE", 1)
    done = freeze(load(FOLDER), PLANS[name], keep=["loss:0", "outputs:0"])
    after, factors = evaluate(done.draft), factors_of(done.selection)
    assert after.keys() == unfrozen.keys()
    moved = set[str]()
    for key, before in unfrozen.items():
        variable = key.split()[0]
        if variable not in factors:
            assert after[key].tobytes() == before.tobytes(), key
            continue
        still = np.broadcast_to(factors[variable] == 0, before.shape)
        assert not np.any(after[key][still]), key
        whole = np.broadcast_to(factors[variable] == 1, before.shape)
        assert after[key][whole].tobytes() == before[whole].tobytes(), key
        np.testing.assert_allclose(after[key], factors[variable] * before, rtol=1e-5, atol=1e-9)
        moved |= {variable} if np.any(before[still]) else set()
    assert moved == factors.keys()


def factors_of(selection: Selection) -> dict[str, Array]:
    """Return what the gradient of each variable is multiplied with, so that it broadcasts."""
    found: dict[str, Array] = {variable.name: np.zeros(()) for variable in selection.frozen}
    for variable, entries in selection.partly.items():
        found[variable.name] = np.where(entries.mask(), 0.0, 1.0)
    for variable, scale in selection.scaled.items():
        weights = scale.weights.astype(np.float32)[:, None]
        found[variable.name] = found.get(variable.name, np.ones(())) * weights
    return found


def test_rows_laid_over_tables(unfrozen: Mapping[str, Array]) -> None:
    plan = FreezePlan(freeze_rows={"words": ":10", "tags": "5:12"}, row_strategy="overlay")
    done = freeze(load(FOLDER), plan, keep=["loss:0", "outputs:0"])
    live = {v.name: rows.complement().mask() for v, rows in done.selection.overlaid.items()}
    laid = tuple(f"{name}/graphfreeze/rows" for name in live)
    after = evaluate(done.draft, (*LEARNING, *laid))
    for key, before in unfrozen.items():
        name, _, way = key.partition(" ")
        if name not in live:
            assert after[key].tobytes() == before.tobytes(), key
            continue
        assert not np.any(after[key]), key
        found, wanted = after[f"{name}/graphfreeze/rows {way}"], before[live[name]]
        assert np.abs(found - wanted).max() <= 1e-6 * np.abs(wanted).max(), key
