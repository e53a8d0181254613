"""Value edits become the bits of a bundle's checkpoint, whatever the source's looks like."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import graphfreeze.emit.checkpoint as checkpoint
from graphfreeze.api import complete, freeze, load, report, save
from graphfreeze.errors import GraphfreezeError
from graphfreeze.model.model import Model
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import Appended, Edit, FromRows, Inline, SetValue, WithRows
from graphfreeze.rewrite.run import run
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.selection.rows import parse_rows

Arrays = dict[str, np.ndarray]
HEIGHT, PARTS = 8, 3
"""Rows of t in the graph; the source's checkpoint has two less."""


def numbers(*shape: int, start: int) -> np.ndarray:
    return (np.arange(np.prod(shape), dtype=np.float32) + start).reshape(shape)


def odd_bits() -> np.ndarray:
    """Return signalling NaNs, denormals and negative zeros."""
    return np.array([0x7F800001, 1, 0x80000000, 0xFFC01234], np.uint32).view(np.float32)


BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
HELD = {
    "t": numbers(HEIGHT - 2, 4, start=100),
    "p": numbers(11, 4, start=200),
    "columns": numbers(3, 5, start=300),
    "h": numbers(4, 2, start=1).astype(BFLOAT16),
    "v": odd_bits(),
    "gone": numbers(2, start=0),
}
T_START = numbers(HEIGHT, 4, start=500)


@dataclass(frozen=True)
class Kind:
    """How the source was written."""

    use_resource: bool = False
    version: int = tf.train.SaverDef.V2
    sharded: bool = False

    @property
    def has_bfloat16(self) -> bool:
        """Tell whether TensorFlow can write bfloat16 so."""
        return self.version == tf.train.SaverDef.V2


KINDS = {
    "ref": Kind(),
    "resource": Kind(use_resource=True),
    "two shards": Kind(sharded=True),
    "two shards, resource": Kind(use_resource=True, sharded=True),
    "V1": Kind(version=tf.train.SaverDef.V1),
}


def saved_variables(*, height: int = HEIGHT, with_bfloat16: bool = True) -> dict[str, object]:
    """Make the variables that the saver keeps, by their keys."""
    made: dict[str, object] = {"t": tf.get_variable("t", initializer=T_START[:height])}
    for name, axis in (("p", 0), ("columns", 1)):
        parts = tf.fixed_size_partitioner(PARTS, axis)
        made[name] = tf.get_variable(name, HELD[name].shape, partitioner=parts)
    if with_bfloat16:
        made["h"] = tf.get_variable("h", HELD["h"].shape, tf.bfloat16)
    made["v"] = tf.get_variable("v", initializer=np.zeros(4, np.float32))
    return made


def start(variable: tf.Variable) -> tf.Tensor:
    is_ref = variable.op.type == "VariableV2"
    return variable.initialized_value() if is_ref else variable.read_value()


def unsaved_variables(t: tf.Variable) -> None:
    """Make variables that the saver leaves out."""
    rows = tf.get_variable("rows", [4, 4])
    tf.get_variable("part_rows", [3, 4])
    tf.get_variable("column_rows", [2, 5])
    tf.get_variable("mask", [HEIGHT, 4], tf.bool, tf.zeros_initializer(), trainable=False)
    late = tf.get_variable("late", initializer=numbers(3, 2, start=40), trainable=False)
    tf.get_variable("of_late", initializer=start(late) + 1.0, trainable=False)
    tf.get_variable("of_t", initializer=start(t) * 2.0, trainable=False)
    tf.get_variable("of_rows", initializer=start(rows) - 1.0, trainable=False)
    late_rows = tf.get_variable("late_rows", [2, 2])
    tf.get_variable("before", initializer=start(late_rows) * 3.0, trainable=False)


