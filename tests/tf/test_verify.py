"""Bundles of real models pass a check as they are, and fail one where somebody spoiled them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import graphfreeze
from graphfreeze.errors import CheckError
from graphfreeze.model.verify_records import ChangeRecord, SectionRecord, VerifyRecord
from graphfreeze.schema import MetaGraphDef, NodeDef, types_pb2

MODELS = Path(__file__).parents[2] / "testdata" / "models"
NAMES = [
    *("text_classifier", "bert_tiny", "resource_mlp", "conv_bn", "bare_graph", "tied_softmax"),
    *("nce", "partitioned_mod", "partitioned_div", "loop_lookup", "batch_norms"),
    *("adam_clipped", "bert_adamw", "momentum_ema", "wide_deep", "gan", "partitioned_ps"),
    *("cifar", "cifar, rows", "regression"),
]
FREEZE = graphfreeze.FreezePlan(freeze=("hidden",), train_rows={"embedding": "100:"})


class Made(Protocol):
    """What ``make_bundle`` gives: see conftest."""

    job: Any
    folder: Path


def section(record: VerifyRecord, name: str) -> SectionRecord:
    return next(each for each in record.sections if each.name == name)


def change(record: VerifyRecord, name: str, state: str) -> ChangeRecord:
    return next(each for each in record.changes if (each.name, each.state) == (name, state))


@pytest.mark.parametrize("name", NAMES)
def test_bundles_pass(name: str, make_bundle: Callable[..., Made]) -> None:
    made = make_bundle(name)
    original, out = graphfreeze.load(made.job.source), graphfreeze.load(made.folder)
    record = graphfreeze.verify(original, out, steps=2)
    assert [each.failures for each in record.sections] == [[]] * 4
    assert [each.status for each in record.sections] == ["passed"] * 4
    assert record.passed
    assert record.outputs
    assert not any(each.different for each in record.outputs)
    assert any(each.state == "trainable" and each.moved for each in record.changes)
    frozen = [each for each in record.changes if each.state == "frozen"]
    assert sum(each.elements for each in frozen) > 0
    assert sum(each.moved for each in frozen) == 0


def bundle_of(folder: Path, plan: graphfreeze.FreezePlan = FREEZE, **options: Any) -> Path:
    frozen = graphfreeze.freeze(graphfreeze.load(MODELS / "resource_mlp"), plan)
    graphfreeze.add_train_op(frozen, **({"optimizer": "adam"} | options))
    graphfreeze.save(frozen, folder / "out")
    return folder / "out"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundle_of(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def copied(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "copy"))


def spoil(bundle: Path, change: Callable[[MetaGraphDef], None]) -> None:
    """Change the graph of a bundle by hand."""
    meta = MetaGraphDef.FromString((bundle / "model.meta").read_bytes())
    change(meta)
    (bundle / "model.meta").write_bytes(meta.SerializeToString())


def verify(bundle: Path, **options: object) -> VerifyRecord:
    original = graphfreeze.load(MODELS / "resource_mlp")
    return graphfreeze.verify(original, graphfreeze.load(bundle), **options)  # type: ignore[arg-type]


def node_of(meta: MetaGraphDef, name: str) -> NodeDef:
    return next(node for node in meta.graph_def.node if node.name == name)


def test_assign_in_the_train_op(copied: Path) -> None:
    def add_writer(meta: MetaGraphDef) -> None:
        one = meta.graph_def.node.add(name="one", op="Const")
        one.attr["dtype"].type = types_pb2.DT_FLOAT
        one.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(np.ones(16, np.float32)))
        writer = meta.graph_def.node.add(name="sabotage", op="AssignAddVariableOp")
        writer.input.extend(["hidden/bias", "one"])
        writer.attr["dtype"].type = types_pb2.DT_FLOAT
        node_of(meta, "graphfreeze/train_op").input.append("^sabotage")

    spoil(copied, add_writer)
    record = verify(copied, steps=3)
    assert not record.passed
    assert section(record, "steps").status == "failed"
    told = "hidden/bias: 16 of 16 frozen entries moved, the first at [0], by up to 3"
    assert section(record, "steps").failures == [told]
    assert "sabotage" in " ".join(section(record, "static").failures)
    assert section(record, "forward").status == "passed"
    assert section(record, "round trip").status == "passed"


def test_masks_and_filter_that_let_everything_pass(tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path, optimizer="momentum", learning_rate=0.1)

    def widen(meta: MetaGraphDef) -> None:
        """Let the first trainable row be row 0."""
        starts = [n for n in meta.graph_def.node if n.name.endswith("graphfreeze/start_row")]
        assert len(starts) == 2
        for node in starts:
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(0, tf.int32))

    spoil(bundle, widen)
    record = verify(bundle, steps=2)
    moved = change(record, "embedding", "frozen")
    assert 0 < moved.moved <= moved.elements == 800
    assert moved.first is not None
    assert moved.first[0] < 100
    assert section(record, "steps").failures[0].startswith(f"embedding: {moved.moved} of 800 froz")
    assert section(record, "static").status == "failed"
    assert section(record, "forward").status == "passed"


def test_other_forward_value(copied: Path) -> None:
    def swap(meta: MetaGraphDef) -> None:
        next(n for n in meta.graph_def.node if n.op == "Tanh").op = "Sigmoid"

    spoil(copied, swap)
    record = verify(copied, steps=1)
    assert section(record, "forward").status == "failed"
    told = section(record, "forward").failures[0]
    assert told.startswith("sparse_softmax_cross_entropy_loss/value:0 differs in 1 of 1 elements")
    assert section(record, "steps").status == "passed"


def test_saver_that_leaves_out_a_variable(copied: Path) -> None:
    def shorten(meta: MetaGraphDef) -> None:
        """Let the saver keep another value under the variable's key."""
        save = next(node for node in meta.graph_def.node if node.op == "SaveV2")
        at = next(i for i, name in enumerate(save.input) if name.startswith("output/bias"))
        twin = next(i for i, name in enumerate(save.input) if name.startswith("output/kernel"))
        save.input[at] = save.input[twin]

    spoil(copied, shorten)
    record = verify(copied, steps=1)
    assert section(record, "round trip").status == "failed"
    assert section(record, "round trip").failures == ["the saver does not keep output/bias"]


