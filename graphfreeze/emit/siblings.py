"""The MetaGraphs of a SavedModel that share their variables with the one that is written anew."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from graphfreeze.emit.boxes import parse_box
from graphfreeze.model.assets import find_assets
from graphfreeze.model.attrs import Shape
from graphfreeze.model.graph import Graph
from graphfreeze.model.layout import Block
from graphfreeze.model.ops import OpRegistry
from graphfreeze.model.saver import find_saver, saved_variable
from graphfreeze.model.variables import find_variables
from graphfreeze.model.wire import BinaryCodec
from graphfreeze.rewrite.draft import Draft
from graphfreeze.schema import MetaGraphDef, SavedModel

Tags = tuple[str, ...]
Shapes = Mapping[str, tuple[int, ...]]
_CODEC = BinaryCodec()


@dataclass(frozen=True)
class Sibling:
    """A MetaGraph, its ``message``, and as it is ``raw`` in a SavedModel."""

    message: MetaGraphDef
    raw: bytes

    @property
    def tags(self) -> Tags:
        """Its tags."""
        return tuple(map(str, self.message.meta_info_def.tags))


@dataclass(frozen=True)
class Siblings:
    """MetaGraphs that are ``kept``, and the tags of those that are left out.

    The ``twin`` would be kept, but for the draft, which has its tags."""

    kept: tuple[Sibling, ...] = ()
    left_out: tuple[Tags, ...] = ()
    twin: Sibling | None = None


def find_siblings(draft: Draft, own: Sequence[str], held: Shapes) -> Siblings:
    """Return the MetaGraphs of the source, the one that the draft was made of included.

    ``own`` are the tags that the draft is to have, ``held`` the shapes in the checkpoint that is
    written. What asks that for a key which is not there, or has another shape, or brings along
    an asset that is not there, is left out."""
    kept, left_out, twin = list[Sibling](), list[Tags](), None
    for each in _meta_graphs(draft):
        wanted = _restored(each.message)
        is_fit = all(_fits(held.get(key), shape) for key, shape in wanted)
        is_fit = is_fit and _has_assets(draft, each.message)
        if set(each.tags) == set(own):
            twin = each if is_fit else None
        elif is_fit:
            kept.append(each)
        else:
            left_out.append(each.tags)
    return Siblings(tuple(kept), tuple(left_out), twin)


def _meta_graphs(draft: Draft) -> Iterator[Sibling]:
    """Yield those of the source; what was text is binary now."""
    codec, root = draft.base.codec, draft.base.root
    for part in root.parts:
        if isinstance(part, Block) and part.owner is MetaGraphDef and part.piece is not None:
            message = codec.parse(codec.body(part.piece), MetaGraphDef)
            if isinstance(codec, BinaryCodec):
                yield Sibling(message, part.piece.raw)
            else:
                body = _CODEC.dump(message)
                yield Sibling(message, _CODEC.wrap("meta_graphs", body, SavedModel).raw)


def _has_assets(draft: Draft, message: MetaGraphDef) -> bool:
    """Tell whether the files that a MetaGraph brings along are where those of the draft are."""
    folder = draft.base.source.path.parent
    return all(each.is_there(folder) for each in find_assets(message, message.collection_def))


def _fits(held: tuple[int, ...] | None, wanted: Shape | None) -> bool:
    """Tell whether a checkpoint has what is wanted, as far as its shape is known."""
    if held is None or wanted is None:
        return held is not None
    sizes = zip(held, wanted, strict=False)
    return len(held) == len(wanted) and all(size in (each, None) for each, size in sizes)


def _restored(message: MetaGraphDef) -> Iterator[tuple[str, Shape | None]]:
    """Yield what the saver of a MetaGraph asks a checkpoint for; of slices the whole."""
    graph = Graph(message.graph_def.node, {}, OpRegistry(message.meta_info_def.stripped_op_list))
    saver = find_saver(graph, message.saver_def)
    if saver is None:
        return
    shapes = {variable.name: variable.shape for variable in find_variables(graph, {})}
    for entry in saver.all_entries():
        own = shapes.get(saved_variable(graph, entry.tensor) or "")
        yield entry.key, parse_box(entry.slice).shape if entry.slice else own
    yield from ((key, None) for keys in saver.keys.values() for key in keys)
