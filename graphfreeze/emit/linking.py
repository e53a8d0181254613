"""Whether the files of the source's checkpoint can stay as they are, and why not."""

from collections.abc import Iterator, Mapping

from graphfreeze.emit.contents import Contents
from graphfreeze.emit.recipes import KEPT, Recipe
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import (
    FromCheckpoint,
    FromConst,
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
    has keys whose values begin anew  are linked, and an index written that leaves them out
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


def find_replaced(contents: Contents) -> list[str]:
    """Return the keys of the source whose values begin anew, and none is made of the old one."""
    keys = dict.fromkeys(entry.key for entry in contents.new)
    return [k for k in keys if k in contents.held.sizes and contents.recipes[k].is_initial]


def _changes(contents: Contents) -> Iterator[tuple[str, str]]:
    """Yield the keys that the source's files have otherwise, and what changes each."""
    held = contents.held
    for key in dict.fromkeys(entry.key for entry in contents.entries):
        recipe = contents.recipes.get(key, KEPT)
        is_named = held.names.key(key) != key
        if is_named and recipe.base is None:
            yield key, RENAMED
        if recipe != KEPT and not recipe.is_initial and key in held.sizes:
            yield key, _reason(recipe)


def _reason(recipe: Recipe) -> str:
    """Return what gives a key of the source another value."""
    if recipe.is_grown:
        return "--add-words"
    if any(isinstance(change, WithRows) for change in recipe.changes):
        return "rows that are given values"
    if any(isinstance(change, Reset) for change in recipe.changes):
        return "--keep-slots"
    match recipe.base:
        case FromCheckpoint():
            return "--keep-slots"
        case FromConst():
            return "constants of the graph"
    return "other values"
