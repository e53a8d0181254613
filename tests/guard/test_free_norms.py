"""A clip by the global norm counts what learns, and nothing else."""

import pytest

from graphfreeze.guard.free_norms import FreeNorms
from graphfreeze.model.sketch import format_node
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.run import run
from graphfreeze.rewrite.steps import Step
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.selection.resolve import resolve

MODEL = """
gw = Placeholder() {shape: [4]}
gv = Placeholder() {shape: [4, 2]}
ids = Placeholder() {dtype: int32, shape: [?]}
rows = Placeholder() {shape: [?, 2]}
rate = Const() {value: 0.1}
axis = Const() {value: [0]}
two = Const() {value: 2.0}
w = VariableV2() {shape: [4]}
v = VariableV2() {shape: [4, 2]}
hw = L2Loss(gw)
hv = L2Loss(gv)
hr = L2Loss(rows)
p = Pack(hw, hv)
s = Sum(p, axis)
twice = Mul(s, two)
n = Sqrt(twice)
scale = RealDiv(two, n)
cw = Mul(gw, scale)
cv = Mul(gv, scale)
w_step = ApplyGradientDescent(w, rate, cw)
v_step = ApplyGradientDescent(v, rate, cv)
t = NoOp(^w_step, ^v_step)
variables: w, v
trainable_variables: w, v
"""
SPARSE = (
    MODEL.replace("Pack(hw, hv)", "Pack(hw, hr)")
    .replace("Mul(gv", "Mul(rows")
    .replace("ApplyGradientDescent(v, rate, cv)", "ScatterSub(v, ids, cv)")
)
SUMMED = (
    MODEL.replace("Pack(hw, hv)", "Pack(hw, hr)")
    .replace("Mul(gv", "Mul(rows")
    .replace(
        "v_step = ApplyGradientDescent(v, rate, cv)",
        "u = Unique(ids)\nz = Const() {value: 4}\nsummed = UnsortedSegmentSum(cv, u:1, z)\n"
        "v_step = ScatterSub(v, u, summed)",
    )
)
DENSE = SPARSE.replace(
    "v_step = ScatterSub(v, ids, cv)",
    "z = Const() {value: 4}\ndense = UnsortedSegmentSum(cv, ids, z)\nnew = Sub(v, dense)\n"
    "v_step = Assign(v, new)",
)
SHAPED = MODEL.replace(
    "ApplyGradientDescent(v, rate, cv)",
    "ApplyGradientDescent(v, rate, other)\n"
    "flat = Const() {value: [4, 2]}\nother = Reshape(cv, flat)",
)
IN_BRANCH = (  # only a finite norm is followed by a step
    "ok = IsFinite(n)\nsi = Switch(ids, ok)\nsc = Switch(cv, ok)\n"
)
LOOP = MODEL.replace("hw = L2Loss(gw)", "gw_in = Enter(gw) {frame_name: f}\nhw = L2Loss(gw_in)")
LOOP = LOOP.replace("Mul(gw, scale)", "Mul(gw_in, scale)")
ZERO = "p = Pack(hw/graphfreeze/frozen, hv)"
WHOLE, ROWS = FreezePlan(freeze=("w",)), FreezePlan(freeze_rows={"v": "1:"})
MASKED = {
    "p": "p = Pack(hw, {0}/graphfreeze/square)",
    "{0}/graphfreeze/square": "{0}/graphfreeze/square = L2Loss({0}/graphfreeze/learning)",
}

