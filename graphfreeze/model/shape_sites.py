"""A node whose shape is asked for, and what is known of the tensors that it takes."""

from collections.abc import Mapping
from dataclasses import dataclass

from graphfreeze.model.attrs import Shape, find_attr
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.static_shapes import find_integers


@dataclass(frozen=True, slots=True)
class Site:
    """One output of a node; ``known`` has the shapes of what it takes, None where nothing tells."""

    graph: Graph
    ref: TensorRef
    known: Mapping[TensorRef, Shape | None]

    @property
    def op(self) -> str:
        """The op of the node."""
        return self.graph.op(self.ref.node)

    @property
    def inputs(self) -> tuple[TensorRef, ...]:
        """The tensors that the node takes."""
        return self.graph.data_inputs(self.ref.node)

    def shape(self, slot: int = 0) -> Shape | None:
        """Return the shape of an input."""
        return self.known.get(self.inputs[slot])

    def numbers(self, slot: int) -> list[int] | None:
        """Return the whole numbers of an input, if they are constants."""
        return find_integers(self.graph, self.inputs[slot])

    def flag(self, key: str) -> bool:
        """Return an attribute that is true or false."""
        return bool(find_attr(self.graph.nodes[self.ref.node], key).b)

    def list(self, key: str) -> list[int]:
        """Return an attribute that is a list of whole numbers."""
        return list(find_attr(self.graph.nodes[self.ref.node], key).list.i)

    def text(self, key: str, default: str = "") -> str:
        """Return an attribute that is text."""
        return bytes(find_attr(self.graph.nodes[self.ref.node], key).s).decode() or default
