"""What options for single tables come to: sets of entries, and errors that say why not."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from graphfreeze.api import load
from graphfreeze.errors import LoadError, SelectionError, WordError
from graphfreeze.model.saver import find_saver
from graphfreeze.model.tables import find_tables
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.schema import SaverDef
from graphfreeze.selection.entries import Entries
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.selection.resolve import Choice, resolve
from graphfreeze.selection.row_values import count_added
from graphfreeze.selection.words import Words

MODELS = Path(__file__).parents[2] / "testdata" / "models"
SHAPE = (5, 3)
MODEL = """
table = VariableV2() {shape: [5, 3]}
bias = VariableV2() {shape: [5]}
cube = VariableV2() {shape: [2, 5, 3]}
other = VariableV2() {shape: [4]}
moving = VariableV2() {shape: [5, 3]}
variables: table, bias, cube, other, moving
trainable_variables: table, bias, cube, other
"""
ROW = np.array([[True], [False], [False], [True], [False]])
CORNER = np.zeros(SHAPE, bool)
CORNER[0, 0] = True
HALF = np.array([0.0, 0.5, 1, 1, 0.25])


def choice_of(name: str, **plan: object) -> Choice:
    model = parse_sketch(MODEL)
    selection = resolve(FreezePlan(**plan), model.variables, model.graph)  # type: ignore[arg-type]
    return next(choice for choice in selection.choices if choice.variable.name == name)


def mask_of(*rows: str) -> npt.NDArray[np.bool_]:
    return np.array([[letter == "x" for letter in row] for row in rows])


# options for the table, then its frozen entries
OPTIONS = {
    "rows": ({"freeze_rows": {"table": "0,3:"}}, mask_of("xxx", "...", "...", "xxx", "xxx")),
    "columns": ({"freeze_columns": {"table": "-1"}}, mask_of(*["..x"] * 5)),
    "elements": ({"freeze_elements": {"table": CORNER}}, CORNER),
    "elements of whole rows": (
        {"freeze_elements": {"table": ROW}}, mask_of("xxx", "...", "...", "xxx", "...")
    ),
    "rows, columns and elements": (
        {
            "freeze_rows": {"table": "4"},
            "freeze_columns": {"table": "1"},
            "freeze_elements": {"table": CORNER},
        },
        mask_of("xx.", ".x.", ".x.", ".x.", "xxx"),
    ),
    "trained rows and frozen columns": (
        {"train_rows": {"table": "1:"}, "freeze_columns": {"table": "0"}},
        mask_of("xxx", "x..", "x..", "x..", "x.."),
    ),
    "rows of a scope that is frozen": (
        {"freeze": ("table",), "freeze_columns": {"table": "0"}}, mask_of(*["x.."] * 5)
    ),
    "a factor of 0 freezes": (
        {"row_scale": {"table": HALF}}, mask_of("xxx", "...", "...", "...", "...")
    ),
}  # fmt: skip


@pytest.mark.parametrize(("plan", "frozen"), OPTIONS.values(), ids=OPTIONS)
def test_frozen_entries(plan: dict[str, object], frozen: npt.NDArray[np.bool_]) -> None:
    choice = choice_of("table", **plan)
    assert choice.state == "partly frozen"
    assert choice.entries is not None
    np.testing.assert_array_equal(choice.entries.mask(), frozen)


STATES = {
    "all columns": ({"freeze_columns": {"table": ":"}}, "frozen"),
    "all elements": ({"freeze_elements": {"table": np.array(True)}}, "frozen"),
    "rows and columns that make up all": (
        {"freeze_rows": {"table": ":3"}, "freeze_elements": {"table": np.arange(5)[:, None] > 2}},
        "frozen",
    ),
    "factors without 0": ({"row_scale": {"table": (HALF + 0.1) / 2}}, "trainable"),
    "all elements of what never learns": ({"freeze_elements": {"moving": ~CORNER | CORNER}}, None),
}


@pytest.mark.parametrize(("plan", "state"), STATES.values(), ids=STATES)
def test_state(plan: dict[str, object], state: str | None) -> None:
    name = "table" if state is not None else "moving"
    choice = choice_of(name, **plan)
    assert (choice.state, choice.entries) == (state or "frozen", None)


def test_factors_are_kept_where_they_change_a_gradient() -> None:
    scale = choice_of("table", row_scale={"table": HALF}).scale
    assert scale is not None
    assert scale.weights.tolist() == HALF.tolist()
    assert choice_of("table", row_scale={"table": (HALF > 0).astype(np.int64)}).scale is None
    column = choice_of("table", row_scale={"table": HALF[:, None]}).scale
    assert column is not None
    assert column.weights.shape == (5,)


def test_masks_and_factors_from_files(tmp_path: Path) -> None:
    np.save(tmp_path / "mask.npy", CORNER)
    np.save(tmp_path / "factors.npy", HALF.astype(np.float32))
    plan = {
        "freeze_elements": {"table": str(tmp_path / "mask.npy")},
        "row_scale": {"bias": str(tmp_path / "factors.npy")},
    }
    assert Entries.of_mask(CORNER, SHAPE).count == 1
    table, bias = choice_of("table", **plan), choice_of("bias", **plan)
    assert table.entries is not None
    np.testing.assert_array_equal(table.entries.mask(), CORNER)
    assert bias.scale is not None
    assert bias.scale.weights.tolist() == HALF.tolist()


REFUSED = {
    "columns of a vector": (
        {"freeze_columns": {"bias": "0"}},
        "variable 'bias' has shape [5], without columns",
    ),
    "columns out of range": (
        {"freeze_columns": {"table": "3"}},
        "columns '3' lie outside 'table', which has 3 columns; they run from 0 to 2",
    ),
    "malformed columns": ({"freeze_columns": {"table": "a"}}, "bad columns 'a' for 'table'"),
    "a mask of numbers": (
        {"freeze_elements": {"table": CORNER.astype(int)}},
        "the array of freeze-elements: the mask for 'table' is int64 and must be bool",
    ),
    "a mask of another shape": (
        {"freeze_elements": {"table": np.zeros((3, 5), bool)}},
        "the mask has shape [3, 5], which does not broadcast to [5, 3] of 'table'",
    ),
    "factors of another height": (
        {"row_scale": {"table": HALF[:4]}},
        "the factors have shape [4], and 'table' needs one a row, [5]",
    ),
    "factors by element": (
        {"row_scale": {"table": np.ones(SHAPE)}}, "the factors have shape [5, 3]"
    ),
    "factors that are text": (
        {"row_scale": {"table": np.array(["1"] * 5)}}, "must be numbers in [0, 1], not <U1"
    ),
    "a factor past 1": (
        {"row_scale": {"table": HALF * 4}}, "the factor of row 1 of 'table' is 2; factors lie in"
    ),
    "a factor that is none": (
        {"row_scale": {"table": HALF * np.nan}}, "the factor of row 0 of 'table' is nan"
    ),
    "factors given twice": (
        {"row_scale": {"table": HALF, "**/table": HALF}},
        "--row-scale is given twice for 'table'",
    ),
    "rows frozen and trained": (
        {"freeze_rows": {"table": "0:3"}, "train_rows": {"table": "2:"}},
        "rows 2:3 of 'table' are both frozen and trained",
    ),
    "elements of what never learns": (
        {"freeze_elements": {"moving": CORNER}}, "'moving' is not trainable"
    ),
    "columns under an overlay": (
        {"freeze_columns": {"table": "0"}, "row_strategy": "overlay"},
        "--row-strategy overlay keeps whole rows",
    ),
    "factors under an overlay": (
        {"row_scale": {"table": HALF}, "row_strategy": "overlay"},
        "--row-strategy overlay keeps whole rows",
    ),
    "words without a vocabulary": (
        {"freeze_words": {"table": str(MODELS / "tied_softmax" / "vocab.txt")}},
        "words of 'table' need its vocabulary; add --vocab table=vocab.txt",
    ),
    "a vocabulary that is too long": (
        {
            "vocab": {"table": str(MODELS / "tied_softmax" / "vocab.txt")},
            "freeze_words": {"table": str(MODELS / "tied_softmax" / "vocab.txt")},
        },
        "vocab.txt: has 600 ids, and 'table' has 5 rows",
    ),
    "an unknown strategy": (
        {"row_strategy": "under"}, "row_strategy='under' is none of 'mask', 'overlay'"
    ),
    "rows that are no mapping": ({"freeze_columns": "0"}, "freeze_columns='0' is no mapping"),
}  # fmt: skip


@pytest.mark.parametrize(("plan", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(plan: dict[str, object], message: str) -> None:
    with pytest.raises(SelectionError) as caught:
        choice_of("table", **plan)
    assert message in str(caught.value)


FILES = {
    "no .npy": (b"0 1 0 1", SelectionError, "it is no .npy, or damaged"),
    "cut off": (b"\x93NUMPY\x01\x00", SelectionError, "it is no .npy, or damaged"),
    "missing": (None, LoadError, "no such file or folder"),
}


@pytest.mark.parametrize(("content", "kind", "message"), FILES.values(), ids=FILES)
def test_bad_file(
    content: bytes | None, kind: type[Exception], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "mask.npy"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(kind, match=message):
        choice_of("table", freeze_elements={"table": str(path)})


def rows_by_word(name: str, words: list[str], folder: Path, **options: object) -> list[int]:
    """Return the rows of the whole table that words freeze in a model of TensorFlow 1.15."""
    model, table = load(MODELS / name), "table" if "part" in name else "embedding"
    (folder / "words.txt").write_text("\n".join(words))
    vocab = {table: str(MODELS / name / "vocab.txt")}
    chosen = {table: str(folder / "words.txt")}
    plan = FreezePlan(vocab=vocab, freeze_words=chosen, **options)  # type: ignore[arg-type]
    selection = resolve(plan, model.variables, model.graph, saver=model.saver_ops)
    (count,) = selection.words
    assert count.table == table
    rows = []
    for part in next(each for each in selection.tables if each.name == table).parts:
        entries = selection.partly.get(part.variable)
        if entries is not None and entries.rows is not None:
            rows += (np.flatnonzero(entries.rows.mask()) + part.offset[0]).tolist()
    assert count.rows == len(rows)
    return rows


# aorta is word 7, w010 word 10; of 101 ids the mod strategy keeps 7 at 76 + 1, 10 at 51 + 2
WORDS = {
    "one table": ("tied_softmax", {}, [7, 10]),
    "parts by mod": ("partitioned_mod", {}, [53, 77]),
    "parts by div": ("partitioned_div", {}, [7, 10]),
    "told as the lookups tell": ("partitioned_div", {"partition": "div"}, [7, 10]),
}


@pytest.mark.parametrize(("name", "options", "rows"), WORDS.values(), ids=WORDS)
def test_rows_of_words(
    name: str, options: dict[str, object], rows: list[int], tmp_path: Path
) -> None:
    assert rows_by_word(name, ["aorta", "w010"], tmp_path, **options) == rows


def test_missing_words(tmp_path: Path) -> None:
    words = ["aorta", "aortas"]
    with pytest.raises(SelectionError, match="aortas"):
        rows_by_word("tied_softmax", words, tmp_path)
    assert rows_by_word("tied_softmax", words, tmp_path, missing_words="ignore") == [7]


DOUBTFUL = {
    "two strategies": ("FloorMod", "Maximum", r"do not agree: l0 \(mod\), l1 \(div\)"),
    "no strategy": ("Square", "Square", r"l0 \(unknown\)"),
}


@pytest.mark.parametrize(("one", "other", "message"), DOUBTFUL.values(), ids=DOUBTFUL)
def test_strategy_that_lookups_do_not_tell(
    one: str, other: str, message: str, tmp_path: Path
) -> None:
    text = 'ids = Placeholder() {dtype: int32}\nf = Const() {value: "f"}\n'
    keys = 'k = Const() {value: ["t", "t"]}\ns = Const() {value: ["4 2 0,2:0,2", "4 2 2,2:0,2"]}\n'
    for i, op in enumerate((one, other)):
        takes = "ids" if op == "Square" else "ids, ids"
        text += (
            f"t{i} = VariableV2() {{shape: [2, 2]}}\np{i} = {op}({takes})\n"
            f"d{i} = DynamicPartition(ids, p{i}) {{num_partitions: 2}}\nl{i} = Gather(t{i}, d{i})\n"
        )
    text += keys + "save = SaveV2(f, k, s, t0, t1)\nr = RestoreV2(f, k, s)\nn = NoOp(^r)\n"
    (tmp_path / "vocab.txt").write_text("a\nb\nc\nd")
    (tmp_path / "words.txt").write_text("b")
    model = parse_sketch(text)

    saver = find_saver(model.graph, SaverDef(save_tensor_name="save:0", restore_op_name="n"))
    plan = FreezePlan(
        vocab={"t": str(tmp_path / "vocab.txt")}, freeze_words={"t": str(tmp_path / "words.txt")}
    )
    with pytest.raises(SelectionError, match=message):
        resolve(plan, model.variables, model.graph, saver=saver)


def test_words_of_a_table_whose_parts_hold_columns(tmp_path: Path) -> None:
    text = 'f = Const() {value: "f"}\nk = Const() {value: ["t", "t"]}\n'
    text += 's = Const() {value: ["3 4 0,3:0,2", "3 4 0,3:2,2"]}\n'
    text += "".join(f"t{i} = VariableV2() {{shape: [3, 2]}}\n" for i in range(2))
    text += "save = SaveV2(f, k, s, t0, t1)\nr = RestoreV2(f, k, s)\nn = NoOp(^r)\n"
    (tmp_path / "vocab.txt").write_text("a\nb\nc")
    (tmp_path / "words.txt").write_text("b")
    model = parse_sketch(text)
    saver = find_saver(model.graph, SaverDef(save_tensor_name="save:0", restore_op_name="n"))
    plan = FreezePlan(
        vocab={"t": str(tmp_path / "vocab.txt")}, freeze_words={"t": str(tmp_path / "words.txt")}
    )
    selection = resolve(plan, model.variables, model.graph, saver=saver)
    assert [each.mask().tolist() for each in selection.partly.values()] == [
        [[False] * 2, [True] * 2, [False] * 2]
    ] * 2


def test_added_word_that_has_a_row(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text("a\nb\nc")
    (tmp_path / "new.txt").write_text("d\nb")
    model = parse_sketch(MODEL)
    tables = find_tables(model.graph, model.variables, None)
    table = next(each for each in tables if each.name == "table")
    plan = FreezePlan(
        vocab={"table": str(tmp_path / "vocab.txt")}, add_words={"table": str(tmp_path / "new.txt")}
    )
    for ask in (
        lambda: count_added(plan, tables),
        lambda: Words(plan, tables, model.graph).vocabulary_of(table),
    ):
        with pytest.raises(WordError, match=r"1 of 2 words to add are in .*vocab.txt already: 'b'"):
            ask()
    (tmp_path / "new.txt").write_text("d\ne")
    assert count_added(plan, tables) == {"table": 2}
    index = Words(plan, tables, model.graph).vocabulary_of(table).index
    assert index == {"a": 0, "b": 1, "c": 2, "d": 3, "e": 4}


def test_strategy_that_the_lookups_deny(tmp_path: Path) -> None:
    message = "--partition div, but the lookups of 'table' spread ids by mod: words/GatherV2"
    with pytest.raises(SelectionError, match=message):
        rows_by_word("partitioned_mod", ["aorta"], tmp_path, partition="div")
