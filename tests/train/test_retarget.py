import pytest

from graphfreeze.errors import TrainError
from graphfreeze.model.names import parse_ref
from graphfreeze.model.sketch import format_node, sketch_meta_graph
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import AddFunction, AddNode, ReplaceNode
from graphfreeze.rewrite.run import run
from graphfreeze.schema import AttrValue, FunctionDef, NodeDef, OpDef, types_pb2
from graphfreeze.train.retarget import Retarget, new_to_writer

BASE = """
x = Placeholder() {shape: [4, 4]}
v = VarHandleOp() {shape: [4]}
z = ZeroOut(x)
n = Const() {value: 4}
ids = Const() {value: [1, 2]}
"""


def drafted(new: str) -> Draft:
    draft = Draft(parse_sketch(BASE))
    own = {str(node.name) for node in draft.base.graph.nodes.values()}
    for node in sketch_meta_graph(BASE + new).graph_def.node:
        if node.name not in own:
            draft.apply(AddNode(
                str(node.name), str(node.op), tuple(map(parse_ref, node.input)),
                dict(node.attr), str(node.device),
            ))  # fmt: skip
    return draft


def told(draft: Draft) -> list[str]:
    return [format_node(draft.graph.nodes[name]) for name in draft.added_nodes()]


SUM = "g = SparseSegmentSumGrad(x, ids, ids, n, ^v)"
SUMMED = [
    "g = UnsortedSegmentSum(g/graphfreeze/gathered, ids, n, ^v)",
    "g/graphfreeze/gathered = Gather(x, ids)",
]
K = "k = Const() {value: 0}\nm = Const() {value: -1}\nzero = Const() {value: 0.0}\n"
CONSTS = ["k = Const() {value: 0}", "m = Const() {value: -1}", "zero = Const() {value: 0.0}"]
# what is new, what becomes of it
REWRITES = {
    "a sum of gathered rows": (SUM, SUMMED),
    "its consumers stay": (f"{SUM}\ny = Neg(g)", [SUMMED[0], "y = Neg(g)", SUMMED[1]]),
    "a device": (
        f"{SUM} @ /device:CPU:0",
        [f"{line} @ /device:CPU:0" for line in SUMMED],
    ),
    "a diagonal": (f"{K}d = MatrixDiagV3(x, k, m, m, zero)", [*CONSTS, "d = MatrixDiag(x)"]),
    "a part of it": (f"{K}d = MatrixDiagPartV3(x, k, zero)", [*CONSTS, "d = MatrixDiagPart(x)"]),
    "a hint to the runtime": (
        "h = DisableCopyOnRead(v)\ny = NoOp(^h)",
        ["h = NoOp()", "y = NoOp(^h)"],
    ),
    "an attribute that is a hint": (
        "y = MatMul(x, x) {grad_a: true, transpose_b: true}",
        ["y = MatMul(x, x) {transpose_b: true}"],
    ),
    "an op of the model's own": ("y = ZeroOut(x) {wide: true}", ["y = ZeroOut(x) {wide: true}"]),
    "what 1.15 knows": ("y = AddV2(x, x)", ["y = AddV2(x, x)"]),
}  # fmt: skip


@pytest.mark.parametrize(("new", "after"), REWRITES.values(), ids=REWRITES)
def test_rewrites(new: str, after: list[str]) -> None:
    draft = drafted(new)
    run(draft, [Retarget("1.15")])
    assert told(draft) == after


@pytest.mark.parametrize("new", [SUM, "y = MatMul(x, x) {grad_a: true}"])
def test_target_2_changes_nothing(new: str) -> None:
    draft = drafted(new)
    before, each = told(draft), Retarget("2")
    run(draft, [each])
    assert told(draft) == before
    assert each.newer == (["SparseSegmentSumGrad"] if new == SUM else [])
    assert not each.rewritten


def test_an_old_writer_s_nodes_are_told_by_ops_of_1_4() -> None:
    draft = drafted("y = AddV2(x, x)\ns = SelectV2(x, x, x)")
    draft.base.header.graph_def.versions.producer = 24
    each = Retarget("1.15")
    run(draft, [each])
    assert told(draft)[0] == "y = Add(x, x)"
    assert each.rewritten == {"AddV2": 1}
    assert new_to_writer(draft) == ["SelectV2"]
    draft.base.header.graph_def.versions.producer = 134
    assert new_to_writer(draft) == []


def test_one_error_names_all() -> None:
    new = (
        f"{K}b = Const() {{value: [0, 1]}}\nd = MatrixDiagPartV3(x, b, zero)\n"
        "e = Xlog1py(x, x)\n" + 'p = GatherNd(x, ids) {bad_indices_policy: "IGNORE"}'
    )
    draft = drafted(new)
    with pytest.raises(TrainError) as caught:
        run(draft, [Retarget("1.15")])
    found = (
        "op MatrixDiagPartV3 (d), op Xlog1py (e), attribute bad_indices_policy of op GatherNd (p)"
    )
    assert f"TensorFlow 1.15 lacks what the train_op needs: {found};" in str(caught.value)
    assert "--target 2" in str(caught.value)


@pytest.mark.parametrize("has_libraries", [True, False])
def test_an_op_of_a_library(has_libraries: bool) -> None:
    draft, each = drafted("y = ZeroOutGrad(x)"), Retarget("1.15", has_libraries)
    if not has_libraries:
        with pytest.raises(TrainError, match=r"op ZeroOutGrad \(y\)"):
            run(draft, [each])
        return
    run(draft, [each])
    assert told(draft) == ["y = ZeroOutGrad(x)"]
    assert each.newer == ["ZeroOutGrad"]


def function(*nodes: NodeDef) -> FunctionDef:
    return FunctionDef(signature=OpDef(name="f"), node_def=nodes)


def test_bodies_of_new_functions() -> None:
    kind = AttrValue(type=types_pb2.DT_FLOAT)
    node = NodeDef(
        name="g", op="SparseSegmentSumGrad", input=["x", "i", "s:output:0", "n"], attr={"T": kind}
    )
    draft, each = drafted(""), Retarget("1.15")
    draft.apply(AddFunction(function(node)))
    draft.apply(AddNode("call", "f"))
    run(draft, [each])
    (changed,) = draft.added_functions
    assert draft.graph.functions["f"] == changed
    assert [(str(each.op), list(each.input)) for each in changed.node_def] == [
        ("Gather", ["x", "s:output:0"]),
        ("UnsortedSegmentSum", ["g/graphfreeze/gathered:output:0", "i", "n"]),
    ]
    assert each.newer == []
    assert list(each.rewritten) == ["SparseSegmentSumGrad"]


def test_a_body_that_1_15_lacks_ops_for() -> None:
    draft = drafted("")
    draft.apply(AddFunction(function(NodeDef(name="e", op="Xlog1py"))))
    with pytest.raises(TrainError, match=r"op Xlog1py \(f/e\)"):
        run(draft, [Retarget("1.15")])


def test_a_changed_node_keeps_the_attributes_that_it_had() -> None:
    draft = Draft(parse_sketch("x = Placeholder()\ny = MatMul(x, x) {grad_a: true}"))
    node = NodeDef()
    node.CopyFrom(draft.graph.nodes["y"])
    node.attr["grad_b"].b = True
    draft.apply(ReplaceNode(node))
    run(draft, [Retarget("1.15")])
    assert format_node(draft.graph.nodes["y"]) == "y = MatMul(x, x) {grad_a: true}"
