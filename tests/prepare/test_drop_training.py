import pytest

from graphfreeze.model.attrs import parse_shape, read_numbers
from graphfreeze.model.collected import node_entries, variable_entries
from graphfreeze.model.model import Model
from graphfreeze.model.names import TensorRef
from graphfreeze.prepare.drop_training import DropTraining
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import DropKey
from graphfreeze.rewrite.run import run
from graphfreeze.schema import (
    CollectionDef,
    QueueRunnerDef,
    SaverDef,
    WhileContextDef,
    types_pb2,
)


def variable(name: str) -> str:
    return (
        f"{name} = VariableV2() {{shape: [4]}}\n{name}/Assign = Assign({name}, zeros)\n"
        f"{name}/read = Identity({name})\n"
    )


MODEL = f"""
zeros = Const() {{shape: [4], value: 0.0}}
x = Placeholder() {{shape: [?, 4]}}
{variable("w")}
y = Mul(x, w/read)
axes = Const() {{value: [0, 1]}}
loss = Mean(y, axes)
g/shape = Const() {{dtype: int32, shape: [0], value: []}}
g/one = Const() {{value: 1.0}}
g/seed = Fill(g/shape, g/one)
g/y = Mul(g/seed, x)
g/w = Sum(g/y, g/axis)
g/axis = Const() {{value: 0}}
rate = Const() {{value: 0.1}}
train = NoOp(^step)
train_op: train
"""
GONE = "g/shape g/one g/seed g/y g/w g/axis rate train step"
SGD = "step = ApplyGradientDescent(w, rate, g/w)\n"
ADAM = (
    "".join(map(variable, ("m", "v", "p1", "p2")))
    + "step = ApplyAdam(w, m, v, p1/read, p2/read, rate, rate, rate, rate, g/w)\n"
    + "p1/mul = Mul(p1/read, rate)\np1/up = Assign(p1, p1/mul, ^step)\n"
    + "p2/mul = Mul(p2/read, rate)\np2/up = Assign(p2, p2/mul, ^step)\n"
)
SLOTS = " ".join(f"{name} {name}/Assign {name}/read" for name in ("m", "v", "p1", "p2"))
ADAM_GONE = f"{GONE} {SLOTS} p1/mul p1/up p2/mul p2/up"
INIT = "init = NoOp(^w/Assign, ^m/Assign, ^v/Assign, ^p1/Assign, ^p2/Assign)\n"
W = "trainable_variables: w\n"
STEP = (
    "n = VariableV2() {dtype: int64, shape: []}\nn/0 = Const() {dtype: int64, value: 0}\n"
    "n/Assign = Assign(n, n/0)\nn/1 = Const() {dtype: int64, value: 1}\n"
    "n/add = AssignAdd(n, n/1, ^step)\nglobal_step: n\n"
)
SUMMARY = 'tag = Const() {value: "loss"}\nsummary = ScalarSummary(tag, loss)\n'
AVERAGE = variable("mean") + "by = Mul(x, x)\nmove = AssignSub(mean, by)\n"
SAVER = """
save/Const = Const() {value: "model"}
save/names = Const() {value: ["w", "m", "v"]}
save/slices = Const() {value: ["", "", ""]}
save/SaveV2 = SaveV2(save/Const, save/names, save/slices, w, m, v)
save/control_dependency = Identity(save/Const, ^save/SaveV2)
save/RestoreV2 = RestoreV2(save/Const, save/names, save/slices)
save/w = Assign(w, save/RestoreV2)
save/m = Assign(m, save/RestoreV2:1)
save/v = Assign(v, save/RestoreV2:2)
save/restore_all = NoOp(^save/w, ^save/m, ^save/v)
saver: save
"""

