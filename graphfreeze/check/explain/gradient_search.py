"""Search the ways of a gradient from losses back to a variable, as tf.gradients goes.

It looks at the nodes ``between``: those that the variable reaches over tensors whose type can have
a gradient. From the losses it goes back among these. Everything goes breadth first, so that ways
are shortest ones.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from graphfreeze.check.explain.gradient_flow import Block, Flow
from graphfreeze.model.control_flow import EXITS
from graphfreeze.model.graph import Edge, Graph
from graphfreeze.model.names import TensorRef

_Way = dict[TensorRef, tuple[Edge, TensorRef] | None]


@dataclass(frozen=True)
class Stop:
    """A node that lets no gradient through, why, and the nodes from the variable up to it."""

    node: str
    block: Block
    path: tuple[str, ...]


@dataclass(frozen=True)
class Search:
    """The ways between a variable, by its ref or handle ``start``, and losses."""

    flow: Flow
    start: TensorRef
    losses: tuple[TensorRef, ...]

    @property
    def _graph(self) -> Graph:
        return self.flow.graph

    @cached_property
    def onward(self) -> dict[str, str]:
        """The nodes whose data leads to a loss, and the next node on a shortest way; '' at it."""
        found = {ref.node: "" for ref in self.losses}
        todo = deque(found)
        while todo:
            name = todo.popleft()
            for ref in self._graph.data_inputs(name):
                if ref.node not in found and ref.node in self._graph:
                    found[ref.node] = name
                    todo.append(ref.node)
        return found

    def path_to_loss(self, name: str) -> tuple[str, ...]:
        """Return the nodes after one on a shortest way of its data to a loss."""
        path = []
        while name := self.onward[name]:
            path.append(name)
        return tuple(path)

    @cached_property
    def between(self) -> set[str]:
        """The nodes that tf.gradients looks at."""
        graph, reached = self._graph, {self.start.node}
        todo = deque(reached)
        while todo:
            for edge in graph.edges_from(todo.popleft()):
                ref = graph.ref_at(edge)
                is_new = edge.consumer in self.onward and edge.consumer not in reached
                if is_new and not ref.is_control and self.flow.carries(ref):
                    new = {edge.consumer, *self._beside(edge.consumer)} - reached
                    reached |= new
                    todo.extend(sorted(new))
        found = {ref.node for ref in self.losses} & reached
        todo = deque(found)
        while todo:
            above = {ref.node for ref in graph.data_inputs(todo.popleft())} & reached - found
            found |= above
            todo.extend(sorted(above))
        return found

    def _beside(self, name: str) -> set[str]:
        """Return the other arguments of a function: it is differentiated by all of them."""
        told = self.flow.unfolded
        is_argument = name in told.places and told.given_by(name) is None
        others = told.arguments(told.places[name]) if is_argument else ()
        return {n for n in others if n in self.onward and self.flow.carries(TensorRef(n))}

    def find_path(self, *, with_zeros: bool) -> tuple[str, ...] | None:
        """Return the nodes from the variable to a loss that a gradient passes, None without a way.

        ``with_zeros`` also takes ops whose gradient is zero everywhere."""
        way, _ = self._back(with_zeros=with_zeros)
        if self.start not in way:
            return None
        path, at = [self.start.node], way[self.start]
        while at is not None:
            path.append(at[0].consumer)
            at = way[at[1]]
        return tuple(path)

    def refusals(self) -> list[Stop]:
        """Return the nodes at which tf.gradients raises an error, whatever other ways there are."""
        _, raising = self._back(with_zeros=True)
        for name in sorted(self.between):
            if self._graph.op(name) in EXITS:
                block = self.flow.find_block(Edge(name, 0))
                if block is not None and block.raises:
                    raising.setdefault(name, block)
        if not raising:
            return []
        forward, _ = self._forward(through=True)
        found = [Stop(name, block, forward.get(name, (name,))) for name, block in raising.items()]
        return sorted(found, key=lambda stop: len(stop.path))

    def _back(self, *, with_zeros: bool) -> tuple[_Way, dict[str, Block]]:
        """Return the tensors with a gradient, by which edge and output each, and who raises."""
        way: _Way = dict.fromkeys(self.losses)
        raising: dict[str, Block] = {}
        todo = deque(way)
        while todo:
            out = todo.popleft()
            if out == self.start or out.node not in self.between:
                continue
            if self.flow.is_zero(out) and not with_zeros:
                continue
            for slot, ref in enumerate(self._graph.data_inputs(out.node)):
                edge = Edge(out.node, slot)
                block = self.flow.find_block(edge)
                if block is not None and block.raises:
                    raising.setdefault(out.node, block)
                elif block is None and ref not in way and self.flow.carries(ref):
                    way[ref] = edge, out
                    todo.append(ref)
        return way, raising

    def cuts(self) -> list[Stop]:
        """Return the nodes that cut the gradient, nearest to the variable first.

        They are the first on each way of the variable's data to a loss."""
        return self._forward(through=False)[1]

    def _forward(self, *, through: bool) -> tuple[dict[str, tuple[str, ...]], list[Stop]]:
        """Return the path to each node that a gradient could come back from, and who cuts it.

        ``through`` goes on behind what cuts."""
        paths: dict[str, tuple[str, ...]] = {self.start.node: (self.start.node,)}
        stops: dict[str, Stop] = {}
        todo, seen = deque([self.start]), {self.start}
        while todo:
            ref = todo.popleft()
            for edge in self._graph.edges_of(ref):
                name = edge.consumer
                if name not in self.onward:
                    continue
                path = paths.setdefault(name, (*paths[ref.node], name))
                for out, block in self._outputs(edge):
                    if block is not None:
                        stops.setdefault(name, Stop(name, block, path))
                    if (block is None or through) and out not in seen:
                        seen.add(out)
                        todo.append(out)
        return paths, list(stops.values())

    def _outputs(self, edge: Edge) -> Iterator[tuple[TensorRef, Block | None]]:
        """Yield the outputs by which data goes on from an edge to a loss, and what cuts each."""
        block = self.flow.find_block(edge)
        for out in self._leading(edge.consumer):
            if self.flow.carries(out):
                yield out, block
            else:
                yield out, Block(self._type_text(out))

    def _leading(self, name: str) -> list[TensorRef]:
        graph = self._graph
        refs = (graph.ref_at(e) for e in graph.edges_from(name) if e.consumer in self.onward)
        taken = [ref for ref in refs if not ref.is_control]
        taken += [ref for ref in self.losses if ref.node == name]
        return list(dict.fromkeys(taken))

    def _type_text(self, out: TensorRef) -> str:
        told = self.flow.type_text(out)
        verb = "casts to" if self._graph.op(out.node) == "Cast" else "gives"
        return f"it {verb} {told}, which has no gradient"
