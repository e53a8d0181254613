"""The MetaGraphs of a SavedModel that share their variables with the one that is written anew."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from graphfreeze.model.graph import Graph
from graphfreeze.model.layout import Block
from graphfreeze.model.ops import OpRegistry
from graphfreeze.model.saver import find_saver
from graphfreeze.model.wire import BinaryCodec
from graphfreeze.rewrite.draft import Draft
from graphfreeze.schema import MetaGraphDef, SavedModel

Tags = tuple[str, ...]
Shapes = Mapping[str, tuple[int, ...]]
_CODEC = BinaryCodec()


@dataclass(frozen=True)
class Siblings:
    """MetaGraphs by their tags: those that are ``kept``, and the tags of those left out."""

    kept: Mapping[Tags, bytes]
    left_out: tuple[Tags, ...]


def find_siblings(draft: Draft, old: Shapes, new: Shapes) -> Siblings:
    """Return the source's MetaGraphs that are not told by the tags of the draft.

    ``old`` and ``new`` have the shapes in the checkpoint of the source and in the one that is
    written. What asks that for a key which is not there, or has another shape, is left out."""
    kept, left_out = dict[Tags, bytes](), []
    for message, raw in _meta_graphs(draft):
        tags = tuple(map(str, message.meta_info_def.tags))
        if set(tags) == set(draft.tags):
            continue
        if all(key in new and new[key] == old.get(key) for key in _restored(message)):
            kept[tags] = raw
        else:
            left_out.append(tags)
    return Siblings(kept, tuple(left_out))


def _meta_graphs(draft: Draft) -> Iterator[tuple[MetaGraphDef, bytes]]:
    """Yield those of the source, read and as fields of a SavedModel: raw where it is binary."""
    codec, root = draft.base.codec, draft.base.root
    for part in root.parts:
        if isinstance(part, Block) and part.owner is MetaGraphDef and part.piece is not None:
            message = codec.parse(codec.body(part.piece), MetaGraphDef)
            if isinstance(codec, BinaryCodec):
                yield message, part.piece.raw
            else:
                yield message, _CODEC.wrap("meta_graphs", _CODEC.dump(message), SavedModel).raw


def _restored(message: MetaGraphDef) -> Sequence[str]:
    """Return the keys that the saver of a MetaGraph asks a checkpoint for."""
    graph = Graph(message.graph_def.node, {}, OpRegistry(message.meta_info_def.stripped_op_list))
    saver = find_saver(graph, message.saver_def)
    return [] if saver is None else [key for keys in saver.keys.values() for key in keys]