READY = """
is_w = IsVariableInitialized(w)
is_m = IsVariableInitialized(m, ^init) {_class: ["loc:@m"]} @ /cpu:0
both = Pack(is_w, is_m)
not_yet = LogicalNot(both)
ready_op: not_yet
"""
SLOT_SAVER = """
s/Const = Const() {value: "model"}
s/names = Const() {value: ["m"]}
s/slices = Const() {value: [""]}
s/SaveV2 = SaveV2(s/Const, s/names, s/slices, m)
s/control_dependency = Identity(s/Const, ^s/SaveV2)
s/RestoreV2 = RestoreV2(s/Const, s/names, s/slices)
s/m = Assign(m, s/RestoreV2)
s/restore_all = NoOp(^s/m)
"""
SHARDS = (
    SLOT_SAVER
    + """
s/names_1 = Const() {value: ["w"]}
s/SaveV2_1 = SaveV2(s/at_1, s/names_1, s/slices, w)
s/at = ShardedFilename(s/Const, s/zero, s/two)
s/at_1 = ShardedFilename(s/Const, s/one, s/two)
s/zero = Const() {value: 0}
s/one = Const() {value: 1}
s/two = Const() {value: 2}
s/control_dependency_1 = Identity(s/at_1, ^s/SaveV2_1)
s/all = Pack(s/at, s/at_1, ^s/control_dependency, ^s/control_dependency_1)
s/merge = MergeV2Checkpoints(s/all, s/Const)
s/RestoreV2_1 = RestoreV2(s/at_1, s/names_1, s/slices)
s/w = Assign(w, s/RestoreV2_1)
"""
)
SHARDS = SHARDS.replace("SaveV2(s/Const", "SaveV2(s/at").replace("y(s/Const", "y(s/at")
SHARD_GONE = "s/names s/SaveV2 s/control_dependency s/RestoreV2 s/m"

CASES = {
    "no training": (MODEL.replace("train = NoOp(^step)\ntrain_op: train", "") + W, "", ""),
    "SGD": (SGD + W, GONE, ""),
    "SGD, of a bare graph": (SGD, GONE, ""),
    "Adam, slots and powers": (ADAM + W + "variables: w, m, v, p1, p2", ADAM_GONE, "variables: w"),
    "a loss that only gradients look at": (
        SGD.replace("g/w)", "g/z)") + "g/z = Mul(g/w, loss)\n" + W, f"{GONE} g/z", ""),
    "a loss in a collection": (SGD + W + "losses: loss", GONE, "losses: loss"),
    "a summary": (SGD + SUMMARY + W + "summaries: summary", GONE, "summaries: summary"),
    "a summary in no collection": (SGD + SUMMARY + W, GONE, ""),
    "update_ops": (SGD + AVERAGE + W + "update_ops: move", GONE, "update_ops: move"),
    "the global step": (SGD + STEP + W, f"{GONE} n/add n/1", "global_step: n"),
    "the init op": (ADAM + INIT + W + "init_op: init", ADAM_GONE, "init_op: init"),
    "another collection keeps what it names": (
        SGD + W + "mine: g/w", "train step rate", "mine: g/w"),
    "colocation with what is gone": (
        ADAM + 'c = Neg(y) {_class: ["loc:@m", "loc:@w"]}\n' + W, ADAM_GONE, ""),
    "a saver": (ADAM + SAVER + W, f"{ADAM_GONE} save/m save/v", ""),
    "a saver of slots alone": (
        ADAM + SLOT_SAVER + W, f"{ADAM_GONE} {SHARD_GONE} s/Const s/slices", ""),
    "a shard of slots alone": (ADAM + SHARDS + W, f"{ADAM_GONE} {SHARD_GONE}", ""),
    "a ready op": (ADAM + INIT + READY + W + "init_op: init", ADAM_GONE, "ready_op: not_yet"),
    "a slot in a summary": (
        ADAM + SUMMARY + "h = HistogramSummary(tag, m/read)\nsummaries: summary, h\n" + W,
        " ".join(n for n in ADAM_GONE.split() if n not in ("m", "m/Assign", "m/read")),
        "summaries: summary, h"),
}  # fmt: skip


def drop(model: Model, *keep: str) -> Draft:
    draft = Draft(model)
    run(draft, [DropTraining(keep)])
    return draft


@pytest.mark.parametrize(("text", "gone", "kept"), CASES.values(), ids=CASES)
def test_drop(text: str, gone: str, kept: str) -> None:
    draft = drop(parse_sketch(text if text.startswith(MODEL[:9]) else MODEL + text))
    assert sorted(draft.removed_nodes()) == sorted(gone.split())
    assert list(draft.graph.dangling()) == []
    key, _, names = kept.partition(": ")
    if key in ("variables", "global_step"):
        found = [d.variable_name for d in variable_entries(draft.collections, key)]
        assert found == [f"{name}:0" for name in names.split(", ")]
    elif key:
        assert node_entries(draft.collections, key) == names.split(", ")
    assert ("train_op" in draft.collections) == ("train" in draft.graph)


def ready(text: str = ADAM) -> Draft:
    return drop(parse_sketch(MODEL + text + INIT + READY + W + "init_op: init"))


