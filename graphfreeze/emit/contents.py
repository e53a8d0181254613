"""What the checkpoint of a bundle is to hold, checked against that of the source."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from graphfreeze.emit.boxes import parse_box
from graphfreeze.emit.constants import constant_of
from graphfreeze.emit.fitting import check_values
from graphfreeze.emit.forms import Form, form_of_constant
from graphfreeze.emit.misfits import check_held
from graphfreeze.emit.recipes import KEPT, Recipe, find_recipes
from graphfreeze.emit.source import Held, read_held
from graphfreeze.errors import EmitError
from graphfreeze.model.attrs import Shape, dtype_name
from graphfreeze.model.names import TensorRef
from graphfreeze.model.saver import Entry, saved_variable, slices_at
from graphfreeze.model.training import Training
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import DropKey, FromConst, FromInitializer, SetValue


@dataclass(frozen=True)
class Contents:
    """The entries of a checkpoint, and how those come about that are not the source's.

    ``held`` is the source's checkpoint; ``forms`` and ``recipes`` are by key."""

    held: Held
    entries: tuple[Entry, ...]
    forms: Mapping[str, Form]
    recipes: Mapping[str, Recipe]

    @property
    def new(self) -> tuple[Entry, ...]:
        """The entries with another value."""
        return tuple(entry for entry in self.entries if entry.key in self.recipes)

    @property
    def initialized(self) -> tuple[Entry, ...]:
        """The entries of variables whose initializers have to run."""
        return tuple(e for e in self.new if self.recipes[e.key].needs_initializer)


def find_contents(draft: Draft) -> Contents:
    """Return what a bundle's checkpoint holds.

    ==================================  =======================
    variable                            value
    ==================================  =======================
    saved by the source's saver         the source's
    new                                 of its initializer
    other, key in source's checkpoint   the source's
    other                               of its initializer
    excluded, or missing and asked so   of its initializer
    with edits of its value             what these make of it
    ==================================  =======================

    A source without a checkpoint will do where no value of one is wanted. TensorFlow is not
    started. Raises EmitError where a value cannot be had or does not fit its variable, and
    LoadError where the source's checkpoint is damaged, or lacks keys or has them in other shapes or
    types than the variables.
    """
    held, entries = read_held(draft.base.source), tuple(_entries(draft))
    if not entries and held.prefix is None:
        raise EmitError.no_checkpoint(draft.base.source.path)
    keys: dict[str, list[str]] = {}
    for entry in entries:
        keys.setdefault(variable_of(draft, entry), []).append(entry.key)
    recipes = find_recipes(draft.value_edits, keys, held.forms)
    kept = {key: form for key, form in held.forms.items() if key not in recipes}
    contents = Contents(held, entries, _forms(draft, entries, kept), recipes)
    for entry in entries:
        is_grown = recipes.get(entry.key, KEPT).is_grown
        assert not (entry.slice and is_grown), f"rows appended to {entry.key}, which has parts"
    dropped = {edit.key for edit in draft.value_edits if isinstance(edit, DropKey)}
    check_held(contents.forms, recipes, held, draft.base.source.path, dropped=dropped)
    check_values(contents.forms, recipes, held.forms, _constants(draft, recipes))
    _check_initializers(draft, contents)
    return contents


def check_graph_alone(draft: Draft, out: Path) -> None:
    """Refuse a graph file for a draft that needs values in a checkpoint; raises EmitError."""
    edits = (edit for edit in draft.value_edits if isinstance(edit, SetValue))
    keys = [edit.key for edit in edits if not isinstance(edit.source, FromInitializer)]
    if keys:
        raise EmitError.values_need_bundle(out, list(dict.fromkeys(keys)))


def check_contents(draft: Draft) -> Contents:
    """Check the source's checkpoint, and forget the values that it has itself.

    Returns what the bundle's is to hold. Raises EmitError, LoadError."""
    contents = find_contents(draft)
    draft.value_edits = [
        edit
        for edit in draft.value_edits
        if not (isinstance(edit, SetValue) and edit.if_missing and edit.key in contents.held.forms)
    ]
    return contents


def initializers(draft: Draft) -> dict[str, str]:
    """Return the op that initializes each variable: as a collection names it, else as found."""
    variables, header = draft.variables, draft.base.header
    described = [(v.name, v.definition) for v in variables if v.definition is not None]
    named = {name: str(definition.initializer_name) for name, definition in described}
    if len(named) < len(variables):
        training = Training(draft.graph, draft.collections, variables, header)
        found = {v.name: training.find_initializer(v) for v in variables if v.name not in named}
        named |= {name: op for name, op in found.items() if op is not None}
    return {name: op for name, op in named.items() if op in draft.graph}


def variable_of(draft: Draft, entry: Entry) -> str:
    """Return the variable whose value an entry is, '' if it is none."""
    return saved_variable(draft.graph, entry.tensor) or ""


def _entries(draft: Draft) -> Iterator[Entry]:
    """Yield what the saver writes, and what it restores besides."""
    saver = draft.saver_ops
    if saver is None:
        return
    yield from saver.all_entries()
    seen = {entry.key for entry in saver.all_entries()}
    for name, keys in saver.keys.items():
        for port, (key, piece) in enumerate(zip(keys, slices_at(draft.graph, name), strict=True)):
            if key not in seen:
                yield Entry(key, piece, TensorRef(name, port))


def _forms(draft: Draft, entries: tuple[Entry, ...], kept: Mapping[str, Form]) -> dict[str, Form]:
    """Return what each key is to be by the graph, else as it is ``kept``."""
    known = {variable.name: variable.shape for variable in draft.variables}
    forms = {}
    for entry in entries:
        shape: Shape | None = known.get(variable_of(draft, entry))
        if entry.slice:
            shape = parse_box(entry.slice).shape
        elif shape is None or None in shape:
            shape = kept[entry.key].shape if entry.key in kept else None
        sizes = None if shape is None else tuple(size for size in shape if size is not None)
        forms[entry.key] = Form(dtype_name(draft.graph.dtype(entry.tensor)), sizes)
    return forms


def _constants(draft: Draft, recipes: Mapping[str, Recipe]) -> dict[str, Form]:
    """Return of what form the constants are that values come from."""
    names = (r.base.node for r in recipes.values() if isinstance(r.base, FromConst))
    return {name: form_of_constant(constant_of(draft.base, name)) for name in names}


def _check_initializers(draft: Draft, contents: Contents) -> None:
    """Look for the initializers that have to run, whether a saver keeps the variable or not."""
    edits = [edit for edit in draft.value_edits if isinstance(edit, SetValue)]
    sources = [e.source for e in edits if not (e.if_missing and e.key in contents.held.forms)]
    needed = {source.variable for source in sources if isinstance(source, FromInitializer)}
    needed |= {variable_of(draft, entry) for entry in contents.initialized}
    # To look for what no collection names takes long, and most saves need none.
    without = sorted(needed - initializers(draft).keys()) if needed else []
    if without:
        raise EmitError.no_value(without, "the graph does not say how to initialize it")
