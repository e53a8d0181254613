"""The nodes of a graph by name, and who consumes each."""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass

from graphfreeze.model.attrs import HINT, find_attr
from graphfreeze.model.handled import Handled
from graphfreeze.model.names import TensorRef, parse_ref
from graphfreeze.model.ops import OpRegistry
from graphfreeze.schema import FunctionDef, NodeDef

Step = Callable[[str], Iterator[str]]


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """A place in a node's list of inputs."""

    consumer: str
    slot: int


class Graph:
    """An index of nodes in GraphDef order; only a draft changes one.

    ``functions`` is the function library by name, ``ops`` knows the types of inputs and outputs.
    ``handled`` keeps what was found of them once.
    ``aside`` are nodes of an old training that stays: no gradient passes them to a loss.
    """

    def __init__(
        self, nodes: Iterable[NodeDef], functions: Mapping[str, FunctionDef], ops: OpRegistry
    ) -> None:
        """Index the nodes."""
        self.ops = ops
        self.functions = dict(functions)
        self.handled: dict[str, tuple[FunctionDef, Handled]] = {}
        self.aside: frozenset[str] = frozenset()
        self.nodes: dict[str, NodeDef] = {}
        self._inputs: dict[str, tuple[TensorRef, ...]] = {}
        self._consumers: dict[str, dict[Edge, None]] = {}
        for node in nodes:
            self.put(node)

    def __contains__(self, name: str) -> bool:
        """Tell whether there is a node of that name."""
        return name in self.nodes

    def copy(self) -> "Graph":
        """Return an index of its own over the same nodes."""
        twin = Graph((), self.functions, self.ops)
        twin.aside, twin.nodes, twin.handled = self.aside, dict(self.nodes), self.handled
        twin._inputs = dict(self._inputs)
        twin._consumers = {name: dict(edges) for name, edges in self._consumers.items()}
        return twin

    def put(self, node: NodeDef) -> None:
        """Add a node, or take it in place of the one of that name."""
        name = str(node.name)
        self._unlink(name)
        self.nodes[name] = node
        self._inputs[name] = tuple(map(parse_ref, node.input))
        for slot, ref in enumerate(self._inputs[name]):
            self._consumers.setdefault(ref.node, {})[Edge(name, slot)] = None

    def drop(self, name: str) -> None:
        """Take a node away; edges from it dangle until their consumers go or are rewired."""
        self._unlink(name)
        del self.nodes[name], self._inputs[name]

    def _unlink(self, name: str) -> None:
        for slot, ref in enumerate(self._inputs.get(name, ())):
            self._consumers[ref.node].pop(Edge(name, slot), None)

    def op(self, name: str) -> str:
        """Return a node's operation, '' if there is no such node."""
        node = self.nodes.get(name)
        return "" if node is None else str(node.op)

    def inputs(self, name: str) -> tuple[TensorRef, ...]:
        """Return a node's inputs, control edges last."""
        return self._inputs[name]

    def data_inputs(self, name: str) -> tuple[TensorRef, ...]:
        """Return the tensors that a node takes."""
        return tuple(ref for ref in self._inputs[name] if not ref.is_control)

    def arguments(self, name: str) -> dict[str, TensorRef]:
        """Return a node's data inputs by the names that its op gives them.

        There are none for an op that nobody knows, or that takes lists."""
        definition = self.ops.find(self.op(name))
        names = [str(arg.name) for arg in definition.input_arg] if definition is not None else []
        refs = self.data_inputs(name)
        return dict(zip(names, refs, strict=True)) if len(names) == len(refs) else {}

    def ref_at(self, edge: Edge) -> TensorRef:
        """Return what stands at an edge."""
        return self._inputs[edge.consumer][edge.slot]

    def edges_from(self, name: str) -> tuple[Edge, ...]:
        """Return the edges that leave a node, control edges included."""
        return tuple(self._consumers.get(name, ()))

    def edges_of(self, ref: TensorRef) -> tuple[Edge, ...]:
        """Return the edges that carry one tensor."""
        return tuple(e for e in self.edges_from(ref.node) if self.ref_at(e).port == ref.port)

    def consumers(self, name: str, *, data_only: bool = False) -> list[str]:
        """Return the nodes that take an output of a node, or wait for it."""
        edges = self.edges_from(name)
        kept = (e.consumer for e in edges if not (data_only and self.ref_at(e).is_control))
        return list(dict.fromkeys(kept))

    def ancestors(self, names: Iterable[str], *, without: Container[str] = ()) -> set[str]:
        """Return the nodes that run when these run, themselves included; ``without`` known ones."""

        def above(name: str) -> Iterator[str]:
            return (ref.node for ref in self._inputs[name] if ref.node not in without)

        return self._closure((name for name in names if name not in without), above)

    def descendants(self, names: Iterable[str], *, data_only: bool = False) -> set[str]:
        """Return the nodes that need one of these, or that their data reaches; with themselves."""
        return self._closure(names, lambda name: iter(self.consumers(name, data_only=data_only)))

    def _closure(self, names: Iterable[str], step: Step) -> set[str]:
        found: set[str] = set()
        todo = [name for name in names if name in self.nodes]
        while todo:
            name = todo.pop()
            if name not in found:
                found.add(name)
                todo.extend(each for each in step(name) if each in self.nodes)
        return found

    def dtype(self, ref: TensorRef) -> int:
        """Return a tensor's type, an enum of ``types_pb2.DataType`` and never a ref type.

        That of an op that nobody knows is what its consumers take, or its only attribute that is a
        type; raises OpTypeError where these tell nothing."""
        node = self.nodes[ref.node]
        types = self.ops.find_output_types(node, self.functions)
        if types is not None:
            return types[ref.port or 0]
        inferred = self._infer_type(ref)
        return self.ops.output_types(node, self.functions)[0] if inferred is None else inferred

    def _infer_type(self, ref: TensorRef) -> int | None:
        for edge in self.edges_of(ref):
            types = self.ops.find_input_types(self.nodes[edge.consumer], self.functions)
            if types is not None and not ref.is_control:
                return types[edge.slot]
        attrs = self.nodes[ref.node].attr.values()
        own = {int(value.type) for value in attrs if value.WhichOneof("value") == "type"}
        return own.pop() if len(own) == 1 else None

    def count_outputs(self, name: str) -> int:
        """Return how many outputs a node has; of an op that nobody knows those that are spoken of.

        These are told by ``_output_shapes``, or taken by other nodes."""
        types = self.ops.find_output_types(self.nodes[name], self.functions)
        if types is not None:
            return len(types)
        ports = [self.ref_at(edge).port for edge in self.edges_from(name)]
        taken = [port + 1 for port in ports if port is not None]
        return max([len(find_attr(self.nodes[name], HINT).list.shape), *taken])

    def dangling(self) -> Iterator[str]:
        """Yield a sentence for every input that names a node which is not there."""
        for name in self.nodes:
            for ref in self._inputs[name]:
                if ref.node not in self.nodes:
                    yield f"{name} takes {ref}, which is not in the graph"


def with_inputs(node: NodeDef, inputs: list[str]) -> NodeDef:
    """Return a node that takes other inputs."""
    made = NodeDef()
    made.CopyFrom(node)
    made.ClearField("input")
    made.input.extend(inputs)
    return made