def write_values(folder: Path, kind: Kind) -> Path:
    """Write HELD as another program would have: t lower, and one key more."""
    config = tf.ConfigProto(device_count={"CPU": 2})
    with tf.Graph().as_default(), tf.Session(config=config) as session:
        pieces = []
        held = {key: value for key, value in HELD.items() if key != "h" or kind.has_bfloat16}
        for number, (name, value) in enumerate(held.items()):
            axis, is_whole = int(name == "columns"), name not in ("p", "columns")
            parts = None if is_whole else tf.fixed_size_partitioner(2, axis)
            with tf.device(f"/cpu:{number % 2}"):
                made = tf.get_variable(
                    name, value.shape, tf.as_dtype(value.dtype), partitioner=parts
                )
            pieces.extend([made] if is_whole else list(made))
            cuts = [value] if is_whole else np.array_split(value, 2, axis)
            for piece, cut in zip(pieces[-len(cuts) :], cuts, strict=True):
                piece.load(cut, session)
        saver = tf.train.Saver(pieces, write_version=kind.version, sharded=kind.sharded)
        return Path(saver.save(session, str(folder / "values"), write_meta_graph=False))


@pytest.fixture
def make(tmp_path: Path) -> Callable[[Kind], Model]:
    """Return a function that writes a graph and a checkpoint and loads both."""

    def build(kind: Kind) -> Model:
        prefix = write_values(tmp_path, kind)
        with tf.Graph().as_default():
            with tf.variable_scope("", use_resource=kind.use_resource):
                made = saved_variables(with_bfloat16=kind.has_bfloat16)
                unsaved_variables(made["t"])
            tf.add_to_collection("losses", tf.nn.l2_loss(made["t"], name="loss"))
            saver = tf.train.Saver(made, write_version=kind.version)
            tf.train.export_meta_graph(str(tmp_path / "g.meta"), saver_def=saver.as_saver_def())
        return load(tmp_path / "g.meta", checkpoint=prefix)

    return build


class Changes:
    """Give values to keys."""

    name = "changes"

    def __init__(self, edits: list[SetValue]) -> None:
        self.edits = edits

    def plan(self, draft: Draft) -> Iterator[Edit]:
        yield from self.edits

    def verify(self, base: Model, draft: Draft) -> str | None:
        return None if set(self.edits) <= set(draft.value_edits) else "lost"


def write(model: Model, edits: list[SetValue], out: Path) -> None:
    frozen = freeze(model, FreezePlan(freeze=("v",)))
    run(frozen.draft, [Changes(edits)])
    save(frozen, out)


def restored(bundle: Path) -> Arrays:
    """Restore a bundle, and return what its variables then hold."""
    with tf.Graph().as_default(), tf.Session() as session:
        saver = tf.train.import_meta_graph(str(bundle / "model.meta"))
        saver.restore(session, str(bundle / "model"))
        assert not session.run(tf.report_uninitialized_variables(tf.global_variables())).size
        return {v.op.name: session.run(v) for v in tf.global_variables()}


def keys(bundle: Path) -> set[str]:
    return set(tf.train.NewCheckpointReader(str(bundle / "model")).get_variable_to_shape_map())


def rows(text: str, key: str, height: int | None = None):
    return parse_rows(text, height or len(HELD[key]), variable=key)


GROW = SetValue("t", Appended(HEIGHT))
NEW_T = numbers(3, 4, start=-50)
NEW_P = numbers(4, 4, start=-90)
NEW_COLUMNS = numbers(2, 5, start=-120)
NEW_H = numbers(1, 2, start=-7).astype(BFLOAT16)
MASK = np.arange(HEIGHT * 4).reshape(HEIGHT, 4) % 3 == 0
CHANGE = [
    GROW,
    SetValue("t", WithRows(rows("1,5,6", "t", HEIGHT), NEW_T)),
    SetValue("p", WithRows(rows("0,3:5,-1", "p"), NEW_P)),
    SetValue("columns", WithRows(rows("0,2", "columns"), NEW_COLUMNS)),
    SetValue("h", WithRows(rows("2", "h"), NEW_H)),
    SetValue("late", WithRows(rows("1", "late", 3), numbers(1, 2, start=0))),
]
LAY = [
    SetValue("rows", FromRows("t", rows("0,1,6,7", "t", HEIGHT))),
    SetValue("part_rows", FromRows("p", rows("3,4,9", "p"))),
    SetValue("column_rows", FromRows("columns", rows("1:", "columns"))),
    SetValue("late_rows", FromRows("late", rows("1:", "late", 3))),
    SetValue("mask", Inline(MASK)),
]


