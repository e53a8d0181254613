"""Contexts name what is there, and all that is inside, after every way of freezing."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from context_faults import find_faults

from graphfreeze.api import freeze, load
from graphfreeze.model.control_flow import nested_contexts
from graphfreeze.prepare.drop_training import DropTraining
from graphfreeze.prepare.resource_variables import ResourceVariables
from graphfreeze.rewrite import entry_mask, row_factors
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.run import run
from graphfreeze.schema import CollectionDef, WhileContextDef
from graphfreeze.selection.plan import FreezePlan

MODELS = Path(__file__).parents[2] / "testdata" / "models"
# The tables that loops and branches look up, and how high they are; the loss if none is listed.
TABLES: dict[str, dict[str, tuple[int, int]]] = {
    "nested_loops": {"words": (30, 5), "tags": (20, 5)},
    "decoder_lookups": {"words": (30, 5), "topics": (12, 5)},
    "seq2seq_attention": {"source_table": (40, 6), "target_table": (40, 6)},
    "loop_lookup": {"table": (60, 8), "resource_table": (40, 8)},
    "cond_batch_norm": {"table": (30, 6)},
}


def elements(shape: tuple[int, int]) -> np.ndarray:
    return np.arange(shape[0] * shape[1]).reshape(shape) % 3 == 0


WAYS: dict[str, Callable[[dict[str, tuple[int, int]]], FreezePlan]] = {
    "whole": lambda tables: FreezePlan(freeze=tuple(tables)),
    "rows": lambda tables: FreezePlan(freeze_rows=dict.fromkeys(tables, "::2")),
    "rows, laid over": lambda tables: FreezePlan(
        freeze_rows=dict.fromkeys(tables, "::2"), row_strategy="overlay"
    ),
    "elements that variables hold": lambda tables: FreezePlan(
        freeze_elements={name: elements(shape) for name, shape in tables.items()}
    ),
    "factors that variables hold": lambda tables: FreezePlan(
        row_scale={name: np.linspace(0.1, 0.9, height) for name, (height, _) in tables.items()}
    ),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("name", TABLES)
def test_frozen(
    name: str,
    way: Callable[[dict[str, tuple[int, int]]], FreezePlan],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(entry_mask, "MOST_INLINE", 1)
    monkeypatch.setattr(row_factors, "MOST_INLINE", 1)
    model, loss = load(MODELS / name), "loss:0"
    draft = freeze(model, way(TABLES[name]), keep=[loss] if "loss" in model.graph else []).draft
    assert draft.added_nodes()
    assert find_faults(draft.graph, draft.collections) == []


@pytest.mark.parametrize("name", TABLES)
def test_as_resources(name: str) -> None:
    draft = Draft(load(MODELS / name))
    run(draft, [DropTraining(("loss:0",)), ResourceVariables()])
    assert find_faults(draft.graph, draft.collections) == []


def changed(change: Callable[[WhileContextDef], None]) -> list[str]:
    """Return the faults of a model one of whose contexts is spoilt."""
    draft = Draft(load(MODELS / "loop_lookup"))
    (raw,) = draft.collections["while_context"].bytes_list.value
    loop = WhileContextDef.FromString(raw)
    change(loop)
    spoilt = CollectionDef.BytesList(value=[loop.SerializeToString()])
    entry = {"while_context": CollectionDef(bytes_list=spoilt)}
    return find_faults(draft.graph, {**draft.collections, **entry})


def lose(loop: WhileContextDef) -> None:
    loop.values_def.values.remove("while/Tanh:0")


def lose_in_a_branch(loop: WhileContextDef) -> None:
    next(nested_contexts(loop)).values_def.values.remove("while/cond/add:0")


def name_what_is_gone(loop: WhileContextDef) -> None:
    loop.values_def.values.append("while/gone:0")


def forget_an_enter(loop: WhileContextDef) -> None:
    del loop.values_def.external_values["kernel/read:0"]


SPOILT = {
    "a node that it lost": (lose, "while/Tanh runs in loop"),
    "a node of a branch": (lose_in_a_branch, "while/cond/add runs in branch"),
    "a node that is gone": (name_what_is_gone, "while_context names while/gone, which"),
    "a value from outside": (forget_an_enter, "Enter comes into loop"),
}


@pytest.mark.parametrize(("change", "told"), SPOILT.values(), ids=SPOILT)
def test_faults_are_found(change: Callable[[WhileContextDef], None], told: str) -> None:
    assert any(told in fault for fault in changed(change))