def test_nothing_learns(tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path)

    def stop(meta: MetaGraphDef) -> None:
        train_op = node_of(meta, "graphfreeze/train_op")
        del train_op.input[:]

    spoil(bundle, stop)
    record = verify(bundle, steps=2)
    told = ["nothing learns: no trainable variable moved in 2 steps"]
    assert section(record, "steps").failures == told


def test_a_step_may_take_several_runs(tmp_path: Path) -> None:
    plan = graphfreeze.FreezePlan(freeze=("hidden",), freeze_rows={"word_embedding": "0:500"})
    model = graphfreeze.load(MODELS / "text_classifier")
    frozen = graphfreeze.freeze(model, plan)
    graphfreeze.add_train_op(frozen, accumulate=3, skip_nonfinite=True, clip_norm=1.0)
    graphfreeze.save(frozen, tmp_path / "out")
    done: list[int] = []
    out = graphfreeze.load(tmp_path / "out")
    record = graphfreeze.verify(model, out, steps=1, on_step=done.append)
    assert record.passed
    assert done == [0, 0, 1]
    assert change(record, "output/kernel", "trainable").moved == 64


def test_bundle_without_train_op(tmp_path: Path) -> None:
    frozen = graphfreeze.freeze(graphfreeze.load(MODELS / "resource_mlp"), FREEZE)
    graphfreeze.save(frozen, tmp_path / "out")
    record = verify(tmp_path / "out")
    assert record.passed
    assert section(record, "steps").status == "skipped"
    assert section(record, "steps").notes == ["the bundle has no train_op"]
    assert [each.name for each in record.outputs][:1] == [
        "sparse_softmax_cross_entropy_loss/value:0"
    ]


