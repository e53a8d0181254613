"""From the bytes of a file to a model."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from google.protobuf.message import DecodeError

from graphfreeze.errors import LoadError
from graphfreeze.model.control_flow import CONTEXTS
from graphfreeze.model.graph import Graph
from graphfreeze.model.layout import Block, open_block
from graphfreeze.model.model import Model, Source
from graphfreeze.model.names import BadNameError
from graphfreeze.model.ops import OpRegistry
from graphfreeze.model.saver_nodes import recover_saver
from graphfreeze.model.wire import MOST_BYTES
from graphfreeze.read.kind import NotAGraphError, StrangerError, find_kind
from graphfreeze.read.strangers import HEAD, find_stranger, find_stranger_by_name
from graphfreeze.read.tags import choose_part
from graphfreeze.schema import CollectionDef, MetaGraphDef, SavedModel, SaverDef


def read_document(
    path: Path, checkpoint: Path | None, *, tags: Sequence[str] | None = None
) -> Model:
    """Read a graph file, of a SavedModel the graph with these tags; raises LoadError."""
    try:
        raw = _read(path)
    except OSError as error:
        raise LoadError.unreadable(path, error.strerror or str(error)) from error
    return parse_document(raw, path, checkpoint, tags=tags)


def _read(path: Path) -> bytes:
    """Read a file, unless it is larger than a message can be; raises OSError, LoadError."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > MOST_BYTES:
            told = find_stranger(file.read(HEAD))
            if told is not None:
                raise LoadError.something_else(path, told)
            raise LoadError.too_large(path, size)
        return file.read()


def parse_document(
    raw: bytes, path: Path, checkpoint: Path | None, *, tags: Sequence[str] | None = None
) -> Model:
    """Read the content of a graph file; ``path`` is what errors call it. Raises LoadError."""
    try:
        kind = find_kind(raw)
    except StrangerError as error:
        raise LoadError.something_else(path, str(error)) from error
    except NotAGraphError as error:
        told = find_stranger_by_name(path.name)
        if told is not None:
            raise LoadError.something_else(path, told) from error
        raise LoadError.not_a_graph(path, str(error)) from error
    try:
        root = open_block(kind.codec, kind.owner, raw)
        part = choose_part(root, tags, path)
        if kind.owner is SavedModel and any(True for _ in part.leaves("object_graph_def")):
            raise LoadError.of_tensorflow_2(path)
        if not any(True for _ in part.leaves("node")):
            raise LoadError.not_a_graph(path, "it holds no node")
        header = _header(part)
        graph, collections = _graph(part, header), _collections(part)
        _check_contexts(path, collections)
        return Model(
            source=Source(path, kind.label, checkpoint),
            raw=raw,
            codec=kind.codec,
            root=root,
            part=part,
            header=header,
            graph=graph,
            collections=collections,
            saver=_find_saver(part, header, graph),
        )
    except (DecodeError, BadNameError) as error:
        raise LoadError.truncated(path, str(error), size=len(raw)) from error


def _find_saver(part: Block, header: MetaGraphDef, graph: Graph) -> SaverDef | None:
    """Return what describes the saver; of a GraphDef the nodes alone tell."""
    if part.find_block(MetaGraphDef) is None and (found := recover_saver(graph)) is not None:
        header.saver_def.CopyFrom(found)
    return header.saver_def if header.HasField("saver_def") else None


def _graph(part: Block, header: MetaGraphDef) -> Graph:
    functions = {leaf.key: leaf.message for leaf in part.leaves("function")}
    nodes = list(part.leaves("node"))
    (first, count), *_ = Counter(leaf.key for leaf in nodes).most_common(1)
    if count > 1:  # so it is with two files in one
        raise DecodeError(f"node {first!r} stands there twice")
    return Graph(
        (leaf.message for leaf in nodes),
        functions,
        OpRegistry(header.meta_info_def.stripped_op_list),
    )


def _collections(part: Block) -> dict[str, CollectionDef]:
    return {leaf.key: leaf.message.value for leaf in part.leaves("collection_def")}  # type: ignore[union-attr]


def _check_contexts(path: Path, collections: Mapping[str, CollectionDef]) -> None:
    """Refuse contexts of loops and branches that are none; raises LoadError."""
    for key, kind in CONTEXTS.items():
        entry = collections.get(key)
        for number, raw in enumerate(entry.bytes_list.value if entry is not None else ()):
            try:
                kind.FromString(raw)
            except DecodeError as error:
                raise LoadError.bad_context(path, key, number) from error


def _header(part: Block) -> MetaGraphDef:
    """Return all of a MetaGraphDef but its nodes, functions and collections."""
    header = MetaGraphDef()
    for field in ("meta_info_def", "saver_def"):
        for leaf in part.leaves(field):
            getattr(header, field).MergeFrom(leaf.message)
    for leaf in part.leaves("versions"):
        header.graph_def.versions.MergeFrom(leaf.message)
    for leaf in part.leaves("signature_def"):
        entry = leaf.message
        header.signature_def[entry.key].CopyFrom(entry.value)  # type: ignore[union-attr]
    header.asset_file_def.extend(leaf.message for leaf in part.leaves("asset_file_def"))
    return header
