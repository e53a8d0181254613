"""Whose slots are whose, and which nothing needs once a writer stops."""

import pytest

from graphfreeze.model.slot_owners import SlotOwners
from graphfreeze.read.sketch import parse_sketch

MODEL = """
g = Placeholder() {shape: [4]}
w = VariableV2() {shape: [4]}
w/read = Identity(w)
v = VariableV2() {shape: [4]}
m = VariableV2() {shape: [4]}
m/Assign = Assign(m, g)
m/read = Identity(m)
n = VariableV2() {shape: [4]}
n/read = Identity(n)
power = VariableV2() {shape: []}
power/read = Identity(power)
"""
MOMENTUM = "w_step = ApplyMomentum(w, m, power/read, g, power/read)\n"
BOTH = MOMENTUM + "v_step = ApplyMomentum(v, n, power/read, g, power/read)\n"
BY_HAND = """
next = Mul(m/read, g)
m_step = Assign(m, next)
value = Sub(w/read, next)
w_step = Assign(w, value)
"""
SPARSE = """
m_step = Assign(m, g)
ids = Const() {value: [0]}
m_add = ScatterAdd(m_step, ids, g)
root = Sqrt(m_add)
w_step = AssignSub(w, root)
"""

# more nodes, what stops, owners of each slot, the slots that are idle then
CASES = {
    "an optimizer's op": (BOTH, "w_step", {"m": "w", "n": "v", "power": "v w"}, "m"),
    "nothing stops": (BOTH, "", {"m": "w", "n": "v", "power": "v w"}, ""),
    "all stop": (BOTH, "w_step v_step", {"m": "w", "n": "v", "power": "v w"}, "m n"),
    "written by hand": (BY_HAND, "w_step", {"m": "w", "n": "", "power": ""}, "m"),
    "a sparse one, by refs": (SPARSE, "w_step", {"m": "w", "n": "", "power": ""}, "m"),
    "a slot of two": (
        MOMENTUM + "v_step = AssignSub(v, m/read)", "w_step",
        {"m": "v w", "n": "", "power": "w"}, "",
    ),
    "a slot in a summary": (
        MOMENTUM + "tag = Const() {value: \"m\"}\nsum = HistogramSummary(tag, m/read)", "w_step",
        {"m": "w", "n": "", "power": "w"}, "",
    ),
    "a slot that is saved and asked for": (
        MOMENTUM + "ready = IsVariableInitialized(m)\np = Pack(ready)\n"
        "k = Const() {value: [\"m\"]}\nf = Const() {value: \"f\"}\n"
        "save = SaveV2(f, k, k, m)", "w_step",
        {"m": "w", "n": "", "power": "w"}, "m",
    ),
    "a slot that other slots take": (
        BOTH + "n_step = Assign(n, m/read)", "w_step", {"m": "w", "n": "v", "power": "v w"}, "",
    ),
    "a slot that only an idle one takes": (
        BOTH + "n_step = Assign(n, m/read)", "w_step v_step",
        {"m": "w", "n": "v", "power": "v w"}, "m n",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "stopped", "owners", "idle"), CASES.values(), ids=CASES)
def test_owners(text: str, stopped: str, owners: dict[str, str], idle: str) -> None:
    model = parse_sketch(MODEL + text)
    slots = [v for v in model.variables if v.name in ("m", "n", "power")]
    found = SlotOwners(model.graph, model.variables, slots)
    assert {name: " ".join(sorted(each)) for name, each in found.owners.items()} == owners
    assert [slot.name for slot in found.find_idle(stopped.split())] == idle.split()


def test_what_a_writer_is_about() -> None:
    model = parse_sketch(MODEL + BY_HAND)
    slots = [v for v in model.variables if v.name in ("m", "n", "power")]
    found = SlotOwners(model.graph, model.variables, slots)
    assert found.served("m_step") == found.served("w_step") == {"w"}
    assert found.served("value") == set()
