"""The bytes of a graph file: what no edit touched is what it was."""

from collections.abc import Callable, Mapping

from google.protobuf.message import Message

from graphfreeze.errors import EmitError
from graphfreeze.model.layout import Block, Changes, Key, write_block
from graphfreeze.model.model import Model
from graphfreeze.model.wire import MOST_BYTES, BinaryCodec, Codec
from graphfreeze.model.wire_text import TextCodec
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.message import meta_graph
from graphfreeze.schema import FunctionDefLibrary, GraphDef, MetaGraphDef


def file_bytes(draft: Draft, suffix: str) -> bytes:
    """Return a draft as a file: ``.pb`` and ``.pbtxt`` hold the GraphDef, ``.meta`` all of it.

    What was read in the same encoding is kept byte for byte; text from binary, or a MetaGraphDef
    from a GraphDef, is written anew around the pieces that stay. Raises EmitError for a graph that
    nobody could read.
    """
    raw = _file_bytes(draft, suffix)
    if len(raw) > MOST_BYTES:
        raise EmitError.too_large(draft.base.source.path, len(raw))
    return raw


def _file_bytes(draft: Draft, suffix: str) -> bytes:
    wanted: Codec = TextCodec() if suffix == ".pbtxt" else BinaryCodec()
    base = draft.base
    block = base.meta_graph if suffix == ".meta" else base.graph_block
    if isinstance(base.codec, TextCodec) != isinstance(wanted, TextCodec):
        message = meta_graph(draft)
        return wanted.dump(message if suffix == ".meta" else message.graph_def)
    if block is None:
        return _around_graph(draft, wanted)
    return write_block(wanted, block, changes(draft, block))


def model_bytes(model: Model) -> bytes:
    """Return the file that a model was read from."""
    return write_block(model.codec, model.root, Changes())


def _around_graph(draft: Draft, codec: Codec) -> bytes:
    """Return a MetaGraphDef around the raw pieces of a GraphDef."""
    block = draft.base.graph_block
    body = write_block(codec, block, changes(draft, block))
    rest = MetaGraphDef()
    rest.CopyFrom(meta_graph(draft))
    rest.ClearField("graph_def")
    rest.meta_info_def.SetInParent()
    return codec.wrap("graph_def", body, MetaGraphDef).raw + codec.dump(rest)


def changes(draft: Draft, block: Block) -> Changes:
    """Return what a draft changes in a GraphDef or MetaGraphDef."""
    base, nodes = draft.base, draft.graph.nodes
    replaced: dict[Key, Message | None] = {("node", name): None for name in draft.removed_nodes()}
    replaced.update({("node", name): nodes[name] for name in draft.changed_nodes()})
    functions = draft.graph.functions
    replaced.update({("function", name): functions[name] for name in draft.changed_functions()})
    added: dict[str, list[Message]] = {"node": [nodes[name] for name in draft.added_nodes()]}
    if draft.added_functions or draft.added_gradients:
        _add_functions(draft, block, added)
    if block.owner is MetaGraphDef:
        _add_entries(draft, replaced, added)
        _set_tags(draft, replaced, added)
        if draft.saver is not None and draft.saver != base.saver:
            key = ("saver_def", "")
            if base.saver is None:
                added["saver_def"] = [draft.saver]
            else:
                replaced[key] = draft.saver
    return Changes(replaced, {name: messages for name, messages in added.items() if messages})


def _add_functions(draft: Draft, block: Block, added: dict[str, list[Message]]) -> None:
    functions, gradients = draft.added_functions, draft.added_gradients
    if block.find_block(FunctionDefLibrary) is not None:
        added["function"], added["gradient"] = list(functions), list(gradients)
    elif block.find_block(GraphDef) is not None:
        added["library"] = [FunctionDefLibrary(function=functions, gradient=gradients)]


def _add_entries(
    draft: Draft, replaced: dict[Key, Message | None], added: dict[str, list[Message]]
) -> None:
    """Tell collections and signatures that are gone, that changed, and that are new."""
    base, collection = draft.base, MetaGraphDef.CollectionDefEntry
    _compare("collection_def", collection, (base.collections, draft.collections), replaced, added)
    signatures, signature = base.header.signature_def, MetaGraphDef.SignatureDefEntry
    _compare("signature_def", signature, (signatures, draft.signatures), replaced, added)


def _compare(
    name: str,
    entry: Callable[..., Message],
    sides: tuple[Mapping[str, Message], Mapping[str, Message]],
    replaced: dict[Key, Message | None],
    added: dict[str, list[Message]],
) -> None:
    old, new = sides
    for key in sorted(old.keys() - new.keys()):
        replaced[name, key] = None
    added[name] = [entry(key=key, value=new[key]) for key in sorted(new.keys() - old.keys())]
    for key in sorted(new.keys() & old.keys()):
        if old[key] != new[key]:
            replaced[name, key] = entry(key=key, value=new[key])


def _set_tags(
    draft: Draft, replaced: dict[Key, Message | None], added: dict[str, list[Message]]
) -> None:
    header = draft.base.header
    info = MetaGraphDef.MetaInfoDef()
    info.CopyFrom(header.meta_info_def)
    info.tags[:] = draft.tags
    if info == header.meta_info_def:
        return
    if header.HasField("meta_info_def"):
        replaced["meta_info_def", ""] = info
    else:
        added["meta_info_def"] = [info]