def test_overlay(tmp_path: Path) -> None:
    plan = graphfreeze.FreezePlan(freeze_rows={"embedding": ":100"}, row_strategy="overlay")
    record = verify(bundle_of(tmp_path, plan), steps=2)
    assert [each.failures for each in record.sections] == [[]] * 4
    table = change(record, "embedding", "frozen")
    assert (table.elements, table.moved) == (4000, 0)
    model = tmp_path / "out" / "model"
    same = graphfreeze.verify_checkpoints(tmp_path / "out", model, model)
    assert same.sections[0].notes[0].startswith("embedding is as before: what learned lies in emb")
    learning = [each for each in record.changes if each.name.startswith("embedding/graphfreeze")]
    assert [each.moved > 0 for each in learning] == [True]


OFF = {
    "batch norm": ({"batch_norm": "inference"}, ["by its averages too: "]),
    "dropout": ({"dropout": "off"}, ["with its dropout off too: "]),
    "both": ({"batch_norm": "inference", "dropout": "off"}, ["by its averages", "with its drop"]),
}


def record_of(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "out" / "graphfreeze.json").read_text())
    return told


@pytest.mark.parametrize(("chosen", "words"), OFF.values(), ids=OFF)
def test_what_the_freeze_changes_on_purpose(
    chosen: dict[str, str], words: list[str], tmp_path: Path
) -> None:
    model = graphfreeze.load(MODELS / "batch_norms")
    plan = graphfreeze.FreezePlan(freeze=("fused", "plain_cond"), **chosen)  # type: ignore[arg-type]
    frozen = graphfreeze.freeze(model, plan)
    graphfreeze.add_train_op(frozen, optimizer="momentum", learning_rate=0.1)
    graphfreeze.save(frozen, tmp_path / "out")
    record = graphfreeze.verify(model, graphfreeze.load(tmp_path / "out"), steps=2)
    assert [each.failures for each in record.sections] == [[]] * 4
    notes = section(record, "forward").notes
    told = [note.removeprefix("compared with the original ") for note in notes]
    assert [t[: len(w)] for t, w in zip(told, words, strict=True)] == words
    losses = [each for each in record.outputs if each.name in record_of(tmp_path)["losses"]]
    assert [each.different for each in losses] == [0]


def test_added_and_given_rows(tmp_path: Path) -> None:
    """Rows that begin with other values are compared under these, those that are new are not."""
    model = MODELS / "text_classifier" / "model.ckpt"
    words = [f"word_{i}" for i in range(1000)]
    (tmp_path / "words.txt").write_text("\n".join(words))
    (tmp_path / "new.txt").write_text("new_1\nnew_2\n")
    (tmp_path / "v.txt").write_text("".join(f"{w} {'0.25 ' * 16}\n" for w in ("new_1", "word_3")))
    plan = graphfreeze.FreezePlan(
        vocab={"word_embedding": tmp_path / "words.txt"},
        add_words={"word_embedding": tmp_path / "new.txt"},
        freeze_words={"word_embedding": tmp_path / "new.txt"},
        vectors={"word_embedding": tmp_path / "v.txt"},
    )
    frozen = graphfreeze.freeze(graphfreeze.load(model), plan)
    graphfreeze.add_train_op(frozen, optimizer="sgd", learning_rate=0.1)
    graphfreeze.save(frozen, tmp_path / "out")
    original = graphfreeze.load(model)
    record = graphfreeze.verify(original, graphfreeze.load(tmp_path / "out"), steps=1)
    assert [each.failures for each in record.sections] == [[]] * 4
    assert record.outputs
    told = {(each.values, each.source.partition(", in ")[2]) for each in record.feeds}
    assert told == {("0 to 999", ""), ("0 to 1,001", "steps"), ("0 to 3", "")}


def write(folder: Path, build: Callable[[], tf.Tensor]) -> Path:
    """Write a small model as a TensorFlow 1 script would."""
    folder.mkdir()
    with tf.Graph().as_default(), tf.Session() as session:
        tf.disable_control_flow_v2()
        tf.add_to_collection("losses", tf.identity(build(), name="loss"))
        tf.enable_control_flow_v2()
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, str(folder / "m"))
    return folder / "m"


def variables() -> tuple[tf.Variable, tf.Variable]:
    with tf.variable_scope("", use_resource=False):
        w = tf.get_variable("w", initializer=np.arange(1, 9, dtype=np.float32).reshape(4, 2))
        return w, tf.get_variable("v", initializer=np.ones((2, 3), np.float32))


