"""What a bundle takes of a checkpoint whose names or shapes are not those of the graph."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import graphfreeze
import graphfreeze.emit.checkpoint as checkpoint
from graphfreeze import FreezePlan, ValuePlan
from graphfreeze.errors import EmitError, GraphfreezeError, LoadError
from graphfreeze.rewrite.edits import SetValue, WithRows
from graphfreeze.selection.rows import parse_rows

HEIGHT, WIDTH, CLASSES = 12, 4, 3
OLD, NEW = "old", "model/new"
Arrays = dict[str, np.ndarray]


def build(scope: str, classes: int, parts: int) -> None:
    """Build a classifier that is trained by Adam; its table has parts."""
    ids, labels = (tf.placeholder(tf.int32, [None], name=name) for name in ("ids", "labels"))
    with tf.variable_scope(scope, use_resource=False):
        table = tf.get_variable(
            "table", [HEIGHT, WIDTH], partitioner=tf.fixed_size_partitioner(parts)
        )
        kernel = tf.get_variable("dense/kernel", [WIDTH, WIDTH])
        head = tf.get_variable("head/kernel", [WIDTH, classes])
    hidden = tf.nn.relu(tf.matmul(tf.nn.embedding_lookup(table, ids, "div"), kernel))
    loss = tf.losses.sparse_softmax_cross_entropy(labels, tf.matmul(hidden, head))
    step = tf.train.get_or_create_global_step()
    tf.train.AdamOptimizer(0.01).minimize(loss, global_step=step)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train under old names, and write graphs under new ones: as large, and with another head."""
    folder = tmp_path_factory.mktemp("taken")
    with tf.Graph().as_default(), tf.Session() as session:
        build(OLD, CLASSES, parts=2)
        session.run(tf.global_variables_initializer())
        feeds = {"ids:0": np.arange(6), "labels:0": np.arange(6) % CLASSES}
        for _ in range(3):
            session.run("Adam", feeds)
        (table,) = (v for v in tf.global_variables() if v.op.name == f"{OLD}/table/part_1")
        session.run(table[0, 0].assign(np.float32(1e-40)))
        tf.train.Saver().save(session, str(folder / "values"), write_meta_graph=False)
    for name, classes in (("same", CLASSES), ("other", CLASSES + 2)):
        with tf.Graph().as_default():
            build(NEW, classes, parts=3)
            saver = tf.train.Saver().as_saver_def()
            tf.train.export_meta_graph(str(folder / f"{name}.meta"), saver_def=saver)
    return folder


def held(prefix: Path) -> Arrays:
    reader = tf.train.NewCheckpointReader(str(prefix))
    return {key: reader.get_tensor(key) for key in reader.get_variable_to_shape_map()}


def freeze(source: Path, name: str, values: ValuePlan, **plan: object) -> graphfreeze.FrozenModel:
    model = graphfreeze.load(source / f"{name}.meta", checkpoint=source / "values")
    chosen = FreezePlan(**{"freeze": (f"{NEW}/dense",), **plan})
    return graphfreeze.freeze(model, chosen, values=values)


RENAME = {OLD: NEW}
OF_NEW = (f"{NEW}/table", f"{NEW}/dense/kernel", f"{NEW}/head/kernel")


def same(found: np.ndarray, wanted: np.ndarray) -> bool:
    return found.dtype == wanted.dtype and found.tobytes() == wanted.tobytes()