CASES = {
    "a frozen variable": (MODEL, WHOLE, {"p": ZERO}),
    "its square stays for a summary": (
        MODEL + "tag = Const() {value: \"n\"}\nseen = ScalarSummary(tag, hw)", WHOLE,
        {"p": ZERO, "hw": "hw = L2Loss(gw)"},
    ),
    "a norm that nothing is scaled by": (
        MODEL.replace("Mul(gw, scale)", "Mul(gw, two)").replace("Mul(gv, scale)", "Mul(gv, two)"),
        WHOLE, {"p": "p = Pack(hw, hv)"},
    ),
    "a gradient that another variable takes too": (
        MODEL.replace("ApplyGradientDescent(v, rate, cv)", "ApplyGradientDescent(w, rate, cw)"),
        FreezePlan(freeze=("v",)), {"p": "p = Pack(hw, hv)"},
    ),
    "rows, dense": (MODEL, ROWS, {k.format("hv"): v.format("hv") for k, v in MASKED.items()}),
    "rows, sparse": (
        SPARSE, ROWS,
        {
            **{k.format("hr"): v.format("hr") for k, v in MASKED.items()},
            "hr/graphfreeze/rows/is_trainable":
                "hr/graphfreeze/rows/is_trainable = Less(ids, hr/graphfreeze/rows/stop_row)",
        },
    ),
    "rows, sparse and summed up": (
        SUMMED, ROWS,
        {"hr/graphfreeze/rows/is_trainable":
             "hr/graphfreeze/rows/is_trainable = Less(ids, hr/graphfreeze/rows/stop_row)"},
    ),
    "rows, sparse, made dense by an update of its own": (
        DENSE, ROWS,
        {"hr/graphfreeze/rows/is_trainable":
             "hr/graphfreeze/rows/is_trainable = Less(ids, hr/graphfreeze/rows/stop_row)"},
    ),
    "rows, sparse, in a branch that the norm chooses": (
        SPARSE.replace("v_step = ScatterSub(v, ids, cv)",
                       IN_BRANCH + "v_step = ScatterSub(v, si:1, sc:1)"), ROWS,
        {"hr/graphfreeze/rows/is_trainable":
             "hr/graphfreeze/rows/is_trainable = Less(ids, hr/graphfreeze/rows/stop_row)"},
    ),
    "a test of the clipped gradient chooses whether another is applied": (
        MODEL.replace("v_step = ApplyGradientDescent(v, rate, cv)",
                      "ok = IsFinite(cw)\nsc = Switch(cv, ok)\n"
                      "v_step = ApplyGradientDescent(v, rate, sc:1)"), WHOLE, {"p": ZERO},
    ),
    "a norm that is taken in a branch": (
        MODEL.replace("hw = L2Loss(gw)", "ok = Placeholder() {dtype: bool, shape: []}\n"
                      "sw = Switch(gw, ok)\nhw = L2Loss(sw:1)"), WHOLE, {"p": ZERO},
    ),
    "an optimizer's op that nobody knows": (
        MODEL.replace("w_step = ApplyGradientDescent(", "w_step = Mystery("), WHOLE, {"p": ZERO},
    ),
    "rows, what comes of the gradient cannot be told": (SHAPED, ROWS, {"p": "p = Pack(hw, hv)"}),
}  # fmt: skip


@pytest.mark.parametrize(("text", "plan", "nodes"), CASES.values(), ids=CASES)
def test_norms(text: str, plan: FreezePlan, nodes: dict[str, str]) -> None:
    draft = Draft(parse_sketch(text))
    selection = resolve(plan, draft.variables, draft.graph)
    run(draft, [FreeNorms(selection, Step(ops=("t",)))])
    assert {name: format_node(draft.graph.nodes[name]) for name in nodes} == nodes


def test_what_still_counts_is_told() -> None:
    squares = "sq = Square(gv)\nsv = Sum(sq, axes)\naxes = Const() {value: [0, 1]}\n"
    text = squares + MODEL.replace("Pack(hw, hv)", "Pack(hw, sv)")
    draft = Draft(parse_sketch(text))
    norms = FreeNorms(resolve(ROWS, draft.variables, draft.graph), Step(ops=("t",)))
    run(draft, [norms])
    assert (norms.freed, norms.counted) == ({}, ["v"])


def test_no_constant_goes_into_a_loop() -> None:
    draft = Draft(parse_sketch(LOOP))
    norms = FreeNorms(resolve(WHOLE, draft.variables, draft.graph), Step(ops=("t",)))
    run(draft, [norms])
    assert (norms.freed, norms.counted) == ({}, ["w"])


def test_a_step_that_is_not_asked_for() -> None:
    draft = Draft(parse_sketch(MODEL + "u = NoOp(^v_step)"))
    norms = FreeNorms(resolve(WHOLE, draft.variables, draft.graph), Step(ops=("u",)))
    run(draft, [norms])
    assert norms.freed == {}
