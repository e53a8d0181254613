"""Lookups of rows straight on the handle.

Once rows of a resource variable were written by ids, each read of the whole copies it. A
ResourceGather takes the rows that it is asked for.
"""

from collections.abc import Mapping

from graphfreeze.model.attrs import find_attr
from graphfreeze.model.graph import Edge, Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.lookups import find_lookup
from graphfreeze.rewrite.resource_reads import ResourceReads
from graphfreeze.rewrite.resource_views import ResourceViews
from graphfreeze.schema import NodeDef

_GATHERS = frozenset({"Gather", "GatherV2"})


def row_lookup(
    views: ResourceViews, variables: Mapping[str, Variable], name: str
) -> NodeDef | None:
    """Return the ResourceGather in the place of a lookup of rows, None for any other node.

    It takes the rows when the lookup would have: a read of a ref is the variable's own memory."""
    graph, reads = views.graph, views.reads
    if graph.op(name) not in _GATHERS:
        return None
    table, ids = graph.data_inputs(name)[:2]
    ref = table if table in reads.refs else _read_ref(graph, reads, table)
    is_plain = ids not in reads.refs and ids not in views.sources
    if ref is None or not is_plain or not reads.is_beside(name, ref):
        return None
    lookup = find_lookup(graph, name, variables[reads.owner(ref)])
    if lookup is None or not lookup.is_by_rows or lookup.batch_dims:
        return None
    handle = reads.handle(ref)
    waits = [each for each in graph.inputs(name) if each.is_control]
    return _gather(graph.nodes[name], [handle.tensor, ids, *dict.fromkeys((*waits, *handle.waits))])


def _read_ref(graph: Graph, reads: ResourceReads, value: TensorRef) -> TensorRef | None:
    """Return the ref that a value is a plain read of, None if it is something else."""
    if graph.op(value.node) != "Identity":
        return None
    ref = graph.inputs(value.node)[0]
    return ref if ref in reads.refs and reads.is_plain(Edge(value.node, 0)) else None


def _gather(node: NodeDef, inputs: list[TensorRef]) -> NodeDef:
    twin = NodeDef(name=node.name, op="ResourceGather", device=node.device)
    twin.input.extend(map(str, inputs))
    twin.attr["dtype"].CopyFrom(find_attr(node, "Tparams"))
    for key, value in node.attr.items():
        if key in ("Tindices", "validate_indices") or key.startswith("_"):
            twin.attr[key].CopyFrom(value)
    return twin