def check(source: Path, **options: object) -> VerifyRecord:
    frozen = graphfreeze.freeze(graphfreeze.load(source), graphfreeze.FreezePlan(freeze=("w",)))
    graphfreeze.add_train_op(frozen, optimizer="sgd", learning_rate=0.1)
    out = source.parent / "out"
    graphfreeze.save(frozen, out, force=True)
    return graphfreeze.verify(graphfreeze.load(source), graphfreeze.load(out), **options)  # type: ignore[arg-type]


def test_random_ops_draw_the_same(tmp_path: Path) -> None:
    def build() -> tf.Tensor:
        w, v = variables()
        x = tf.nn.dropout(tf.matmul(w, v), rate=0.5) + tf.random.normal([4, 3])
        return tf.reduce_sum(x * x)

    record = check(write(tmp_path / "m", build), steps=1)
    assert record.passed
    assert ("loss:0", 0) in [(each.name, each.different) for each in record.outputs]
    assert not section(record, "forward").notes


def test_iterator_and_tables_run_as_they_are(tmp_path: Path) -> None:
    def build() -> tf.Tensor:
        w, v = variables()
        numbers = tf.data.Dataset.from_tensor_slices(np.arange(4, dtype=np.int64))
        iterator = tf.data.make_initializable_iterator(numbers.shuffle(4).repeat().batch(3))
        keys = tf.constant(np.arange(4, dtype=np.int64))
        start = tf.lookup.KeyValueTensorInitializer(keys, tf.reverse(keys, [0]))
        ids = tf.lookup.StaticHashTable(start, 0).lookup(iterator.get_next())
        return tf.reduce_sum(tf.square(tf.matmul(tf.gather(w, ids), v)))

    record = check(write(tmp_path / "m", build), steps=2)
    assert record.passed, [each.failures for each in record.sections]
    assert record.feeds == []
    assert ("loss:0", 0) in [(each.name, each.different) for each in record.outputs]


def test_what_is_not_the_same_twice_is_not_compared(tmp_path: Path) -> None:
    def build() -> tf.Tensor:
        w, v = variables()
        now = tf.cast(tf.timestamp() * 1e6 % 1e6, tf.float32)
        tf.identity(tf.reduce_sum(w), name="still")
        return tf.reduce_sum(tf.square(tf.matmul(w, v))) * now

    record = check(write(tmp_path / "m", build), steps=1)
    assert record.passed
    told = " ".join(section(record, "forward").notes)
    assert "loss:0: two runs of the original itself differ there" in told
    assert ("still:0", 0) in [(each.name, each.different) for each in record.outputs]


def zero_gradient() -> tf.Tensor:
    w, v = variables()
    unused = tf.get_variable("unused", [2], use_resource=False)
    zero = tf.get_variable("zero", initializer=np.ones(3, np.float32), use_resource=False)
    tf.identity(unused, name="end")
    return tf.reduce_sum(tf.square(tf.matmul(w, v))) + tf.reduce_sum(0.0 * zero)


def test_gradients_are_told(tmp_path: Path) -> None:
    record = check(write(tmp_path / "m", zero_gradient), steps=2)
    assert record.passed
    found = {each.name: each.gradient for each in record.changes if each.state == "trainable"}
    assert found == {"v": "given", "unused": "none", "zero": "zero"}
    told = ["no gradient reaches unused", "the gradient was exactly zero in all steps of zero"]
    assert section(record, "steps").notes == told


def test_variable_that_becomes_nan_is_listed(tmp_path: Path) -> None:
    def build() -> tf.Tensor:
        w, v = variables()
        other = tf.get_variable("other", initializer=np.ones(2, np.float32), use_resource=False)
        return tf.reduce_sum(tf.sqrt(tf.matmul(w, v) - 100.0)) + tf.reduce_sum(other)

    record = check(write(tmp_path / "m", build), steps=2)
    learning = change(record, "v", "trainable")
    assert (learning.gradient, learning.moved, learning.largest) == ("not finite", 6, None)
    assert section(record, "steps").notes == [
        "the gradient held inf or NaN of v",
        "inf or NaN is in v",
    ]
    assert record.passed


