"""Rows, columns, elements and words on the command line, without a train_op."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from graphfreeze import FreezePlan
from graphfreeze.model.frozen_mask import frozen_mask
from graphfreeze.model.records import FreezeRecord, VariableRecord

EMBEDDING, SHAPE = "word_embedding", (1000, 16)
RNG = np.random.default_rng(0)
MASK = RNG.random(SHAPE) < 0.3
ROWS, COLUMNS = np.arange(1000)[:, None], np.arange(16)


@pytest.fixture
def place(models: Path) -> Path:
    np.save("mask.npy", MASK)
    np.save("columns.npy", COLUMNS < 4)
    np.save("factors.npy", np.linspace(0, 1, 1000))
    Path("words.txt").write_text("aorta\nartery\n")
    Path("more.txt").write_text("aorta\nfibula\nulna\n")
    return models


def frozen(run, line: str) -> tuple[VariableRecord, FreezeRecord]:
    """Return what became of the first variable that is frozen in part, told as JSON."""
    code, out, _ = run("freeze", *line.split(), "--json", "--no-train-op")
    assert code == 0
    record = msgspec.json.decode(out, type=FreezeRecord)
    return next(v for v in record.variables if v.strategy), record


BY_PLACE = {
    "rows": ("--freeze-rows word_embedding=0:5,-1", (ROWS < 5) | (ROWS == 999)),
    "columns": ("--freeze-columns word_embedding=1:3,-1", np.isin(COLUMNS, [1, 2, 15])),
    "columns add up": (
        "--freeze-columns word_embedding=1 --freeze-columns word_embedding=3",
        np.isin(COLUMNS, [1, 3]),
    ),
    "elements": ("--freeze-elements word_embedding=mask.npy", MASK),
    "a mask of columns": ("--freeze-elements word_embedding=columns.npy", COLUMNS < 4),
    "all together": (
        "--freeze-elements word_embedding=mask.npy --freeze-rows word_embedding=7 "
        "--freeze-columns word_embedding=2",
        MASK | (ROWS == 7) | (COLUMNS == 2),
    ),
    "factors": ("--row-scale word_embedding=factors.npy", ROWS == 0),
}


@pytest.mark.parametrize(("options", "mask"), BY_PLACE.values(), ids=BY_PLACE)
def test_the_record_tells_every_frozen_entry(
    run, place: Path, options: str, mask: np.ndarray
) -> None:
    found, _ = frozen(run, f"text_classifier out {options}")
    wanted = np.broadcast_to(mask, SHAPE)
    np.testing.assert_array_equal(frozen_mask(found), wanted)
    assert found.frozen_elements == wanted.sum()
    written = msgspec.json.decode(Path("out/graphfreeze.json").read_bytes(), type=FreezeRecord)
    assert found in written.variables
    assert run("show", "out", "--json")[1].count('"frozen_elements": ' + str(wanted.sum())) == 1


def test_factors_are_told(run, place: Path) -> None:
    found, record = frozen(run, "text_classifier out --row-scale word_embedding=factors.npy")
    assert found.row_scale is not None
    assert found.row_scale.rows == 998
    assert "adam and others that divide by its size hardly feel it" in record.notes[0]


@pytest.mark.parametrize(
    ("model", "rows"), [("partitioned_mod", [54, 77]), ("partitioned_div", [7, 14])]
)
def test_words_are_ids(run, place: Path, model: str, rows: list[int]) -> None:
    vocabulary = f"--vocab table={model}/vocab.txt"
    line = f"{model} out {vocabulary} --freeze-words table=words.txt"
    _, record = frozen(run, line)
    parts = [each for each in record.variables if each.partition_of == "table"]
    mask = np.concatenate([frozen_mask(part) for part in parts])
    assert mask.shape == (101, 8)
    assert np.flatnonzero(mask.all(1)).tolist() == rows
    assert mask.sum() == 16
    assert [part.part_offset for part in parts] == [[0, 0], [26, 0], [51, 0], [76, 0]]
    (words,) = record.words
    assert (words.table, words.option, words.rows, words.missing) == (
        "table",
        "--freeze-words",
        2,
        [],
    )
    out = run("freeze", *line.split(), "--force", "--no-train-op")[1]
    assert (
        "table     [101, 8]            808  partly frozen  2 of 101 rows, --freeze-words\n" in out
    )
    assert "rows         table: 101 rows, 2 frozen, 99 left to learn\n" in out


def test_a_partition_that_the_lookups_deny(run, place: Path) -> None:
    words = "--vocab table=partitioned_mod/vocab.txt --freeze-words table=words.txt"
    code, out, err = run(*f"freeze partitioned_mod out {words} --partition div".split())
    assert (code, out) == (2, "")
    assert "--partition div, but the lookups of 'table' spread ids by mod" in err
    assert not Path("out").exists()


def test_missing_words_are_told(run, place: Path) -> None:
    words = "--vocab embedding=tied_softmax/vocab.txt --train-words embedding=more.txt"
    line = f"freeze tied_softmax out {words} --missing-words ignore --no-train-op"
    code, out, err = run(*line.split())
    assert (code, err) == (0, "")
    assert "words        embedding: 1 row by --train-words\n" in out
    assert "               without 2 missing words: 'fibula', 'ulna'\n" in out
    assert "partly frozen  599 of 600 rows, --train-words\n" in out


def test_a_kernel_that_was_asked_for(run, place: Path) -> None:
    line = "text_classifier out --freeze-rows word_embedding=1 --mask-kernel select"
    found, _ = frozen(run, line)
    assert (found.kernel, found.kernel_reason) == ("select", "")
    out = run("freeze", *line.split(), "--force", "--no-train-op")[1]
    assert "masks        select for word_embedding, as asked\n" in out


def test_an_overlay(run, place: Path) -> None:
    line = "nce out --freeze-rows embeddings=0:60 --row-strategy overlay"
    found, record = frozen(run, line)
    assert (found.strategy, found.overlay_rows) == ("overlay", "embeddings/graphfreeze/rows")
    assert record.merge_op == "graphfreeze/merge"
    assert record.keys_added == ["embeddings/graphfreeze/rows"]
    out = run("freeze", *line.split(), "--force", "--no-train-op")[1]
    assert "overlay      embeddings: 440 rows in embeddings/graphfreeze/rows\n" in out
    assert out.endswith("        sess.run('graphfreeze/merge')  # when trained\n")


VALUES = """embedding: 600 rows, 0 frozen, 600 left to learn
               2 with given values
