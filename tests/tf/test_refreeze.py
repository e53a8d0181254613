"""Gradual unfreezing: a bundle is trained, undone and frozen anew, and its training goes on."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow.compat.v1 as tf

from graphfreeze.api import add_train_op, freeze, load, report, save, undo
from graphfreeze.errors import TrainError, UndoError
from graphfreeze.model.records import FreezeRecord
from graphfreeze.selection.plan import FreezePlan

HEIGHT, RATE, FIRST, MORE = 12, 0.1, 5, 3
Array = npt.NDArray[np.generic]
Values = dict[str, Array]
ROWS = "0:2,5,-2:"
BEFORE = {ROWS: [0, 1, 5, 10, 11], "0:3,8": [0, 1, 2, 8], "0:5": [0, 1, 2, 3, 4]}


@contextmanager
def session() -> Iterator[tf.Session]:
    with tf.Graph().as_default(), tf.Session() as opened:
        yield opened


def make_model(folder: Path, *, resource: bool = False, parts: int | None = None) -> Path:
    """Write a model with the slots of an old training: no checkpoint of ours will have them."""
    splits = None if parts is None else tf.fixed_size_partitioner(parts)
    with session() as opened, tf.variable_scope("", use_resource=resource):
        start = tf.random_normal_initializer(seed=1)
        table = tf.get_variable("table", (HEIGHT, 3), initializer=start, partitioner=splits)
        rows = tf.nn.embedding_lookup(table, [0, 1, 5, 5, 8, 11], partition_strategy="div")
        matrix = tf.get_variable("matrix", initializer=np.eye(3, dtype=np.float32))
        other = tf.get_variable("other", initializer=[1.0, 2.0])
        loss = tf.reduce_sum(tf.sin(rows)) + tf.reduce_sum(tf.square(matrix - 0.3))
        tf.losses.add_loss(loss + tf.reduce_sum(tf.square(other)))
        step = tf.train.AdamOptimizer(RATE).minimize(tf.losses.get_total_loss())
        tf.add_to_collection("train_op", step)
        opened.run(tf.global_variables_initializer())
        opened.run(step)
        tf.train.Saver().save(opened, str(folder / "in" / "model"))
    return folder / "in" / "model"


def values_of(prefix: Path) -> Values:
    reader = tf.train.load_checkpoint(str(prefix))
    return {key: reader.get_tensor(key) for key in reader.get_variable_to_shape_map()}


def table_of(prefix: Path) -> Array:
    values: Array = tf.train.load_checkpoint(str(prefix)).get_tensor("table")
    return values


def bundle(
    source: Path, out: Path, optimizer: str = "adam", *, keep: bool = False, **plan: object
) -> FreezeRecord:
    """Freeze, anew if the source is a bundle."""
    checkpoint = plan.pop("checkpoint", None)
    more = {key: plan.pop(key) for key in ("skip_nonfinite", "lr_scales") if key in plan}
    is_bundle = (source / "graphfreeze.json").is_file()
    model = load(source, checkpoint=checkpoint)  # type: ignore[arg-type]
    frozen = freeze(model, FreezePlan(**plan), refreeze=is_bundle)  # type: ignore[arg-type]
    add_train_op(frozen, optimizer=optimizer, learning_rate=RATE, keep_slots=keep, **more)  # type: ignore[arg-type]
    save(frozen, out)
    return report(frozen)


def train(folder: Path, steps: int, *, writes_graph: bool = True) -> Path:
    """Train a bundle, save into it as scripts do, and return the prefix."""
    with session() as opened:
        saver = tf.train.import_meta_graph(str(folder / "model.meta"))
        saver.restore(opened, str(folder / "model"))
        for _ in range(steps):
            opened.run(tf.get_collection("train_op")[0])
        prefix = folder / f"trained-{steps}"
        saver.save(opened, str(prefix), write_meta_graph=writes_graph)
    return prefix


def differing(first: Values, second: Values) -> list[str]:
    same = {k for k in first.keys() & second.keys() if first[k].tobytes() == second[k].tobytes()}
    return sorted((first.keys() | second.keys()) - same)


KINDS: dict[str, dict[str, object]] = {
    "ref": {},
    "resource": {"resource": True},
    "parts": {"parts": 3},
}
SAME: dict[str, tuple[str, dict[str, object]]] = {
    "adam": ("adam", {"freeze": ("other",), "freeze_rows": {"table": ROWS}}),
    "adamw": ("adamw", {"freeze": ("other",), "freeze_rows": {"table": ROWS}}),
    "momentum": ("momentum", {"freeze_rows": {"table": ROWS}}),
    "adagrad": ("adagrad", {"freeze_rows": {"table": ROWS}}),
    "ftrl": ("ftrl", {"freeze_rows": {"table": ROWS}}),
    "rmsprop": ("rmsprop", {"freeze": ("other",), "freeze_columns": {"matrix": "0"}}),
    "adadelta": ("adadelta", {"freeze": ("matrix",)}),
    "overlay": ("adam", {"freeze_rows": {"table": ROWS}, "row_strategy": "overlay"}),
    "counting": ("adam", {"freeze": ("other",), "skip_nonfinite": True}),
    "rates": ("adam", {"freeze": ("other",), "lr_scales": {"matrix": 0.5}}),
}


IN_PARTS = ["adam", "momentum", "overlay"]


@pytest.mark.parametrize(
    ("case", "kind"), [*((case, "ref") for case in SAME), *((case, "parts") for case in IN_PARTS)]
)
def test_the_same_selection_goes_on_as_if_nothing_had_been(
    case: str, kind: str, tmp_path: Path
) -> None:
    (optimizer, plan), one, two = SAME[case], tmp_path / "one", tmp_path / "two"
    source = make_model(tmp_path, **KINDS[kind])  # type: ignore[arg-type]
    bundle(source, one, optimizer, **plan)
    straight = values_of(train(one, FIRST + MORE))
    trained = values_of(train(one, FIRST))
    record = bundle(one, two, optimizer, keep=True, **plan)
    begun, ours = values_of(two / "model"), values_of(train(two, MORE))
    for values in (begun, ours, trained, straight) if "row_strategy" in plan else ():
        del values["table"]  # has its rows, or not yet
    for values in (begun, ours, trained, straight) if "freeze_columns" in plan else ():
        for slot in [key for key in values if key.startswith("matrix/")]:
            values[slot] = values[slot][:, 1:]  # of frozen entries they begin anew
    assert not differing(begun, trained)
    assert not differing(ours, straight)
    assert not [note for note in record.notes if "--keep-slots" in note]
    assert record.notes[0].endswith(f"the values that go on are those of {one / 'trained-5'}")
    original = (tmp_path / "in" / "model.meta").read_bytes()
    undo(load(two), tmp_path / "again.meta")
    assert (tmp_path / "again.meta").read_bytes() == original


OVERLAY = {"row_strategy": "overlay"}
# former plan, new plan, the rows that this one freezes
ROWS_OF: dict[str, tuple[dict[str, object], dict[str, object], list[int]]] = {
    "masked, then other rows masked": (
        {"freeze_rows": {"table": ROWS}},
        {"freeze_rows": {"table": "0:3"}},
        [0, 1, 2],
    ),
    "overlaid, then the same rows masked": (
        {"freeze_rows": {"table": ROWS}, **OVERLAY},
        {"freeze_rows": {"table": ROWS}},
        [0, 1, 5, 10, 11],
    ),
    "masked, then the same rows overlaid": (
        {"freeze_rows": {"table": ROWS}},
        {"freeze_rows": {"table": ROWS}, **OVERLAY},
        [0, 1, 5, 10, 11],
    ),
    "overlaid, then other rows overlaid": (
        {"freeze_rows": {"table": ROWS}, **OVERLAY},
        {"freeze_rows": {"table": "0:3,8"}, **OVERLAY},
        [0, 1, 2, 8],
    ),
    "overlaid in some parts, then masked": (
        {"freeze_rows": {"table": "0:3,8"}, **OVERLAY},
        {"freeze_rows": {"table": ROWS}},
        [0, 1, 5, 10, 11],
    ),
    "overlaid in some parts, then in others": (
        {"freeze_rows": {"table": "0:3,8"}, **OVERLAY},
        {"freeze_rows": {"table": "5,8,9"}, **OVERLAY},
        [5, 8, 9],
    ),
    "a part masked, then all learn": (
        {"freeze_rows": {"table": "0:5"}},
        {"freeze": ("other",)},
        [],
    ),
    "a part masked, then overlaid": (
        {"freeze_rows": {"table": "0:5"}},
        {"freeze_rows": {"table": "2,6"}, **OVERLAY},
        [2, 6],
    ),
    "a part overlaid, then all learn": (
        {"freeze_rows": {"table": "0:5"}, **OVERLAY},
        {"freeze": ("other",)},
        [],
    ),
    "overlaid, then all learn": (
        {"freeze_rows": {"table": ROWS}, **OVERLAY},
        {"freeze": ("other",)},
        [],
    ),
    "overlaid, then all frozen": (
        {"freeze_rows": {"table": ROWS}, **OVERLAY},
        {"freeze": ("table",)},
        list(range(HEIGHT)),
    ),
}


@pytest.mark.parametrize(
    ("optimizer", "kind"),
    list(zip(["adam", "ftrl", "momentum"], KINDS.values(), strict=True)),
    ids=KINDS,
)
@pytest.mark.parametrize(("former", "plan", "rows"), ROWS_OF.values(), ids=ROWS_OF)
def test_rows_go_on_wherever_they_lay(
    former: dict[str, object],
    plan: dict[str, object],
    rows: list[int],
    optimizer: str,
    kind: dict[str, object],
    tmp_path: Path,
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    before = BEFORE[former["freeze_rows"]["table"]]  # type: ignore[index]
    bundle(make_model(tmp_path, **kind), one, optimizer, **former)  # type: ignore[arg-type]
    straight, trained = merged(one, FIRST + MORE), merged(one, FIRST)
    train(one, FIRST)
    bundle(one, two, optimizer, keep=True, **plan)
    begun, ours = table_of(two / "model"), merged(two, MORE)
    frozen, was_frozen = (np.isin(np.arange(HEIGHT), each) for each in (rows, before))
    goes_on = ~was_frozen & ~frozen
    assert begun.tobytes() == trained.tobytes()
    assert ours[frozen].tobytes() == trained[frozen].tobytes()
    assert ours[goes_on].tobytes() == straight[goes_on].tobytes()
    used = np.isin(np.arange(HEIGHT), [0, 1, 5, 8, 11])
    assert (ours != trained).any(axis=1)[used & ~frozen].all()


def merged(folder: Path, steps: int) -> Array:
    """Train a bundle, and return its table with the rows of an overlay in it; nothing is kept."""
    with session() as opened:
        saver = tf.train.import_meta_graph(str(folder / "model.meta"))
        saver.restore(opened, str(folder / "model"))
        for _ in range(steps):
            opened.run(tf.get_collection("train_op")[0])
        opened.run(tf.get_collection("graphfreeze_merge"))
        saver.save(opened, str(folder.parent / "merged"))
    return table_of(folder.parent / "merged")


def test_what_is_thawed_begins_fresh(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    bundle(make_model(tmp_path), one, freeze=("other", "matrix"))
    trained = values_of(train(one, FIRST))
    record = bundle(one, two, keep=True, freeze=("other",))
    begun = values_of(two / "model")
    assert not np.any(begun["matrix/graphfreeze_Adam"])
    assert begun["table/graphfreeze_Adam"].tobytes() == trained["table/graphfreeze_Adam"].tobytes()
    power = "graphfreeze/beta1_power"
    assert begun[power] == trained[power] < 0.9**FIRST
    slots = [f"{name}/graphfreeze_Adam{n}" for name in ("table",) for n in ("", "_1")]
    assert record.slots_kept == {name: name for name in (*slots, power, "graphfreeze/beta2_power")}
    assert (
        "matrix/graphfreeze_Adam, matrix/graphfreeze_Adam_1; they begin anew, under beta"
        in notes(record)
    )
    ours = values_of(train(two, MORE))
    assert ours["other"].tobytes() == trained["other"].tobytes()
    assert not np.any(ours["matrix"] == trained["matrix"])
    assert ours["global_step"] == FIRST + MORE


def test_columns_that_are_thawed_begin_fresh(tmp_path: Path) -> None:
    """Under a mask RMSProp goes on to move the slots of what is frozen."""
    one, two = tmp_path / "one", tmp_path / "two"
    bundle(make_model(tmp_path), one, "rmsprop", freeze_columns={"matrix": "0"})
    first, slot = values_of(one / "model"), "matrix/graphfreeze_RMSProp"
    trained = values_of(train(one, FIRST))
    bundle(one, two, "rmsprop", keep=True, freeze_columns={"matrix": "2"})
    begun = values_of(two / "model")
    assert begun[slot][:, [0, 2]].tobytes() == first[slot][:, [0, 2]].tobytes()
    assert begun[slot][:, 1].tobytes() == trained[slot][:, 1].tobytes()
    assert np.all(trained[slot][:, 1] != first[slot][:, 1])


def test_without_keep_slots_the_step_goes_on(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    bundle(make_model(tmp_path), one, freeze=("other",), skip_nonfinite=True)
    trained = values_of(train(one, FIRST))
    record = bundle(one, two, freeze=("other",), skip_nonfinite=True)
    begun = values_of(two / "model")
    assert begun["global_step"] == trained["global_step"] == FIRST
    assert not np.any(begun["table/graphfreeze_Adam"])
    assert (record.global_step, record.slots_kept) == ("global_step", {})


def notes(record: FreezeRecord) -> str:
    return "\n".join(record.notes)


def test_settings_are_not_taken_over(tmp_path: Path) -> None:
    out = tmp_path / "one"
    bundle(make_model(tmp_path), out, "momentum", freeze=("other",))
    train(out, 1)
    same = bundle(out, tmp_path / "same", "momentum", freeze=("other",))
    assert "takes no setting over" not in notes(same)
    other = bundle(out, tmp_path / "two", "sgd", freeze=("other",))
    told = f"the train_op was momentum at {RATE:g}, and is sgd at {RATE:g} now"
    assert told in notes(other)


def test_a_checkpoint_without_a_graph_of_its_own_goes_on(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    bundle(make_model(tmp_path), one, freeze=("other",))
    trained = values_of(train(one, FIRST, writes_graph=False))
    record = bundle(one, two, keep=True, freeze=("other",))
    assert not differing(values_of(two / "model"), trained)
    assert record.checkpoint == str(one / f"trained-{FIRST}")


def test_over_the_first_checkpoint_is_trained_too(tmp_path: Path) -> None:
    one = tmp_path / "one"
    bundle(make_model(tmp_path), one, freeze=("other",))
    with session() as opened:
        saver = tf.train.import_meta_graph(str(one / "model.meta"))
        saver.restore(opened, str(one / "model"))
        opened.run(tf.get_collection("train_op")[0])
        saver.save(opened, str(one / "model"), write_meta_graph=False)
    bundle(one, tmp_path / "two", keep=True, freeze=("other",))
    begun = values_of(tmp_path / "two" / "model")
    assert begun["global_step"] == 1
    with session() as opened:
        saver = tf.train.import_meta_graph(str(one / "model.meta"))
        saver.restore(opened, str(one / "model"))
        saver.save(opened, str(one / "model"))
    bundle(one, tmp_path / "three", freeze=("other",))
    undo(load(one), tmp_path / "back.meta")
    assert (tmp_path / "back.meta").read_bytes() == (tmp_path / "in" / "model.meta").read_bytes()
    with pytest.raises(UndoError, match=r"model.meta: cannot be undone, .*graphfreeze.meta"):
        undo(load(one / "model.meta"), tmp_path / "again.meta")


# the scope that TensorFlow imports it into, the words of the error
EXPORTS = {
    "": "it is not as graphfreeze wrote it: TensorFlow exports",
    "scope": "TensorFlow exports",
}


@pytest.mark.parametrize(("scope", "words"), EXPORTS.items(), ids=["no scope", "a scope"])
@pytest.mark.parametrize("out", ["one", "one.meta"])
def test_what_tensorflow_exported_is_refused(
    scope: str, words: str, out: str, tmp_path: Path
) -> None:
    frozen = freeze(load(make_model(tmp_path)), FreezePlan(freeze=("other",)))
    save(frozen, tmp_path / out)
    folder = tmp_path / out if out == "one" else tmp_path
    with session():
        path = folder / ("model.meta" if out == "one" else out)
        tf.train.import_meta_graph(str(path), import_scope=scope)
        tf.train.export_meta_graph(str(folder / "again.meta"))
    with pytest.raises(UndoError) as raised:
        undo(load(folder / "again.meta"), tmp_path / "back.meta")
    assert words in str(raised.value)
    undo(load(path), tmp_path / "back.meta")
    assert (tmp_path / "back.meta").read_bytes() == (tmp_path / "in" / "model.meta").read_bytes()


# the new optimizer, the options besides, the words of the error
REFUSED: dict[str, tuple[str, dict[str, object], str]] = {
    "another optimizer": (
        "momentum",
        {},
        "the model has no slots of momentum for what learns (it has those of Adam); use",
    ),
    "the checkpoint of the original": (
        "adam",
        {"checkpoint": "in/model"},
        "the model has no slots of adam for what learns (it has none); use the optimizer",
    ),
}


@pytest.mark.parametrize(("optimizer", "plan", "words"), REFUSED.values(), ids=REFUSED)
def test_slots_that_are_not_there(
    optimizer: str, plan: dict[str, object], words: str, tmp_path: Path
) -> None:
    one = tmp_path / "one"
    bundle(make_model(tmp_path), one, freeze=("other",))
    train(one, FIRST)
    options = {key: tmp_path / str(value) for key, value in plan.items()}
    with pytest.raises(TrainError) as raised:
        bundle(one, tmp_path / "two", optimizer, keep=True, freeze=("matrix",), **options)
    assert words in str(raised.value)
    assert not (tmp_path / "two").exists()


def test_slots_of_a_bundle_without_a_train_op(tmp_path: Path) -> None:
    one = tmp_path / "one"
    save(freeze(load(make_model(tmp_path)), FreezePlan(freeze=("other",))), one)
    with pytest.raises(TrainError) as raised:
        bundle(one, tmp_path / "two", keep=True, freeze=("matrix",), checkpoint=one / "model")
    assert "no slots of adam for what learns (it has none)" in str(raised.value)


def words(folder: Path, count: int) -> dict[str, dict[str, str]]:
    """Return the options that add rows to the table."""
    (folder / "old.txt").write_text("".join(f"old{i}\n" for i in range(HEIGHT)))
    (folder / "new.txt").write_text("".join(f"new{i}\n" for i in range(count)))
    return {
        "vocab": {"table": str(folder / "old.txt")},
        "add_words": {"table": str(folder / "new.txt")},
    }


@pytest.mark.parametrize("strategy", ["mask", "overlay"])
@pytest.mark.parametrize("more", [0, 2], ids=["the same words", "more words"])
def test_added_words_are_added_again(strategy: str, more: int, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    plan = {"freeze_rows": {"table": "0:3"}, "row_strategy": strategy}
    bundle(make_model(tmp_path), one, **plan, **words(tmp_path, 3))
    straight, trained = merged(one, FIRST + MORE), merged(one, FIRST)
    train(one, FIRST)
    with pytest.raises(UndoError) as raised:
        bundle(one, two, keep=True, **plan)
    assert "rows were added to table when this was frozen; give the same words" in str(raised.value)
    record = bundle(one, two, keep=True, **plan, **words(tmp_path, 3 + more))
    begun, ours = table_of(two / "model"), merged(two, MORE)
    height = HEIGHT + 3
    assert begun.shape == (height + more, 3)
    assert begun[:height].tobytes() == trained.tobytes()
    assert ours[:height].tobytes() == straight.tobytes()
    (told,) = record.rows_initialised
    assert (told.added, told.first_added) == (more, height if more else None)
    with pytest.raises(UndoError):
        bundle(one, tmp_path / "three", keep=True, **plan, **words(tmp_path, 2))


@pytest.mark.parametrize("job", ["bert_tiny", "bare_graph", "partitioned_div", "batch_norms"])
def test_bundles_of_real_models_are_given_back(
    job: str, make_bundle: Callable[[str], object], tmp_path: Path
) -> None:
    made = make_bundle(job)
    source = load(made.job.source)
    record = undo(load(made.folder), tmp_path / f"back{source.source.path.suffix}")
    assert Path(record.out).read_bytes() == source.raw
    told = (made.folder / "graphfreeze.json").read_bytes()
    assert len(json.dumps(json.loads(told)["manifest"])) < len(source.raw) / 5
