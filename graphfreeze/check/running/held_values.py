"""Which value each variable of the original is compared under: that of the bundle's checkpoint."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from graphfreeze.emit.boxes import parse_box
from graphfreeze.emit.source import read_held
from graphfreeze.model.model import Model
from graphfreeze.model.saver import saved_entries
from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.slices import new_entry


@dataclass(frozen=True, slots=True)
class Place:
    """Where a variable's value is: the key, or a slice of it, of a checkpoint."""

    variable: Variable
    prefix: Path
    key: str
    slice: str = ""


@dataclass
class Held:
    """Values for variables: in checkpoints at ``places``, else by ``initializers``.

    ``grown`` variables are smaller than what the bundle has, and hold its beginning; ``others``
    have another shape there and hold what the original's checkpoint has; ``missing`` have no
    value at all."""

    places: list[Place] = field(default_factory=list)
    initializers: list[str] = field(default_factory=list)
    grown: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def find_held(original: Model, out: Model, nodes: Collection[str]) -> Held:
    """Return the values for those variables of the original that are among ``nodes``."""
    given, own = _shapes(out), _shapes(original)
    saved, held = saved_entries(original.graph, original.saver_ops), Held()
    for variable in original.variables:
        if variable.name not in nodes:
            continue
        entry = saved.get(variable.name) or new_entry(variable)
        key, box = entry.key, entry.slice
        new, old = given.get(key), own.get(key)
        # What an original's checkpoint has may be of another model, and excluded.
        size = parse_box(box).shape if box else variable.shape
        size = old if old is not None and (size is None or None in size) else size
        if out.source.checkpoint is not None and new is not None:
            if size is None or _fits(size, new):
                held.places.append(Place(variable, out.source.checkpoint, key, box))
                continue
            if not box and _holds(new, size):
                held.grown.append(variable.name)
                spec = _beginning(new, size)
                held.places.append(Place(variable, out.source.checkpoint, key, spec))
                continue
            held.others.append(variable.name)
        if original.source.checkpoint is not None and old is not None:
            held.places.append(Place(variable, original.source.checkpoint, key, box))
        elif (start := find_initializer(original, variable)) is not None:
            held.initializers.append(start)
        else:
            held.missing.append(variable.name)
    return held


def _shapes(model: Model) -> dict[str, tuple[int, ...]]:
    """Return the shape of every key in a model's checkpoint."""
    forms = read_held(model.source).forms.items()
    return {key: form.shape for key, form in forms if form.shape is not None}


def find_initializer(model: Model, variable: Variable) -> str | None:
    """Return the op that initializes a variable, None where nothing names one."""
    name = "" if variable.definition is None else str(variable.definition.initializer_name)
    return name if name in model.graph else None


def _joined(sizes: Sequence[int]) -> str:
    return " ".join(str(int(size)) for size in sizes)


def _fits(size: Sequence[int | None], found: Sequence[int]) -> bool:
    pairs = zip(size, found, strict=False)
    return len(size) == len(found) and all(a in (None, b) for a, b in pairs)


def _holds(found: Sequence[int], size: Sequence[int | None]) -> bool:
    """Tell whether an array is at least as large as another in every dimension."""
    pairs = zip(size, found, strict=False)
    return len(size) == len(found) and all(a is not None and a <= b for a, b in pairs)


def _beginning(found: Sequence[int], size: Sequence[int | None]) -> str:
    """Return the slice that is the beginning of an array: ``12 4 0,10:-``."""
    pairs = zip(size, found, strict=True)
    spans = ":".join("-" if a == b else f"0,{a}" for a, b in pairs)
    return f"{_joined(found)} {spans}"


def find_unsaved(model: Model, nodes: Collection[str]) -> list[Variable]:
    """Return the variables among ``nodes`` that the model's saver does not restore."""
    saved = saved_entries(model.graph, model.saver_ops)
    return [v for v in model.variables if v.name in nodes and v.name not in saved]
