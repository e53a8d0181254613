"""Each rule for a newer op against that op, bit by bit."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import graphfreeze
from graphfreeze.schema import GraphDef
from graphfreeze.train.older_ops import TOLD_BY_OLDER, Told, tell_older

Built = Callable[[], object]
RAW = tf.raw_ops
SUMS = Path(__file__).parents[2] / "testdata" / "models" / "sparse_sums"
ONE_THREAD = tf.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)


def gradient(dtype: type, ids: list[int], segments: list[int], height: int, index: type) -> Built:
    """Build the gradient of sums over some rows; a row may be in several segments, or in none."""
    rows = np.random.default_rng(0).standard_normal((max([0, *segments]) + 1, 3)).astype(dtype)
    arrays = np.array(ids, index), np.array(segments, index)

    def build() -> object:
        return RAW.SparseSegmentSumGrad(
            grad=rows, indices=arrays[0], segment_ids=arrays[1], output_dim0=height
        )

    return build


MANY = np.random.default_rng(1).integers(40, size=3000).tolist()
MATRIX = np.random.default_rng(2).standard_normal((2, 4, 4)).astype(np.float32)
ROWS = MATRIX[0]


def diagonal(k: int, **sizes: int) -> Built:
    told = {"num_rows": -1, "num_cols": -1, **sizes}
    return lambda: RAW.MatrixDiagV3(diagonal=ROWS, k=k, padding_value=np.float32(0), **told)


def choice() -> object:
    """Choose one of two functions."""
    made = [tf.function(act).get_concrete_function(ROWS) for act in (tf.sin, tf.exp)]
    return RAW.StatelessCase(branch_index=1, input=[ROWS], Tout=[tf.float32], branches=made)[0]


CASES: dict[str, tuple[Built, list[str]]] = {
    "a choice": (choice, ["Case"]),
    "sums": (
        gradient(np.float32, [3, 1, 3, 0], [0, 0, 1, 2], 5, np.int32),
        ["Gather", "UnsortedSegmentSum"],
    ),
    "sums of many": (
        gradient(np.float32, MANY, sorted(MANY), 40, np.int64),
        ["Gather", "UnsortedSegmentSum"],
    ),
    "sums of doubles": (
        gradient(np.float64, MANY, sorted(MANY), 50, np.int32),
        ["Gather", "UnsortedSegmentSum"],
    ),
    "a diagonal": (diagonal(0), ["MatrixDiag"]),
    "another diagonal": (diagonal(1), ["MatrixDiagV2"]),
    "a diagonal with sizes": (diagonal(0, num_rows=4, num_cols=5), ["MatrixDiagV2"]),
    "of a diagonal": (
        lambda: RAW.MatrixDiagPartV3(input=MATRIX, k=0, padding_value=np.float32(0)),
        ["MatrixDiagPart"],
    ),
    "of another diagonal": (
        lambda: RAW.MatrixDiagPartV3(input=MATRIX, k=-1, padding_value=np.float32(0)),
        ["MatrixDiagPartV2"],
    ),
    "into a diagonal": (
        lambda: RAW.MatrixSetDiagV3(input=MATRIX, diagonal=ROWS[:2], k=0),
        ["MatrixSetDiag"],
    ),
    "products": (
        lambda: RAW.BatchMatMulV3(x=MATRIX, y=MATRIX[:1], Tout=tf.float32, adj_y=True),
        ["BatchMatMulV2"],
    ),
}


def evaluate(graph_def: GraphDef) -> np.ndarray:
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(graph_def, name="")
        return np.asarray(session.run("op:0"))


def both(build: Built) -> tuple[GraphDef, GraphDef, list[str]]:
    """Return graphs of a node ``op`` as it is and as it is told by older ones, and their ops."""
    with tf.Graph().as_default() as graph:
        made = build().op  # type: ignore[attr-defined]
        new = graph.as_graph_def()
    for node in new.node:
        node.name = "op" if node.name == made.name else node.name
    nodes = {str(node.name): node for node in new.node}
    told = tell_older(Told(nodes["op"], nodes))
    assert told is not None
    rest = [node for node in new.node if node.name != "op"]
    old = GraphDef(node=[*rest, *told], versions=new.versions, library=new.library)
    return new, old, [str(node.op) for node in told]


@pytest.mark.parametrize(("build", "ops"), CASES.values(), ids=CASES)
def test_same_bits(build: Built, ops: list[str]) -> None:
    new, old, told = both(build)
    assert told == ops
    first, second = evaluate(new), evaluate(old)
    assert (first.dtype, first.shape) == (second.dtype, second.shape)
    assert first.tobytes() == second.tobytes()


def test_no_ids() -> None:
    """TensorFlow 2.21's own kernel leaves what memory held; 1.15's gradient is zero."""
    _, old, _ = both(gradient(np.float32, [], [], 4, np.int32))
    assert evaluate(old).tobytes() == np.zeros((4, 3), np.float32).tobytes()


def test_every_rule_is_tried() -> None:
    with tf.Graph().as_default():
        tried = {str(build().op.type) for build, _ in CASES.values()}  # type: ignore[attr-defined]
    assert tried == TOLD_BY_OLDER - {"DisableCopyOnRead"}  # which has no output


@pytest.mark.parametrize("k", [(-1, 1), (0, 1)])
def test_a_band_has_no_older_form(k: tuple[int, int]) -> None:
    with tf.Graph().as_default() as graph:
        made = RAW.MatrixDiagPartV3(input=MATRIX, k=k, padding_value=np.float32(0)).op.name
        nodes = {str(node.name): node for node in graph.as_graph_def().node}
    assert tell_older(Told(nodes[made], nodes)) is None


def learn(target: str, folder: Path) -> dict[str, np.ndarray]:
    """Return what three steps of a bundle for a target make of the variables."""
    chosen = graphfreeze.FreezePlan(freeze_rows={"wide": "0:20,37", "deep": "::2"})
    frozen = graphfreeze.freeze(graphfreeze.load(SUMS), chosen, keep=["total_loss:0"])
    settings = {"optimizer": "adagrad", "learning_rate": 0.1, "target": target}
    graphfreeze.add_train_op(frozen, loss=["total_loss:0"], **settings)  # type: ignore[arg-type]
    graphfreeze.save(frozen, folder)
    told = graphfreeze.report(frozen)
    newer = {"MatrixDiagPartV3", "MatrixDiagV3", "MatrixSetDiagV3", "SparseSegmentSumGrad"}
    assert set(told.newer_ops) == (newer if target == "2" else set())
    assert set(told.ops_rewritten) == (set() if target == "2" else newer)
    given = json.loads((SUMS / "feeds.json").read_text())["feeds"].items()
    feeds = {key: np.array(f["values"], f["dtype"]).reshape(f["shape"]) for key, f in given}
    with tf.Graph().as_default(), tf.Session(config=ONE_THREAD) as session:
        saver = tf.train.import_meta_graph(str(folder / "model.meta"))
        saver.restore(session, str(folder / "model"))
        for _ in range(3):
            session.run(tf.get_collection("train_op")[0], feeds)
        return session.run({v.op.name: v for v in tf.global_variables()})


def test_both_targets_learn_alike(tmp_path: Path) -> None:
    old, new = (learn(target, tmp_path / target) for target in ("1.15", "2"))
    assert old.keys() == new.keys()
    assert [name for name in old if old[name].tobytes() != new[name].tobytes()] == []
