import json
from pathlib import Path

import pytest


@pytest.mark.parametrize("suffix", [".pb", ".pbtxt", ".meta"])
def test_graph_file(run, models: Path, suffix: str) -> None:
    code, out, err = run("freeze", "text_classifier", f"out{suffix}", "--freeze", "hidden")
    assert (code, err) == (0, "")
    assert "  kernel        [16, 16]            256  frozen         --freeze hidden\n" in out
    assert f"written to out{suffix}, to be used so:\n" in out
    shown, told, _ = run("show", f"out{suffix}")
    assert (shown, "train ops    none" in told) == (0, True)


def test_bundle_without_train_op(run, models: Path) -> None:
    code, out, _ = run("freeze", "text_classifier", "out", "--freeze", "hidden", "--no-train-op")
    written = sorted(path.name for path in Path("out").iterdir())
    graphs = ["graphfreeze.json", "graphfreeze.meta", "model.data-00000-of-00001"]
    assert code == 0
    assert written == ["checkpoint", *graphs, "model.index", "model.meta"]
    assert (
        "        variables = tf.compat.v1.trainable_variables()  # what is left to learn\n" in out
    )


def test_rows_of_one_variable_add_up(run, models: Path) -> None:
    rows = ["--freeze-rows=word_embedding=0:10", "--freeze-rows=word_embedding=5:20,-1"]
    more = "--freeze-rows=**/word_embedding=30"
    _, out, _ = run("freeze", "text_classifier", "out.pb", *rows, more, "--json")
    (partly,) = (v for v in json.loads(out)["variables"] if v["state"] == "partly frozen")
    assert (partly["frozen_rows"], partly["rows"]) == (22, 1000)
    assert partly["frozen_ranges"] == [[0, 20], [30, 31], [999, 1000]]


def test_rows_are_counted(run, models: Path) -> None:
    _, out, _ = run("freeze", "text_classifier", "o.pb", "--train-rows", "word_embedding=900:")
    assert "partly frozen  900 of 1,000 rows, --train-rows\n" in out
    assert "frozen             14,400  88.1%  0 and part of 1\n" in out
    assert "trainable           1,940  11.9%  4 and part of 1\n" in out


def test_json(run, models: Path) -> None:
    code, out, err = run("freeze", "conv_bn", "out.pb", "--freeze", "bn*", "--json")
    record = json.loads(out)
    keys = {"format", "nodes", "producer", "variables", "nodes_added", "nodes_removed", "train_op"}
    assert (code, err) == (0, "")
    assert keys <= record.keys()
    assert {v["rule"] for v in record["variables"] if v["state"] == "frozen"} == {"--freeze bn*"}


def test_layer_1_is_not_layer_10(run, models: Path) -> None:
    _, out, _ = run("freeze", "bert_tiny", "out.pb", "--freeze", "bert/encoder/layer_1")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "layer_{0,2..11}/ 176 variables 24,464 trainable" in lines
    assert "layer_1/ 16 variables 2,224 frozen --freeze bert/encoder/layer_1" in lines
    assert len(lines) < 40


def test_verbose_tells_every_variable(run, models: Path) -> None:
    _, out, _ = run("freeze", "bert_tiny", "out.pb", "--freeze", "bert/encoder/layer_1", "-v")
    assert out.count("  trainable\n") == 185
    assert out.count("  --freeze bert/encoder/layer_1\n") == 16


def test_dry_run_writes_nothing(run, models: Path) -> None:
    code, out, _ = run("freeze", "conv_bn", "out.meta", "--freeze", "bn*", "--dry-run")
    assert code == 0
    assert out.endswith("\ndry run: nothing was written\n")
    assert not Path("out.meta").exists()


def test_dry_run_needs_no_place(run, models: Path) -> None:
    code, _, err = run("freeze", "conv_bn", "--freeze", "bn*", "--dry-run", "--no-train-op")
    assert (code, err) == (0, "")


def test_force_replaces(run, models: Path) -> None:
    Path("out.pb").write_bytes(b"old")
    code, *_ = run("freeze", "conv_bn", "out.pb", "--freeze", "bn*", "--force")
    assert code == 0
    assert Path("out.pb").stat().st_size > 1000


def test_warning_if_nothing_is_frozen(run, models: Path) -> None:
    code, _, err = run("freeze", "conv_bn", "out.pb")
    assert code == 0
    assert err.startswith("graphfreeze: warning: nothing is frozen; name what to freeze")


def test_two_runs_give_the_same_bytes(run, models: Path) -> None:
    for name in ("one.meta", "two.meta"):
        assert run("freeze", "text_classifier", name, "--freeze", "hidden")[0] == 0
    assert Path("one.meta").read_bytes() == Path("two.meta").read_bytes()


def test_clear_devices(run, models: Path) -> None:
    options = ["--freeze", "table", "--clear-devices", "--json"]
    code, out, _ = run("freeze", "partitioned_ps", "out.meta", *options)
    record = json.loads(out)
    assert code == 0
    assert set(record["devices_cleared"]) >= {"/job:ps/task:0", "/job:ps/task:1"}
    assert [note for note in record["notes"] if "no longer bound to a device" in note]
