"""Why a variable has a gradient, or what cuts it."""

from pathlib import Path

import pytest

from graphfreeze.check.explain.explain_gradient import explain_gradient
from graphfreeze.errors import CheckError, TrainError
from graphfreeze.model.explain_records import GradientRecord
from graphfreeze.model.records import VariableRecord
from graphfreeze.model.sketch import sketch_meta_graph
from graphfreeze.read.document import parse_document
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import AddGradient
from graphfreeze.rewrite.message import meta_graph
from graphfreeze.schema import (
    CollectionDef,
    CondContextDef,
    MetaGraphDef,
    OpDef,
    WhileContextDef,
    types_pb2,
)

W = "w = VariableV2() {shape: [4, 2]}\nw/read = Identity(w)\nx = Placeholder()\n"
H = "w = VarHandleOp() {shape: [4, 2]}\nx = Placeholder()\n"
AXIS = "axis = Const() {value: 0}\n"
END = "loss = Mean(y, axis)\n"
FILE = 'f = Const() {value: "f"}\n'


def told(text: str, loss: str = "loss", **collections: CollectionDef) -> GradientRecord:
    return explain_gradient(parse_sketch(text, collections=collections), "w", loss=[loss])


# sketch, then the nodes of the path that a gradient takes
PATHS = {
    "a ref's read": (W + AXIS + "y = MatMul(x, w/read)\n" + END, "w w/read y loss"),
    "a ref itself": (W + AXIS + "y = MatMul(x, w)\n" + END, "w y loss"),
    "a resource": (
        H + AXIS + "r = ReadVariableOp(w) {dtype: float32}\ny = Mul(x, r)\n" + END,
        "w r y loss",
    ),
    "a resource's lookup": (
        H + AXIS + "i = Placeholder() {dtype: int32}\n"
        "y = ResourceGather(w, i) {dtype: float32, Tindices: int32}\n" + END,
        "w y loss",
    ),
    "the shorter of two ways": (
        W + AXIS + "a = Exp(w/read)\nb = Exp(a)\ny = Add(b, a)\n" + END,
        "w w/read a y loss",
    ),
    "past a stop on another way": (
        W + AXIS + "s = StopGradient(w/read)\na = Exp(w/read)\nb = Exp(a)\ny = Add(s, b)\n" + END,
        "w w/read a b y loss",
    ),
    "past an op of zero gradient": (
        W + AXIS + "s = Sign(w/read)\na = Exp(w/read)\nb = Exp(a)\ny = Add(s, b)\n" + END,
        "w w/read a b y loss",
    ),
    "past what nobody knows": (
        W + AXIS + "s = Odd(w/read)\na = Exp(w/read)\ny = Add(s, a)\n" + END,
        "w w/read a y loss",
    ),
    "by a value of top k": (
        W + AXIS + "k = Const() {value: 1}\nt = TopKV2(w/read, k)\ny = Exp(t)\n" + END,
        "w w/read t y loss",
    ),
    "through a branch": (
        W + AXIS + "p = Placeholder() {dtype: bool}\ns = Switch(w/read, p)\na = Exp(s:1)\n"
        "y = Merge(s, a)\n" + END,
        "w w/read s y loss",
    ),
    "an op with the gradient of another": (
        W + AXIS + 'y = Floor(w/read) {_gradient_op_type: "Identity"}\n' + END,
        "w w/read y loss",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "path"), PATHS.values(), ids=PATHS)
def test_path(text: str, path: str) -> None:
    record = told(text)
    assert (record.status, record.has_gradient) == ("gradient", True)
    assert " ".join(step.name for step in record.path) == path
    assert not record.cuts


