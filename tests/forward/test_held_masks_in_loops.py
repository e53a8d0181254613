"""Masks and factors that variables hold, where the readers of a table are in loops and branches."""

import numpy as np
import pytest

from graphfreeze.forward.hold_masks import HoldMasks
from graphfreeze.forward.mask_rows import MaskRows
from graphfreeze.model.control_flow import nested_contexts
from graphfreeze.model.sketch import format_node
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite import entry_mask, row_factors
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.run import run
from graphfreeze.schema import CollectionDef, CondContextDef, WhileContextDef
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.selection.resolve import resolve

W = "w = VariableV2() {shape: [8, 2]}\nw/read = Identity(w)\nids = Placeholder() {dtype: int32}\n"
H = "w = VarHandleOp() {shape: [8, 2]}\nids = Placeholder() {dtype: int32}\n"
P = "p = Placeholder() {dtype: bool}\n"
ENTER = '{} = Enter({}) {{frame_name: "{}", is_constant: true, parallel_iterations: 4}}\n'
SCALE = FreezePlan(row_scale={"w": np.linspace(0.1, 0.8, 8)})
ELEMENTS = FreezePlan(freeze_elements={"w": np.arange(16).reshape(8, 2) % 3 == 0})
MASK = "w/graphfreeze/trainable_elements/read"
ROLE = "graphfreeze/trainable_elements"
IN = '{{frame_name: "{}", is_constant: true, parallel_iterations: 4}}'


@pytest.fixture(autouse=True)
def _nothing_is_inline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry_mask, "MOST_INLINE", 1)
    monkeypatch.setattr(row_factors, "MOST_INLINE", 1)


def masked(text: str, plan: FreezePlan, **collections: CollectionDef) -> Draft:
    draft = Draft(parse_sketch(text, collections=collections))
    selection = resolve(plan, draft.variables, draft.graph)
    run(draft, [HoldMasks(selection), MaskRows(selection)])
    return draft


WAYS = {
    "a read enters": (
        W + ENTER.format("e", "w/read", "f") + "l = Gather(e, ids)\ny = L2Loss(l)",
        [f"e/{ROLE} = Enter({MASK}) {IN.format('f')}"],
        f"e/{ROLE}",
    ),
    "a ref enters": (
        W + ENTER.format("e", "w", "f").replace("Enter", "RefEnter")
        + "r = Identity(e)\nl = Gather(r, ids)\ny = L2Loss(l)",
        [f"e/{ROLE} = Enter({MASK}) {IN.format('f')}"],
        f"e/{ROLE}",
    ),
    "a handle enters": (
        H + ENTER.format("e", "w", "f") + "l = ResourceGather(e, ids)\ny = L2Loss(l)",
        [f"e/{ROLE} = Enter({MASK}) {IN.format('f')}"],
        f"e/{ROLE}",
    ),
    "a loop in a branch of a loop": (
        W + P + ENTER.format("e", "w/read", "f") + "s = Switch(e, p)\n"
        + ENTER.format("i", "s:1", "g") + "l = Gather(i, ids)\ny = L2Loss(l)",
        [
            f"e/{ROLE} = Enter({MASK}) {IN.format('f')}",
            f"s/{ROLE} = Switch(e/{ROLE}, p)",
            f"i/{ROLE} = Enter(s/{ROLE}:1) {IN.format('g')}",
        ],
        f"i/{ROLE}",
    ),
    "a branch alone": (
        H + P + "s = Switch(w, p)\nl = ResourceGather(s:1, ids)\ny = L2Loss(l)",
        [f"s/{ROLE} = Switch({MASK}, p)"],
        f"s/{ROLE}:1",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "twins", "taken"), WAYS.values(), ids=WAYS)
def test_a_mask_comes_in_as_its_table_does(text: str, twins: list[str], taken: str) -> None:
    draft = masked(text, ELEMENTS)
    nodes = [draft.graph.nodes[name] for name in draft.added_nodes() if ROLE in name]
    lines = [format_node(node) for node in nodes if node.op in ("Enter", "Switch")]
    assert lines == twins
    looked_up = draft.graph.nodes["l/graphfreeze/elements/looked_up"]
    assert looked_up.input[0] == taken


def test_a_frame_is_entered_once() -> None:
    text = W + "".join(
        ENTER.format(f"e{n}", source, "f").replace("Enter", op, 1)
        + f"l{n} = Gather(e{n}, ids)\ny{n} = L2Loss(l{n})\n"
        for n, (source, op) in enumerate([("w/read", "Enter"), ("w/read", "Enter")])
    )
    draft = masked(text, ELEMENTS)
    assert sum(draft.graph.op(name) == "Enter" for name in draft.added_nodes()) == 1


def test_a_table_is_masked_before_the_loop_for_what_takes_it_whole() -> None:
    text = W + ENTER.format("e", "w/read", "f") + "y = L2Loss(e)"
    draft = masked(text, ELEMENTS)
    assert draft.graph.nodes["e"].input == ["w/read/graphfreeze/masked"]
    assert not any(draft.graph.op(name) == "Enter" for name in draft.added_nodes())


def contexts() -> CollectionDef:
    """Describe a loop that a branch of is in: ``w/read -> e -> s:1``."""
    branch = CondContextDef(context_name="branch", pred_name="p:0", pivot_name="t", branch=1)
    branch.values_def.values.extend(["w/read:0", "e:0", "s:1", "l:0", "y:0"])
    branch.values_def.external_values["w/read:0"] = "s:1"
    branch.values_def.external_values["e:0"] = "e:0"
    loop = WhileContextDef(context_name="f", pivot_name="pivot")
    loop.values_def.values.extend(["w/read:0", "e:0", "s:1", "l:0", "y:0"])
    loop.values_def.external_values["w/read:0"] = "e:0"
    loop.nested_contexts.add().cond_ctxt.CopyFrom(branch)
    raws = [loop.SerializeToString()]
    return CollectionDef(bytes_list=CollectionDef.BytesList(value=raws))


@pytest.mark.parametrize(("plan", "role"), [(ELEMENTS, "trainable_elements"), (SCALE, "row_scale")])
def test_contexts_name_what_comes_in(plan: FreezePlan, role: str) -> None:
    text = W + P + ENTER.format("e", "w/read", "f") + "s = Switch(e, p)\n"
    draft = masked(text + "l = Gather(s:1, ids)\ny = L2Loss(l)", plan, while_context=contexts())
    (raw,) = draft.collections["while_context"].bytes_list.value
    loop = WhileContextDef.FromString(raw)
    (branch,) = nested_contexts(loop)
    source = f"w/graphfreeze/{role}/read:0"
    assert loop.values_def.external_values[source] == f"e/graphfreeze/{role}:0"
    assert branch.values_def.external_values[source] == f"s/graphfreeze/{role}:1"
    known = {source, f"e/graphfreeze/{role}:0", f"s/graphfreeze/{role}:1"}
    assert known <= set(loop.values_def.values)
    new = {f"{name}:0" for name in draft.added_nodes() if name.startswith("l/")}
    assert new <= set(branch.values_def.values)
    assert len(set(branch.values_def.values)) == len(branch.values_def.values)
