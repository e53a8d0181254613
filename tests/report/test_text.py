from pathlib import Path

import msgspec
import pytest

from graphfreeze.model.records import FreezeRecord, VariableRecord
from graphfreeze.report.freeze_text import freeze_lines


def variable(name: str, state: str, **more: object) -> VariableRecord:
    return VariableRecord(
        **{
            "name": name,
            "kind": "ref",
            "dtype": "float32",
            "shape": [10, 2],
            "parameters": 20,
            "state": state,
            **more,
        }
    )


RECORD = FreezeRecord(
    graphfreeze="0.1.0",
    source="in/model.meta",
    source_sha256="0",
    format="MetaGraphDef (binary)",
    nodes=9,
    producer=134,
    variables=[
        variable("table", "partly frozen", rule="--freeze-rows table", frozen_rows=5, rows=10),
        variable("encoder/w", "frozen", rule="--freeze encoder"),
        variable("head/w", "trainable"),
        variable("aside/w", "not reached"),
        variable("odd", "not trainable", shape=None, parameters=None),
    ],
    stopped_tensors=["encoder/out:0"],
    nodes_added=7,
    nodes_changed=2,
    nodes_removed=0,
    operations_added={"Const": 3, "ApplyAdam": 1, "StopGradient": 3},
    keys_added=["head/w/graphfreeze_Adam"],
    keys_dropped=[],
    train_op="graphfreeze/train_op",
    losses=["a/loss:0", "b/loss:0"],
    optimizer="adam",
    learning_rate=0.001,
    global_step="global_step",
    newer_ops=["NewerOp"],
)


def told(record: FreezeRecord, out: Path | None, **more: bool) -> str:
    return "\n".join(line.plain for line in freeze_lines(record, out, **more))


def test_states_and_totals() -> None:
    text = told(RECORD, Path("out"))
    for line in (
        "table     [10, 2]             20  partly frozen  5 of 10 rows, --freeze-rows",
        "  w       [10, 2]             20  frozen         --freeze encoder",
        "  w       [10, 2]             20  not reached",
        "odd       unknown        unknown  not trainable",
        "frozen                 30  37.5%  1 and part of 1",
        "trainable              30  37.5%  1 and part of 1",
        "not reached            20  25.0%  1",
        "graph        7 nodes added, 2 changed, 0 removed; 9 in all",
        "  new ops    Const 3, StopGradient 3, ApplyAdam 1",
        "  stopped at encoder/out:0",
        "checkpoint   1 key added, 0 dropped",
        "  loss       a/loss:0",
        "             + b/loss:0",
        "  optimizer  adam, learning rate 0.001",
        "  needs      a TensorFlow newer than 1.15, for NewerOp",
        "        saver.restore(sess, 'out/model')",
        "        sess.run(tf.compat.v1.get_collection('train_op')[0], feeds)",
    ):
        assert line in text.splitlines()


@pytest.mark.parametrize(
    ("out", "line"),
    [
        ("o.pb", "tf.import_graph_def(graph_def, name='')"),
        ("o.pbtxt", "text_format.Parse(open('o.pbtxt').read(), tf.compat.v1.GraphDef())"),
        ("o.meta", "saver = tf.compat.v1.train.import_meta_graph('o.meta')"),
    ],
)
def test_usage(out: str, line: str) -> None:
    assert line in told(msgspec.structs.replace(RECORD, train_op=None), Path(out))


def test_dry_run_says_so() -> None:
    assert told(RECORD, None).endswith("dry run: nothing was written")


def test_long_lists_are_shortened_between_names() -> None:
    keys = [f"encoder/layer_{i}/attention/kernel/graphfreeze_Adam" for i in range(9)]
    record = msgspec.structs.replace(RECORD, keys_added=keys)
    text = told(record, Path("out"))
    assert "and 3 more" in text
    assert all(key in text for key in keys[:6])
    assert all(key in told(record, Path("out"), verbose=True) for key in keys)
