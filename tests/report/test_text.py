from pathlib import Path

import msgspec
import pytest

from graphfreeze.model.records import (
    FreezeRecord,
    RowsInitialised,
    ScaleRecord,
    VariableRecord,
    WordRecord,
)
from graphfreeze.model.saved_model_records import AssetRecord
from graphfreeze.model.values_record import ValuesRecord
from graphfreeze.report.freeze_text import freeze_lines
from graphfreeze.report.lines import frozen_count


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
    target="2",
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
        "  target     TensorFlow 2 alone; 1.15 may not run it",
        "  needs      ops that TensorFlow 1.15 lacks: NewerOp",
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


def test_a_graph_file_has_no_checkpoint() -> None:
    line = "checkpoint   none is written; one for this graph has 1 key added, 0 dropped"
    assert line in told(RECORD, Path("o.meta")).splitlines()


def test_usage_fills_lookup_tables() -> None:
    started = msgspec.structs.replace(RECORD, table_initializers=["init"])
    fed = msgspec.structs.replace(started, assets=[AssetRecord("vocab.txt", "path:0", True)])
    run = "sess.run(tf.compat.v1.tables_initializer()"
    assert run not in told(RECORD, Path("out"))
    assert f"        {run})" in told(started, Path("out")).splitlines()
    assert f"        {run}, {{'path:0': 'out/assets/vocab.txt'}})" in told(fed, Path("out"))


def test_dry_run_says_so() -> None:
    assert told(RECORD, None).endswith("dry run: nothing was written")


def test_long_lists_are_shortened_between_names() -> None:
    keys = [f"encoder/layer_{i}/attention/kernel/graphfreeze_Adam" for i in range(9)]
    record = msgspec.structs.replace(RECORD, keys_added=keys)
    text = told(record, Path("out"))
    assert "and 3 more" in text
    assert all(key in text for key in keys[:6])
    assert all(key in told(record, Path("out"), verbose=True) for key in keys)


def test_what_infers_drops_no_more_or_goes_on_is_told() -> None:
    norms = [f"block_{i}/bn/FusedBatchNormV3" for i in range(8)]
    going = variable("bn/mean", "updated", rule="--batch-norm keep")
    record = msgspec.structs.replace(
        RECORD,
        variables=[*RECORD.variables, going],
        batch_norms_inference=norms,
        dropouts_off=["block_0/dropout/mul"],
    )
    lines = told(record, None).splitlines()
    words = [" ".join(line.split()) for line in lines]
    assert "mean [10, 2] 20 updated --batch-norm keep" in words
    assert "updated 20 1" in words
    assert "  no dropout block_0/dropout/mul" in lines
    assert any(line.startswith(f"  inferring  {norms[0]}, {norms[1]},") for line in lines)
    assert any(line.endswith(f"{norms[5]} and 2 more") for line in lines)
    assert "inferring" not in told(RECORD, None)


def test_settings_are_told_in_full() -> None:
    record = msgspec.structs.replace(
        RECORD,
        optimizer="adamw",
        learning_rate=0.00012345678,
        arguments={"beta2": 0.9999999},
        lr_scales={"head": 0.33333333},
        clip_norm=1234567.0,
    )
    words = [" ".join(line.split()) for line in told(record, None).splitlines()]
    assert "optimizer adamw, learning rate 0.00012345678" in words
    assert {"weight_decay 0.01", "beta2 0.9999999", "rates head x 0.33333333"} <= {*words}
    assert "clipped to a global norm of 1234567; gradients of what is frozen do not count" in words
    assert "weight_decay" not in told(RECORD, None)


def test_changed_keys_are_told() -> None:
    text = told(msgspec.structs.replace(RECORD, keys_changed=["emb", "head/w"]), Path("out"))
    assert "1 key added, 0 dropped, 2 changed" in text
    assert "emb, head/w" in text


