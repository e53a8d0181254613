"""Let new nodes inside a v1 while loop or branch join its context.

Without it TensorFlow imports the graph, builds gradients, and fails as it runs them.
"""

from collections.abc import Iterator, Sequence

from graphfreeze.model.control_flow import CONTEXTS, node_of
from graphfreeze.model.graph import Graph
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import SetCollection
from graphfreeze.schema import CollectionDef, CondContextDef, WhileContextDef


def join_contexts(draft: Draft, new: Sequence[str]) -> Iterator[SetCollection]:
    """Yield the contexts with the new nodes that take a value from inside them.

    A constant takes none: it waits for a node inside."""
    for key, kind in CONTEXTS.items():
        entry = draft.collections.get(key)
        if entry is None or not new:
            continue
        contexts = [kind.FromString(raw) for raw in entry.bytes_list.value]
        joined = [_join(context, draft.graph, new) for context in contexts]
        if any(joined):
            pairs = zip(contexts, joined, entry.bytes_list.value, strict=True)
            raws = [c.SerializeToString(deterministic=True) if j else raw for c, j, raw in pairs]
            listed = CollectionDef.BytesList(value=raws)
            yield SetCollection(key, CollectionDef(bytes_list=listed))


def _join(context: WhileContextDef | CondContextDef, graph: Graph, new: Sequence[str]) -> bool:
    """Add to a context, and to those inside it, what belongs there; tell whether anything does."""
    values = context.values_def
    ends = {node_of(name) for name in getattr(context, "loop_exit_names", ())}
    inside = (
        {node_of(v) for v in values.values} - {node_of(v) for v in values.external_values} - ends
    )
    added = []
    for name in new:
        if name not in inside and any(ref.node in inside for ref in graph.inputs(name)):
            inside.add(name)
            added += [f"{name}:{port}" for port in range(graph.count_outputs(name))]
    values.values.extend(added)
    nested = (getattr(n, which) for n in context.nested_contexts if (which := n.WhichOneof("ctxt")))
    return any([bool(added), *(_join(each, graph, new) for each in nested)])
