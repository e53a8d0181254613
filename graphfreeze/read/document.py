"""From the bytes of a file to a model."""

from pathlib import Path

from google.protobuf.message import DecodeError

from graphfreeze.errors import LoadError
from graphfreeze.model.graph import Graph
from graphfreeze.model.layout import Block, open_block
from graphfreeze.model.model import Model, Source
from graphfreeze.model.names import BadNameError
from graphfreeze.model.ops import OpRegistry
from graphfreeze.read.kind import Kind, NotAGraphError, find_kind
from graphfreeze.schema import CollectionDef, MetaGraphDef, SavedModel


def read_document(path: Path, checkpoint: Path | None) -> Model:
    """Read a graph file; raises LoadError."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise LoadError.unreadable(path, error.strerror or str(error)) from error
    return parse_document(raw, path, checkpoint)


def parse_document(raw: bytes, path: Path, checkpoint: Path | None) -> Model:
    """Read the content of a graph file; ``path`` is what errors call it. Raises LoadError."""
    try:
        kind = find_kind(raw)
    except NotAGraphError as error:
        raise LoadError.not_a_graph(path, str(error)) from error
    try:
        root = open_block(kind.codec, kind.owner, raw)
        return _model(raw, kind, root, Source(path, kind.label, checkpoint))
    except (DecodeError, BadNameError) as error:
        raise LoadError.truncated(path, str(error), size=len(raw)) from error


def _model(raw: bytes, kind: Kind, root: Block, source: Source) -> Model:
    if kind.owner is SavedModel:
        _check_single(root, source.path)
    if not any(True for _ in root.leaves("node")):
        raise LoadError.not_a_graph(source.path, "it holds no node")
    header = _header(root)
    functions = {leaf.key: leaf.message for leaf in root.leaves("function")}
    nodes = (leaf.message for leaf in root.leaves("node"))
    ops = OpRegistry(header.meta_info_def.stripped_op_list)
    return Model(
        source=source,
        raw=raw,
        codec=kind.codec,
        root=root,
        header=header,
        graph=Graph(nodes, functions, ops),
        collections=_collections(root),
        saver=header.saver_def if header.HasField("saver_def") else None,
    )


def _collections(root: Block) -> dict[str, CollectionDef]:
    return {leaf.key: leaf.message.value for leaf in root.leaves("collection_def")}  # type: ignore[union-attr]


def _header(root: Block) -> MetaGraphDef:
    """Return all of a MetaGraphDef but its nodes, functions and collections."""
    header = MetaGraphDef()
    for field in ("meta_info_def", "saver_def"):
        for leaf in root.leaves(field):
            getattr(header, field).MergeFrom(leaf.message)
    for leaf in root.leaves("versions"):
        header.graph_def.versions.MergeFrom(leaf.message)
    for leaf in root.leaves("signature_def"):
        entry = leaf.message
        header.signature_def[entry.key].CopyFrom(entry.value)  # type: ignore[union-attr]
    return header


def _check_single(root: Block, path: Path) -> None:
    """Refuse a SavedModel with several graphs: nothing says which one is meant."""
    graphs = [part for part in root.parts if isinstance(part, Block)]
    if not graphs:
        raise LoadError.not_a_graph(path, "it holds no MetaGraphDef")
    if len(graphs) > 1:
        tags = [_tags(each) for each in graphs]
        raise LoadError.no_such_tags(path, [], known=tags)


def _tags(block: Block) -> list[str]:
    infos = (leaf.message for leaf in block.leaves("meta_info_def"))
    return [str(tag) for info in infos for tag in info.tags]  # type: ignore[union-attr]
