"""Which of the MetaGraphs of a SavedModel is meant."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from graphfreeze.errors import LoadError
from graphfreeze.model.layout import Block
from graphfreeze.schema import MetaGraphDef, SavedModel

Tags = str | Iterable[str]


def parse_tags(tags: Tags | None) -> tuple[str, ...] | None:
    """Return a tag set, each tag once, in the order given; ``''`` is the set of no tags."""
    if tags is None:
        return None
    several = tags.split(",") if isinstance(tags, str) else tags
    return tuple(dict.fromkeys(tag.strip() for tag in several if tag.strip()))


def choose_part(root: Block, tags: Sequence[str] | None, path: Path) -> Block:
    """Return the block that a model is read from: of a SavedModel a MetaGraphDef, else the file.

    ``tags`` have to be all of its tags, in any order; a file with a single graph needs none.
    Raises LoadError."""
    parts = [root]
    if root.owner is SavedModel:
        parts = [part for part in root.parts if isinstance(part, Block)]
    if not parts:
        raise LoadError.not_a_graph(path, "it holds no MetaGraphDef")
    known = [read_tags(part) for part in parts]
    fitting = [
        part
        for part, own in zip(parts, known, strict=True)
        if tags is None or set(own) == set(tags)
    ]
    if len(fitting) != 1:
        raise LoadError.no_such_tags(path, tags, known=known)
    return fitting[0]


def read_tags(part: Block) -> tuple[str, ...]:
    """Return the tags of a MetaGraphDef; a GraphDef has none."""
    info = MetaGraphDef().meta_info_def
    for leaf in part.leaves("meta_info_def"):
        info.MergeFrom(leaf.message)
    return tuple(map(str, info.tags))
