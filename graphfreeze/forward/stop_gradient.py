"""Cut gradients with StopGradient."""

from collections.abc import Iterator
from dataclasses import dataclass

from graphfreeze.errors import SelectionError
from graphfreeze.model.attrs import type_attr
from graphfreeze.model.model import Model
from graphfreeze.model.names import TensorRef
from graphfreeze.model.reads import resource_lookups
from graphfreeze.rewrite.builder import node_name
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import AddNode, Edit, Reroute
from graphfreeze.selection.resolve import Selection


@dataclass(frozen=True)
class StopGradient:
    """Cut the gradient of wholly frozen variables and at named tensors.

    ========================  ============================================
    before                    after
    ========================  ============================================
    ``read -> y``             ``read -> stop -> y``
    ``ResourceGather -> y``   ``ResourceGather -> stop -> y``
    ``tensor -> y``           ``tensor -> stop -> y``
    ``^read``, saver, writer  as before
    ========================  ============================================
    """

    selection: Selection
    name = "stop_gradient"

    def plan(self, draft: Draft) -> Iterator[Edit]:
        """Yield the edits; raises SelectionError for a tensor that nothing takes on."""
        for source in self._sources(draft):
            edges = draft.forward_edges(source)
            if not edges and source in self.selection.tensors:
                raise SelectionError.nothing_behind(source.tensor_name)
            if not edges:
                continue
            stop = _stop_of(source)
            attrs = {"T": type_attr(draft.graph.dtype(source))}
            device = str(draft.graph.nodes[source.node].device)
            yield AddNode(stop.node, "StopGradient", (source,), attrs, device)
            yield from (Reroute(edge, stop) for edge in edges)

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Look for a consumer that still takes a raw value."""
        for source in self._sources(draft):
            for edge in draft.forward_edges(source):
                if edge.consumer != _stop_of(source).node:
                    return f"{edge.consumer} takes {source} past its StopGradient"
        return None

    def _sources(self, draft: Draft) -> list[TensorRef]:
        frozen = self.selection.frozen
        lookups = [TensorRef(n) for v in frozen for n in resource_lookups(draft.graph, v)]
        found = [*draft.reads(frozen), *lookups, *self.selection.tensors]
        return list(dict.fromkeys(found))


def _stop_of(source: TensorRef) -> TensorRef:
    role = f"stop_{source.port}" if source.port else "stop"
    return TensorRef(node_name(source.node, role))
