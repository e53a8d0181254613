"""Bundles changed by hand: the static part of a check says what is wrong, in the right words."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import graphfreeze
from graphfreeze.check.proof.static_check import check_static
from graphfreeze.check.record import read_record
from graphfreeze.model.verify_records import FAILED, PASSED
from graphfreeze.schema import MetaGraphDef, NodeDef, types_pb2

MODELS = Path(__file__).parents[2] / "testdata" / "models"
NAMES = ["text_classifier", "bert_tiny", "resource_mlp", "conv_bn", "bare_graph"]
TABLE_NAMES = ["tied_softmax", "nce", "partitioned_mod", "partitioned_div", "loop_lookup"]
FUNCTION_NAMES = ["function_calls"]
TRAINED_NAMES = ["adam_clipped", "bert_adamw", "momentum_ema", "wide_deep", "gan", "partitioned_ps"]
TRAIN_OP = "graphfreeze/train_op"
ADAM = "graphfreeze/graphfreeze_Adam/update_word_embedding/AssignSub"
MOMENTUM = "graphfreeze/graphfreeze_Momentum/update_embedding/ResourceSparseApplyMomentum"
ADAGRAD = "graphfreeze/graphfreeze_Adagrad/update_embeddings/SparseApplyAdagrad"
Change = Callable[[MetaGraphDef], None]


class Made(Protocol):
    """What ``make_bundle`` gives: see conftest."""

    job: Any
    folder: Path
    feeds: Path


def static(folder: Path) -> tuple[str, list[str]]:
    section = check_static(graphfreeze.load(folder), read_record(folder))
    return section.status, section.failures


def node_of(meta: MetaGraphDef, name: str) -> NodeDef:
    return next(node for node in meta.graph_def.node if node.name == name)


def wait_for(name: str) -> Change:
    """Let the train_op run an op."""
    return lambda meta: node_of(meta, TRAIN_OP).input.append(f"^{name}")


def assign_more(meta: MetaGraphDef) -> None:
    node = meta.graph_def.node.add(name="w/sabotage", op="Assign")
    node.input.extend(["hidden/kernel", "hidden/kernel/read"])
    node.attr["T"].type = types_pb2.DT_FLOAT
    wait_for("w/sabotage")(meta)


def lead(taken: str, other: str) -> Change:
    """Let all of the model that takes a tensor take another one."""

    def change(meta: MetaGraphDef) -> None:
        changed = 0
        for node in meta.graph_def.node:
            if not node.name.startswith("graphfreeze/"):
                for slot, name in enumerate(node.input):
                    if name == taken:
                        node.input[slot] = other
                        changed += 1
        assert changed

    return change


def lead_in_functions(taken: str, other: str) -> Change:
    """Let all in the bodies of functions that takes a tensor take another one."""

    def change(meta: MetaGraphDef) -> None:
        changed = 0
        for function in meta.graph_def.library.function:
            for node in function.node_def:
                for slot, name in enumerate(node.input):
                    if name == taken:
                        node.input[slot] = other
                        changed += 1
        assert changed

    return change


def write_in_functions(argument: str) -> Change:
    """Let the bodies of all functions that are handed a variable add to it."""

    def change(meta: MetaGraphDef) -> None:
        changed = 0
        for function in meta.graph_def.library.function:
            if argument in {arg.name for arg in function.signature.input_arg}:
                read = next(node.name for node in function.node_def if argument in node.input)
                made = function.node_def.add(name="sabotage", op="AssignAddVariableOp")
                made.input.extend([argument, f"{read}:value:0"])
                made.attr["dtype"].type = types_pb2.DT_FLOAT
                changed += 1
        assert changed

    return change


def take(name: str, slot: int, other: str) -> Change:
    """Let one input of a node be another tensor."""

    def change(meta: MetaGraphDef) -> None:
        node = node_of(meta, name)
        assert node.input[slot] != other
        node.input[slot] = other

    return change


def put(name: str, values: object) -> Change:
    """Give a constant other values of its type and shape."""

    def change(meta: MetaGraphDef) -> None:
        tensor = node_of(meta, name).attr["value"].tensor
        kinds = {types_pb2.DT_BOOL: np.bool_, types_pb2.DT_INT32: np.int32}
        old = np.frombuffer(tensor.tensor_content, kinds.get(tensor.dtype, np.int64))
        tensor.tensor_content = np.broadcast_to(values, old.shape).astype(old.dtype).tobytes()
        assert tensor.tensor_content != old.tobytes()

    return change


def list_update(name: str) -> Change:
    return lambda meta: meta.collection_def["update_ops"].node_list.value.append(name)


def entries(meta: MetaGraphDef, key: str, name: str) -> list[bytes]:
    values = meta.collection_def[key].bytes_list.value
    found = [raw for raw in values if f"{name}:0".encode() in raw]
    assert found
    return found


def list_trainable(name: str) -> Change:
    def change(meta: MetaGraphDef) -> None:
        values = meta.collection_def["trainable_variables"].bytes_list.value
        values.extend(entries(meta, "variables", name))

    return change


def unlist_trainable(name: str) -> Change:
    def change(meta: MetaGraphDef) -> None:
        values = meta.collection_def["trainable_variables"].bytes_list.value
        for raw in entries(meta, "trainable_variables", name):
            values.remove(raw)

    return change


def restore_less(name: str) -> Change:
    """Let the saver's restore op not wait for what it gives a variable."""

    def change(meta: MetaGraphDef) -> None:
        restore = node_of(meta, meta.saver_def.restore_op_name)
        shards = [node_of(meta, text[1:]) for text in restore.input]
        for node in [restore, *shards]:
            for text in list(node.input):
                giver = node_of(meta, text.removeprefix("^").partition(":")[0])
                if giver.op.startswith("Assign") and giver.input[0] == name:
                    node.input.remove(text)
                    return
        raise AssertionError(name)

    return change


