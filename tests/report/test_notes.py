"""When an overlay or another optimizer would do better, and by how much."""

import msgspec
import pytest

from graphfreeze.forward.freeze_functions import FreezeFunctions
from graphfreeze.model.records import ScaleRecord, VariableRecord
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.report.notes import call_notes, overlay_notes, scaling_notes, update_notes
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.run import run
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.selection.resolve import resolve
from graphfreeze.train.optimizers import OPTIMIZERS


def table(height: int, frozen: int, width: int = 64, **more: object) -> VariableRecord:
    fields = {
        "name": "emb",
        "kind": "ref",
        "dtype": "float32",
        "shape": [height, width],
        "parameters": height * width,
        "state": "partly frozen",
        "rows": height,
        "frozen_rows": frozen,
        "frozen_ranges": [[0, frozen]],
        "frozen_elements": frozen * width,
        "strategy": "mask",
    }
    return VariableRecord(**{**fields, **more})


BIG = table(200_000, 198_000)
HALF = table(200_000, 100_000)
BYTES = "for the table, its slots and the rows over it"
UPDATED = "2,000 instead of 200,000 rows updated in a step"
OVERLAY = {
    "adam, few rows learn": (
        BIG,
        "adam",
        f"50.3 MiB instead of 146.5 MiB {BYTES} and {UPDATED}",
    ),
    "adam, half of the rows": (HALF, "adam", ""),
    "adam, a third of the rows": (
        table(200_000, 130_000),
        "adam",
        f"100.1 MiB instead of 146.5 MiB {BYTES}",
    ),
    "adam, a small table": (table(1000, 999), "adam", ""),
    "adam, a table of 1 MiB": (table(4096, 4000), "adam", "1.1 MiB instead of 3.0 MiB"),
    "bytes spared, less than 1 MiB": (table(2000, 1990), "adam", ""),
    "adagrad has one slot": (BIG, "adagrad", "49.8 MiB instead of 97.7 MiB"),
    "centered_rmsprop has three": (BIG, "centered_rmsprop", "50.8 MiB instead of 195.3 MiB"),
    "sgd has none": (BIG, "sgd", ""),
    "an optimizer object": (BIG, "AdamOptimizer", "50.3 MiB instead of 146.5 MiB"),
    "an unknown object": (BIG, "LazyAdam", ""),
    "no train_op": (BIG, None, ""),
    "an overlay already": (table(200_000, 198_000, strategy="overlay"), "adam", ""),
    "columns too": (table(200_000, 198_000, frozen_along={1: [[0, 2]]}), "adam", ""),
    "factors too": (table(200_000, 9, row_scale=ScaleRecord(1, 0.5, 0.5)), "adam", ""),
}


@pytest.mark.parametrize(("variable", "optimizer", "told"), OVERLAY.values(), ids=OVERLAY)
def test_overlay(variable: VariableRecord, optimizer: str | None, told: str) -> None:
    notes = list(overlay_notes([variable], optimizer))
    assert len(notes) == bool(told)
    assert all("overlay would be cheaper for emb under" in note and told in note for note in notes)


def test_parts_are_one_table() -> None:
    parts = [
        msgspec.structs.replace(BIG, name=f"emb/part_{i}", partition_of="emb", part_offset=[at, 0])
        for i, at in enumerate([0, 200_000])
    ]
    (note,) = overlay_notes(parts, "adagrad")
    assert "for emb under adagrad: 99.6 MiB instead of 195.3 MiB" in note


SCALED = msgspec.structs.replace(HALF, row_scale=ScaleRecord(9, 0.1, 0.5))
LINEAR = {"sgd", "momentum", "nesterov", "proximal_sgd"}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_scaling_is_no_learning_rate_where_a_step_divides_by_the_gradient(name: str) -> None:
    notes = list(scaling_notes([SCALED], name))
    assert len(notes) == (name not in LINEAR)
    told = f"under {name} scaling a gradient is not a learning rate: it divides by"
    assert all(told in note for note in notes)
    assert list(scaling_notes([HALF], name)) == []


def test_scaling_under_an_unknown_optimizer_or_none() -> None:
    (unknown,) = scaling_notes([SCALED], "LazyAdam")
    assert "under LazyAdam scaling a gradient is not a learning rate: it may divide by" in unknown
    (none,) = scaling_notes([SCALED], None)
    assert "sgd and momentum take a factor of the gradient as a learning rate" in none


def test_updates_in_loops() -> None:
    text = 'x = Placeholder()\ne = Enter(x) {frame_name: "f"}\ninside = Neg(e)\nupdate_ops: inside'
    (note,) = update_notes(Draft(parse_sketch(text)))
    assert note.startswith("update_ops: the train_op does not run inside: inside a while loop")
    assert not list(update_notes(Draft(parse_sketch(text.replace("ops: inside", "ops: x")))))


READS = "x = _Arg()\nh = _Arg() {T: resource}\nr = ReadVariableOp(h)\n"
READS += "m = Mul(x, r)\nreturn:y = _Retval(m)\n"
CALLS = "x = Placeholder()\nw = VarHandleOp() {shape: [8, 2]}\n"


@pytest.mark.parametrize(
    ("call", "is_told"),
    [
        ("c = PartitionedCall(x, w) {Tout: [float32], f: reads}", True),
        ("c = reads(x, w)", True),
        ("c = Case(x, x, w) {Tout: [float32], branches: [reads]}", False),
    ],
)
def test_calls_that_take_masks_under_gradients_of_ones_own(call: str, *, is_told: bool) -> None:
    draft = Draft(parse_sketch(CALLS + call, functions={"reads": READS}))
    plan = FreezePlan(freeze_rows={"w": ":5"})
    run(draft, [FreezeFunctions(resolve(plan, draft.variables, draft.graph))])
    assert draft.changed_nodes() == ["c"]
    notes = list(call_notes(draft, [HALF]))
    assert [("functions called by c, so that frozen" in note) for note in notes] == [True] * is_told
    assert not list(call_notes(draft, [table(8, 8, state="frozen")]))
    assert not list(call_notes(draft, [table(8, 4, strategy="overlay")]))
