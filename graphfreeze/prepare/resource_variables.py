"""Rewrite ref variables to resource variables."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from graphfreeze.errors import RewriteError
from graphfreeze.model.control_flow import MERGES
from graphfreeze.model.graph import Edge, Graph
from graphfreeze.model.model import Model
from graphfreeze.model.names import TensorRef
from graphfreeze.model.reads import is_ref_edge
from graphfreeze.model.variables import REF_OPS
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import Edit, ReplaceNode
from graphfreeze.rewrite.resource_entries import resource_collections, resource_signatures
from graphfreeze.rewrite.resource_lookups import row_lookup
from graphfreeze.rewrite.resource_reads import ResourceReads
from graphfreeze.rewrite.resource_twins import find_twin, handle_node, twin_node
from graphfreeze.rewrite.resource_views import ResourceViews
from graphfreeze.rewrite.twins import list_twins
from graphfreeze.schema import NodeDef


@dataclass(frozen=True)
class ResourceVariables:
    """Rewrite ref variables to resource variables, each under its name.

    ===========================  ============================================================
    ref                          resource
    ===========================  ============================================================
    VariableV2, Variable         VarHandleOp; ``shared_name`` is the variable's name
    Identity of the ref          ReadVariableOp
    Gather of its rows           ResourceGather
    any other use by value       takes a read, which runs when the ref would have been read
    a read whose memory a writer changes before it is used
                                 a read of the consumer's own, see ``rewrite/resource_views``
    Assign, Apply..., ...        the op that takes a handle, see ``rewrite/resource_twins``
    what they yield              a read that waits for them
    RefSwitch, RefEnter, ...     Switch, Enter, ... of the handle
    RefMerge                     Merge of values, or of handles if something writes through it
    collections of variables     say so
    other collections,           name a read where they named a ref
    signatures
    ===========================  ============================================================

    Names, devices, control edges, keys and slices of checkpoints stay. Raises RewriteError for an
    op that takes a ref and has no such twin in TensorFlow 1.15.
    """

    name = "resource_variables"

    def plan(self, draft: Draft) -> Iterator[Edit]:
        """Yield the edits, none if there is no ref variable."""
        reads = ResourceReads.of(draft.graph)
        if not reads.refs:
            return
        views = ResourceViews(draft.graph, reads)
        variables = {variable.name: variable for variable in draft.variables}
        found = {name: row_lookup(views, variables, name) for name in draft.graph.nodes}
        lookups = {name: node for name, node in found.items() if node is not None}
        convert = _Conversion(draft.graph, reads, views.reread(lookups), lookups)
        twins = [twin for name in draft.graph.nodes if (twin := convert.node(name)) is not None]
        listed: list[Edit] = [*resource_collections(draft.collections, reads)]
        listed += resource_signatures(draft.signatures, reads)
        yield from reads.added.values()
        yield from map(ReplaceNode, twins)
        yield from listed
        yield from list_twins(draft.collections, views.led)

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Look for a ref variable that is left."""
        left = next((n for n in draft.graph.nodes if draft.graph.op(n) in REF_OPS), None)
        return None if left is None else f"{left} is still a ref variable"


@dataclass(frozen=True)
class _Conversion:
    """Makes the twins of the nodes that have to do with refs."""

    graph: Graph
    reads: ResourceReads
    reread: Mapping[Edge, TensorRef]
    lookups: Mapping[str, NodeDef]

    def node(self, name: str) -> NodeDef | None:
        """Return what is to stand in the place of a node, None if it stays as it is."""
        graph, node = self.graph, self.graph.nodes[name]
        if node.op in REF_OPS:
            return handle_node(node)
        if name in self.reads.merges:
            return _with_inputs(node, self._taken(name, ()), op="Merge")
        if name in self.lookups:
            return self.lookups[name]
        inputs = graph.inputs(name)
        edges = [Edge(name, slot) for slot, ref in enumerate(inputs) if ref in self.reads.refs]
        by_ref = [edge for edge in edges if is_ref_edge(graph, edge)]
        if not by_ref and not (edges and self.reads.is_read(edges[0])):
            taken = self._taken(name, ())
            return _with_inputs(node, taken) if taken != list(inputs) else None
        twin = find_twin(str(node.op))
        if twin is None:
            owner = min(self.reads.refs[graph.ref_at(edges[0])])
            raise RewriteError.no_resource_twin(owner, name, op=str(node.op))
        return twin_node(node, twin, self._taken(name, by_ref or edges))

    def _taken(self, name: str, by_handle: Sequence[Edge]) -> list[TensorRef]:
        """Return the inputs of a node that is to take handles, or values, where it took refs."""
        taken: list[TensorRef] = []
        waits: dict[TensorRef, None] = {}
        for slot, ref in enumerate(self.graph.inputs(name)):
            edge = Edge(name, slot)
            if ref not in self.reads.refs:
                taken.append(self.reread.get(edge, ref))
            elif edge not in by_handle:
                taken.append(self.reads.value_at(edge))
            elif self.graph.op(name) in MERGES:
                taken.append(self.reads.passed_handle(ref))
            else:
                handle = self.reads.handle(ref)
                taken.append(handle.tensor)
                waits.update(dict.fromkeys(handle.waits))
        return [*taken, *(wait for wait in waits if wait not in taken)]


def _with_inputs(node: NodeDef, inputs: Sequence[TensorRef], *, op: str = "") -> NodeDef:
    twin = NodeDef()
    twin.CopyFrom(node)
    twin.op = op or node.op
    twin.ClearField("input")
    twin.input.extend(map(str, inputs))
    return twin
