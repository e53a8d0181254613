"""Compare what a graph's saver wants of a checkpoint with what that has, all of it at once."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from graphfreeze.emit.forms import Form
from graphfreeze.emit.recipes import KEPT, Recipe
from graphfreeze.emit.source import Held
from graphfreeze.errors import EmitError, LoadError
from graphfreeze.errors.base import nearest_names
from graphfreeze.rewrite.edits import FromCheckpoint

_MOST_COMPARED = 20_000  # pairs of names: more take seconds


def check_held(
    forms: Mapping[str, Form],
    recipes: Mapping[str, Recipe],
    held: Held,
    path: Path,
    *,
    dropped: Collection[str] = (),
) -> None:
    """Refuse a checkpoint that lacks something or has another shape or type; say all of it.

    ``forms`` and ``recipes`` are by key. ``dropped`` keys are of a training that is gone. Raises
    LoadError, or EmitError if there is no checkpoint; ``path`` is then the graph's."""
    wanted = list(_wanted(forms, recipes, held.forms))
    lacking = list(dict.fromkeys(name for name, _ in wanted if name not in held.forms))
    others = [
        f"{name!r} as {held.forms[name]}, not {form}"
        for name, form in wanted
        if name in held.forms and not held.forms[name].fits(form)
    ]
    if held.prefix is None and lacking:
        raise EmitError.no_checkpoint(path, lacking)
    if held.prefix is None or not (lacking or others):
        return
    known = held.forms.keys() - {name for name, _ in wanted}
    free = [name for name in held.forms if name in known]
    rest = [n for n in free if n not in dropped and n.rpartition("/")[0] not in held.forms]
    raise LoadError.does_not_fit(
        held.prefix,
        lacking={name: _near(name, rest, len(lacking)) for name in lacking},
        others=others,
        unused=rest if lacking else [],
        slots=len(free) - len(rest) if lacking else 0,
        rename=find_rename(lacking, dict.fromkeys(rest)),
    )


def _wanted(
    forms: Mapping[str, Form], recipes: Mapping[str, Recipe], held: Mapping[str, Form]
) -> Iterator[tuple[str, Form]]:
    """Yield the names that values are taken of, and what each has to be for it."""
    for key, form in forms.items():
        recipe = recipes.get(key, KEPT)
        match recipe.base:
            case None:
                yield key, _before(form, held.get(key, form)) if recipe.is_grown else form
            case FromCheckpoint(other):
                yield other, Form(form.dtype, None)  # its shape may be that of the rows


def _before(form: Form, found: Form) -> Form:
    """Return a form without the rows that are appended to what there is."""
    is_lower = form.shape and found.shape and found.shape[0] <= form.shape[0]
    return form.with_height(found.shape[0]) if found.shape and is_lower else form


def _near(name: str, names: Sequence[str], count: int) -> list[str]:
    """Return the names like one: of those that end alike if there are such."""
    last = name.rpartition("/")[2]
    alike = [each for each in names if each.rpartition("/")[2] == last]
    pool = alike or names
    found = nearest_names(name, pool) if count * len(pool) < _MOST_COMPARED else []
    return found or alike[:1]


def find_rename(lacking: Sequence[str], names: Collection[str]) -> tuple[str, str] | None:
    """Return the change of a scope, from OLD to NEW, that finds every name that is lacking."""
    for name in names:
        pairs = _scopes(name, lacking[0]) if lacking else ()
        for old, new in pairs:
            if all(_moved(each, new, old) in names for each in lacking):
                return old, new
    return None


def _scopes(name: str, wanted: str) -> Iterator[tuple[str, str]]:
    """Yield the heads of two names that go on alike, the longest first."""
    first, second = name.split("/"), wanted.split("/")
    for same in range(1, min(len(first), len(second)) + 1):
        if first[-same] != second[-same]:
            return
        yield "/".join(first[:-same]), "/".join(second[:-same])


def _moved(name: str, scope: str, to: str) -> str | None:
    """Return the name that one in a scope has in another; '' is the root."""
    if scope and not name.startswith(f"{scope}/"):
        return None
    rest = name[len(scope) + 1 :] if scope else name
    return f"{to}/{rest}" if to else rest