def rename_train_op(meta: MetaGraphDef) -> None:
    meta.collection_def["train_op"].node_list.value[0] = "init"


def add_slot(meta: MetaGraphDef) -> None:
    node = meta.graph_def.node.add(name="hidden/kernel/graphfreeze_Adam", op="VariableV2")
    node.attr["dtype"].type = types_pb2.DT_FLOAT


def other_shape(meta: MetaGraphDef) -> None:
    node_of(meta, "hidden/bias").attr["shape"].shape.dim[0].size += 1


# a bundle, what is changed of it, and words of each failure that comes of it
SABOTAGE: dict[str, tuple[str, Change, list[str]]] = {
    "an extra Assign in the train_op": (
        "text_classifier",
        assign_more,
        [f"w/sabotage (op Assign) writes the frozen hidden/kernel; path {TRAIN_OP} -> w/sabotage"],
    ),
    "a mask bypassed": (
        "text_classifier",
        lead("embedding_lookup/graphfreeze/masked", "embedding_lookup"),
        ["embedding_lookup/Identity takes rows of word_embedding past their mask"],
    ),
    "a mask bypassed in a loop": (
        "loop_lookup",
        lead("while/embedding_lookup/graphfreeze/masked", "while/embedding_lookup"),
        ["takes rows of table past their mask"],
    ),
    "a mask of all that a product takes bypassed": (
        "tied_softmax",
        lead("embedding/read/graphfreeze/masked", "embedding/read"),
        ["takes rows of embedding past their mask"],
    ),
    "a mask's constant changed": (
        "text_classifier",
        put("embedding_lookup/graphfreeze/bounds", [0, 874, 875, 1000]),
        [
            "embedding_lookup/graphfreeze/trainable takes rows of word_embedding past their mask: "
            "its mask lets frozen entries pass, the first at [0, 0]"
        ],
    ),
    "a mask's constant flipped": (
        "loop_lookup",
        put("while/embedding_lookup/graphfreeze/trainable_rows", True),
        ["its mask lets frozen entries pass, the first at [0, 0]"],
    ),
    "a stop bypassed": (
        "text_classifier",
        lead("hidden/kernel/read/graphfreeze/stop", "hidden/kernel/read"),
        ["hidden/MatMul takes hidden/kernel/read past its StopGradient"],
    ),
    "a filter bypassed": (
        "resource_mlp",
        take(MOMENTUM, 4, f"{MOMENTUM}/graphfreeze/given_ids"),
        [
            f"{MOMENTUM} (op ResourceSparseApplyMomentum) writes embedding without a guard: its "
            f"ids may hold frozen rows; path {TRAIN_OP} -> "
        ],
    ),
    "a filter's constant changed": (
        "resource_mlp",
        put(f"{MOMENTUM}/graphfreeze/start_row", 3),
        ["writes embedding without a guard: its filter lets the frozen row 3 pass"],
    ),
    "the rows of a dense update": (
        "text_classifier",
        put(f"{ADAM}/graphfreeze/trainable_rows", True),
        ["writes word_embedding without a guard: its ids hold the frozen row 0"],
    ),
    "a store's mask flipped": (
        "nce",
        put(f"{ADAGRAD}/graphfreeze/columns/axis_1/start_row", 0),
        ["writes embeddings without a guard: its mask lets frozen entries pass, the first at [0,"],
    ),
    "a store that keeps nothing": (
        "nce",
        take(f"{ADAGRAD}/graphfreeze/kept", 2, f"{ADAGRAD}/graphfreeze/var/new"),
        ["what it keeps is not the variable's own value"],
    ),
    "a batch norm's update in the train_op": (
        "conv_bn",
        wait_for("bn1/AssignMovingAvg"),
        [
            "bn1/AssignMovingAvg (op AssignSub) writes the frozen bn1/moving_mean; "
            f"path {TRAIN_OP} -> bn1/AssignMovingAvg"
        ],
    ),
    "a batch norm's update in update_ops": (
        "conv_bn",
        list_update("bn1/AssignMovingAvg_1"),
        [
            "bn1/AssignMovingAvg_1 (op AssignSub) writes the frozen bn1/moving_variance; "
            "path bn1/AssignMovingAvg_1",
            "update_ops holds bn1/AssignMovingAvg_1, which writes the frozen bn1/moving_variance",
        ],
    ),
    "a frozen variable that is trainable": (
        "text_classifier",
        list_trainable("hidden/kernel"),
        ["hidden/kernel is frozen and still in trainable_variables"],
    ),
    "a variable that is not trainable": (
        "text_classifier",
        unlist_trainable("word_embedding"),
        ["word_embedding learns and is not in trainable_variables"],
    ),
    "a saver that forgets": (
        "text_classifier",
        restore_less("hidden/kernel"),
        ["the saver does not restore hidden/kernel"],
    ),
    "another train_op": (
        "text_classifier",
        rename_train_op,
        ["the collection 'train_op' holds init, not graphfreeze/train_op"],
    ),
    "a slot of what is frozen": (
        "text_classifier",
        add_slot,
        ["hidden/kernel is frozen and has 1 slot of the optimizer"],
    ),
    "a stop in a function bypassed": (
        "function_calls",
        lead_in_functions(
            "add_1/ReadVariableOp/graphfreeze/stop:output:0", "add_1/ReadVariableOp:value:0"
        ),
        [
            f"{call} > add_1 takes {call} > add_1/ReadVariableOp past its StopGradient"
            for call in ("StatefulPartitionedCall", "StatefulPartitionedCall_2")
        ],
    ),
    "a writer in a function": (
        "function_calls",
        write_in_functions("add_1_readvariableop_shift"),
        [
            "StatefulPartitionedCall > sabotage (op AssignAddVariableOp) writes the frozen shift; "
            f"path {TRAIN_OP} -> "
        ],
    ),
    "another shape": (
        "text_classifier",
        other_shape,
        ["hidden/bias has shape [17] in the graph and [16] in the record"],
    ),
}


