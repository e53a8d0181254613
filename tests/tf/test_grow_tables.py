"""Tables of models that TensorFlow 1.15 wrote get seven more rows; the rest goes on as before."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow.compat.v1 as tf

from graphfreeze.model.model import Model
from graphfreeze.prepare.drop_training import DropTraining
from graphfreeze.prepare.grow_tables import GrowTables
from graphfreeze.read import load
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.message import importable, meta_graph
from graphfreeze.rewrite.run import run

MODELS = Path(__file__).parents[2] / "testdata" / "models"
MORE = 7
Array = npt.NDArray[np.generic]


@dataclass(frozen=True)
class Case:
    """A table, the placeholder of its ids, and outputs that are the same, but for new columns."""

    model: str
    table: str
    ids: str
    same: tuple[str, ...]
    wider: tuple[str, ...] = ()
    grown: tuple[str, ...] = ()


LOSS = "sparse_softmax_cross_entropy_loss/value:0"
CASES = {
    each.model + ", " + each.table: each
    for each in (
        Case("tied_softmax", "embedding", "ids:0", ("words:0", "hidden/Tanh:0"), ("logits:0",),
             ("softmax_bias",)),
        Case("nce", "embeddings", "ids:0", ("loss:0",), ("similarity:0",)),
        Case("nce", "nce_weights", "context_ids:0", ("similarity:0", "loss:0"), (),
             ("nce_biases",)),
        Case("text_classifier", "word_embedding", "ids:0", ("predictions:0", LOSS)),
        Case("resource_mlp", "embedding", "ids:0", ("predictions:0", LOSS)),
        Case("loop_lookup", "table", "ids:0", ("predictions:0", LOSS)),
        Case("loop_lookup", "resource_table", "tag_ids:0", ("predictions:0", LOSS)),
    )
}  # fmt: skip


def open_session() -> tf.Session:
    """Open a session on one thread, so that sums are added in one order."""
    threads = {"intra_op_parallelism_threads": 1, "inter_op_parallelism_threads": 1}
    return tf.Session(config=tf.ConfigProto(**threads))


def feeds_of(folder: Path) -> dict[str, Array]:
    document = json.loads((folder / "feeds.json").read_text())["feeds"]
    return {
        name: np.array(each["values"], each["dtype"]).reshape(each["shape"])
        for name, each in document.items()
    }


def grow(model: Model, table: str) -> tuple[Draft, GrowTables]:
    draft, done = Draft(model), GrowTables({table: MORE})
    run(draft, [DropTraining(), done])
    return draft, done


def assign(session: tf.Session, values: dict[str, Array]) -> None:
    """Give variables their values, behind which new rows are those of their initializers."""
    session.run(tf.global_variables_initializer())
    for variable in tf.global_variables():
        given = values[variable.op.name]
        variable.load(np.concatenate([given, session.run(variable)[len(given) :]])
                      if given.ndim else given, session)  # fmt: skip


def values_of(folder: Path) -> dict[str, Array]:
    reader = tf.train.load_checkpoint(str(folder))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


@pytest.fixture(autouse=True)
def control_flow_of_version_1() -> None:
    tf.disable_control_flow_v2()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_old_ids_give_what_they_gave(case: Case) -> None:
    folder = MODELS / case.model
    model, feeds, outputs = load(folder), feeds_of(folder), [*case.same, *case.wider]
    with tf.Graph().as_default(), open_session() as session:
        tf.train.import_meta_graph(str(folder / "model.ckpt.meta"))
        assign(session, values_of(folder))
        before = dict(zip(outputs, session.run(outputs, feeds), strict=True))
    draft, done = grow(model, case.table)
    assert tuple(done.grown) == (case.table, *case.grown)
    with tf.Graph().as_default(), open_session() as session:
        tf.train.import_meta_graph(importable(meta_graph(draft)))
        assign(session, values_of(folder))
        after = dict(zip(outputs, session.run(outputs, feeds), strict=True))
    for name in case.same:
        assert after[name].tobytes() == before[name].tobytes()
    for name in case.wider:
        old = before[name].shape[-1]
        assert after[name].shape[-1] == old + MORE
        np.testing.assert_allclose(after[name][..., :old], before[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_new_ids_learn(case: Case) -> None:
    folder = MODELS / case.model
    draft, done = grow(load(folder), case.table)
    height = done.grown[case.table]
    feeds = feeds_of(folder)
    fed = feeds[case.ids]
    feeds[case.ids] = height - MORE + np.arange(fed.size).reshape(fed.shape) % MORE
    loss = "loss:0" if case.model == "nce" else LOSS
    with tf.Graph().as_default() as graph, open_session() as session:
        tf.train.import_meta_graph(importable(meta_graph(draft)))
        assign(session, values_of(folder))
        table = next(v for v in tf.global_variables() if v.op.name == case.table)
        (slope,) = tf.gradients(graph.get_tensor_by_name(loss), [table])
        new = slice(height - MORE, height)
        gradient = session.run(tf.convert_to_tensor(slope), feeds)[new]
        assert gradient.shape[0] == MORE
        assert np.all(np.any(gradient != 0, axis=1))
        initial = session.run(table)[new]
        assert np.all(np.any(initial != 0, axis=1))


HEIGHT, WIDTH = 20, 4


def write_tied(path: Path, height: int) -> None:
    """Write a tied softmax over words in sentences, with smoothed one-hot labels."""
    with tf.Graph().as_default():
        ids = tf.placeholder(tf.int32, [None, 3], name="ids")
        table = tf.get_variable("table", [height, WIDTH], use_resource=False)
        bias = tf.get_variable("bias", [height], use_resource=False)
        hidden = tf.tanh(tf.reshape(tf.nn.embedding_lookup(table, ids), [-1, WIDTH]))
        logits = tf.matmul(hidden, table, transpose_b=True) + bias
        logits = tf.reshape(logits, [-1, 3, height], name="logits")
        hot = tf.one_hot(ids, height) * 0.9 + 0.1 / HEIGHT
        each = tf.nn.softmax_cross_entropy_with_logits_v2(labels=hot, logits=logits)
        tf.identity(each, name="each")
        tf.train.export_meta_graph(str(path))


def test_it_is_as_if_built_with_more_rows(tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    values = {
        "table": draw.standard_normal((HEIGHT + MORE, WIDTH)).astype(np.float32),
        "bias": draw.standard_normal(HEIGHT + MORE).astype(np.float32),
    }
    write_tied(tmp_path / "small.meta", HEIGHT)
    write_tied(tmp_path / "large.meta", HEIGHT + MORE)
    draft, _ = grow(load(tmp_path / "small.meta"), "table")
    found = []
    for meta in (importable(meta_graph(draft)), str(tmp_path / "large.meta")):
        with tf.Graph().as_default(), open_session() as session:
            tf.train.import_meta_graph(meta)
            assign(session, values)
            found.append(session.run(["logits:0", "each:0"], {"ids:0": [[0, 19, 26], [20, 3, 21]]}))
    for grown, built in zip(*found, strict=True):
        assert grown.tobytes() == built.tobytes()


def test_full_initial_values_get_rows_of_zeros(tmp_path: Path) -> None:
    with tf.Graph().as_default():
        for name, is_resource in {"ref": False, "resource": True}.items():
            given = np.arange(10, dtype=np.float32).reshape(5, 2)
            tf.get_variable(name, initializer=given, use_resource=is_resource)
        tf.train.export_meta_graph(str(tmp_path / "in.meta"))
    draft, done = Draft(load(tmp_path / "in.meta")), GrowTables({"ref": 2, "resource": 3})
    run(draft, [done])
    assert done.needs_values == ["ref", "resource"]
    with tf.Graph().as_default(), open_session() as session:
        tf.train.import_meta_graph(importable(meta_graph(draft)))
        session.run(tf.global_variables_initializer())
        ref, resource = session.run(tf.global_variables())
    assert (ref.shape, resource.shape) == ((7, 2), (8, 2))
    assert ref.ravel().tolist() == [*range(10), *[0] * 4]
    assert resource.ravel().tolist() == [*range(10), *[0] * 6]
