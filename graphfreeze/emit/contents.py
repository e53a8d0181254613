"""What the checkpoint of a bundle is to hold, checked against that of the source."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from graphfreeze.emit.boxes import parse_box
from graphfreeze.emit.constants import constant_of
from graphfreeze.emit.forms import Form, check_values
from graphfreeze.emit.recipes import KEPT, Recipe, find_recipes
from graphfreeze.emit.source import Shapes, is_v2, read_shapes
from graphfreeze.errors import EmitError
from graphfreeze.model.attrs import Shape, dtype_name
from graphfreeze.model.names import TensorRef
from graphfreeze.model.saver import Entry, saved_variable, slices_at
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import FromCheckpoint, FromConst, FromInitializer, SetValue


@dataclass(frozen=True)
class Contents:
    """The entries of a checkpoint, and how those come about that are not the source's.

    ``prefix`` is that of the source's checkpoint, None if it has none and needs none; ``shapes``
    are what that holds; ``forms`` and ``recipes`` are by key."""

    prefix: Path | None
    shapes: Shapes
    entries: tuple[Entry, ...]
    forms: Mapping[str, Form]
    recipes: Mapping[str, Recipe]

    @property
    def source(self) -> Path:
        """The prefix of the source's checkpoint, where a value of it is wanted."""
        assert self.prefix is not None, "a value of a checkpoint that is not there"
        return self.prefix

    @property
    def kept(self) -> tuple[Entry, ...]:
        """The entries whose values the source has."""
        return tuple(entry for entry in self.entries if entry.key not in self.recipes)

    @property
    def new(self) -> tuple[Entry, ...]:
        """The entries with another value."""
        return tuple(entry for entry in self.entries if entry.key in self.recipes)

    @property
    def initialized(self) -> tuple[Entry, ...]:
        """The entries of variables whose initializers have to run."""
        return tuple(e for e in self.new if self.recipes[e.key].needs_initializer)

    @property
    def is_linkable(self) -> bool:
        """Tell whether the files of the source can stay as they are: no key of it changes."""
        is_there = self.prefix is not None and is_v2(self.prefix)
        return is_there and not self.shapes.keys() & self.recipes.keys()


def find_contents(draft: Draft) -> Contents:
    """Return what a bundle's checkpoint holds.

    ==================================  =======================
    variable                            value
    ==================================  =======================
    saved by the source's saver         the source's
    new                                 of its initializer
    other, key in source's checkpoint   the source's
    other                               of its initializer
    with edits of its value             what these make of it
    ==================================  =======================

    A source without a checkpoint will do where no value of one is wanted. Starts TensorFlow for a
    checkpoint of format V1 alone. Raises EmitError where a value cannot be had or does not fit its
    variable, and LoadError where the source's checkpoint is damaged, lacks a key, or has another
    shape than the variable.
    """
    prefix = draft.base.source.checkpoint
    shapes: Shapes = {} if prefix is None else read_shapes(prefix)
    entries = tuple(_entries(draft))
    keys: dict[str, list[str]] = {}
    for entry in entries:
        keys.setdefault(variable_of(draft, entry), []).append(entry.key)
    recipes = find_recipes(draft.value_edits, keys, shapes)
    if prefix is None and (not entries or any(_wants_source(recipes, e) for e in entries)):
        raise EmitError.no_checkpoint(draft.base.source.path)
    kept = {key: shape for key, shape in shapes.items() if key not in recipes}
    contents = Contents(prefix, shapes, entries, _forms(draft, entries, kept), recipes)
    for entry in entries:
        is_grown = recipes.get(entry.key, KEPT).is_grown
        assert not (entry.slice and is_grown), f"rows appended to {entry.key}, which has parts"
    at = prefix or draft.base.source.path
    check_values(contents.forms, recipes, shapes, at, constants=_constants(draft, recipes))
    _check_initializers(draft, contents)
    return contents


def _wants_source(recipes: Mapping[str, Recipe], entry: Entry) -> bool:
    """Tell whether the value of an entry begins with one in the source's checkpoint."""
    base = recipes.get(entry.key, KEPT).base
    return base is None or isinstance(base, FromCheckpoint)


def check_graph_alone(draft: Draft, out: Path) -> None:
    """Refuse a graph file for a draft that needs values in a checkpoint; raises EmitError."""
    edits = (edit for edit in draft.value_edits if isinstance(edit, SetValue))
    keys = [edit.key for edit in edits if not isinstance(edit.source, FromInitializer)]
    if keys:
        raise EmitError.values_need_bundle(out, list(dict.fromkeys(keys)))


def check_contents(draft: Draft) -> None:
    """Check the source's checkpoint, and forget the values that it has itself.

    Raises EmitError, LoadError."""
    held = find_contents(draft).shapes
    draft.value_edits = [
        edit
        for edit in draft.value_edits
        if not (isinstance(edit, SetValue) and edit.if_missing and edit.key in held)
    ]


def initializers(draft: Draft) -> dict[str, str]:
    """Return the op that initializes each variable, where a collection names one."""
    described = [(v.name, v.definition) for v in draft.variables if v.definition is not None]
    named = ((name, str(definition.initializer_name)) for name, definition in described)
    return {name: op for name, op in named if op in draft.graph}


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


def _forms(draft: Draft, entries: tuple[Entry, ...], shapes: Shapes) -> dict[str, Form]:
    """Return what each key is to be by the graph, else by ``shapes`` where it is kept."""
    known = {variable.name: variable.shape for variable in draft.variables}
    forms = {}
    for entry in entries:
        shape: Shape | None = known.get(variable_of(draft, entry))
        if entry.slice:
            shape = parse_box(entry.slice).shape
        elif shape is None or None in shape:
            shape = tuple(shapes[entry.key]) if entry.key in shapes else None
        sizes = None if shape is None else tuple(size for size in shape if size is not None)
        forms[entry.key] = Form(dtype_name(draft.graph.dtype(entry.tensor)), sizes)
    return forms


def _constants(draft: Draft, recipes: Mapping[str, Recipe]) -> dict[str, Form]:
    """Return of what form the constants are that values come from."""
    names = (r.base.node for r in recipes.values() if isinstance(r.base, FromConst))
    tensors = {name: constant_of(draft.base, name) for name in names}
    return {
        name: Form(dtype_name(t.dtype), tuple(int(dim.size) for dim in t.tensor_shape.dim))
        for name, t in tensors.items()
    }


def _check_initializers(draft: Draft, contents: Contents) -> None:
    """Look for the initializers that have to run, whether a saver keeps the variable or not."""
    edits = [edit for edit in draft.value_edits if isinstance(edit, SetValue)]
    sources = [e.source for e in edits if not (e.if_missing and e.key in contents.shapes)]
    needed = {source.variable for source in sources if isinstance(source, FromInitializer)}
    needed |= {variable_of(draft, entry) for entry in contents.initialized}
    without = sorted(needed - initializers(draft).keys())
    if without:
        raise EmitError.no_value(without, "the graph does not say how to initialize it")