def test_a_ready_op_is_told_that_a_slot_has_a_value() -> None:
    draft = ready()
    graph, answer = draft.graph, draft.graph.nodes["is_m"]
    assert (graph.op("is_w"), graph.op("is_m")) == ("IsVariableInitialized", "Const")
    assert [str(ref) for ref in graph.inputs("is_m")] == ["^init"]
    value = answer.attr["value"].tensor
    assert (parse_shape(value.tensor_shape), read_numbers(value).tolist()) == ((), [True])
    assert graph.dtype(TensorRef("is_m")) == types_pb2.DT_BOOL
    assert (answer.device, "_class" in answer.attr) == ("/cpu:0", False)


def test_a_question_that_nothing_asks_goes() -> None:
    assert "is_m" not in drop(parse_sketch(MODEL + ADAM + W + "is_m = VarIsInitializedOp(m)")).graph


RESOURCES = "".join(
    f"{n} = VarHandleOp() {{dtype: float32, shape: [4]}}\n"
    f"{n}/Assign = AssignVariableOp({n}, zeros)\nis_{n} = VarIsInitializedOp({n})\n"
    for n in ("u", "m")
)


def test_a_ready_op_of_resources() -> None:
    text = RESOURCES + "u/read = ReadVariableOp(u)\nz = Mul(y, u/read)\nlosses: z\n"
    text += "step = ResourceApplyMomentum(u, m, rate, g/w, rate)\n"
    text += "both = Pack(is_u, is_m)\nready_op: both\ntrainable_variables: w, u\n"
    draft = drop(parse_sketch(MODEL + text))
    assert (draft.graph.op("is_u"), draft.graph.op("is_m")) == ("VarIsInitializedOp", "Const")
    assert "m" not in draft.graph


def test_slots_that_stay_are_told() -> None:
    text = ADAM + SUMMARY + "h = HistogramSummary(tag, m/read)\nsummaries: h\n" + W
    drop_training, draft = DropTraining(), Draft(parse_sketch(MODEL + text))
    run(draft, [drop_training])
    assert drop_training.slots == {"m"}
    assert drop_training.record is not None
    assert drop_training.record.slots == 3


def test_the_init_op_of_a_slot_takes_its_first_value_along() -> None:
    text = ADAM.replace("Assign(m, zeros)", "Assign(m, m/zeros)")
    assert "m/zeros" not in ready(text + "m/zeros = Const() {shape: [4]}\n").graph


def test_a_saver_of_slots_alone_is_forgotten() -> None:
    defs = {
        name: SaverDef(
            filename_tensor_name=f"{name}/Const:0",
            save_tensor_name=f"{name}/control_dependency:0",
            restore_op_name=f"{name}/restore_all",
        )
        for name in ("save", "s")
    }
    entry = CollectionDef()
    entry.bytes_list.value.extend(d.SerializeToString() for d in defs.values())
    text = MODEL + ADAM + SAVER + SLOT_SAVER + W
    draft = drop(parse_sketch(text, collections={"savers": entry}))
    (left,) = draft.collections["savers"].bytes_list.value
    assert SaverDef.FromString(left) == defs["save"]
    assert [name for name in draft.graph.nodes if name.startswith("s/")] == []


def test_the_shards_that_stay_are_merged() -> None:
    graph = drop(parse_sketch(MODEL + ADAM + SHARDS + W)).graph
    assert [str(ref) for ref in graph.inputs("s/all")] == ["s/at_1", "^s/control_dependency_1"]
    assert graph.nodes["s/all"].attr["N"].i == 1


def test_the_init_op_loses_the_slots() -> None:
    draft = drop(parse_sketch(MODEL + ADAM + INIT + W))
    assert [str(ref) for ref in draft.graph.inputs("init")] == ["^w/Assign"]


def test_colocations_go_one_by_one() -> None:
    text = 'c = Neg(y) {_class: ["loc:@m", "loc:@w"]}\nd = Neg(y) {_class: ["loc:@m"]}\n'
    nodes = drop(parse_sketch(MODEL + ADAM + text + W)).graph.nodes
    assert nodes["c"].attr["_class"].list.s == [b"loc:@w"]
    assert "_class" not in nodes["d"].attr


def test_the_saver_forgets_the_slots() -> None:
    draft = drop(parse_sketch(MODEL + ADAM + SAVER + W))
    assert draft.value_edits == [DropKey("m"), DropKey("v")]
    assert draft.saver_ops is not None
    assert draft.saver_ops.keys == {"save/RestoreV2": ("w",)}
    assert [str(ref) for ref in draft.graph.inputs("save/restore_all")] == ["^save/w"]


