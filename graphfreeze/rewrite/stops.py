"""Stop gradients behind the reads of frozen variables, and behind named tensors."""

from collections.abc import Iterator
from dataclasses import dataclass

from graphfreeze.errors import SelectionError
from graphfreeze.model.attrs import type_attr
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.reads import forward_edges, reads, resource_lookups
from graphfreeze.rewrite.builder import node_name
from graphfreeze.rewrite.edits import AddNode, NodeEdit, Reroute
from graphfreeze.selection.resolve import Selection


@dataclass(frozen=True)
class Stops:
    """The stops that a graph needs for what is chosen of it: a model's, or a function's body."""

    graph: Graph
    selection: Selection

    def plan(self) -> Iterator[NodeEdit]:
        """Yield the edits; raises SelectionError for a tensor that nothing takes on."""
        for source in self._sources():
            edges = forward_edges(self.graph, source)
            if not edges and source in self.selection.tensors:
                raise SelectionError.nothing_behind(source.tensor_name)
            if not edges:
                continue
            stop = _stop_of(source)
            attrs = {"T": type_attr(self.graph.dtype(source))}
            device = str(self.graph.nodes[source.node].device)
            yield AddNode(stop.node, "StopGradient", (source,), attrs, device)
            yield from (Reroute(edge, stop) for edge in edges)

    def find_missing(self) -> str | None:
        """Say which consumer still takes a raw value, if any."""
        for source in self._sources():
            for edge in forward_edges(self.graph, source):
                if edge.consumer != _stop_of(source).node:
                    return f"{edge.consumer} takes {source} past its StopGradient"
        return None

    def _sources(self) -> list[TensorRef]:
        frozen, graph = self.selection.frozen, self.graph
        values = [read for variable in frozen for read in reads(graph, variable)]
        lookups = [TensorRef(n) for v in frozen for n in resource_lookups(graph, v)]
        return list(dict.fromkeys([*values, *lookups, *self.selection.tensors]))


def _stop_of(source: TensorRef) -> TensorRef:
    role = f"stop_{source.port}" if source.port else "stop"
    return TensorRef(node_name(source.node, role))