def expected(*, is_changed: bool) -> Arrays:
    """Return what the edits mean, told in numpy."""
    values = {key: value.copy() for key, value in HELD.items() if key != "gone"}
    values["t"] = np.concatenate([HELD["t"], T_START[-2:]])
    values["late"] = numbers(3, 2, start=40)
    if is_changed:
        values["t"][[1, 5, 6]] = NEW_T
        values["p"][[0, 3, 4, 10]] = NEW_P
        values["columns"][[0, 2]] = NEW_COLUMNS
        values["h"][2] = NEW_H
        values["late"][1] = numbers(2, start=0)
    values["rows"] = values["t"][[0, 1, 6, 7]]
    values["part_rows"] = values["p"][[3, 4, 9]]
    values["column_rows"] = values["columns"][1:]
    values["mask"] = MASK
    values["of_t"], values["of_rows"] = values["t"] * 2, values["rows"] - 1
    values["of_late"], values["late_rows"] = values["late"] + 1, values["late"][1:]
    values["before"] = values["late_rows"] * 3
    return values


def wrong(found: Arrays, wanted: Arrays) -> list[str]:
    """Return the variables whose type, shape or bits differ; parts are put together."""
    whole = {name: found[name] for name in found if "/part_" not in name}
    for name, axis in (("p", 0), ("columns", 1)):
        parts = [found[f"{name}/part_{i}"] for i in range(PARTS)]
        whole[name] = np.concatenate(parts, axis)
    assert whole.keys() == wanted.keys()

    def bits(value: np.ndarray) -> tuple[object, ...]:
        return value.dtype, value.shape, value.tobytes()

    return [name for name in wanted if bits(whole[name]) != bits(wanted[name])]