def changed(made: Made, change: Change, to: Path) -> Path:
    folder = Path(shutil.copytree(made.folder, to / "changed"))
    meta = MetaGraphDef.FromString((folder / "model.meta").read_bytes())
    change(meta)
    (folder / "model.meta").write_bytes(meta.SerializeToString())
    return folder


@pytest.mark.parametrize("name", [*NAMES, *TABLE_NAMES, *FUNCTION_NAMES, *TRAINED_NAMES])
def test_what_a_freeze_wrote_passes(name: str, make_bundle: Callable[..., Made]) -> None:
    assert static(make_bundle(name).folder) == (PASSED, [])


@pytest.mark.parametrize(("name", "change", "words"), SABOTAGE.values(), ids=SABOTAGE)
def test_sabotage(
    name: str,
    change: Change,
    words: list[str],
    make_bundle: Callable[..., Made],
    tmp_path: Path,
) -> None:
    status, failures = static(changed(make_bundle(name), change, tmp_path))
    assert status == FAILED
    assert len(failures) >= len(words)
    for word in words:
        assert any(word in failure for failure in failures), failures


def test_a_record_that_was_changed(make_bundle: Callable[..., Made], tmp_path: Path) -> None:
    folder = changed(make_bundle("text_classifier"), lambda _: None, tmp_path)
    file = folder / "graphfreeze.json"
    told = json.loads(file.read_text())
    for variable in told["variables"]:
        if variable["name"] == "hidden/kernel":
            variable["state"] = "not trainable"
    file.write_text(json.dumps(told))
    status, (failure,) = static(folder)
    assert status == FAILED
    assert f"{file}: was changed, the graph was written with another one" in failure


def test_a_loss_that_is_not_there(make_bundle: Callable[..., Made]) -> None:
    folder = make_bundle("text_classifier").folder
    record = msgspec.structs.replace(read_record(folder), losses=["gone:0"])
    section = check_static(graphfreeze.load(folder), record)
    assert section.failures == ["the record tells of the loss gone:0, which is not in the graph"]