"""


def test_values_alone_freeze_nothing(run, place: Path) -> None:
    numbers = " ".join(["0.5"] * 16)
    Path("words.vec").write_text(f"2 16\naorta {numbers}\nartery {numbers}\n")
    options = "--vocab embedding=tied_softmax/vocab.txt --vectors embedding=words.vec"
    code, out, err = run("freeze", "tied_softmax", "out", *options.split(), "--no-train-op")
    assert code == 0
    assert VALUES in out
    assert err.startswith("graphfreeze: warning: nothing is frozen; name what to freeze with ")


def test_added_words(run, place: Path) -> None:
    Path("new.txt").write_text("fibula\nulna\n")
    options = "--vocab embedding=tied_softmax/vocab.txt --add-words embedding=new.txt"
    more = "--freeze-words embedding=new.txt"
    line = f"freeze tied_softmax out {options} {more} --no-train-op"
    code, out, err = run(*line.split())
    random = "2 rows added to embedding are frozen at random values, for they were given no vectors"
    assert (code, err) == (0, f"graphfreeze: warning: {random}; give some with --vectors\n")
    assert "               2 added rows frozen at random values: no vector was given\n" in out
    assert "rows         embedding: 602 rows, 2 frozen, 600 left to learn\n" in out
    assert "               2 added, from id 600 on\n" in out
    assert "note         softmax_bias grows to 602 rows too, used with embedding\n" in out


def test_help_has_a_section_for_each_kind_of_option(run) -> None:
    out = run("freeze", "--help")[1]
    heads = [line for line in out.splitlines() if line.endswith(":") and line[:1].strip()]
    assert heads == [
        "What stops learning:",
        "Rows, columns, elements:",
        "Rows by word:",
        "A head for a model without a loss:",
        "What trains the rest:",
        "Where values come from:",
        "Other options:",
    ]
    assert "--vocab VAR=FILE " in out
    assert "--missing-words [error|ignore]" in out


@pytest.mark.parametrize("field", FreezePlan.__struct_fields__)
def test_every_field_of_a_plan_is_an_option(run, field: str) -> None:
    assert f"--{field.strip('_').replace('_', '-')} " in run("freeze", "--help")[1]
