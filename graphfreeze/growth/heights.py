"""How the height of a table travels: what is known of a tensor, and what an op does about it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from graphfreeze.errors import GrowError
from graphfreeze.model.calls import is_call
from graphfreeze.model.graph import Edge, Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.static_shapes import find_integers
from graphfreeze.schema import NodeDef


@dataclass(frozen=True, slots=True)
class Tall:
    """A tensor of which one axis is the height of a table.

    ``axis`` counts from the end, -1 is the last one; ``rank`` is None if not known. The axis has
    ``size`` entries, to which ``added`` come behind."""

    axis: int
    rank: int | None
    size: int
    added: int
    table: str

    def at(self, axis: int, rank: int | None) -> "Tall":
        """Return the same height along another axis."""
        return replace(self, axis=axis, rank=rank)

    def grows_as(self, other: "Tall") -> bool:
        """Tell whether two heights are one."""
        mine, others = (self.axis, self.size, self.added), (other.axis, other.size, other.added)
        return mine == others


@dataclass(frozen=True, slots=True)
class Passes:
    """The op gives the height on."""

    ref: TensorRef
    tall: Tall


@dataclass(frozen=True, slots=True)
class Needs:
    """The tensor at an edge has to be as tall, unless it is broadcast along that axis."""

    edge: Edge
    tall: Tall


@dataclass(frozen=True, slots=True)
class Loosens:
    """The op gives what it is handed in numbers, so that shapes beyond it change by themselves."""

    ref: TensorRef


@dataclass(frozen=True, slots=True)
class LooksUp:
    """The op takes rows by ids."""

    ids: TensorRef
    tall: Tall


@dataclass(frozen=True, slots=True)
class Stretches:
    """A number of a constant is the height; ``path`` leads up to it from the op that takes it."""

    path: tuple[Edge, ...]
    index: int
    tall: Tall


@dataclass(frozen=True, slots=True)
class Repeats:
    """A constant with one value throughout gets more of it."""

    edge: Edge
    tall: Tall


@dataclass(frozen=True, slots=True)
class Widens:
    """A placeholder is to be fed with more."""

    node: str
    tall: Tall


@dataclass(frozen=True, slots=True)
class Grows:
    """A variable gets more rows too."""

    variable: str
    tall: Tall


@dataclass(frozen=True, slots=True)
class Pads:
    """Zeros go behind an initial value of a variable that cannot be made taller."""

    edge: Edge
    variable: str
    tall: Tall


Effect = Passes | Needs | Loosens | LooksUp | Stretches | Repeats | Widens | Grows | Pads


@dataclass(frozen=True, slots=True)
class Site:
    """An op that takes a tall tensor at one of its inputs."""

    graph: Graph
    edge: Edge
    tall: Tall

    @property
    def node(self) -> NodeDef:
        """The op's node."""
        return self.graph.nodes[self.edge.consumer]

    @property
    def slot(self) -> int:
        """The input that is tall."""
        return self.edge.slot

    @property
    def inputs(self) -> tuple[TensorRef, ...]:
        """All tensors that the op takes."""
        return self.graph.data_inputs(self.edge.consumer)

    @property
    def place(self) -> tuple[int, int]:
        """The tall axis counted from the first, and the rank; raises GrowError if not known."""
        if self.tall.rank is None:
            raise self.unclear()
        return self.tall.rank + self.tall.axis, self.tall.rank

    def out(self, tall: Tall | None = None, port: int = 0) -> Passes:
        """Give the height on, along the same axis if no other is said."""
        return Passes(TensorRef(self.edge.consumer, port), tall or self.tall)

    def moved(self, place: int, rank: int, port: int = 0) -> Passes:
        """Give the height on along another axis, counted from the first."""
        return self.out(self.tall.at(place - rank, rank), port)

    def resized(self, size: int, axis: int | None = None, rank: int | None = None) -> Passes:
        """Give on a part of the rows, the last one among them, or more in front of them."""
        tall = self.tall if axis is None else self.tall.at(axis, rank)
        return self.out(replace(tall, size=size))

    def need(self, slot: int, axis: int | None = None) -> Needs:
        """Ask another input to be as tall."""
        axis = self.tall.axis if axis is None else axis
        return Needs(Edge(self.edge.consumer, slot), self.tall.at(axis, None))

    def integers(self, slot: int) -> list[int] | None:
        """Return the numbers of a constant that the op takes."""
        return find_integers(self.graph, self.inputs[slot])

    def get_integers(self, slot: int) -> list[int]:
        """Return the numbers of a constant that the op takes; raises GrowError if it is none."""
        found = self.integers(slot)
        if found is None:
            raise self.unclear()
        return found

    def refusal(self) -> GrowError:
        """Say that the op cannot grow along."""
        if is_call(self.graph, self.node):
            return GrowError.in_call(self.tall.table, self.edge.consumer)
        return GrowError.no_rule(self.tall.table, self.edge.consumer, op=str(self.node.op))

    def unclear(self) -> GrowError:
        """Say that the graph does not tell what the op does to the height."""
        return GrowError.cannot_tell(self.tall.table, self.edge.consumer, op=str(self.node.op))


Rule = Callable[[Site], Iterator[Effect]]
