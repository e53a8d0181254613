"""A draft as one message, for what takes messages and not bytes."""

from collections.abc import Iterable

from graphfreeze.model.attrs import colocations
from graphfreeze.rewrite.draft import Draft
from graphfreeze.schema import GraphDef, MetaGraphDef


def meta_graph(draft: Draft) -> MetaGraphDef:
    """Return the whole of a draft as a MetaGraphDef."""
    out = MetaGraphDef()
    out.CopyFrom(draft.base.header)
    out.graph_def.node.extend(draft.graph.nodes.values())
    out.graph_def.library.gradient.extend(draft.gradients)
    out.graph_def.library.function.extend(draft.graph.functions.values())
    for key, value in draft.collections.items():
        out.collection_def[key].CopyFrom(value)
    out.ClearField("signature_def")
    for key, signature in draft.signatures.items():
        out.signature_def[key].CopyFrom(signature)
    if list(draft.tags) != list(out.meta_info_def.tags):
        out.meta_info_def.tags[:] = draft.tags
    if draft.saver is not None:
        out.saver_def.CopyFrom(draft.saver)
    return out


def importable(message: MetaGraphDef) -> MetaGraphDef:
    """Mend, in place, what keeps today's TensorFlow from importing an old graph.

    A version string that is no version (``0.12.head``) goes, and hints of shapes that today's
    shape functions contradict. The draft and what is written keep them.
    """
    version = str(message.meta_info_def.tensorflow_version)
    if not version.replace(".", "").isdigit():
        message.meta_info_def.tensorflow_version = ""
    for node in message.graph_def.node:
        if node.op.startswith("FusedBatchNormGrad"):
            node.attr.pop("_output_shapes", None)
    return message


def importable_part(draft: Draft, ends: Iterable[str], *, keep_devices: bool = False) -> GraphDef:
    """Return what it takes to run some nodes; devices of other processes are not here.

    A node stays beside those that are part of it, and is free from others."""
    whole, needed = importable(meta_graph(draft)).graph_def, draft.graph.ancestors(ends)
    nodes = [node for node in whole.node if node.name in needed]
    part = GraphDef(node=nodes, library=whole.library, versions=whole.versions)
    for node in part.node:
        if not needed.issuperset(near := colocations(node)):
            node.attr.pop("_class")
            for name in (each for each in near if each in needed):
                node.attr["_class"].list.s.append(f"loc:@{name}".encode())
        if not keep_devices:
            node.device = ""
    return part
