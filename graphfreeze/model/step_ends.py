"""Find what runs training steps in a graph, whatever collections say.

An end is a node that nothing takes. One that runs a writer is a step, unless it only gives
variables their first values, or those of a checkpoint.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from graphfreeze.errors import PatchError
from graphfreeze.model.names import find_ref, parse_ref
from graphfreeze.model.reads import writers
from graphfreeze.model.training import Training
from graphfreeze.model.variables import Variable

_STORES = ("Assign", "ScatterUpdate", "ScatterNdUpdate", "StridedSliceAssign")
_MOVES = ("AssignAdd", "AssignSub")


@dataclass(frozen=True)
class StepEnds:
    """The steps of a graph, by what its training is told by."""

    training: Training

    @cached_property
    def ends(self) -> tuple[str, ...]:
        """The nodes that run steps: few of them, which run all that moves something lasting.

        A group is one rather than what it waits for, and the last node, made when all was there."""
        graph, local = self.training.graph, {v.name for v in self.training.variables if v.is_local}
        lasting = {w for w, v in self._writers.items() if v.name not in local}
        kept, run = set[str](), set[str]()
        last = list(reversed(self.all_ends))
        for end in sorted(last, key=lambda name: graph.op(name) != "NoOp"):
            own = graph.ancestors([end], without=run)
            if own & lasting:
                kept.add(end)
            run |= own
        return tuple(end for end in self.all_ends if end in kept)

    @cached_property
    def all_ends(self) -> tuple[str, ...]:
        """All nodes that nothing takes and that run a step, in GraphDef order."""
        graph, others = self.training.graph, [w for w in self._writers if w not in self.given]
        moving = graph.descendants(others)
        training = graph.descendants(self.training.writers)
        beginning = graph.descendants(self.initializers)
        # What only leads round a loop has no end.
        ends = [*self._ends, *sorted(set(others) - graph.ancestors(self._ends))]
        steps = [n for n in ends if n in moving and (n in training or n not in beginning)]
        return tuple(n for n in steps if n not in beginning or not self._begins(n))

    def _begins(self, end: str) -> bool:
        """Tell whether an end gives all that learns its first values, whatever it does besides."""
        described = (v.definition for v in self.training.variables if v.is_trainable)
        first = {parse_ref(str(d.initializer_name)).node for d in described if d is not None}
        return bool(first) and first <= self.training.graph.ancestors([end])

    @property
    def may_write(self) -> tuple[str, ...]:
        """All those, and the ends that run no known writer, but perhaps a hidden one."""
        writing = self.training.graph.descendants(self._writers)
        return (*self.all_ends, *(name for name in self._ends if name not in writing))

    @cached_property
    def _ends(self) -> list[str]:
        graph = self.training.graph
        return [name for name in graph.nodes if not graph.edges_from(name)]

    def named(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the nodes of train ops by name, of an op or a tensor; raises PatchError."""
        return tuple(dict.fromkeys(self._get(name) for name in names))

    def _get(self, name: str) -> str:
        ref, graph = find_ref(name), self.training.graph
        if ref is None or ref.node not in graph:
            raise PatchError.unknown_train_op(name, graph.nodes, own=self.ends)
        if graph.ancestors([ref.node]).isdisjoint(self._writers):
            raise PatchError.read_only(name, own=self.ends)
        return ref.node

    @cached_property
    def given(self) -> dict[str, Variable]:
        """The writers that set a value which depends on no variable, or are initializers."""
        initial = (
            (writer, variable)
            for writer, variable in self._writers.items()
            if self._is_store(writer) and self.training.is_initial(writer, variable)
        )
        first = {w: self._writers[w] for w in self.initializers if w in self._writers}
        return first | dict(initial)

    @cached_property
    def initializers(self) -> list[str]:
        """The ops that give variables their first values; of a bare graph the first that could."""
        return list(self._find_initializers())

    def _find_initializers(self) -> Iterator[str]:
        for variable in self.training.variables:
            if variable.definition is not None:
                yield parse_ref(str(variable.definition.initializer_name)).node
                continue
            stores = [w for w in writers(self.training.graph, variable) if self._is_store(w)]
            initial = [w for w in stores if self.training.is_initial(w, variable)]
            yield from (*initial, *stores)[:1]

    @cached_property
    def _writers(self) -> dict[str, Variable]:
        graph = self.training.graph
        return {w: v for v in self.training.variables for w in writers(graph, v)}

    def _is_store(self, writer: str) -> bool:
        op = self.training.graph.op(writer).removeprefix("Resource")
        return op.startswith(_STORES) and not op.startswith(_MOVES)
