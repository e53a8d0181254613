"""Tell what tf.gradients made from what the model computes."""

from collections.abc import Iterable, Set
from dataclasses import dataclass
from functools import cached_property

from graphfreeze.model.attrs import FLOATING, parse_shape
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import parse_ref
from graphfreeze.model.variables import REF_OPS, RESOURCE_OPS, Variable

_SHAPES = frozenset({"Shape", "ShapeN", "Size", "Rank", "ZerosLike", "OnesLike"})
_LATE = _SHAPES | {"BroadcastGradientArgs"}
_NO_DATA = frozenset({"Const", "NoOp"}) | REF_OPS | RESOURCE_OPS
_ASSIGNS = frozenset({"Assign", "AssignVariableOp"})
_ONES = ([1.0], [0x3C00], [0x3F80])  # float and double, half, bfloat16


@dataclass(frozen=True)
class Gradients:
    """What depends on what in a graph; ``protected`` nodes are no gradients."""

    graph: Graph
    variables: tuple[Variable, ...]
    protected: Set[str]

    @cached_property
    def variable_dependent(self) -> set[str]:
        """The nodes that the value of a variable can change."""
        return self.graph.descendants((v.name for v in self.variables), data_only=True)

    @cached_property
    def _data_dependent(self) -> set[str]:
        """The nodes that a batch of data can change."""
        graph = self.graph
        sources = (
            name
            for name, node in graph.nodes.items()
            if node.op not in _NO_DATA and not graph.data_inputs(name)
        )
        return self.graph.descendants(sources, data_only=True)

    @cached_property
    def seeds(self) -> list[str]:
        """The nodes that tf.gradients begins with."""
        return [n for n in self.graph.nodes if self._is_seed(n) and n not in self._initial]

    @cached_property
    def _initial(self) -> set[str]:
        """What initializers run: they fill a large variable with ones as gradients begin."""
        graph, described = self.graph, (v.definition for v in self.variables)
        named = {parse_ref(str(d.initializer_name)).node for d in described if d is not None}
        fills = [name for name in graph.nodes if graph.op(name) == "Fill"]
        direct = {n for n in fills if all(map(self._is_assign, graph.consumers(n)))}
        return graph.ancestors(named) | direct

    def _is_assign(self, name: str) -> bool:
        return self.graph.op(name) in _ASSIGNS

    @cached_property
    def decided(self) -> set[str]:
        """The nodes whose value gradients decide, also by what a resource was written to before."""
        found = self.graph.descendants(self.seeds, data_only=True)
        todo = self._read_after(found)
        while todo:
            found |= self.graph.descendants(todo, data_only=True)
            todo = self._read_after(found)
        return found

    def _read_after(self, writers: Set[str]) -> list[str]:
        """Return the reads of resources that wait for one of some writers, and are none of them."""
        graph = self.graph
        return [
            name
            for name in self._waiting
            if name not in writers
            and any(
                ref.node in writers and graph.inputs(ref.node)[:1] == graph.inputs(name)[:1]
                for ref in graph.inputs(name)
                if ref.is_control
            )
        ]

    @cached_property
    def _waiting(self) -> list[str]:
        graph = self.graph
        found = (name for name in graph.nodes if graph.op(name) == "ReadVariableOp")
        return [name for name in found if len(graph.inputs(name)) > 1]

    @cached_property
    def _gradients(self) -> dict[int, set[str]]:
        """What stems from each node that tf.gradients begins with, by that node's place."""
        stems = (self.graph.descendants([name], data_only=True) for name in self.seeds)
        return {self._places[name]: stem for name, stem in zip(self.seeds, stems, strict=True)}

    @cached_property
    def _measured(self) -> set[str]:
        """The nodes whose shape a seed of gradients takes."""
        graph = self.graph
        sources = (graph.data_inputs(name)[0].node for name in self.seeds)
        return {graph.data_inputs(name)[0].node for name in sources if graph.op(name) == "Shape"}

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.graph.nodes)}

    def _is_seed(self, name: str) -> bool:
        """Tell whether a node is ``Fill(shape of the loss, 1.0)`` that no kept tensor needs."""
        graph = self.graph
        if graph.op(name) != "Fill" or name in self.protected:
            return False
        value = graph.nodes[graph.data_inputs(name)[1].node]
        if value.op != "Const":
            return False
        tensor = value.attr["value"].tensor
        numbers = [*tensor.float_val, *tensor.double_val, *tensor.half_val]
        is_scalar = parse_shape(tensor.tensor_shape) == ()
        return tensor.dtype in FLOATING and is_scalar and numbers in _ONES

    def is_loss(self, name: str) -> bool:
        """Tell whether a node is the end of a forward computation that gradients alone look at.

        It was there before the gradients that look at it; what gradients make of it came later.
        Gradients of a loss without a static shape begin with its Shape.
        """
        if name in self._measured:
            return True
        forward = name in self.variable_dependent and name in self._data_dependent
        if not forward or self.graph.op(name) in _SHAPES:
            return False
        users = set(self.graph.consumers(name, data_only=True))
        later = (found for at, found in self._gradients.items() if at > self._places[name])
        return any(name not in found and users & found for found in later)

    @cached_property
    def late(self) -> dict[str, None]:
        """The nodes that were made after the first gradient."""
        first = min(self._gradients, default=len(self._places))
        return dict.fromkeys(name for name, at in self._places.items() if at > first)

    def ends(self, writers: Iterable[str]) -> list[str]:
        """Return what nobody takes of the gradients that some writers take.

        That are shapes and zeros that were made after the first gradient, and the gradients of
        what nobody asked for: of a dropout's mask, say."""
        graph, taken = self.graph, set(writers)
        stems = [self._gradients[place] for place in self._begun(taken)]
        found = (n for n in self.late if graph.op(n) in _LATE or any(n in stem for stem in stems))
        return [n for n in found if n not in self.protected and n not in taken]

    def _begun(self, writers: Set[str]) -> set[int]:
        """Return the places where the gradients of writers begin.

        A model may fill a tensor with ones too, as labels: the last one before a writer is none of
        its own, nor is a scalar."""
        led = {at: stem & writers for at, stem in self._gradients.items() if stem & writers}
        reached = set().union(*led.values())
        last = {max(at for at, those in led.items() if writer in those) for writer in reached}
        scalar = {self._places[name] for name in self.seeds if self._is_scalar(name)}
        return last | (scalar & led.keys())

    def _is_scalar(self, seed: str) -> bool:
        shape = self.graph.nodes[self.graph.data_inputs(seed)[0].node]
        return shape.op == "Const" and parse_shape(shape.attr["value"].tensor.tensor_shape) == (0,)