WORDS = msgspec.structs.replace(
    RECORD,
    variables=[
        variable(
            "emb",
            "partly frozen",
            rule="--freeze-words emb",
            frozen_rows=5,
            rows=10,
            frozen_elements=10,
            strategy="mask",
            kernel="select",
            kernel_reason="it holds denormal values",
        ),
        variable("bias", "trainable"),
    ],
    words=[WordRecord("emb", "--freeze-words", 5, list("abcdefg"))],
    rows_initialised=[RowsInitialised("emb", 4, 2, 1200), RowsInitialised("bias", 0, 2)],
    notes=["bias grows to 10 rows too, used with emb"],
)
OVERLAID = msgspec.structs.replace(
    RECORD,
    variables=[
        variable(
            f"t/part_{i}",
            "partly frozen",
            rule="--freeze-rows t",
            frozen_rows=i,
            rows=10,
            frozen_ranges=[[0, i]],
            frozen_elements=2 * i,
            strategy="overlay",
            overlay_rows=f"t/part_{i}/graphfreeze/rows",
            partition_of="t",
            part_offset=[10 * i - 10, 0],
        )
        for i in (1, 2)
    ],
    merge_op="graphfreeze/merge",
)
ENTRIES = {
    "words": (
        WORDS,
        (
            "emb       [10, 2]          20  partly frozen  5 of 10 rows, --freeze-words",
            "words        emb: 5 rows by --freeze-words",
            "               without 7 missing words: 'a', 'b', 'c', 'd', 'e' and 2 more",
            "rows         emb: 10 rows, 5 frozen, 5 left to learn",
            "               2 added, 4 in all with given values",
            "               1,200 words of the values not in the vocabulary",
            "             bias: 10 rows, 0 frozen, 10 left to learn",
            "               2 added",
            "masks        select for emb: it holds denormal values",
            "note         bias grows to 10 rows too, used with emb",
        ),
    ),
    "a note on a long name": (
        msgspec.structs.replace(WORDS, notes=[f"an overlay of {'scope/' * 12}table is cheaper"]),
        (f"             {'scope/' * 12}table", "             is cheaper"),
    ),
    "an overlay of parts": (
        OVERLAID,
        (
            "t         [20, 2]          40  partly frozen  3 of 20 rows, --freeze-rows, overlay",
            "overlay      t/part_1: 9 rows in t/part_1/graphfreeze/rows",
            "             t/part_2: 8 rows in t/part_2/graphfreeze/rows",
            "             graphfreeze/merge writes them back, when trained",
            "frozen              6  15.0%  0 and part of 1",
            "        sess.run('graphfreeze/merge')  # when trained",
        ),
    ),
}


@pytest.mark.parametrize(("record", "lines"), ENTRIES.values(), ids=ENTRIES)
def test_entries(record: FreezeRecord, lines: tuple[str, ...]) -> None:
    text = told(record, Path("out")).splitlines()
    assert [line for line in lines if line not in text] == []


def test_parts_are_told_one_by_one_if_all_is() -> None:
    text = told(OVERLAID, Path("out"), verbose=True).splitlines()
    assert (
        "  part_1  [10, 2]              20  partly frozen  1 of 10 rows, --freeze-rows, overlay"
        in text
    )
    assert (
        "  part_2  [10, 2]              20  partly frozen  2 of 10 rows, --freeze-rows, overlay"
        in text
    )
    assert "frozen              6  15.0%  0 and part of 1" in text


def test_all_missing_words_are_told_if_all_is() -> None:
    assert "'e', 'f', 'g'" in told(WORDS, Path("out"), verbose=True)


LISTED = {
    "columns": ({"frozen_along": {1: [[0, 1]]}, "frozen_elements": 10}, "1 of 2 columns", 10),
    "rows and columns": (
        {
            "rows": 10,
            "frozen_rows": 3,
            "frozen_ranges": [[0, 3]],
            "frozen_along": {1: [[0, 1]]},
            "frozen_elements": 13,
        },
        "3 of 10 rows and 1 of 2 columns",
        13,
    ),
    "elements": ({"element_mask": "x", "frozen_elements": 7}, "7 of 20 elements", 7),
    "factors": (
        {
            "rows": 10,
            "frozen_rows": 1,
            "frozen_elements": 2,
            "row_scale": ScaleRecord(8, 1 / 9, 8 / 9),
        },
        "1 of 10 rows and 8 rows scaled by 0.111..0.889",
        2,
    ),
    "one factor": (
        {"state": "trainable", "row_scale": ScaleRecord(8, 0.5, 0.5)},
        "8 rows scaled by 0.5",
        0,
    ),
}


@pytest.mark.parametrize(("fields", "entries", "count"), LISTED.values(), ids=LISTED)
def test_entries_are_counted(fields: dict[str, object], entries: str, count: int) -> None:
    state = fields.get("state", "partly frozen")
    one = variable("t", **{"state": state, "rule": "--some t", **fields})
    text = told(msgspec.structs.replace(RECORD, variables=[one]), None)
    assert f"{state}  {entries}, --some\n" in text
    assert sum(frozen_count(each) for each in [one]) == count
    (line,) = (each for each in text.splitlines() if each.startswith("frozen "))
    assert line.split()[1] == str(count)


VALUES = {
    "linked": (
        ValuesRecord(files="linked", keys_left=3, bytes_left=2048),
        ["those of the source, linked", "3 keys (2.0 KiB) in them are restored by nothing"],
    ),
    "new": (ValuesRecord(files="new"), ["new, for the source has no checkpoint"]),
    "V1": (
        ValuesRecord(files="rewritten", reasons={"it is of format V1": []}),
        ["written anew: the source's are of format V1"],
    ),
    "rows": (
        ValuesRecord(files="rewritten", reasons={"rows that are given values": ["t"]}),
        ["written anew: 1 key changed: t (rows that are given values)"],
    ),
    "renamed": (
        ValuesRecord(files="rewritten", reasons={"--rename": ["a/w"]}, renamed={"a/w": "w"}),
        ["written anew: 1 key renamed (--rename)", "renamed    1 key: a/w from w"],
    ),
}


@pytest.mark.parametrize(("values", "told"), VALUES.values(), ids=VALUES)
def test_where_values_come_from(values: ValuesRecord, told: list[str]) -> None:
    record = msgspec.structs.replace(RECORD, values=values)
    lines = "\n".join(str(line) for line in freeze_lines(record, None))
    assert all(each in lines for each in told)
