"""The record of a freeze, read back from a bundle or a file."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from graphfreeze.check.record import find_entries, read_record, selection_of
from graphfreeze.errors import CheckError
from graphfreeze.model.frozen_mask import encode_mask, frozen_mask
from graphfreeze.model.records import FreezeRecord, VariableRecord
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.report.choices import choice_records
from graphfreeze.rewrite.draft import Draft
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.selection.resolve import Selection, resolve

MODEL = """
w = VariableV2() {shape: [8, 2]}
r = VarHandleOp() {shape: [3, 2]}
v = VariableV2() {shape: [4]}
n = VariableV2() {dtype: int64}
variables: w, r, v, n
trainable_variables: w, r, v
"""
ELEMENTS = np.arange(16).reshape(8, 2) % 3 == 0
PLANS = {
    "whole": FreezePlan(freeze=("w", "v")),
    "rows": FreezePlan(freeze_rows={"w": "1,3:5", "r": "0"}),
    "columns": FreezePlan(freeze_columns={"w": "0"}),
    "elements": FreezePlan(freeze_elements={"w": ELEMENTS}, freeze=("v",)),
    "all": FreezePlan(
        freeze_rows={"w": "0"}, freeze_columns={"w": "1"}, freeze_elements={"w": ELEMENTS}
    ),
    "an overlay": FreezePlan(freeze_rows={"w": "0:5"}, row_strategy="overlay"),
}


def record_of(selection: Selection, unreached: tuple[str, ...] = ()) -> FreezeRecord:
    return FreezeRecord(
        graphfreeze="0.1.0",
        source="in",
        source_sha256="",
        format="MetaGraphDef",
        nodes=0,
        producer=0,
        variables=choice_records(selection, {}, unreached),
        stopped_tensors=["w:0"],
        nodes_added=0,
        nodes_changed=0,
        nodes_removed=0,
        operations_added={},
        keys_added=[],
        keys_dropped=[],
        train_op=None,
        losses=[],
        optimizer=None,
        learning_rate=None,
        global_step=None,
        newer_ops=[],
    )


@pytest.mark.parametrize("unreached", [(), ("w", "w/graphfreeze/rows")], ids=["reached", "not"])
@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_a_selection_comes_back(plan: FreezePlan, unreached: tuple[str, ...]) -> None:
    model = parse_sketch(MODEL)
    draft = Draft(model)
    selection = resolve(plan, draft.variables, draft.graph)
    if plan.freeze:
        unreached = ()
    again = selection_of(model, record_of(selection, unreached))
    assert [v.name for v in again.frozen] == [v.name for v in selection.frozen]
    assert again.overlaid == selection.overlaid
    assert [v.name for v in again.trained] == [v.name for v in selection.trained]
    masks = [{v.name: e.mask().tolist() for v, e in s.partly.items()} for s in (again, selection)]
    assert masks[0] == masks[1]
    assert [ref.tensor_name for ref in again.tensors] == ["w:0"]
    assert [table.name for table in again.tables] == ["w", "r", "v"]


def test_what_a_record_does_not_name_is_another() -> None:
    model = parse_sketch(MODEL)
    selection = resolve(PLANS["rows"], model.variables, model.graph)
    record = msgspec.structs.replace(record_of(selection), variables=[])
    again = selection_of(model, record)
    assert not again.frozen
    assert not again.partly
    assert {choice.state for choice in again.choices} == {"not trainable"}


def variable(**more: object) -> VariableRecord:
    told = {"name": "w", "kind": "ref", "dtype": "float32", "shape": [8, 2], "parameters": 16}
    return VariableRecord(**{**told, "state": "partly frozen", **more})  # type: ignore[arg-type]


ENTRIES = {
    "rows": variable(frozen_ranges=[[0, 1], [3, 8]]),
    "columns": variable(frozen_along={1: [[1, 2]]}),
    "elements": variable(element_mask=encode_mask(ELEMENTS)),
    "all": variable(
        frozen_ranges=[[7, 8]], frozen_along={1: [[0, 1]]}, element_mask=encode_mask(ELEMENTS)
    ),
}


@pytest.mark.parametrize("told", ENTRIES.values(), ids=ENTRIES)
def test_entries(told: VariableRecord) -> None:
    entries = find_entries(told)
    assert entries is not None
    assert np.array_equal(entries.mask(), frozen_mask(told))


def test_what_is_whole_has_no_entries() -> None:
    assert find_entries(variable(state="frozen")) is None


def test_a_bundle_or_its_record(tmp_path: Path) -> None:
    model = parse_sketch(MODEL)
    record = record_of(resolve(PLANS["all"], model.variables, model.graph))
    (tmp_path / "graphfreeze.json").write_bytes(msgspec.json.encode(record))
    assert read_record(tmp_path) == read_record(tmp_path / "graphfreeze.json") == record


def written(told: VariableRecord) -> bytes:
    record = record_of(Selection((), ()))
    return msgspec.json.encode(msgspec.structs.replace(record, variables=[told]))


# what stands in graphfreeze.json, and the words of the error
BAD = {
    "nothing": (None, "no graphfreeze.json here"),
    "no JSON": (b"\x00\x01", "no record of a freeze (JSON is malformed"),
    "another JSON": (b"[1, 2]", "no record of a freeze (Expected `object`"),
    "a record without fields": (b"{}", "missing required field `graphfreeze`"),
    "an axis too many": (written(variable(frozen_along={2: [[0, 1]]})), "w has no axis 2"),
    "rows past the end": (written(variable(frozen_ranges=[[7, 9]])), "rise within 0..8"),
    "no intervals": (written(variable(frozen_ranges=[[7]])), "an interval has a start and an end"),
    "a mask of another size": (
        written(variable(element_mask=encode_mask(ELEMENTS[:4]))),
        "no mask of 16 entries: it has 8 bits",
    ),
    "entries without a shape": (
        written(variable(shape=[None, 2], frozen_ranges=[[0, 1]])),
        "the shape of w is not known",
    ),
}


@pytest.mark.parametrize(("raw", "words"), BAD.values(), ids=BAD)
def test_a_bad_record(raw: bytes | None, words: str, tmp_path: Path) -> None:
    if raw is not None:
        (tmp_path / "graphfreeze.json").write_bytes(raw)
    with pytest.raises(CheckError) as caught:
        read_record(tmp_path)
    assert words in str(caught.value)