def test_tensorflow_is_not_started(make_bundle: Callable[..., Made]) -> None:
    folder = str(make_bundle("text_classifier").folder)
    code = (
        "import sys; from pathlib import Path; from graphfreeze.read import load; "
        "from graphfreeze.check.record import read_record; "
        "from graphfreeze.check.proof.static_check import check_static; "
        "from graphfreeze.check.moved import check_values; "
        f"folder = Path({folder!r}); record = read_record(folder); "
        "assert check_static(load(folder), record).status == 'passed'; "
        "assert check_values(record, folder, folder)[0].status == 'passed'; "
        "sys.exit('tensorflow' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=MODELS.parents[1], check=True)


@pytest.fixture(scope="module")
def overlay(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Make a bundle of a table under an overlay."""

    class Bundle:
        job, feeds = None, Path()
        folder = tmp_path_factory.mktemp("overlay") / "out"

    plan = graphfreeze.FreezePlan(
        freeze=("hidden",), freeze_rows={"word_embedding": "0:500,874"}, row_strategy="overlay"
    )
    frozen = graphfreeze.freeze(graphfreeze.load(MODELS / "text_classifier" / "model.ckpt"), plan)
    graphfreeze.add_train_op(frozen, optimizer="adam")
    graphfreeze.save(frozen, Bundle.folder)
    return Bundle()


OVERLAID = {
    "as it was written": (lambda _: None, []),
    "the merge in each step": (
        wait_for("graphfreeze/merge"),
        [
            "word_embedding/graphfreeze/merge (op ScatterUpdate) writes the frozen word_embedding; "
            f"path {TRAIN_OP} -> graphfreeze/merge -> word_embedding/graphfreeze/merge"
        ],
    ),
    "a reader of the table": (
        lead("embedding_lookup/graphfreeze/overlaid", "embedding_lookup"),
        ["embedding_lookup/Identity takes rows of word_embedding past their overlay"],
    ),
    "rows that are not trainable": (
        unlist_trainable("word_embedding/graphfreeze/rows"),
        ["word_embedding/graphfreeze/rows learns and is not in trainable_variables"],
    ),
    "a table that is trainable": (
        list_trainable("word_embedding"),
        ["word_embedding is under an overlay and still in trainable_variables"],
    ),
}


@pytest.mark.parametrize(("change", "words"), OVERLAID.values(), ids=OVERLAID)
def test_overlay(change: Change, words: list[str], overlay: Made, tmp_path: Path) -> None:
    status, failures = static(changed(overlay, change, tmp_path))
    assert status == (FAILED if words else PASSED)
    assert bool(failures) == bool(words)
    for word in words:
        assert any(word in failure for failure in failures), failures


def write_mask(meta: MetaGraphDef) -> None:
    """Let each step write which elements learn."""
    name = "table/graphfreeze/trainable_elements"
    node = meta.graph_def.node.add(name="w/sabotage", op="Assign")
    node.input.extend([name, f"{name}/zeros"])
    node.attr["T"].type = types_pb2.DT_BOOL
    wait_for("w/sabotage")(meta)


HELD = {
    "as it was written": (lambda _: None, []),
    "a mask that each step writes": (write_mask, ["its mask cannot be shown to spare them"]),
}


@pytest.mark.parametrize(("change", "words"), HELD.values(), ids=HELD)
def test_a_mask_that_lies_in_the_checkpoint(
    change: Change, words: list[str], tmp_path: Path
) -> None:
    mask = np.random.default_rng(0).random((12, 100_000)) < 0.5
    with tf.Graph().as_default(), tf.Session() as session:
        table = tf.get_variable("table", initializer=tf.zeros(mask.shape))
        tf.losses.add_loss(tf.reduce_sum(tf.nn.embedding_lookup(table, [3, 5])))
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, str(tmp_path / "in"))
    plan = graphfreeze.FreezePlan(freeze_elements={"table": mask})
    frozen = graphfreeze.freeze(graphfreeze.load(tmp_path / "in"), plan)
    graphfreeze.add_train_op(frozen, optimizer="adagrad", learning_rate=0.1)
    graphfreeze.save(frozen, tmp_path / "out")

    class Bundle:
        job, feeds, folder = None, Path(), tmp_path / "out"

    status, failures = static(changed(Bundle(), change, tmp_path))
    assert status == (FAILED if words else PASSED)
    for word in words:
        assert any(word in failure for failure in failures), failures