def test_renamed_keys_keep_their_bits_and_their_slots(source: Path, tmp_path: Path) -> None:
    frozen = freeze(source, "same", ValuePlan(rename=RENAME), freeze_rows={f"{NEW}/table": "0:3"})
    assert {kernel.name for kernel in frozen.kernels.values()} == {"select"}  # for what is denormal
    graphfreeze.add_train_op(frozen, optimizer="adam", keep_slots=True)
    graphfreeze.save(frozen, tmp_path / "out")
    was, now = held(source / "values"), held(tmp_path / "out" / "model")
    assert all(same(now[key], was[key.replace(NEW, OLD)]) for key in OF_NEW)
    slot, old = now[f"{NEW}/table/graphfreeze_Adam"], was[f"{OLD}/table/Adam"]
    assert same(slot[3:], old[3:])
    assert not slot[:3].any()
    assert same(now[f"{NEW}/head/kernel/graphfreeze_Adam_1"], was[f"{OLD}/head/kernel/Adam_1"])
    assert not [key for key in now if key.startswith(f"{OLD}/")]
    told = graphfreeze.report(frozen, tmp_path / "out").values
    assert told is None  # save leaves the model as it was
    (tmp_path / "out" / "graphfreeze.json").read_text().index('"--rename"')


def test_rows_of_a_renamed_table_change(source: Path, tmp_path: Path) -> None:
    rows, values = parse_rows("1,3,7", HEIGHT, variable="t"), np.full((3, WIDTH), 7, np.float32)
    plan = {"freeze_rows": {f"{NEW}/table": "0:3"}, "row_strategy": "overlay"}
    frozen = freeze(source, "same", ValuePlan(rename=RENAME), **plan)
    frozen.draft.value_edits.insert(0, SetValue(f"{NEW}/table", WithRows(rows, values)))
    graphfreeze.save(frozen, tmp_path / "out")
    wanted, now = held(source / "values")[f"{OLD}/table"], held(tmp_path / "out" / "model")
    wanted[[1, 3, 7]] = 7
    assert same(now[f"{NEW}/table"], wanted)
    (overlay,) = (now[key] for key in now if key.endswith("graphfreeze/rows"))
    assert same(overlay, wanted[3:4])  # of the first part alone rows are frozen


def test_what_is_excluded_begins_anew_and_verify_passes(source: Path, tmp_path: Path) -> None:
    values = ValuePlan(rename=RENAME, checkpoint_exclude=("**/head",))
    frozen = freeze(source, "other", values)
    graphfreeze.add_train_op(frozen, optimizer="sgd", learning_rate=0.1)
    told = graphfreeze.report(graphfreeze.api.complete(frozen, tmp_path / "out")).values
    assert told is not None
    assert told.excluded == [f"{NEW}/head/kernel"]
    assert told.renamed == {key: key.replace(NEW, OLD) for key in OF_NEW[:2]}
    assert told.files == "rewritten"
    assert set(told.reasons) == {"--rename"}
    graphfreeze.save(frozen, tmp_path / "out")
    now = held(tmp_path / "out" / "model")
    assert now[OF_NEW[2]].shape == (WIDTH, CLASSES + 2)
    assert now[OF_NEW[2]].any()
    assert same(now[OF_NEW[1]], held(source / "values")[f"{OLD}/dense/kernel"])
    original = graphfreeze.load(source / "other.meta", checkpoint=source / "values")
    assert graphfreeze.verify(original, graphfreeze.load(tmp_path / "out"), steps=2).passed


