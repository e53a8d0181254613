"""What a key is to hold, by its edits; parts of it; and what does not fit."""

from pathlib import Path

import numpy as np
import pytest

from graphfreeze.emit.boxes import Box, parse_box, whole, with_rows
from graphfreeze.emit.fitting import check_values
from graphfreeze.emit.forms import Form
from graphfreeze.emit.misfits import check_held
from graphfreeze.emit.recipes import KEPT, Recipe, find_recipes
from graphfreeze.emit.source import Held
from graphfreeze.errors import EmitError, GraphfreezeError, LoadError
from graphfreeze.rewrite.edits import (
    Appended,
    DropKey,
    FromInitializer,
    FromRows,
    Inline,
    SetValue,
    ValueEdit,
    WithRows,
)
from graphfreeze.selection.rows import RowSet, parse_rows

FIRST, OTHER = FromInitializer("v"), Inline(np.zeros(2, np.float32))
GROWN, ROWS = Appended(9), WithRows(RowSet.full(9), np.zeros((9, 2), np.float32))
KEYS = {"v": ("k",), "twice": ("k", "l"), "v/part_0": ("p",), "v/part_1": ("p",)}

ORDER: dict[str, tuple[list[ValueEdit], dict[str, Recipe]]] = {
    "nothing": ([DropKey("k")], {}),
    "a variable under another key": ([SetValue("v", FIRST)], {"k": Recipe(FIRST)}),
    "a variable under two keys": (
        [SetValue("twice", FromInitializer("twice"))],
        {key: Recipe(FromInitializer("twice")) for key in "kl"},
    ),
    "a variable that is not saved": ([SetValue("w", FromInitializer("w"))], {}),
    "parts": (
        [SetValue("p", FromInitializer(f"v/part_{i}")) for i in range(2)],
        {"p": Recipe(FromInitializer("v/part_1"))},
    ),
    "changes in their order": (
        [SetValue("k", GROWN), SetValue("k", ROWS)],
        {"k": Recipe(None, (GROWN, ROWS))},
    ),
    "changes of a new value": (
        [SetValue("k", OTHER), SetValue("k", ROWS)],
        {"k": Recipe(OTHER, (ROWS,))},
    ),
    "a whole value makes away with those before": (
        [SetValue("k", ROWS), SetValue("k", OTHER)],
        {"k": Recipe(OTHER)},
    ),
    "missing": ([SetValue("k", FIRST, if_missing=True)], {"k": Recipe(FIRST)}),
    "not missing": ([SetValue("held", OTHER, if_missing=True)], {}),
    "missing, after a change": (
        [SetValue("k", ROWS), SetValue("k", FIRST, if_missing=True)],
        {"k": Recipe(FIRST, (ROWS,))},
    ),
    "missing, after another value": (
        [SetValue("k", OTHER), SetValue("k", FIRST, if_missing=True)],
        {"k": Recipe(OTHER)},
    ),
}


@pytest.mark.parametrize(("edits", "recipes"), ORDER.values(), ids=ORDER)
def test_order(edits: list[ValueEdit], recipes: dict[str, Recipe]) -> None:
    assert find_recipes(edits, KEYS, {"held"}) == recipes


BOXES = {
    "rows": ("11 4 4,4:0,4", Box((11, 4), (4, 0), (4, 4))),
    "rows, all columns": ("11 4 8,3:-", Box((11, 4), (8, 0), (3, 4))),
    "columns": ("11 4 -:1,2", Box((11, 4), (0, 1), (11, 2))),
    "everything": ("5 -", whole([5])),
}


@pytest.mark.parametrize(("text", "box"), BOXES.values(), ids=BOXES)
def test_boxes(text: str, box: Box) -> None:
    table = np.arange(np.prod(box.shape)).reshape(box.shape)
    rows = parse_rows("0,3:5,-1", box.shape[0], variable="t")
    new = -1 - np.arange(np.prod((rows.count, *box.shape[1:]))).reshape(rows.count, *box.shape[1:])
    assert parse_box(text) == box
    part = table[box.index].copy()
    with_rows(part, box, rows, new)
    table[rows.mask()] = new
    assert part.tolist() == table[box.index].tolist()


T = Form("float32", (6, 4))
FORMS = {"t": T, "rows": Form("float32", (2, 4)), "mask": Form("bool", (6, 4))}
HELD = {"t": T}


def check(forms: dict[str, Form], recipes: dict[str, Recipe], held: dict[str, Form]) -> None:
    check_held(forms, recipes, Held(Path("m"), forms=held), Path("m.meta"))
    check_values(forms, recipes, held)


def rows_of(count: int, *shape: int, dtype: str = "float32", height: int = 6) -> WithRows:
    return WithRows(parse_rows(f":{count}", height, variable="t"), np.zeros(shape, dtype))


