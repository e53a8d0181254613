"""Which contexts new nodes join."""

import pytest

from graphfreeze.model.names import parse_ref
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import AddNode
from graphfreeze.rewrite.loops import join_contexts
from graphfreeze.schema import CollectionDef, CondContextDef, WhileContextDef

GRAPH = """
x = Placeholder()
p = Placeholder() {dtype: bool}
e = Enter(x) {frame_name: "f"}
m = Merge(e, n)
c = LoopCond(p)
s = Switch(m, c)
b = Identity(s:1)
w = Switch(b, p)
y = Neg(w:1)
z = Neg(w)
r = Merge(z, y)
i = Enter(b) {frame_name: "g"}
j = Neg(i)
o = Exit(j)
n = NextIteration(r)
out = Exit(s)
"""


def branch(side: int, *values: str) -> CondContextDef:
    made = CondContextDef(context_name=f"side_{side}", pred_name="p:0", pivot_name="b", branch=side)
    made.values_def.values.extend(["p:0", "b:0", *values])
    made.values_def.external_values["p:0"] = "p:0"
    made.values_def.external_values["b:0"] = f"w:{side}"
    return made


def contexts() -> CollectionDef:
    """Describe a loop that holds a loop and two branches, as TensorFlow names what they know."""
    inner = WhileContextDef(context_name="inner", pivot_name="j", loop_exit_names=["o:0"])
    inner.values_def.values.extend(["b:0", "i:0", "j:0", "o:0"])
    inner.values_def.external_values["b:0"] = "i:0"
    outer = WhileContextDef(context_name="outer", pivot_name="c", loop_exit_names=["out:0"])
    outer.values_def.values.extend(["e:0", "m:0", "c:0", "s:0", "s:1", "b:0", "w:0", "w:1"])
    outer.values_def.values.extend(["y:0", "z:0", "r:0", "r:1", "o:0", "n:0", "out:0"])
    outer.nested_contexts.add().cond_ctxt.CopyFrom(branch(1, "w:1", "y:0"))
    outer.nested_contexts.add().cond_ctxt.CopyFrom(branch(0, "w:0", "z:0"))
    outer.nested_contexts.add().while_ctxt.CopyFrom(inner)
    raws = [outer.SerializeToString()]
    return CollectionDef(bytes_list=CollectionDef.BytesList(value=raws))


# New nodes, and those of them that each context names.
JOINING = {
    "in the body": ("new = Neg(b)", {"outer": ["new:0"]}),
    "all outputs": ("new = Switch(b, c)", {"outer": ["new:0", "new:1"]}),
    "in a branch": ("new = Neg(y)", {"outer": ["new:0"], "side_1": ["new:0"]}),
    "behind one side of a Switch": ("new = Neg(w:0)", {"outer": ["new:0"], "side_0": ["new:0"]}),
    "waits for a Switch": ("new = Const(^w)", {"outer": ["new:0"]}),
    "waits for a branch": ("new = Const(^y)", {"outer": ["new:0"], "side_1": ["new:0"]}),
    "in the loop inside": ("new = Neg(i)", {"inner": ["new:0"]}),
    "behind the loop inside": ("new = Neg(o)", {"outer": ["new:0"]}),
    "waits for the loop inside": ("new = Const(^o)", {"outer": ["new:0"]}),
    "behind the loop": ("new = Neg(out)", {}),
    "before the loop": ("new = Neg(x)", {}),
    "one after the other": (
        "one = Const(^i)\nnew = Mul(one, one)",
        {"inner": ["one:0", "new:0"]},
    ),
    "takes from around too": ("new = Mul(y, b)", {"outer": ["new:0"], "side_1": ["new:0"]}),
}


@pytest.mark.parametrize(("text", "joined"), JOINING.values(), ids=JOINING)
def test_new_nodes_join_the_innermost_context(text: str, joined: dict[str, list[str]]) -> None:
    draft = Draft(parse_sketch(GRAPH, collections={"while_context": contexts()}))
    new = []
    for name, node in parse_sketch(GRAPH + text).graph.nodes.items():
        if name not in draft.graph:
            inputs = tuple(map(parse_ref, map(str, node.input)))
            draft.apply(AddNode(name, str(node.op), inputs, dict(node.attr)))
            new.append(name)
    edits = list(join_contexts(draft, new))
    assert bool(edits) == bool(joined)
    if edits:
        (raw,) = edits[0].value.bytes_list.value
        assert added(WhileContextDef.FromString(raw)) == joined


def added(context: WhileContextDef) -> dict[str, list[str]]:
    """Return what a context, and those inside it, name that the others of old do not."""
    inside = [n.while_ctxt if n.HasField("while_ctxt") else n.cond_ctxt
              for n in context.nested_contexts]  # fmt: skip
    found = {each.context_name: list(each.values_def.values) for each in (context, *inside)}
    known = parse_sketch(GRAPH).graph.nodes
    new = {
        k: [v for v in values if v.partition(":")[0] not in known] for k, values in found.items()
    }
    return {name: values for name, values in new.items() if values}


def test_what_a_context_names_stays_there() -> None:
    text = GRAPH.replace("out = Exit(s)", 'out = Exit(s)\ntwin = Enter(b) {frame_name: "g"}')
    entry = contexts()
    outer = WhileContextDef.FromString(entry.bytes_list.value[0])
    outer.nested_contexts[2].while_ctxt.values_def.values.append("twin:0")
    entry.bytes_list.value[0] = outer.SerializeToString()
    draft = Draft(parse_sketch(text, collections={"while_context": entry}))
    assert not list(join_contexts(draft, ["twin"]))


def test_what_leaves_a_loop_is_outside() -> None:
    """An Exit that came along with its context, as a counter for gradients does."""
    text = 'after = Enter(out) {frame_name: "h"}\nnew = Neg(after)'
    draft = Draft(parse_sketch(GRAPH + text, collections={"while_context": contexts()}))
    assert not list(join_contexts(draft, ["out", "after", "new"]))
