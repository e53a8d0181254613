"""How the value of a key comes about, by the edits that speak of it."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from graphfreeze.rewrite.edits import (
    Appended,
    Base,
    Change,
    FromInitializer,
    SetValue,
    ValueEdit,
)


@dataclass(frozen=True)
class Recipe:
    """What a key holds at first, the source's value if there is no ``base``; then each change."""

    base: Base | None = None
    changes: tuple[Change, ...] = ()

    @property
    def is_initial(self) -> bool:
        """Tell whether an initializer gives the value, all of it and unchanged."""
        return isinstance(self.base, FromInitializer) and not self.changes

    @property
    def is_grown(self) -> bool:
        """Tell whether rows are appended."""
        return any(isinstance(change, Appended) for change in self.changes)

    @property
    def needs_initializer(self) -> bool:
        """Tell whether an initializer has to run."""
        return isinstance(self.base, FromInitializer) or self.is_grown


KEPT = Recipe()
"""The source's value as it is."""


def find_recipes(
    edits: Iterable[ValueEdit], keys: Mapping[str, Collection[str]], held: Collection[str]
) -> dict[str, Recipe]:
    """Return the recipe of every key whose value is not the source's as it is.

    ``keys`` has those of each variable, ``held`` those of the source's checkpoint. An initial
    value is for all keys of its variable; one that has none needs no value."""
    recipes: dict[str, Recipe] = {}
    for edit in edits:
        if not isinstance(edit, SetValue) or (edit.if_missing and edit.key in held):
            continue
        for key in _keys(edit, keys):
            recipes[key] = _next(recipes.get(key, KEPT), edit)
    return recipes


def _keys(edit: SetValue, keys: Mapping[str, Collection[str]]) -> Collection[str]:
    if isinstance(edit.source, FromInitializer):
        return keys.get(edit.source.variable, ())
    return (edit.key,)


def _next(recipe: Recipe, edit: SetValue) -> Recipe:
    """Return a recipe after one more edit."""
    if isinstance(edit.source, Change):
        return replace(recipe, changes=(*recipe.changes, edit.source))
    # What is only for want of another value comes below changes that were made before it.
    is_stopgap = edit.if_missing and recipe != KEPT
    return replace(recipe, base=recipe.base or edit.source) if is_stopgap else Recipe(edit.source)