CAST = "{DstT: int32, SrcT: float32}"
# sketch, status, and the cutting nodes with a part of the reason
CUTS: dict[str, tuple[str, str, dict[str, str]]] = {
    "a stop": (W + AXIS + "s = StopGradient(w/read)\ny = Exp(s)\n" + END, "cut",
               {"s": "it is there to stop gradients"}),
    "the first of two stops": (
        W + AXIS + "s = StopGradient(w/read)\ny = StopGradient(s)\n" + END, "cut",
        {"s": "it is there to stop gradients"},
    ),
    "one stop on each of two ways": (
        W + AXIS + "s = StopGradient(w/read)\na = Exp(w/read)\nt = StopGradient(a)\n"
        "y = Add(s, t)\n" + END, "cut",
        {"s": "it is there", "t": "it is there"},
    ),
    "a cast to integer": (
        W + AXIS + f"c = Cast(w/read) {CAST}\ny = Cast(c) {{DstT: float32, SrcT: int32}}\n" + END,
        "cut", {"c": "it casts to int32, which has no gradient"},
    ),
    "a comparison": (
        W + AXIS + "z = Const() {value: 0.0}\nc = Greater(w/read, z)\ny = Select(c, x, x)\n" + END,
        "cut", {"c": "it gives bool, which has no gradient"},
    ),
    "a place": (
        W + AXIS + "a = ArgMax(w/read, axis)\ny = Cast(a) {DstT: float32, SrcT: int64}\n" + END,
        "cut", {"a": "it gives int64"},
    ),
    "ids of a lookup": (
        W + AXIS + f"c = Cast(w/read) {CAST}\ny = GatherV2(x, c, axis)\n" + END,
        "cut", {"c": "casts to int32"},
    ),
    "indices of top k": (
        W + AXIS + "k = Const() {value: 1}\nt = TopKV2(w/read, k)\n"
        "y = Cast(t:1) {DstT: float32, SrcT: int32}\n" + END,
        "cut", {"t": "it gives int32"},
    ),
    "only its shape": (
        W + AXIS + "s = Shape(w/read)\no = Const() {value: 1.0}\ny = Fill(s, o)\n" + END,
        "cut", {"s": "it gives int32"},
    ),
    "a flat op": (W + AXIS + "y = Floor(w/read)\n" + END, "cut",
                  {"y": "Floor is flat: TensorFlow gives it no gradient"}),
    "an op that is said to have none": (
        W + AXIS + "y = ZerosLike(w/read)\n" + END, "cut",
        {"y": "TensorFlow takes ZerosLike for an op that has no gradient"},
    ),
    "an input that has none": (
        W + AXIS + "p = Const() {value: [[1, 1]]}\ny = PadV2(x, p, w/read)\n" + END, "cut",
        {"y": "its input 'constant_values' has no gradient"},
    ),
    "an op without a gradient": (
        W + AXIS + "y = SoftsignGrad(w/read, x)\n" + END, "refused",
        {"y": "no gradient is registered for SoftsignGrad"},
    ),
    "an op without a gradient beside a way": (
        W + AXIS + "a = SoftsignGrad(w/read, x)\ny = Add(a, w/read)\n" + END, "refused",
        {"a": "no gradient is registered"},
    ),
    "a prevented gradient": (
        W + AXIS + "y = PreventGradient(w/read)\n" + END, "refused",
        {"y": "it is there to make tf.gradients raise an error"},
    ),
    "a gradient in Python": (
        W + AXIS + 'y = Exp(w/read) {_gradient_op_type: "CustomGradient-7"}\n' + END, "refused",
        {"y": "its gradient 'CustomGradient-7' was a Python function"},
    ),
    "an unknown op": (W + AXIS + "y = Odd(w/read)\nz = Add(x, y)\nloss = Mean(z, axis)\n",
                      "unknown", {"y": "nobody knows whether the op Odd has a gradient"}),
    "an unknown op behind a stop": (
        W + AXIS + "s = StopGradient(w/read)\ny = Odd(s)\nz = Add(x, y)\nloss = Mean(z, axis)\n",
        "cut", {"s": "it is there"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "status", "cuts"), CUTS.values(), ids=CUTS)
def test_cut(text: str, status: str, cuts: dict[str, str]) -> None:
    record = told(text)
    assert record.status == status
    assert record.has_gradient is (None if status == "unknown" else False)
    assert {cut.name for cut in record.cuts} == cuts.keys()
    assert record.cut_count == len(cuts)
    for cut in record.cuts:
        assert cuts[cut.name] in cut.reason
        assert (cut.path[0].name, cut.path[-1].name) == ("w", cut.name)
        assert cut.onward[-1].name == "loss"


def test_many_cuts_are_counted() -> None:
    stops = "".join(f"s{i} = StopGradient(w/read)\n" for i in range(9))
    ends = ", ".join(f"s{i}" for i in range(9))
    record = told(f"{W}{stops}loss = AddN({ends})")
    assert (len(record.cuts), record.cut_count) == (5, 9)


def test_zero_gradient() -> None:
    record = told(W + AXIS + "y = Sign(w/read)\n" + END)
    assert (record.status, record.has_gradient) == ("zero", True)
    assert [step.op for step in record.path] == ["VariableV2", "Identity", "Sign", "Mean"]


LOOP = (
    W
    + AXIS
    + """\
e = Enter(w/read) {frame_name: "f"}
m = Merge(e, n)
t = Placeholder() {dtype: bool}
c = LoopCond(t)
s = Switch(m, c)
b = Exp(s:1)
n = NextIteration(b)
"""
)
EXIT = "y = Exit(s)\n" + END


def contexts(**context: object) -> dict[str, CollectionDef]:
    entry = WhileContextDef(context_name="f", **context)  # type: ignore[arg-type]
    out = CollectionDef()
    out.bytes_list.value.append(entry.SerializeToString())
    return {"while_context": out}


def nested() -> dict[str, CollectionDef]:
    entry = CondContextDef(context_name="cond")
    entry.nested_contexts.add().while_ctxt.loop_exit_names.append("y:0")
    entry.nested_contexts[0].while_ctxt.back_prop = True
    out = CollectionDef()
    out.bytes_list.value.append(entry.SerializeToString())
    return {"cond_context": out}


# sketch, collections, status, a part of the reason
LOOPS = {
    "no context": (LOOP + EXIT, {}, "refused", "it ends a loop that no while_context describes"),
    "another loop's context": (
        LOOP + EXIT, contexts(loop_exit_names=["z:0"], back_prop=True), "refused", "that no"
    ),
    "a context": (LOOP + EXIT, contexts(loop_exit_names=["y:0"], back_prop=True), "gradient", ""),
    "a context in a branch": (LOOP + EXIT, nested(), "gradient", ""),
    "a loop without gradients": (
        LOOP + EXIT, contexts(loop_exit_names=["y:0"]), "cut", "made with back_prop=False"
    ),
    "a pruned Exit": (
        LOOP + "z = Enter(x) {frame_name: \"f\"}\nk = Mul(b, z)\ny = Exit(k)\n" + END,
        contexts(loop_exit_names=["y:0"], back_prop=True), "cut", "a loop variable without an Exit",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "collections", "status", "reason"), LOOPS.values(), ids=LOOPS)
def test_loop(text: str, collections: dict[str, CollectionDef], status: str, reason: str) -> None:
    record = told(text, **collections)
    assert record.status == status
    assert reason in "".join(cut.reason for cut in record.cuts)


# sketch, then what the variable leads to
APART = {
    "nothing takes it": (W, []),
    "a saver": (W + FILE + "s = SaveV2(f, f, f, w)", ["the saver's s"]),
    "its own initializer": (W + "w/Assign = Assign(w, x)", []),
    "another variable": (
        W + "v = VariableV2() {shape: [4, 2]}\na = Assign(v, w/read)", ["the writer a (Assign)"]
    ),
    "an optimizer's slot": (
        W + "v = VariableV2() {shape: [4, 2]}\na = ApplyMomentum(v, w, x, x, x)",
        ["the writer a (ApplyMomentum)"],
    ),
    "a summary": (W + FILE + "s = HistogramSummary(f, w/read)", ["the summary s"]),
    "another loss": (W + "o = Exp(w/read)\nlosses: o:0", ["the loss o:0", "o (Exp)"]),
    "a control edge to the loss": (W + "n = NoOp(^w/read)", []),
}  # fmt: skip


@pytest.mark.parametrize(("text", "ends"), APART.values(), ids=APART)
def test_disconnected(text: str, ends: list[str]) -> None:
    control = ", ^n" if "NoOp" in text else ""
    record = told(f"{text}\nloss = Exp(x{control})\n")
    assert (record.status, record.has_gradient) == ("disconnected", False)
    assert record.leads_to == ends


def test_integers_have_no_gradient() -> None:
    text = "w = VariableV2() {shape: [], dtype: int64}\nloss = Placeholder()"
    assert told(text).status == "no numbers"


def test_not_trainable() -> None:
    text = W + "v = VariableV2() {shape: [2]}\nloss = Exp(w/read)\n"
    record = told(text + "trainable_variables: v\nvariables: v, w")
    assert (record.has_gradient, record.trainable) == (True, False)
    assert "not in trainable_variables" in record.notes[0]


def test_custom_op_of_the_model() -> None:
    meta = sketch_meta_graph(W + "y = Odd(w/read)\nz = Exp(x)\nloss = Mul(y, z) {T: float32}")
    own = OpDef(name="Odd")
    own.input_arg.add(name="x", type=types_pb2.DT_FLOAT)
    own.output_arg.add(name="y", type=types_pb2.DT_FLOAT)
    meta.meta_info_def.stripped_op_list.op.append(own)
    record = explain_gradient(_model(meta), "w", loss=["loss"])
    assert (record.status, record.cuts[0].name) == ("unknown", "y")


DENSE = """x = _Arg()
w = _Arg() {T: resource}
r = ReadVariableOp(w) {dtype: float32}
m = Mul(x, r)
return:y = _Retval(m)"""
STOPPED = DENSE.replace("Mul(x, r)", "Mul(x, s)") + "\ns = StopGradient(r)"
DEEP = """w = _Arg() {T: resource}
x = _Arg()
c = dense(x, w)
return:y = _Retval(c)"""
UNUSED = "x = _Arg()\nw = _Arg() {T: resource}\nreturn:y = _Retval(x)"
PREVENTED = UNUSED.replace("_Retval(x)", "_Retval(p)") + "\np = PreventGradient(x)"
ROUND = DENSE.replace("return:y", "return:x") + "\nreturn:w = _Retval(w)"
IS_DONE = """x = _Arg()
w = _Arg() {T: resource}
r = ReadVariableOp(w) {dtype: float32}
b = Cast(r) {DstT: bool}
return:b = _Retval(b)"""
MAPPED = "w = _Arg() {T: resource}\nr = ReadVariableOp(w) {dtype: float32}\nreturn:y = _Retval(r)"
FUNCTIONS = {
    "dense": DENSE, "stopped": STOPPED, "deep": DEEP, "unused": UNUSED, "prevented": PREVENTED,
    "round": ROUND, "round_stopped": ROUND.replace("Mul(x, r)", "Mul(x, s)")
    + "\ns = StopGradient(r)", "is_done": IS_DONE, "mapped": MAPPED,
    "kept": ROUND.replace("_Retval(m)", "_Retval(x)"),
}  # fmt: skip
ZEROS = "c takes it into a function: tf.gradients may give zeros for it, not None"
# what makes c of w; then the status, and the path, or what cuts it
IN_FUNCTIONS = {
    "a call": ("StatefulPartitionedCall(x, w) {Tout: [float32], f: dense}",
               "gradient", "w, c, c > r, c > m, loss"),
    "a call whose own gradient was a Python function": (
        'StatefulPartitionedCall(x, w) {Tout: [float32], f: dense, '
        '_gradient_op_type: "PartitionedCall-12"}',
        "gradient", "w, c, c > r, c > m, loss"),
    "a call that stops it": ("PartitionedCall(x, w) {Tout: [float32], f: stopped}",
                             "cut", "w, c, c > r, c > s"),
    "a call in an op that is a function": ("deep(w, x)", "gradient",
                                           "w, c, c > c, c > c > r, c > c > m, loss"),
    "one of two branches": (
        "If(p, x, w) {Tout: [float32], then_branch: dense, else_branch: unused}",
        "gradient", "w, c, c[then_branch] > r, c[then_branch] > m, loss"),
    "no branch": ("If(p, x, w) {Tout: [float32], then_branch: stopped, else_branch: unused}",
                  "cut", "w, c, c[then_branch] > r, c[then_branch] > s"),
    "a case": ("StatelessCase(i, x, w) {Tout: [float32], branches: [stopped, dense]}",
               "gradient", "w, c, c[1] > r, c[1] > m, loss"),
    "a loop": ("While(x, w) {cond: is_done, body: round}",
               "gradient", "w, c, c[body] > r, c[body] > m, loss"),
    "a loop that stops it": ("While(x, w) {cond: is_done, body: round_stopped}",
                             "cut", "w, c, c[body] > r, c[body] > s"),
    "the test of a loop": ("While(x, w) {cond: is_done, body: kept}", "disconnected", ""),
    "a body that does not read it": ("PartitionedCall(x, w) {Tout: [float32], f: unused}",
                                     "disconnected", ""),
    "what raises an error for another argument": (
        "If(p, x, w) {Tout: [float32], then_branch: dense, else_branch: prevented}",
        "refused", "c[else_branch] > p"),
    "a call that has no gradient": (
        "MapDefun(w) {output_types: [float32], output_shapes: [[2]], Targuments: [resource], f: "
        "mapped}", "refused", "w, c, c > r, c"),
}  # fmt: skip


@pytest.mark.parametrize(("line", "status", "path"), IN_FUNCTIONS.values(), ids=IN_FUNCTIONS)
def test_bodies_of_functions(line: str, status: str, path: str) -> None:
    text = f"{H}p = Placeholder() {{dtype: bool}}\ni = Placeholder() {{dtype: int32}}\n"
    model = parse_sketch(f"{text}c = {line}\nloss = L2Loss(c)", functions=FUNCTIONS)
    record = explain_gradient(model, "w", loss=["loss"])
    told = record.path or (record.cuts[0].path if record.cuts else [])
    assert (record.status, ", ".join(step.name for step in told)) == (status, path)
    assert record.has_gradient == (status == "gradient")
    assert (ZEROS in record.notes) == (status in ("cut", "disconnected"))


def test_a_function_with_a_gradient_of_its_own() -> None:
    model = parse_sketch(f"{H}c = stopped(x, w)\nloss = L2Loss(c)", functions=FUNCTIONS)
    draft = Draft(model)
    draft.apply(AddGradient("stopped", "dense"))
    record = explain_gradient(_model(meta_graph(draft)), "w", loss=["loss"])
    assert [step.name for step in record.path] == ["w", "c", "loss"]
    assert "c calls a function; its body was not looked into, and may cut the gradient" in (
        record.notes
    )


def _model(meta: MetaGraphDef):
    return parse_document(meta.SerializeToString(), Path("m.meta"), None)


def test_several_losses() -> None:
    text = W + "a = Exp(x)\nb = Exp(w/read)\nlosses: a:0, b:0"
    model = parse_sketch(text)
    assert explain_gradient(model, "w", loss=["a"]).status == "disconnected"
    record = explain_gradient(model, "w", loss=["total"])
    assert (record.losses, [s.name for s in record.path]) == (["a:0", "b:0"], ["w", "w/read", "b"])
    with pytest.raises(TrainError, match="2 tensors could be the loss"):
        explain_gradient(model, "w")


NAMES = "a/w = VariableV2() {shape: [2]}\na/v = VariableV2() {shape: [2]}\nloss = Placeholder()"
WRONG = {
    "a/x": "the model has no variable 'a/x'; did you mean a/",
    "a": "'a' is no variable and holds 2; name one: a/w, a/v",
    "a/": "'a' is no variable and holds 2",
    "loss": "the model has no variable 'loss'",
}


@pytest.mark.parametrize(("name", "message"), WRONG.items())
def test_wrong_name(name: str, message: str) -> None:
    with pytest.raises(CheckError) as error:
        explain_gradient(parse_sketch(NAMES), name, loss=["loss"])
    assert message in str(error.value)


def test_rows_that_learn_in_place_of_a_table() -> None:
    text = "w = VariableV2() {shape: [4, 2]}\nr = Identity(w)\nstop = StopGradient(r)\n"
    former = VariableRecord(
        name="w", kind="ref", dtype="float32", shape=[4, 2], parameters=8, state="partly frozen",
        strategy="overlay", overlay_rows="w/graphfreeze/rows",
    )  # fmt: skip
    model = parse_sketch(text + "loss = L2Loss(stop)\nlosses: loss\ntrainable_variables: w")
    record = explain_gradient(model, "w", former=former)
    assert record.notes == [
        "its rows that are not frozen learn in w/graphfreeze/rows: ask about that"
    ]
