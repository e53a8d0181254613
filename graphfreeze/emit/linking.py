"""Whether the files of the source's checkpoint can stay as they are, and why not."""

from collections.abc import Iterator, Mapping

from graphfreeze.emit.contents import Contents
from graphfreeze.emit.recipes import KEPT, Recipe
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import (
    FromCheckpoint,
    FromConst,
    FromInitializer,
    Reset,
    WithRows,
)

V1, COMPACT, RENAMED = "it is of format V1", "--compact", "--rename"


def is_linked(draft: Draft, contents: Contents) -> bool:
    """Tell whether the files of the source become files of a bundle as they are."""
    compact = draft.value_plan.compact
    return contents.held.prefix is not None and not find_reasons(contents, compact=compact)


def find_reasons(contents: Contents, *, compact: bool = False) -> dict[str, list[str]]:
    """Return why the source's files cannot be linked, each with the keys that it is for.

    ================================  ====================================================
    the source's checkpoint           its files
    ================================  ====================================================
    is of format V1                   are written anew: their format knows no merging
    has a key whose value changes,    are written anew: a key cannot stand in two files
    or goes by another name
    has keys that nothing restores    are linked, or written anew without them if asked so
    none of it                        are linked
    ================================  ====================================================
    """
    reasons: dict[str, list[str]] = {}
    if contents.held.prefix is None:
        return reasons
    if not contents.held.is_v2:
        reasons[V1] = []
    for key, reason in _changes(contents):
        reasons.setdefault(reason, []).append(key)
    left = find_left(contents)
    if compact and left and not reasons:
        reasons[COMPACT] = list(left)
    return reasons


def find_left(contents: Contents) -> Mapping[str, int]:
    """Return the keys of the source that nothing restores, and how many bytes each has."""
    held, recipes = contents.held, contents.recipes
    kept = (entry.key for entry in contents.entries if entry.key not in recipes)
    taken = {held.names.key(key) for key in kept}
    return {key: size for key, size in held.sizes.items() if key not in taken}


def _changes(contents: Contents) -> Iterator[tuple[str, str]]:
    """Yield the keys that the source's files have otherwise, and what changes each."""
    held = contents.held
    for key in dict.fromkeys(entry.key for entry in contents.entries):
        recipe = contents.recipes.get(key, KEPT)
        is_named = held.names.key(key) != key
        if is_named and recipe.base is None:
            yield key, RENAMED
        if recipe != KEPT and (key in held.sizes or (not held.is_v2 and key in held.forms)):
            yield key, _reason(recipe, key in held.names.excluded)


def _reason(recipe: Recipe, is_excluded: bool) -> str:
    """Return what gives a key of the source another value."""
    if recipe.is_grown:
        return "--add-words"
    if any(isinstance(change, WithRows) for change in recipe.changes):
        return "rows that are given values"
    if any(isinstance(change, Reset) for change in recipe.changes):
        return "--keep-slots"
    match recipe.base:
        case FromInitializer():
            return "--checkpoint-exclude" if is_excluded else "values that begin anew"
        case FromCheckpoint():
            return "--keep-slots"
        case FromConst():
            return "constants of the graph"
    return "other values"