def read_file() -> tf.Tensor:
    w, v = variables()
    content = tf.strings.to_number(tf.io.read_file("number.txt"))
    return tf.reduce_sum(tf.square(tf.matmul(w, v))) * content


def test_unsafe_ops_are_refused_unless_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "number.txt").write_text("2.0")
    source = write(tmp_path / "m", read_file)
    with pytest.raises(CheckError, match=r"ReadFile \(op ReadFile, reads files\).*--allow-unsafe"):
        check(source)
    assert check(source, allow_unsafe_ops=True, steps=1).passed
    fed = check(source, feeds=("ReadFile:0=3.5",), steps=1)
    assert fed.passed
    assert [(each.name, each.values) for each in fed.feeds] == [("ReadFile:0", "3.5")]


def append_to_saver(meta: MetaGraphDef, place: Path) -> None:
    """Let the saver's restore op write a file."""
    for name, text in (("place", str(place)), ("text", "x")):
        const = meta.graph_def.node.add(name=name, op="Const")
        const.attr["dtype"].type = types_pb2.DT_STRING
        const.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(text))
    meta.graph_def.node.add(name="evil", op="WriteFile", input=["place", "text"])
    node_of(meta, meta.saver_def.restore_op_name).input.append("^evil")


def test_a_saver_that_does_more_is_refused(copied: Path, tmp_path: Path) -> None:
    spoil(copied, lambda meta: append_to_saver(meta, tmp_path / "written"))
    with pytest.raises(CheckError, match=r"evil \(op WriteFile, writes files\)"):
        verify(copied)
    assert not (tmp_path / "written").exists()
    assert verify(copied, allow_unsafe_ops=True, steps=1).passed
    assert (tmp_path / "written").exists()


def test_output_that_reaches_outside_is_left_out(tmp_path: Path) -> None:
    def build() -> tf.Tensor:
        w, v = variables()
        tf.strings.to_number(tf.io.read_file("number.txt"), name="aside")
        return tf.reduce_sum(tf.square(tf.matmul(w, v)))

    record = check(write(tmp_path / "m", build), steps=1)
    assert record.passed
    assert "not compared: aside:0" in section(record, "forward").notes[0]


def test_feeds_that_do_not_fit_are_named(tmp_path: Path) -> None:
    def build() -> tf.Tensor:
        w, v = variables()
        x = tf.placeholder(tf.float32, [None, 3], name="x")
        y = tf.placeholder(tf.float32, [None, 3], name="y")
        return tf.reduce_sum(tf.matmul(w, v)[:4] * x + y)

    source = write(tmp_path / "m", build)
    with pytest.raises(CheckError, match=r"fed were x:0, y:0; give other values with --feed"):
        check(source, batch=3)
    assert check(source, batch=4, steps=1).passed


def test_other_model_is_refused(whole: Path) -> None:
    original = graphfreeze.load(MODELS / "conv_bn" / "model.ckpt.meta")
    with pytest.raises(CheckError, match="was made from another model"):
        graphfreeze.verify(original, graphfreeze.load(whole))


def test_no_bundle_is_refused() -> None:
    original = graphfreeze.load(MODELS / "resource_mlp")
    with pytest.raises(CheckError, match=r"no graphfreeze\.json"):
        graphfreeze.verify(original, original)


def test_two_checkpoints_and_a_record(whole: Path, tmp_path: Path) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        saver = tf.train.import_meta_graph(str(whole / "model.meta"))
        saver.restore(session, str(whole / "model"))
        saver.save(session, str(tmp_path / "same"))
        handle = session.graph.get_tensor_by_name("hidden/bias:0")
        value = tf.constant(np.full(16, 7, np.float32))
        session.run(tf.raw_ops.AssignVariableOp(resource=handle, value=value))
        saver.save(session, str(tmp_path / "moved"))
    record = whole / "graphfreeze.json"
    same = graphfreeze.verify_checkpoints(record, whole / "model", tmp_path / "same")
    moved = graphfreeze.verify_checkpoints(record, whole / "model", tmp_path / "moved")
    assert same.passed
    assert not moved.passed
    assert "hidden/bias" in moved.sections[0].failures[0]
    assert json.loads(record.read_text())["train_op"] == "graphfreeze/train_op"
