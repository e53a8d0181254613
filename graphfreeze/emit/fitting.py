"""Refuse values that do not fit their keys, before any is evaluated."""

from collections.abc import Mapping

from graphfreeze.emit.forms import Form, form_of
from graphfreeze.emit.recipes import KEPT, Recipe
from graphfreeze.errors import EmitError
from graphfreeze.rewrite.edits import (
    Appended,
    Change,
    FromCheckpoint,
    FromConst,
    FromRows,
    Inline,
    WithRows,
)

Forms = Mapping[str, Form]
Recipes = Mapping[str, Recipe]


def check_values(
    forms: Forms, recipes: Recipes, held: Forms, constants: Forms | None = None
) -> None:
    """Check what each key is to hold by edits against its form in the graph.

    ``held`` is what the source's checkpoint has, which must be all that is taken of it;
    ``constants`` are of the model's, by node. Raises EmitError where an edit does not fit."""
    for key, recipe in recipes.items():
        if key not in forms:
            raise EmitError.not_saved(key, forms)
        found = held[key] if recipe.base is None else _begun(key, forms, recipes, held, constants)
        for change in recipe.changes:
            found = _changed(key, found, change)
        _require(key, found, forms[key])


def _begun(key: str, forms: Forms, recipes: Recipes, held: Forms, constants: Forms | None) -> Form:
    """Return what a key holds before its changes."""
    match recipes[key].base:
        case Inline(values):
            return form_of(values)
        case FromConst(node):
            return (constants or {})[node]
        case FromCheckpoint(other, rows):
            return held[other] if rows is None else held[other].with_height(rows.count)
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
            _require(key, form_of(values), form.with_height(rows.count))
    return form


def _require(key: str, found: Form, wanted: Form) -> None:
    if not found.fits(wanted):
        raise EmitError.other_value(key, str(found), str(wanted))