@pytest.mark.parametrize("group", [2**28, 40, 1], ids=["one group", "groups", "one by one"])
@pytest.mark.parametrize("is_changed", [True, False], ids=["rows changed", "rows added"])
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_bits(
    kind: Kind,
    is_changed: bool,
    group: int,
    make: Callable[[Kind], Model],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(checkpoint, "GROUP_BYTES", group)
    # What is laid over sees changes that come after it.
    edits = [*LAY, *(CHANGE if is_changed else [GROW])]
    wanted = expected(is_changed=is_changed)
    if not kind.has_bfloat16:
        edits = [edit for edit in edits if edit.key != "h"]
        del wanted["h"]
    write(make(kind), edits, tmp_path / "out")
    assert not wrong(restored(tmp_path / "out"), wanted)
    assert keys(tmp_path / "out") == wanted.keys()
    shards = len(list((tmp_path / "out").glob("model.data-*")))
    assert (shards == 1) if group == 2**28 else (shards > 5)


def load_low(model: Model, *, is_whole: bool) -> Model:
    """Load another graph to a checkpoint: its t is no higher, all that it has may be saved."""
    meta = model.source.path.with_name("low.meta")
    with tf.Graph().as_default():
        saver = tf.train.Saver(saved_variables(height=HEIGHT - 2))
        if not is_whole:
            unsaved_variables(tf.get_variable("unsaved", initializer=T_START))
        tf.train.export_meta_graph(str(meta), saver_def=saver.as_saver_def())
    return load(meta, checkpoint=model.source.checkpoint)


def test_the_source_is_linked_where_no_key_of_it_changes(
    make: Callable[[Kind], Model], tmp_path: Path
) -> None:
    model = load_low(make(Kind(sharded=True)), is_whole=False)
    write(model, [edit for edit in LAY if edit.key != "rows"], tmp_path / "out")
    sources = {file.stat().st_ino for file in tmp_path.glob("values*.data-*")}
    ours = {file.stat().st_ino for file in (tmp_path / "out").glob("model.data-*")}
    assert len(sources) == 2
    assert sources < ours
    assert len(ours) == 3
    assert keys(tmp_path / "out") >= {"gone", "mask", "part_rows"}
    values, wanted = restored(tmp_path / "out"), expected(is_changed=False)
    for name in ("part_rows", "column_rows", "mask", "v", "h"):
        assert values[name].tobytes() == wanted[name].tobytes()


def test_no_edit_links_everything(make: Callable[[Kind], Model], tmp_path: Path) -> None:
    write(load_low(make(Kind()), is_whole=True), [], tmp_path / "out")
    for name in ("index", "data-00000-of-00001"):
        ours, theirs = tmp_path / "out" / f"model.{name}", tmp_path / f"values.{name}"
        assert ours.read_bytes() == theirs.read_bytes()
        assert os.path.samefile(ours, theirs) == (name != "index")


def test_what_is_only_restored_stays(make: Callable[[Kind], Model], tmp_path: Path) -> None:
    source = make(Kind()).source
    with tf.Graph().as_default():
        made = saved_variables(height=HEIGHT - 2)
        both = tf.train.Saver(made, name="both").as_saver_def()
        del made["v"]
        half = tf.train.Saver(made, name="half").as_saver_def()
        half.restore_op_name = both.restore_op_name
        tf.train.export_meta_graph(str(tmp_path / "half.meta"), saver_def=half)
    model = load(tmp_path / "half.meta", checkpoint=source.checkpoint)
    write(model, [edit for edit in CHANGE if edit.key == "p"], tmp_path / "out")
    assert keys(tmp_path / "out") == {"t", "p", "columns", "h", "v"}
    reader = tf.train.NewCheckpointReader(str(tmp_path / "out" / "model"))
    assert reader.get_tensor("v").tobytes() == HELD["v"].tobytes()
    assert reader.get_tensor("p").tobytes() == expected(is_changed=True)["p"].tobytes()


def test_report(make: Callable[[Kind], Model], tmp_path: Path) -> None:
    frozen = freeze(make(Kind()), FreezePlan(freeze=("v",)))
    run(frozen.draft, [Changes([*LAY, *CHANGE])])
    told = report(complete(frozen, tmp_path / "out"))
    assert {"rows", "part_rows", "column_rows", "mask", "late", "of_t"} <= set(told.keys_added)
    assert told.keys_changed == ["t", "p", "columns", "h"]
    given = [edit.key for edit in frozen.draft.value_edits]
    assert given.count("rows") == given.count("mask") == 1  # an initializer gives them nothing


REFUSED: dict[str, tuple[list[SetValue], str]] = {
    "the source is lower than the graph": (
        [],
        r"it has 't' as float32 \[6, 4\], not float32 \[8, 4\]",
    ),
    "too wide": (
        [GROW, SetValue("t", WithRows(rows("1", "t", HEIGHT), numbers(1, 5, start=0)))],
        r"'t' is to hold values of float32 \[1, 5\] where float32 \[1, 4\] fits",
    ),
    "rows of what is not there": (
        [GROW, SetValue("rows", FromRows("tt", rows(":4", "t")))],
        "the saver keeps nothing under 'tt'",
    ),
    "a key that is not there": (
        [GROW, SetValue("maks", Inline(MASK))],
        "the saver keeps nothing under 'maks'.*did you mean mask",
    ),
    "float32 for bfloat16": (
        [GROW, SetValue("h", WithRows(rows("2", "h"), NEW_H.astype(np.float32)))],
        r"values of float32 \[1, 2\] where bfloat16 \[1, 2\] fits",
    ),
}


@pytest.mark.parametrize(("edits", "message"), REFUSED.values(), ids=REFUSED)
def test_refused_before_anything_is_written(
    edits: list[SetValue], message: str, make: Callable[[Kind], Model], tmp_path: Path
) -> None:
    frozen = freeze(make(Kind()), FreezePlan(freeze=("v",)))
    run(frozen.draft, [Changes(edits)])
    with pytest.raises(GraphfreezeError, match=message):
        complete(frozen, tmp_path / "out")


def test_a_source_of_another_type(make: Callable[[Kind], Model], tmp_path: Path) -> None:
    held = HELD["h"].astype(np.float64)
    with tf.Graph().as_default(), tf.Session() as session:
        whole = {key: tf.constant(HELD[key]) for key in ("t", "p", "columns", "v")}
        whole["h"] = tf.constant(held)
        save_all = tf.raw_ops.SaveV2(
            prefix=str(tmp_path / "double"),
            tensor_names=list(whole),
            shape_and_slices=[""] * len(whole),
            tensors=list(whole.values()),
        )
        session.run(save_all)
    model = load(make(Kind()).source.path, checkpoint=tmp_path / "double")
    with pytest.raises(GraphfreezeError, match=r"'h' as float64 \[4, 2\], not bfloat16 \[4, 2\]"):
        write(model, [*LAY, *CHANGE], tmp_path / "out")
    assert not (tmp_path / "out").exists()