def picked(key: str, height: int, count: int = 2) -> Recipe:
    return Recipe(FromRows(key, parse_rows(f":{count}", height, variable="t")))


FITTING = {
    "kept": {"t": KEPT},
    "some rows": {"t": Recipe(None, (rows_of(2, 2, 4),))},
    "rows of another": {"rows": picked("t", 6)},
    "an array": {"mask": Recipe(Inline(np.zeros((6, 4), bool)))},
    "an initial value, some rows": {"rows": Recipe(FIRST, (rows_of(1, 1, 4, height=2),))},
}


@pytest.mark.parametrize("recipes", FITTING.values(), ids=FITTING)
def test_fitting(recipes: dict[str, Recipe]) -> None:
    forms = {key: FORMS[key] for key in {"t", *recipes}}
    check(forms, recipes, HELD)


def test_added_rows_are_not_in_the_source() -> None:
    grown = {"t": Recipe(None, (Appended(6), rows_of(1, 1, 4)))}
    check({"t": T}, grown, {"t": Form("float32", (5, 4))})


def other(key: str, found: str, wanted: str) -> str:
    return f"'{key}' is to hold values of {found} where {wanted} fits"


UNFIT: dict[str, tuple[dict[str, Recipe], type[GraphfreezeError], str]] = {
    "too wide": (
        {"t": Recipe(None, (rows_of(2, 2, 5),))},
        EmitError,
        other("t", "float32 [2, 5]", "float32 [2, 4]"),
    ),
    "too few": (
        {"t": Recipe(None, (rows_of(2, 1, 4),))},
        EmitError,
        other("t", "float32 [1, 4]", "float32 [2, 4]"),
    ),
    "another type": (
        {"t": Recipe(None, (rows_of(1, 1, 4, dtype="float64"),))},
        EmitError,
        other("t", "float64 [1, 4]", "float32 [1, 4]"),
    ),
    "rows of another table": (
        {"t": Recipe(None, (rows_of(1, 1, 4, height=7),))},
        EmitError,
        other("t", "float32 [7, 4]", "float32 [6, 4]"),
    ),
    "an array of another shape": (
        {"mask": Recipe(Inline(np.zeros(6, bool)))},
        EmitError,
        other("mask", "bool [6]", "bool [6, 4]"),
    ),
    "rows of a lower table": (
        {"rows": picked("t", 5)},
        EmitError,
        other("rows", "float32 [5, 4]", "float32 [6, 4]"),
    ),
    "more rows than there is room for": (
        {"rows": picked("t", 6, 3)},
        EmitError,
        other("rows", "float32 [3, 4]", "float32 [2, 4]"),
    ),
    "rows of what is not saved": ({"rows": picked("tt", 6)}, EmitError, "nothing under 'tt'"),
    "a key that is not saved": ({"tt": Recipe(OTHER)}, EmitError, "nothing under 'tt'"),
    "fewer rows than the source": (
        {"t": Recipe(None, (Appended(5),))},
        EmitError,
        other("t", "float32 [5, 4]", "float32 [6, 4]"),
    ),
    "a change of what is not there": (
        {"rows": Recipe(None, (rows_of(1, 1, 4, height=2),))},
        LoadError,
        "it lacks 1 key: 'rows'",
    ),
}


@pytest.mark.parametrize(("recipes", "error", "message"), UNFIT.values(), ids=UNFIT)
def test_unfit(recipes: dict[str, Recipe], error: type[Exception], message: str) -> None:
    forms = {key: FORMS[key] for key in {"t", *recipes} & FORMS.keys()}
    with pytest.raises(error) as caught:
        check(forms, recipes, HELD)
    assert message in str(caught.value)


SOURCES = {
    "another height": (Form("float32", (7, 4)), KEPT, "[7, 4], not float32 [6, 4]"),
    "another width": (Form("float32", (6, 3)), KEPT, "[6, 3], not float32 [6, 4]"),
    "another type": (Form("float64", (6, 4)), KEPT, "float64 [6, 4], not float32 [6, 4]"),
    "another width, added rows": (
        Form("float32", (5, 3)),
        Recipe(None, (Appended(6),)),
        "[5, 3], not float32 [5, 4]",
    ),
    "too high for added rows": (
        Form("float32", (7, 4)),
        Recipe(None, (Appended(6),)),
        "[7, 4], not float32 [6, 4]",
    ),
}


@pytest.mark.parametrize(("found", "recipe", "message"), SOURCES.values(), ids=SOURCES)
def test_another_source(found: Form, recipe: Recipe, message: str) -> None:
    with pytest.raises(LoadError, match=r"it has 't' as float") as caught:
        check({"t": T}, {"t": recipe}, {"t": found})
    assert message in str(caught.value)