def test_all_that_does_not_fit_is_told_at_once(source: Path, tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"lacks 3 keys.*--rename old=model/new") as caught:
        graphfreeze.save(freeze(source, "same", ValuePlan()), tmp_path / "out")
    assert all(f"'{key}' (like {key.replace(NEW, OLD)}" in str(caught.value) for key in OF_NEW)
    with pytest.raises(LoadError, match=r"it has '.*/head/kernel' as float32 \[4, 3\], not .* 5\]"):
        graphfreeze.save(freeze(source, "other", ValuePlan(rename=RENAME)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_missing_variables_begin_with_their_initializers(source: Path, tmp_path: Path) -> None:
    rename = {f"{OLD}/table": f"{NEW}/table"}
    frozen = freeze(source, "same", ValuePlan(rename=rename, missing="initialize"))
    told = graphfreeze.report(graphfreeze.api.complete(frozen, tmp_path / "out")).values
    assert told is not None
    assert told.initialized == list(OF_NEW[1:])
    graphfreeze.save(frozen, tmp_path / "out")
    now = held(tmp_path / "out" / "model")
    assert same(now[OF_NEW[0]], held(source / "values")[f"{OLD}/table"])
    assert now[OF_NEW[1]].any()
    assert now[OF_NEW[2]].any()


def test_a_graph_without_any_checkpoint(source: Path, tmp_path: Path) -> None:
    model = graphfreeze.load(source / "same.meta")
    assert model.source.checkpoint is None
    plan, values = FreezePlan(freeze=(f"{NEW}/dense",)), ValuePlan(missing="initialize")
    for name in ("one", "two"):
        frozen = graphfreeze.freeze(model, plan, seed=3, values=values)
        graphfreeze.add_train_op(frozen, optimizer="adam")
        graphfreeze.save(frozen, tmp_path / name)
    one, two = (held(tmp_path / name / "model") for name in ("one", "two"))
    assert {*OF_NEW, "global_step"} <= one.keys()
    assert all(same(one[key], two[key]) for key in one)
    assert graphfreeze.verify(model, graphfreeze.load(tmp_path / "one"), steps=2).passed
    with pytest.raises(EmitError, match=r"no checkpoint .* values of .*model/new/table"):
        graphfreeze.save(graphfreeze.freeze(model, plan), tmp_path / "three")


def test_initializers_that_cannot_run_are_told_in_one_error(tmp_path: Path) -> None:
    with tf.Graph().as_default():
        count = tf.io.decode_raw(tf.io.read_file(str(tmp_path / "gone")), tf.float32)
        for name in "abc":
            value = count if name != "c" else tf.constant(2.0)
            tf.get_variable(name, initializer=tf.reshape(value, [1]))
        tf.add_to_collection("losses", tf.reduce_sum(tf.trainable_variables()[0], name="loss"))
        tf.train.export_meta_graph(str(tmp_path / "g.meta"), saver_def=tf.train.Saver().saver_def)
    model = graphfreeze.load(tmp_path / "g.meta")
    frozen = graphfreeze.freeze(
        model, FreezePlan(freeze=("c",)), values=ValuePlan(missing="initialize")
    )
    with pytest.raises(GraphfreezeError, match="no value of a, b, and initializing fails"):
        graphfreeze.save(frozen, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["g.meta"]


def test_what_nothing_restores_stays_until_it_is_compacted(source: Path, tmp_path: Path) -> None:
    with tf.Graph().as_default():
        build(OLD, CLASSES, parts=2)
        tf.train.export_meta_graph(
            str(tmp_path / "g.meta"), saver_def=tf.train.Saver().as_saver_def()
        )
    model = graphfreeze.load(tmp_path / "g.meta", checkpoint=source / "values")
    was, files = held(source / "values"), {}
    left = [key for key in was if "Adam" in key or "power" in key]
    for compact in (False, True):
        values = ValuePlan(compact=compact)
        frozen = graphfreeze.freeze(model, FreezePlan(freeze=(f"{OLD}/dense",)), values=values)
        told = graphfreeze.report(graphfreeze.api.complete(frozen, tmp_path / "out")).values
        assert told is not None
        files[compact] = told
        graphfreeze.save(frozen, tmp_path / f"out-{compact}")
        now = held(tmp_path / f"out-{compact}" / "model")
        assert now.keys() == (was.keys() - set(left) if compact else was.keys())
        assert all(same(now[key], was[key]) for key in now)
    assert (files[False].files, files[False].keys_left) == ("linked", len(left))
    assert files[False].bytes_left == sum(was[key].nbytes for key in left)
    assert (files[True].files, files[True].keys_left) == ("rewritten", 0)
    assert sorted(files[True].reasons["--compact"]) == sorted(left)


@pytest.fixture
def wider(source: Path, tmp_path: Path) -> graphfreeze.FrozenModel:
    """Return a model of old names with another head, which begins anew."""
    with tf.Graph().as_default():
        build(OLD, CLASSES + 2, parts=2)
        saver = tf.train.Saver().as_saver_def()
        tf.train.export_meta_graph(str(tmp_path / "wider.meta"), saver_def=saver)
    model = graphfreeze.load(tmp_path / "wider.meta", checkpoint=source / "values")
    values = ValuePlan(checkpoint_exclude=(f"{OLD}/head",))
    return graphfreeze.freeze(model, FreezePlan(freeze=(f"{OLD}/dense",)), values=values)


def test_files_are_linked_where_a_value_begins_anew(
    wider: graphfreeze.FrozenModel, source: Path, tmp_path: Path
) -> None:
    told = graphfreeze.report(graphfreeze.api.complete(wider, tmp_path / "out")).values
    graphfreeze.save(wider, tmp_path / "out")
    assert told is not None
    assert (told.files, told.reasons) == ("linked", {})
    was, now = held(source / "values"), held(tmp_path / "out" / "model")
    head = f"{OLD}/head/kernel"
    assert now[head].shape == (WIDTH, CLASSES + 2)
    assert now.keys() == was.keys()
    assert all(same(now[key], was[key]) for key in was if key != head)
    (shard,) = source.glob("values.data-*")
    inodes = {file.stat().st_ino for file in (tmp_path / "out").glob("model.data-*")}
    assert shard.stat().st_ino in inodes
    assert len(inodes) == 2
    left = told.bytes_left
    assert left == sum(v.nbytes for k, v in was.items() if "Adam" in k or "power" in k or k == head)


def test_another_file_system_gets_copies(
    wider: graphfreeze.FrozenModel,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "another file system")

    monkeypatch.setattr(os, "link", refuse)
    graphfreeze.save(wider, tmp_path / "out")
    was, now = held(source / "values"), held(tmp_path / "out" / "model")
    assert same(now[f"{OLD}/table"], was[f"{OLD}/table"])


def test_a_write_that_is_interrupted_leaves_nothing(
    wider: graphfreeze.FrozenModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = set(tmp_path.iterdir())
    monkeypatch.setattr(checkpoint, "_save", interrupt)
    with pytest.raises(KeyboardInterrupt):
        graphfreeze.save(wider, tmp_path / "out")
    assert set(tmp_path.iterdir()) == before


def test_a_head_begins_anew_when_a_bundle_is_frozen_anew(source: Path, tmp_path: Path) -> None:
    frozen = freeze(source, "same", ValuePlan(rename=RENAME))
    graphfreeze.add_train_op(frozen, optimizer="adam", keep_slots=True)
    graphfreeze.save(frozen, tmp_path / "out")
    with tf.Graph().as_default(), tf.Session() as session:
        saver = tf.train.import_meta_graph(str(tmp_path / "out" / "model.meta"))
        saver.restore(session, str(tmp_path / "out" / "model"))
        feeds = {"ids:0": np.arange(6), "labels:0": np.arange(6) % CLASSES}
        session.run("graphfreeze/train_op", feeds)
        saver.save(session, str(tmp_path / "out" / "trained"), write_meta_graph=False)
    again = graphfreeze.freeze(
        graphfreeze.load(tmp_path / "out"),
        FreezePlan(freeze=(f"{NEW}/dense",)),
        refreeze=True,
        values=ValuePlan(checkpoint_exclude=("**/head",)),
    )
    graphfreeze.add_train_op(again, optimizer="adam", keep_slots=True)
    graphfreeze.save(again, tmp_path / "out2")
    was, now = held(tmp_path / "out" / "trained"), held(tmp_path / "out2" / "model")
    assert same(now[OF_NEW[0]], was[OF_NEW[0]])
    assert not same(now[OF_NEW[2]], was[OF_NEW[2]])
    assert not now[f"{OF_NEW[2]}/graphfreeze_Adam"].any()
    assert same(now[f"{OF_NEW[0]}/graphfreeze_Adam"], was[f"{OF_NEW[0]}/graphfreeze_Adam"])
