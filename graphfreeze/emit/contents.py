"""What the checkpoint of a bundle is to hold, checked against that of the source."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from graphfreeze.errors import EmitError, LoadError
from graphfreeze.model.saver import Entry, saved_variable
from graphfreeze.read.checkpoint_index import read_index
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import SetValue
from graphfreeze.runtime import open_runtime

Shapes = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class Contents:
    """The entries whose values the source has, and those whose initializers give them one.

    ``is_linkable`` says that the files of the source can stay as they are."""

    prefix: Path
    kept: tuple[Entry, ...]
    new: tuple[Entry, ...]
    is_linkable: bool


def find_contents(draft: Draft) -> Contents:
    """Return what a bundle's checkpoint holds.

    ==================================  =======================
    variable                            value
    ==================================  =======================
    saved by the source's saver         the source's
    new                                 of its initializer
    other, key in source's checkpoint   the source's
    other                               of its initializer
    ==================================  =======================

    Starts TensorFlow for a checkpoint of format V1 alone. Raises EmitError, and LoadError where
    the source's checkpoint is damaged, lacks a key, or has another shape than the variable.
    """
    prefix = draft.base.source.checkpoint
    if prefix is None:
        raise EmitError.no_checkpoint(draft.base.source.path)
    shapes = _shapes(prefix)
    edits = [edit for edit in draft.value_edits if isinstance(edit, SetValue)]
    added = {e.source.variable for e in edits if not (e.if_missing and e.key in shapes)}
    kept: list[Entry] = []
    new: list[Entry] = []
    for entry in draft.saver_ops.all_entries() if draft.saver_ops is not None else ():
        is_new = saved_variable(draft.graph, entry.tensor) in added
        (new if is_new else kept).append(entry)
    _check_kept(draft, kept, shapes, prefix)
    _check_new(draft, added)
    is_linkable = is_v2(prefix) and not shapes.keys() & {entry.key for entry in new}
    return Contents(prefix, tuple(kept), tuple(new), is_linkable)


def check_contents(draft: Draft) -> None:
    """Check the source's checkpoint, and forget the values that it has itself.

    Raises EmitError, LoadError."""
    kept = {entry.key for entry in find_contents(draft).kept}
    draft.value_edits = [
        edit
        for edit in draft.value_edits
        if not (isinstance(edit, SetValue) and edit.if_missing and edit.key in kept)
    ]


def initializers(draft: Draft) -> dict[str, str]:
    """Return the op that initializes each variable, where a collection names one."""
    described = [(v.name, v.definition) for v in draft.variables if v.definition is not None]
    named = ((name, str(definition.initializer_name)) for name, definition in described)
    return {name: op for name, op in named if op in draft.graph}


def is_v2(prefix: Path) -> bool:
    """Tell whether a checkpoint is of format V2."""
    return Path(f"{prefix}.index").is_file()


def runtime_prefix(prefix: Path) -> str:
    """Return what TensorFlow reads a checkpoint by; one of format V1 may have shards."""
    is_whole = is_v2(prefix) or prefix.is_file()
    return str(prefix) if is_whole else f"{prefix}-?????-of-?????"


def _shapes(prefix: Path) -> Shapes:
    """Return the shape of every key of a checkpoint; raises LoadError."""
    if is_v2(prefix):
        return read_index(prefix).shapes
    tf = open_runtime()
    try:
        reader = tf.train.NewCheckpointReader(runtime_prefix(prefix))
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        raise LoadError.bad_checkpoint(prefix, str(error)) from error
    shapes: Shapes = reader.get_variable_to_shape_map()
    return shapes


def _check_kept(draft: Draft, kept: Sequence[Entry], shapes: Shapes, prefix: Path) -> None:
    variables = {variable.name: variable for variable in draft.variables}
    for entry in kept:
        if entry.key not in shapes:
            raise LoadError.no_such_key(entry.key, shapes, prefix=prefix)
        variable = variables.get(saved_variable(draft.graph, entry.tensor) or "")
        shape = variable.shape if variable is not None and not entry.slice else None
        if shape is not None and None not in shape and list(shape) != list(shapes[entry.key]):
            raise LoadError.other_shape(entry.key, shapes[entry.key], shape, prefix=prefix)


def _check_new(draft: Draft, added: set[str]) -> None:
    without = sorted(added - initializers(draft).keys())
    if without:
        raise EmitError.no_value(without, "the graph does not say how to initialize it")
