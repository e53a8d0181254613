"""Let batch norms of frozen scopes use their moving averages."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graphfreeze.model.attrs import type_attr
from graphfreeze.model.averages import FUSED_NORMS, find_averages
from graphfreeze.model.batch_norms import BatchNorm, find_batch_norms, is_training
from graphfreeze.model.graph import Graph
from graphfreeze.model.model import Model
from graphfreeze.model.names import TensorRef
from graphfreeze.model.origins import Values
from graphfreeze.model.reads import reads
from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.builder import node_name
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import AddNode, Edit, ReplaceNode, Reroute
from graphfreeze.schema import NodeDef
from graphfreeze.selection.resolve import Selection


@dataclass(frozen=True)
class InferBatchNorms:
    """Normalize with the moving averages, which are frozen, in place of the batch's statistics.

    =====================================================  =====================================
    before                                                 after
    =====================================================  =====================================
    ``FusedBatchNorm*(x, gamma, beta, .., ..)``            ``(x, gamma, beta, mean, variance)``
    with ``is_training``, also in one branch of a cond     without; both branches are then alike
    ``mean -> Mul``, ``variance -> Add -> Rsqrt``          ``mean read -> Mul``, ``variance read
                                                           -> Add -> Rsqrt``
    the same with ``Merge(batch, average) ->``             the reads in place of the Merge
    =====================================================  =====================================

    What the batch's statistics led to besides, updates of the averages, is gated later on. A read
    from outside may enter a branch as it is: the branch's own values decide if a node runs.
    """

    selection: Selection
    name = "infer_batch_norms"

    def plan(self, draft: Draft) -> Iterator[Edit]:
        """Yield the edits."""
        added: set[str] = set()
        for norm in self._chosen(draft.graph, draft.variables):
            moving = [v for v in (norm.mean, norm.variance) if v is not None]
            taken = [_read(draft.graph, variable) for variable in moving]
            for variable, read in zip(moving, taken, strict=True):
                if read.node not in draft.graph and read.node not in added:
                    added.add(read.node)
                    yield _new_read(draft.graph, variable, read)
            if draft.graph.op(norm.node) in FUSED_NORMS:
                yield ReplaceNode(_inferring(draft.graph, norm, taken))
            else:
                pairs = zip(norm.edges, taken, strict=True)
                yield from (Reroute(edge, read) for edge, read in pairs)

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Look for a batch norm that was to change and still uses what its batch has."""
        graph, values = draft.graph, Values(draft.graph, self.selection.frozen)
        for norm in self._chosen(base.graph, base.variables):
            if graph.op(norm.node) in FUSED_NORMS and is_training(graph, norm.node):
                return f"{norm.node} still uses the statistics of its batch"
            for edge, variable in zip(norm.edges, (norm.mean, norm.variance), strict=True):
                if values.find(graph.ref_at(edge)) != variable:
                    return f"{norm.node} does not take its moving averages at {edge.consumer}"
        return None

    def _chosen(self, graph: Graph, variables: Sequence[Variable]) -> list[BatchNorm]:
        """Return those of the selection that use what their batch has."""
        if not self.selection.batch_norms:
            return []
        values = Values(graph, variables)
        found = find_batch_norms(values, find_averages(values))
        return [norm for norm in found if norm.node in self.selection.batch_norms]


def _read(graph: Graph, variable: Variable) -> TensorRef:
    """Return a read outside of all branches: the variable's own, or the place for a new one."""
    if variable.kind == "ref":
        for read in reads(graph, variable):
            if graph.inputs(read.node) == (TensorRef(variable.name),):
                return read
    return TensorRef(node_name(variable.name, "read"))


def _new_read(graph: Graph, variable: Variable, read: TensorRef) -> AddNode:
    is_ref = variable.kind == "ref"
    attrs = {"T" if is_ref else "dtype": type_attr(variable.dtype)}
    op, device = "Identity" if is_ref else "ReadVariableOp", str(graph.nodes[variable.name].device)
    return AddNode(read.node, op, (TensorRef(variable.name),), attrs, device)


def _inferring(graph: Graph, norm: BatchNorm, moving: list[TensorRef]) -> NodeDef:
    """Return a fused batch norm that takes moving averages."""
    twin = NodeDef()
    twin.CopyFrom(graph.nodes[norm.node])
    twin.attr["is_training"].b = False
    for edge, read in zip(norm.edges, moving, strict=True):
        twin.input[edge.slot] = str(read)
    return twin