def test_what_is_to_be_kept() -> None:
    assert drop(parse_sketch(MODEL + SGD + W), "g/w:0").removed_nodes() == ["rate", "train", "step"]


def context(name: str, pivot: str, *values: str) -> WhileContextDef:
    made = WhileContextDef(context_name=name, pivot_name=pivot)
    made.values_def.values.extend(values)
    made.values_def.external_values["g/y:0"] = "x:0"
    return made


def test_control_flow_contexts_lose_what_is_gone() -> None:
    outer = context("model", "y:0", "y", "g/y:0")
    outer.loop_exit_names.extend(["loss:0", "g/w:0"])
    outer.nested_contexts.add().while_ctxt.CopyFrom(context("inner", "g/one:0"))
    outer.nested_contexts.add().while_ctxt.CopyFrom(context("branch", "x:0", "g/y", "x"))
    entry = CollectionDef()
    for each in (outer, context("gradients", "g/seed:0")):
        entry.bytes_list.value.append(each.SerializeToString())
    draft = drop(parse_sketch(MODEL + SGD + W, collections={"while_context": entry}))
    (left,) = map(WhileContextDef.FromString, draft.collections["while_context"].bytes_list.value)
    assert (left.context_name, list(left.values_def.values)) == ("model", ["y"])
    assert list(left.loop_exit_names) == ["loss:0"]
    assert dict(left.values_def.external_values) == {}
    (inner,) = left.nested_contexts
    assert (inner.while_ctxt.context_name, inner.while_ctxt.values_def.values) == ("branch", ["x"])


def test_what_waits_for_the_step_goes_too() -> None:
    assert "after" not in drop(parse_sketch(MODEL + SGD + W + "after = Neg(y, ^train)")).graph


def test_the_promise_is_checked() -> None:
    draft = Draft(parse_sketch(MODEL + SGD + W))
    assert DropTraining().verify(draft.base, draft) == "step still serves a training"


def test_what_is_no_saver_stays_in_their_collection() -> None:
    entry = CollectionDef(bytes_list=CollectionDef.BytesList(value=[b"\xff\xff"]))
    draft = drop(parse_sketch(MODEL + ADAM + SAVER + W, collections={"savers": entry}))
    assert draft.collections["savers"] == entry


RUNNERS = {
    "filled by the training": (("queue", "fill"), 0),
    "filled otherwise": (("queue", "add"), 1),
    "of which one thread goes": (("queue", "add", "fill"), 0),
}


@pytest.mark.parametrize(("names", "count"), RUNNERS.values(), ids=RUNNERS)
def test_queue_runners_that_lost_an_op_go(names: tuple[str, ...], count: int) -> None:
    """As that of SyncReplicasOptimizer: TensorFlow refuses to import one whose op is gone."""
    text = "queue = FIFOQueueV2()\nadd = QueueEnqueueV2(queue, x)\n"
    text += "fill = QueueEnqueueV2(queue, x, ^step)\nshut = QueueCloseV2(queue)\n"
    runner = QueueRunnerDef(queue_name=names[0], enqueue_op_name=names[1:], close_op_name="shut")
    raws = [runner.SerializeToString(), b"\xff"]
    entry = CollectionDef(bytes_list=CollectionDef.BytesList(value=raws))
    draft = drop(parse_sketch(MODEL + SGD + text + W, collections={"queue_runners": entry}))
    assert "fill" not in draft.graph
    assert list(draft.collections["queue_runners"].bytes_list.value) == raws[1 - count :]


def test_a_colocation_that_is_no_text_stays() -> None:
    model = parse_sketch(MODEL + ADAM + 'c = Neg(y) {_class: ["loc:@m"]}\n' + W)
    model.graph.nodes["c"].attr["_class"].list.s.append(b"loc:@\xff")
    left = drop(model).graph.nodes["c"].attr["_class"].list.s
    assert list(left) == [b"loc:@\xff"]


def test_what_names_no_node_among_the_train_ops_is_passed_over() -> None:
    names = CollectionDef.NodeList(value=["train", "no:tensor:at:all"])
    collections = {"train_op": CollectionDef(node_list=names)}
    draft = drop(
        parse_sketch(MODEL.replace("train_op: train\n", "") + SGD + W, collections=collections)
    )
    assert sorted(draft.removed_nodes()) == sorted(GONE.split())
