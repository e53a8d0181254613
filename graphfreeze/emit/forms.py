"""Of what type and shape values are: refuse those that do not fit before any is evaluated."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from graphfreeze.emit.boxes import Array
from graphfreeze.emit.recipes import KEPT, Recipe
from graphfreeze.emit.source import Shapes
from graphfreeze.errors import EmitError, LoadError
from graphfreeze.rewrite.edits import (
    Appended,
    Change,
    FromCheckpoint,
    FromConst,
    FromRows,
    Inline,
    WithRows,
)


@dataclass(frozen=True, slots=True)
class Form:
    """The type of an array and its shape, None if that is not known."""

    dtype: str
    shape: tuple[int, ...] | None

    def __str__(self) -> str:
        return f"{self.dtype} [{'?' if self.shape is None else ', '.join(map(str, self.shape))}]"

    def with_height(self, height: int) -> "Form":
        """Return the same with another number of rows."""
        return Form(self.dtype, None if self.shape is None else (height, *self.shape[1:]))

    def fits(self, other: "Form") -> bool:
        """Tell whether both are alike, as far as is known."""
        is_known = self.shape is not None and other.shape is not None
        return self.dtype == other.dtype and (not is_known or self.shape == other.shape)


def check_values(
    forms: Mapping[str, Form],
    recipes: Mapping[str, Recipe],
    shapes: Shapes,
    prefix: Path,
    *,
    constants: Mapping[str, Form] | None = None,
) -> None:
    """Check what each key is to hold against its form in the graph.

    ``shapes`` and ``prefix`` are of the source's checkpoint; ``constants`` are of the model's, by
    node. Raises LoadError where the checkpoint lacks a key or has another shape, EmitError where
    an edit does not fit."""
    for key in recipes:
        if key not in forms:
            raise EmitError.not_saved(key, forms)
    for key, form in forms.items():
        recipe = recipes.get(key, KEPT)
        if recipe.base is None:
            found = _source_form(key, form, recipe, shapes, prefix)
        else:
            found = _base_form(key, forms, recipes, (shapes, prefix, constants or {}))
        for change in recipe.changes:
            found = _changed(key, found, change)
        _require(key, found, form)


def _source_form(key: str, form: Form, recipe: Recipe, shapes: Shapes, prefix: Path) -> Form:
    """Return what the source's checkpoint has, which may lack the rows that are appended."""
    if key not in shapes:
        raise LoadError.no_such_key(key, shapes, prefix=prefix)
    found, wanted = tuple(shapes[key]), form.shape
    if wanted is not None and recipe.is_grown and found and found[0] <= wanted[0]:
        wanted = (found[0], *wanted[1:])
    if wanted is not None and found != wanted:
        raise LoadError.other_shape(key, found, wanted, prefix=prefix)
    return Form(form.dtype, found)


def _base_form(
    key: str,
    forms: Mapping[str, Form],
    recipes: Mapping[str, Recipe],
    source: tuple[Shapes, Path, Mapping[str, Form]],
) -> Form:
    """Return what a key holds before its changes; ``source`` is what there is to take it from."""
    match recipes[key].base:
        case Inline(values):
            return _form_of(values)
        case FromConst(node):
            return source[2][node]
        case FromCheckpoint(other, rows):
            shapes, prefix, _ = source
            if other not in shapes:
                raise LoadError.no_such_key(other, shapes, prefix=prefix)
            form = Form(forms[key].dtype, tuple(shapes[other]))
            return form if rows is None else form.with_height(rows.count)
        case FromRows(table, rows):
            if table not in forms:
                raise EmitError.not_saved(table, forms)
            below = recipes.get(table, KEPT).base
            assert not isinstance(below, FromRows), f"{key} has rows of {table}, rows itself"
            _require(key, forms[table].with_height(rows.height), forms[table])
            return forms[table].with_height(rows.count)
    return forms[key]


def _changed(key: str, form: Form, change: Change) -> Form:
    """Return what a key holds after a change."""
    match change:
        case Appended(height):
            return form.with_height(height)
        case WithRows(rows, values):
            _require(key, form.with_height(rows.height), form)
            _require(key, _form_of(values), form.with_height(rows.count))
    return form


def _form_of(values: Array) -> Form:
    dtype = "string" if values.dtype.kind in "OSU" else values.dtype.name
    return Form(dtype, values.shape)


def _require(key: str, found: Form, wanted: Form) -> None:
    if not found.fits(wanted):
        raise EmitError.other_value(key, str(found), str(wanted))
